//! Making JSON of what a model wrote around it, or left out of it.

use serde_json::Value;

use super::mend::{Mended, mended};

/// What could be read.
#[derive(Debug, PartialEq)]
pub(super) enum Parsed {
    /// The whole answer, an object or a list.
    Whole {
        /// The value.
        value: Value,
        /// Whether it was not an object and nothing else.
        mended: bool,
    },
    /// The answer breaks off: what was complete before.
    Part(Value),
    /// Nothing.
    Nothing,
}

/// Places at which a value may begin that are looked at; prose has few brackets.
const STARTS: usize = 100;

/// Reads an answer that should be one JSON object: the longest value that stands in it, after what
/// the model thought.
pub(super) fn parse(text: &str) -> Parsed {
    let text = text.trim();
    if let Ok(value @ Value::Object(_)) = serde_json::from_str(text) {
        return Parsed::Whole {
            value,
            mended: false,
        };
    }
    let text = without_thoughts(text);
    let mut longest = (0, Parsed::Nothing);
    let mut from = 0;
    for _ in 0..STARTS {
        let Some(start) = next_bracket(text, from) else {
            break;
        };
        let (end, read) = read_at(text, start);
        if end - start > longest.0 && read != Parsed::Nothing {
            longest = (end - start, read);
            from = end;
        } else {
            from = start + 1;
        }
    }
    longest.1
}

/// Whether the answer broke off before the model had said anything: it was still thinking.
pub(super) fn is_thought_only(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(THINK) && without_thoughts(text).is_empty()
}

const THINK: &str = "<think";
const THOUGHT: [&str; 2] = ["</think>", "</thinking>"];

/// What follows the model's thoughts. Some leave their opening mark out; thoughts that do not end
/// are followed by nothing.
fn without_thoughts(text: &str) -> &str {
    let ends = THOUGHT.into_iter().filter_map(|mark| {
        let at = text.rfind(mark)?;
        Some(at + mark.len())
    });
    match ends.max() {
        Some(end) => text[end..].trim(),
        None if text.starts_with(THINK) => "",
        None => text,
    }
}

fn next_bracket(text: &str, from: usize) -> Option<usize> {
    let found = text.get(from..)?.find(['{', '['])?;
    Some(from + found)
}

/// The value that begins at `start`, and where it ends.
fn read_at(text: &str, start: usize) -> (usize, Parsed) {
    match mended(&text[start..]) {
        Mended::Ended(json, length) => match serde_json::from_str(&json) {
            Ok(value) => {
                let mended = true;
                (start + length, Parsed::Whole { value, mended })
            }
            Err(_) => (start, Parsed::Nothing),
        },
        Mended::Broken(part) => match part.and_then(|part| serde_json::from_str(&part).ok()) {
            Some(value) => (text.len(), Parsed::Part(value)),
            None => (start, Parsed::Nothing),
        },
    }
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
            "<think>{\"a\": [], \"b\": \"longer than what is said\"}</think>\n{\"a\":[1,2]}",
            "it is {\"a\": []}, no\n</think>{\"a\":[1,2]}",
            "as in [3] and {x, {'a': [1, 2]}",
        ] {
            let expected = Parsed::Whole {
                value: json!({"a": [1, 2]}),
                mended: true,
            };
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("I cannot do that."), Parsed::Nothing);
        let list = Parsed::Whole {
            value: json!([1]),
            mended: true,
        };
        assert_eq!(parse("[1]"), list);
        assert_eq!(parse("<think>{\"a\": [1]} is it"), Parsed::Nothing);
        assert_eq!(parse(""), Parsed::Nothing);
    }

    #[test]
    fn an_answer_that_is_all_thought_is_known() {
        assert!(is_thought_only(" <think>I wonder"));
        assert!(is_thought_only("<think>I wonder</think> "));
        assert!(!is_thought_only("<think>I wonder</think>{"));
        assert!(!is_thought_only(""));
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
