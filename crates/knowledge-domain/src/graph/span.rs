use serde::{Deserialize, Serialize};

/// A stretch of a document in Unicode scalar values, end-exclusive, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32)", into = "(u32, u32)")]
pub struct CharSpan {
    start: u32,
    end: u32,
}

/// A span that is empty or runs backwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a span must start before it ends, but {start}..{end} does not")]
pub struct InvalidSpan {
    /// The first character.
    pub start: u32,
    /// The character after the last.
    pub end: u32,
}

impl CharSpan {
    /// The characters `start..end`.
    ///
    /// # Errors
    /// [`InvalidSpan`] when the span would be empty or run backwards.
    pub fn new(start: u32, end: u32) -> Result<Self, InvalidSpan> {
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(InvalidSpan { start, end })
        }
    }

    /// The first character.
    #[must_use]
    pub fn start(self) -> u32 {
        self.start
    }

    /// The character after the last.
    #[must_use]
    pub fn end(self) -> u32 {
        self.end
    }

    /// Whether the two share a character.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether `other` lies within.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The same stretch, `offset` characters later: from a chunk's to the document's counting.
    ///
    /// # Errors
    /// [`InvalidSpan`] when the result would pass `u32::MAX`.
    pub fn shifted(self, offset: u32) -> Result<Self, InvalidSpan> {
        Self::new(
            self.start.saturating_add(offset),
            self.end.saturating_add(offset),
        )
    }
}

impl TryFrom<(u32, u32)> for CharSpan {
    type Error = InvalidSpan;

    fn try_from((start, end): (u32, u32)) -> Result<Self, Self::Error> {
        Self::new(start, end)
    }
}

impl From<CharSpan> for (u32, u32) {
    fn from(span: CharSpan) -> Self {
        (span.start, span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_backward_spans_are_refused() {
        assert!(CharSpan::new(3, 3).is_err());
        assert!(CharSpan::new(4, 3).is_err());
    }

    #[test]
    fn neighbours_do_not_overlap() {
        let (left, right) = (CharSpan::new(0, 3).unwrap(), CharSpan::new(3, 5).unwrap());
        assert!(!left.overlaps(right));
        assert!(left.overlaps(CharSpan::new(2, 4).unwrap()));
    }
}
