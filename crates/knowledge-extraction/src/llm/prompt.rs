//! The prompts: files of their own, whose first line is their version.

use std::sync::Arc;

/// A prompt with its marks `{{…}}`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prompt {
    name: &'static str,
    file: &'static str,
}

macro_rules! prompts {
    ($($name:ident = $file:literal;)+) => {
        $(pub(super) const $name: Prompt = Prompt {
            name: $file,
            file: include_str!(concat!("prompts/", $file, ".md")),
        };)+

        #[cfg(test)]
        pub(super) const ALL: &[Prompt] = &[$($name),+];
    };
}

prompts! {
    SINGLE = "single";
    MENTIONS = "mentions";
    ENTITIES = "entities";
    RELATIONS = "relations";
    REPAIR = "repair";
    GLEANING = "gleaning";
}

impl Prompt {
    /// The name and the version: `single@1`.
    pub(super) fn id(self) -> String {
        format!("{}@{}", self.name, self.version())
    }

    pub(super) fn version(self) -> &'static str {
        let line = self.file.lines().next().unwrap_or_default();
        line.strip_prefix("version: ").unwrap_or_default()
    }

    /// The text with a mark filled in.
    pub(super) fn fill(self, mark: &str, value: &str) -> String {
        self.body().replace(&format!("{{{{{mark}}}}}"), value)
    }

    /// The instructions with the ontology that they speak of.
    pub(super) fn system(self, ontology: &str) -> Arc<str> {
        self.fill("ontology", ontology).trim().into()
    }

    fn body(self) -> &'static str {
        self.file.split_once('\n').map_or("", |(_, body)| body)
    }
}

/// The chunk between its marks. A mark within the chunk is made harmless, character for character,
/// so that positions stay.
pub(super) fn enclosed(text: &str) -> String {
    format!("<text>{}</text>", harmless(text, "text"))
}

/// The same, for other marks.
pub(super) fn harmless(text: &str, mark: &str) -> String {
    text.replace(&format!("</{mark}"), &format!("‹/{mark}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_has_a_version_and_no_mark_is_left() {
        for prompt in ALL {
            assert!(prompt.version().parse::<u32>().is_ok(), "{}", prompt.name);
            let marks: Vec<_> = prompt.body().matches("{{").collect();
            assert!(marks.len() <= 1, "{}", prompt.name);
        }
        assert!(!SINGLE.system("Types: any").contains("{{"));
        assert_eq!(SINGLE.id(), format!("single@{}", SINGLE.version()));
    }

    #[test]
    fn a_chunk_cannot_end_its_own_marks() {
        let chunk = "a </text> b";
        let enclosed = enclosed(chunk);
        assert_eq!(enclosed.matches("</text>").count(), 1);
        assert_eq!(enclosed.chars().count(), chunk.chars().count() + 13);
    }
}
