//! Making JSON of what a model wrote around it, or left out of it.

use serde_json::Value;

/// What could be read.
#[derive(Debug, PartialEq)]
pub(super) enum Parsed {
    /// The whole answer, as it is or after fences, prose and trailing commas were taken off.
    Whole {
        /// The value.
        value: Value,
        /// Whether something had to be taken off.
        mended: bool,
    },
    /// The answer breaks off: what was complete before.
    Part(Value),
    /// Nothing.
    Nothing,
}

/// Reads an answer that should be one JSON object.
pub(super) fn parse(text: &str) -> Parsed {
    let text = text.trim();
    if let Ok(value @ Value::Object(_)) = serde_json::from_str(text) {
        return Parsed::Whole {
            value,
            mended: false,
        };
    }
    let Some(start) = text.find('{') else {
        return Parsed::Nothing;
    };
    match scan(&text[start..]) {
        Scan::Ended(object) => match serde_json::from_str(&object) {
            Ok(value) => Parsed::Whole {
                value,
                mended: true,
            },
            Err(_) => Parsed::Nothing,
        },
        Scan::Broken(closed) => closed
            .and_then(|object| serde_json::from_str(&object).ok())
            .map_or(Parsed::Nothing, Parsed::Part),
    }
}

enum Scan {
    /// The object with its trailing commas removed.
    Ended(String),
    /// The text up to the last complete value of a list, with everything open closed.
    Broken(Option<String>),
}

/// Walks over an object, leaving out commas before a closing bracket.
fn scan(text: &str) -> Scan {
    let mut open: Vec<char> = Vec::new();
    let mut kept = String::with_capacity(text.len());
    let mut complete: Option<(usize, Vec<char>)> = None;
    let (mut in_string, mut escaped) = (false, false);
    for char in text.chars() {
        if in_string {
            kept.push(char);
            match char {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match char {
            '"' => in_string = true,
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => {
                if open.pop() != Some(char) {
                    return Scan::Broken(closed(&kept, complete));
                }
                drop_trailing_comma(&mut kept);
                kept.push(char);
                if open.is_empty() {
                    return Scan::Ended(kept);
                }
                // An element of a list directly in the outermost object.
                if open.len() <= 2 {
                    complete = Some((kept.len(), open.clone()));
                }
                continue;
            }
            _ => {}
        }
        kept.push(char);
        if char == '[' && open.len() == 2 {
            complete = Some((kept.len(), open.clone()));
        }
    }
    Scan::Broken(closed(&kept, complete))
}

fn drop_trailing_comma(kept: &mut String) {
    let trimmed = kept.trim_end();
    if let Some(rest) = trimmed.strip_suffix(',') {
        kept.truncate(rest.len());
    }
}

fn closed(kept: &str, complete: Option<(usize, Vec<char>)>) -> Option<String> {
    let (length, open) = complete?;
    let mut text = kept[..length].to_owned();
    text.extend(open.iter().rev());
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn fences_prose_and_trailing_commas_come_off() {
        for text in [
            "```json\n{\"a\": [1, 2,],}\n```",
            "Here it is: {\"a\": [1, 2]} I hope it helps {}",
            "<think>no braces</think>{\"a\":[1,2]}",
        ] {
            let expected = Parsed::Whole {
                value: json!({"a": [1, 2]}),
                mended: true,
            };
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("I cannot do that."), Parsed::Nothing);
        assert_eq!(parse("[1]"), Parsed::Nothing);
        assert_eq!(parse(""), Parsed::Nothing);
    }

    #[test]
    fn a_broken_answer_keeps_its_complete_items() {
        let text = r#"{"a": [{"x": "}"}, {"x": "\"2"}, {"x": "thr"#;
        let expected = json!({"a": [{"x": "}"}, {"x": "\"2"}]});
        assert_eq!(parse(text), Parsed::Part(expected));
        assert_eq!(
            parse(r#"{"a": [{"x": 1}], "b": [{"#),
            Parsed::Part(json!({"a": [{"x": 1}], "b": []}))
        );
        assert_eq!(parse(r#"{"a": ["#), Parsed::Part(json!({"a": []})));
        assert_eq!(parse(r#"{"a"#), Parsed::Nothing);
    }

    proptest! {
        #[test]
        fn whatever_a_model_writes_nothing_panics(text in "[\\[\\]{}\",:a1\\\\ é]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn every_cut_of_an_answer_gives_a_prefix_of_its_items(cut in 0_usize..200) {
            let whole = json!({"items": [{"t": "a{b"}, {"t": "ü]"}, {"t": "c"}], "more": [{"n": [1, 2]}]});
            let text = whole.to_string();
            let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let items = whole["items"].as_array().unwrap();
            let read = match parse(&text[..cut]) {
                Parsed::Whole { value, .. } | Parsed::Part(value) => value,
                Parsed::Nothing => return Ok(()),
            };
            let read = read["items"].as_array().unwrap();
            prop_assert_eq!(&items[..read.len()], read.as_slice());
        }
    }
}
