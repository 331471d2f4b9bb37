//! Cutting a document into chunks of whole sentences.
//!
//! Owns where chunks start and end. A chunk is a run of sentences of at most
//! [`ChunkConfig::max_chars`] characters; neighbours share [`ChunkConfig::overlap_sentences`]
//! sentences where these leave at least half of the chunk to new text. Linear in the text.

use knowledge_domain::{
    ConfigError,
    graph::{CharSpan, Chunk, SourceText},
};
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::{
    error::ExtractionError,
    sentence::{Sentence, is_blank, sentences},
};

#[cfg(test)]
mod tests;

/// How long chunks are and how much neighbours share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ChunkConfig {
    /// The longest chunk, in characters.
    pub max_chars: u32,
    /// A last chunk that is shorter joins the one before where the two fit into one.
    pub min_chars: u32,
    /// How many sentences a chunk repeats of the one before.
    pub overlap_sentences: u32,
}

impl Default for ChunkConfig {
    fn default() -> Self {
        Self {
            max_chars: 2000,
            min_chars: 100,
            overlap_sentences: 1,
        }
    }
}

impl ChunkConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] for the first setting that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |path, value: u32, expected| ConfigError {
            path,
            value: value.to_string(),
            expected,
        };
        if !(50..=100_000).contains(&self.max_chars) {
            let expected = "between 50 and 100000";
            return Err(wrong("chunk.maxChars", self.max_chars, expected));
        }
        if self.min_chars > self.max_chars {
            let expected = "at most chunk.maxChars";
            return Err(wrong("chunk.minChars", self.min_chars, expected));
        }
        if self.overlap_sentences > 10 {
            let expected = "at most 10";
            return Err(wrong(
                "chunk.overlapSentences",
                self.overlap_sentences,
                expected,
            ));
        }
        Ok(())
    }
}

/// The chunks of a document, in order; together they cover every character that is not blank.
///
/// # Errors
/// [`ExtractionError::EmptyDocument`] when there is no such character, and
/// [`ExtractionError::Config`] for settings out of range.
pub fn chunks(source: &SourceText, config: &ChunkConfig) -> Result<Vec<Chunk>, ExtractionError> {
    config.validate()?;
    let pieces = pieces(source.as_str(), config.max_chars);
    if pieces.is_empty() {
        return Err(ExtractionError::EmptyDocument);
    }
    let ranges = merge_short_tail(group(&pieces, config), config);
    Ok(ranges
        .into_iter()
        .zip(0_u32..)
        .filter_map(|((start, end), position)| {
            let span = CharSpan::new(start, end).ok()?;
            Some(Chunk { position, span })
        })
        .collect())
}

/// Sentences, those that are longer than `max_chars` cut into several.
fn pieces(text: &str, max_chars: u32) -> Vec<Sentence> {
    let mut pieces = Vec::new();
    for sentence in sentences(text) {
        if sentence.end_char - sentence.start_char <= max_chars {
            pieces.push(sentence);
        } else {
            cut(text, sentence, max_chars, &mut pieces);
        }
    }
    pieces
}

fn cut(text: &str, sentence: Sentence, max_chars: u32, pieces: &mut Vec<Sentence>) {
    let mut rest = sentence;
    while rest.end_char - rest.start_char > max_chars {
        let window = &text[rest.start..rest.end];
        let (bytes, chars) = cut_at(window, max_chars as usize);
        let head = &window[..bytes];
        let kept = head.trim_end_matches(is_blank);
        let blank = head[kept.len()..].chars().count();
        if !kept.is_empty() {
            pieces.push(Sentence {
                start: rest.start,
                end: rest.start + kept.len(),
                start_char: rest.start_char,
                end_char: rest.start_char + to_u32(chars - blank),
            });
        }
        let tail = &window[bytes..];
        let next = tail.trim_start_matches(is_blank);
        let skipped = tail.len() - next.len();
        rest.start += bytes + skipped;
        rest.start_char += to_u32(chars + tail[..skipped].chars().count());
    }
    if rest.start_char < rest.end_char {
        pieces.push(rest);
    }
}

/// Where to cut a window that is longer than `max` characters: at the last white space, else before
/// the grapheme that would be split, else hard. In bytes and characters, both more than 0.
fn cut_at(window: &str, max: usize) -> (usize, usize) {
    let mut blank = None;
    let mut hard = window.len();
    let mut after = window.len();
    for (count, (byte, c)) in window.char_indices().enumerate() {
        if count == max {
            hard = byte;
            after = byte + c.len_utf8();
        }
        if is_blank(c) && count > 0 {
            blank = Some((byte, count));
        }
        if count == max {
            break;
        }
    }
    if let Some(found) = blank {
        return found;
    }
    let grapheme = window[..after]
        .grapheme_indices(true)
        .next_back()
        .map_or(hard, |(byte, _)| byte);
    if grapheme == 0 || grapheme >= hard {
        return (hard, max);
    }
    (grapheme, max - window[grapheme..hard].chars().count())
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Ranges of characters, each a run of pieces.
fn group(pieces: &[Sentence], config: &ChunkConfig) -> Vec<(u32, u32)> {
    let mut ranges = Vec::new();
    let mut first = 0;
    let mut next = 0;
    while next < pieces.len() {
        let start = pieces[first].start_char;
        let mut end = next;
        while end < pieces.len() && pieces[end].end_char - start <= config.max_chars {
            end += 1;
        }
        // `first` was chosen so that the piece `next` fits.
        let last = end.max(next + 1);
        ranges.push((start, pieces[last - 1].end_char));
        first = overlap_start(pieces, first, last, config);
        next = last;
    }
    ranges
}

/// The piece at which the chunk that brings `next` starts: up to `overlap_sentences` earlier.
fn overlap_start(pieces: &[Sentence], first: usize, next: usize, config: &ChunkConfig) -> usize {
    let Some(incoming) = pieces.get(next) else {
        return next;
    };
    let mut start = next;
    for _ in 0..config.overlap_sentences {
        let Some(earlier) = start.checked_sub(1).filter(|earlier| *earlier > first) else {
            break;
        };
        let from = pieces[earlier].start_char;
        let shared = pieces[next - 1].end_char - from;
        if shared > config.max_chars / 2 || incoming.end_char - from > config.max_chars {
            break;
        }
        start = earlier;
    }
    start
}

fn merge_short_tail(mut ranges: Vec<(u32, u32)>, config: &ChunkConfig) -> Vec<(u32, u32)> {
    if let [.., before, last] = ranges.as_mut_slice()
        && last.1 - last.0 < config.min_chars
        && last.1 - before.0 <= config.max_chars
    {
        before.1 = last.1;
        ranges.pop();
    }
    ranges
}
