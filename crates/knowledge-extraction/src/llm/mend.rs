//! Reading what is nearly JSON, as models write it: single quotes, Python's words, trailing commas,
//! comments, line breaks within strings, and answers that break off.

/// What a piece of text that begins with a bracket came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mended {
    /// The value up to its last bracket, as JSON, and where it ends in the text, in bytes.
    Ended(String, usize),
    /// It breaks off: what is there up to the last complete item of a list, with everything open
    /// closed, as JSON.
    Broken(Option<String>),
}

/// Mends the value that the text begins with.
pub(super) fn mended(text: &str) -> Mended {
    let mut mender = Mender {
        text,
        at: 0,
        kept: String::with_capacity(text.len()),
        open: Vec::new(),
        complete: None,
    };
    mender.run()
}

/// What was kept up to an item's end, and the brackets that were open then.
type Complete = (usize, Vec<char>);

struct Mender<'a> {
    text: &'a str,
    at: usize,
    kept: String,
    open: Vec<char>,
    complete: Option<Complete>,
}

impl Mender<'_> {
    fn run(&mut self) -> Mended {
        while let Some(char) = self.next() {
            match char {
                '"' | '\'' => {
                    if !self.string(char) {
                        break;
                    }
                }
                '{' | '[' => self.opened(char),
                '}' | ']' => {
                    if self.open.pop() != Some(char) {
                        break;
                    }
                    self.closed(char);
                    if self.open.is_empty() {
                        return Mended::Ended(std::mem::take(&mut self.kept), self.at);
                    }
                }
                '/' if self.rest().starts_with('/') => self.comment(),
                _ if char.is_alphabetic() || char == '_' => self.word(char),
                _ => self.kept.push(char),
            }
        }
        Mended::Broken(self.up_to_complete())
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.rest().chars().next()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn opened(&mut self, bracket: char) {
        self.open.push(if bracket == '{' { '}' } else { ']' });
        self.kept.push(bracket);
        // A list directly in the outermost object.
        if bracket == '[' && self.open.len() == 2 {
            self.complete = Some((self.kept.len(), self.open.clone()));
        }
    }

    fn closed(&mut self, bracket: char) {
        let trimmed = self.kept.trim_end();
        if let Some(rest) = trimmed.strip_suffix(',') {
            self.kept.truncate(rest.len());
        }
        self.kept.push(bracket);
        // An item of a list directly in the outermost object.
        if (1..=2).contains(&self.open.len()) {
            self.complete = Some((self.kept.len(), self.open.clone()));
        }
    }

    fn up_to_complete(&self) -> Option<String> {
        let (length, open) = self.complete.as_ref()?;
        let mut text = self.kept.get(..*length)?.to_owned();
        text.extend(open.iter().rev());
        Some(text)
    }

    fn comment(&mut self) {
        let rest = self.rest();
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    /// A word outside of strings: a key without quotes, or a value in JSON's or Python's words.
    fn word(&mut self, first: char) {
        let start = self.at - first.len_utf8();
        let rest = self.rest();
        let end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_'));
        self.at += end.unwrap_or(rest.len());
        let word = self.text.get(start..self.at).unwrap_or_default();
        let is_key = self.rest().trim_start().starts_with(':');
        let json = match word {
            _ if is_key => format!("\"{word}\""),
            "True" => "true".to_owned(),
            "False" => "false".to_owned(),
            "None" | "NaN" | "undefined" => "null".to_owned(),
            _ => word.to_owned(),
        };
        self.kept.push_str(&json);
    }

    /// A string in either kind of quotes; whether it ends.
    fn string(&mut self, quote: char) -> bool {
        self.kept.push('"');
        while let Some(char) = self.next() {
            match char {
                '\\' => {
                    if !self.escape() {
                        return false;
                    }
                }
                _ if char == quote && (quote == '"' || self.ends_here()) => {
                    self.kept.push('"');
                    return true;
                }
                '"' => self.kept.push_str("\\\""),
                '\n' => self.kept.push_str("\\n"),
                _ if char < ' ' => {
                    let code = format!("{:04x}", u32::from(char));
                    self.kept.push_str("\\u");
                    self.kept.push_str(&code);
                }
                _ => self.kept.push(char),
            }
        }
        false
    }

    /// Whether a single quote ends its string, rather than being an apostrophe.
    fn ends_here(&self) -> bool {
        let next = self.rest().trim_start().chars().next();
        next.is_none_or(|next| matches!(next, ',' | ':' | '}' | ']'))
    }

    /// What follows a backslash; one that escapes nothing is left out. Whether anything follows.
    fn escape(&mut self) -> bool {
        let Some(char) = self.next() else {
            return false;
        };
        let is_escape = match char {
            'u' => {
                let hex = self.rest().get(..4);
                hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
            }
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => true,
            _ => false,
        };
        if is_escape {
            self.kept.push('\\');
        }
        match char {
            '\n' => self.kept.push_str("\\n"),
            _ if char < ' ' => {}
            _ => self.kept.push(char),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn ended(text: &str) -> Value {
        match mended(text) {
            Mended::Ended(json, _) => serde_json::from_str(&json)
                .unwrap_or_else(|error| panic!("{text} became {json}: {error}")),
            Mended::Broken(part) => panic!("{text} is broken: {part:?}"),
        }
    }

    #[test]
    fn what_is_nearly_json_is_read() {
        for (text, expected) in [
            (
                "{'a': 'it\\'s', 'b': None,}",
                json!({"a": "it's", "b": null}),
            ),
            (
                "{'a': 'O'Brien said \"no\"'}",
                json!({"a": "O'Brien said \"no\""}),
            ),
            (
                "{'a': \"O'Brien\", 'b': [True, False]}",
                json!({"a": "O'Brien", "b": [true, false]}),
            ),
            ("{a: 1, b_2: {c: NaN}}", json!({"a": 1, "b_2": {"c": null}})),
            (
                "{\"a\": \"two\nlines\tand\u{1}\"}",
                json!({"a": "two\nlines\tand\u{1}"}),
            ),
            (
                "{\"a\": \"\\_x\\d \\u00e9 \\u12\"}",
                json!({"a": "_xd é u12"}),
            ),
            (
                "{\"a\": 1, // a remark with {\n\"b\": 2 , }",
                json!({"a": 1, "b": 2}),
            ),
            ("[{\"u\": \"http://x\"},]", json!([{"u": "http://x"}])),
            (
                "{\"a\": 1.5e3, \"b\": true}",
                json!({"a": 1500.0, "b": true}),
            ),
        ] {
            assert_eq!(ended(text), expected, "{text}");
        }
        assert_eq!(
            mended("{\"a\"} and more"),
            Mended::Ended("{\"a\"}".to_owned(), 5)
        );
        assert_eq!(mended("{\"a\": \"b\\"), Mended::Broken(None));
    }

    proptest! {
        #[test]
        fn json_stays_what_it_is(text in "\\PC{0,20}", number in any::<i32>(), more in any::<String>()) {
            let value = json!({ "a": [text, { "b": number, &more: null }], "c": { "d": more } });
            prop_assert_eq!(ended(&value.to_string()), value);
        }
    }
}
