//! Halves of a text that is too long for a model.

use crate::sentence::sentences;

/// A text of fewer characters is not cut.
const SHORTEST: usize = 200;

/// Where a text can be cut in two: the byte and the character at which the sentence nearest to
/// the middle begins. A text without such a sentence is cut at a space; a short one is not cut.
pub(super) fn middle(text: &str) -> Option<(usize, u32)> {
    let chars = text.chars().count();
    if chars < SHORTEST {
        return None;
    }
    let half = u32::try_from(chars / 2).ok()?;
    let sentence = sentences(text)
        .into_iter()
        .filter(|sentence| sentence.start > 0)
        .map(|sentence| (sentence.start, sentence.start_char))
        .min_by_key(|(_, char)| char.abs_diff(half));
    sentence
        .filter(|(_, char)| char.abs_diff(half) < half / 2)
        .or_else(|| space(text, half))
}

fn space(text: &str, half: u32) -> Option<(usize, u32)> {
    text.char_indices()
        .zip(0_u32..)
        .filter(|((_, char), _)| char.is_whitespace())
        .map(|((byte, char), position)| (byte + char.len_utf8(), position + 1))
        .filter(|(byte, _)| *byte < text.len())
        .min_by_key(|(_, position)| position.abs_diff(half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_sentences() {
        let text = "Ünder the bridge flowed water. ".repeat(10);
        let (byte, char) = middle(&text).unwrap();
        assert!(text[byte..].starts_with('Ü'));
        assert_eq!(text[..byte].chars().count(), char as usize);
        assert!(char.abs_diff(155) < 32);
    }

    #[test]
    fn a_text_without_sentences_is_cut_at_a_space_or_not_at_all() {
        let words = "wörd ".repeat(60);
        let (byte, char) = middle(&words).unwrap();
        assert_eq!(words[..byte].chars().count(), char as usize);
        assert_eq!(middle(&"x".repeat(500)), None);
        assert_eq!(middle("short. text."), None);
    }
}
