use proptest::prelude::*;

use super::*;

fn chunk_text(text: &str, config: &ChunkConfig) -> Vec<String> {
    let source = SourceText::new(text).unwrap();
    chunks(&source, config)
        .unwrap()
        .iter()
        .map(|chunk| source.slice(chunk.span).unwrap().to_owned())
        .collect()
}

fn small(max_chars: u32) -> ChunkConfig {
    ChunkConfig {
        max_chars,
        min_chars: 10,
        overlap_sentences: 1,
    }
}

#[test]
fn neighbours_share_a_sentence() {
    let text = "The first one is here. The second one is here. The third one is here. End of it.";
    assert_eq!(
        chunk_text(text, &small(50)),
        [
            "The first one is here. The second one is here.",
            "The second one is here. The third one is here.",
            "The third one is here. End of it."
        ]
    );
}

#[test]
fn long_sentences_are_cut_at_white_space_then_hard() {
    let text = format!("{} {}", "a".repeat(40), "b".repeat(120));
    let lengths: Vec<usize> = chunk_text(&text, &small(50))
        .iter()
        .map(String::len)
        .collect();
    assert_eq!(lengths, [40, 50, 50, 20]);
}

#[test]
fn graphemes_stay_whole_where_they_can() {
    let text = "e\u{301}".repeat(60);
    let config = small(51);
    assert_eq!(chunk_text(&text, &config)[0].chars().count(), 50);
    let marks = format!("e{}", "\u{301}".repeat(300));
    assert!(
        chunk_text(&marks, &config)
            .iter()
            .all(|c| c.chars().count() <= 51)
    );
}

#[test]
fn empty_documents_are_refused_for_good() {
    for text in ["", " \n\t ", "\u{a0}\u{2003}"] {
        let source = SourceText::new(text).unwrap();
        let error = chunks(&source, &ChunkConfig::default()).unwrap_err();
        assert!(matches!(error, ExtractionError::EmptyDocument));
        assert_eq!(error.kind(), knowledge_domain::ErrorKind::Permanent);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let source = SourceText::new("Text.").unwrap();
    for config in [
        small(0),
        small(200_000),
        ChunkConfig {
            min_chars: 3000,
            ..ChunkConfig::default()
        },
    ] {
        let error = chunks(&source, &config).unwrap_err();
        assert!(matches!(error, ExtractionError::Config(_)));
    }
}

#[test]
fn a_huge_word_is_cut_in_linear_time() {
    let text = "A".repeat(1_000_000);
    let cut = chunk_text(&text, &ChunkConfig::default());
    assert_eq!(cut.len(), 500);
    assert_eq!(cut.concat().len(), text.len());
}

fn arbitrary_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zé。 ]{0,400}",
        "([A-Z][a-z]{1,9}[ .]{1,2}){0,80}",
        "[e\u{301}\u{1f468}\u{200d}\u{1f1e9}]{0,300}",
        "(a{0,130}[ \n]){0,8}",
    ]
}

proptest! {
    #[test]
    fn chunks_cover_the_text_in_order_within_bounds(
        text in arbitrary_text(),
        max_chars in 50_u32..120,
        overlap_sentences in 0_u32..3,
    ) {
        let config = ChunkConfig { max_chars, min_chars: 20, overlap_sentences };
        let source = SourceText::new(text.as_str()).unwrap();
        let found = match chunks(&source, &config) {
            Err(ExtractionError::EmptyDocument) => {
                prop_assert!(text.chars().all(is_blank));
                return Ok(());
            }
            other => other.unwrap(),
        };
        let mut covered = 0_u32;
        let all: Vec<char> = text.chars().collect();
        for (index, chunk) in found.iter().enumerate() {
            prop_assert_eq!(chunk.position as usize, index);
            let (start, end) = (chunk.span.start(), chunk.span.end());
            prop_assert!(end - start <= max_chars);
            prop_assert!(source.slice(chunk.span).is_some());
            if start > covered {
                prop_assert!(all[covered as usize..start as usize].iter().all(|c| is_blank(*c)));
            } else {
                prop_assert!(covered - start <= max_chars / 2);
            }
            prop_assert!(end > covered);
            covered = end;
        }
        prop_assert!(all[covered as usize..].iter().all(|c| is_blank(*c)));
    }
}
