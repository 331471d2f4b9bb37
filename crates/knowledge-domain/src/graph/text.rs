use std::sync::Arc;

use super::CharSpan;

/// A document's text with an index from characters to bytes.
///
/// Cheap to clone. A look-up scans at most 256 characters, none when the text is ASCII.
#[derive(Debug, Clone)]
pub struct SourceText {
    text: Arc<str>,
    chars: u32,
    /// Byte offset of every `STRIDE`-th character; empty for ASCII.
    marks: Arc<[u32]>,
}

const STRIDE: usize = 256;

impl SourceText {
    /// Indexes a text; `None` when it is longer than `u32::MAX` bytes.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Option<Self> {
        let text = text.into();
        let bytes = u32::try_from(text.len()).ok()?;
        if text.is_ascii() {
            return Some(Self {
                text,
                chars: bytes,
                marks: Arc::new([]),
            });
        }
        let mut marks = Vec::with_capacity(text.len() / STRIDE + 1);
        let mut chars = 0_u32;
        for (byte, _) in text.char_indices() {
            if (chars as usize).is_multiple_of(STRIDE) {
                marks.push(u32::try_from(byte).ok()?);
            }
            chars += 1;
        }
        Some(Self {
            text,
            chars,
            marks: marks.into(),
        })
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The length in characters.
    #[must_use]
    pub fn char_count(&self) -> u32 {
        self.chars
    }

    /// The text of a span, or `None` when it ends after the text.
    #[must_use]
    pub fn slice(&self, span: CharSpan) -> Option<&str> {
        self.text
            .get(self.byte_of(span.start())?..self.byte_of(span.end())?)
    }

    /// Whether the text at `span` is exactly `expected`.
    #[must_use]
    pub fn verifies(&self, span: CharSpan, expected: &str) -> bool {
        self.slice(span) == Some(expected)
    }

    /// The byte at which a character starts; the text's length for the character after the last.
    fn byte_of(&self, char: u32) -> Option<usize> {
        if char > self.chars {
            return None;
        }
        if char == self.chars {
            return Some(self.text.len());
        }
        if self.marks.is_empty() {
            return Some(char as usize);
        }
        let mark = *self.marks.get(char as usize / STRIDE)? as usize;
        let rest = self.text.get(mark..)?;
        let (byte, _) = rest.char_indices().nth(char as usize % STRIDE)?;
        Some(mark + byte)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slices_agree_with_counting_characters(text in "\\PC{0,600}", start in 0_u32..700, len in 1_u32..300) {
            let span = CharSpan::new(start, start + len).unwrap();
            let counted: String = text.chars().skip(start as usize).take(len as usize).collect();
            let source = SourceText::new(text.as_str()).unwrap();
            let fits = (start + len) as usize <= text.chars().count();
            prop_assert_eq!(source.slice(span), fits.then_some(counted.as_str()));
            prop_assert_eq!(source.char_count() as usize, text.chars().count());
        }
    }
}
