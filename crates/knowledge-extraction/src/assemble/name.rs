//! Names as they are compared and shown.

use unicode_normalization::UnicodeNormalization as _;

/// Words that carry no meaning when two names of an organisation are compared.
const FILLERS: &[&str] = &[
    "of", "the", "and", "for", "de", "du", "des", "der", "di", "la",
];

/// Legal forms that a short form leaves out.
const LEGAL_FORMS: &[&str] = &[
    "inc",
    "ltd",
    "llc",
    "plc",
    "corp",
    "co",
    "corporation",
    "company",
    "limited",
    "incorporated",
    "gmbh",
    "ag",
    "sa",
    "group",
    "holdings",
    "nv",
    "bv",
    "ab",
    "oy",
    "spa",
    "srl",
    "kg",
];

/// A name in one line, without a leading article in lower case.
pub(super) fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.strip_prefix("the ") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => line,
    }
}

/// The words of a name, compatible forms unified and in lower case, without article and
/// punctuation: `Saint` becomes `st` and `&` becomes `and`.
pub(super) fn words(text: &str) -> Vec<String> {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut words: Vec<String> = folded
        .replace('&', " and ")
        .split(|c: char| c.is_whitespace() || matches!(c, '-' | '–' | '‐' | '/'))
        .map(|word| {
            let word = word
                .strip_suffix("'s")
                .or_else(|| word.strip_suffix("’s"))
                .unwrap_or(word);
            word.chars()
                .filter(|c| c.is_alphanumeric())
                .collect::<String>()
        })
        .filter(|word| !word.is_empty())
        .map(|word| {
            if word == "saint" {
                "st".to_owned()
            } else {
                word
            }
        })
        .collect();
    if words.len() > 1 && words[0] == "the" {
        words.remove(0);
    }
    words
}

/// The words that remain when fillers and legal forms are left out, sorted: equal for `West Dunholm
/// University` and `University of West Dunholm`.
pub(super) fn core(words: &[String]) -> Vec<&str> {
    let mut core: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !FILLERS.contains(word) && !LEGAL_FORMS.contains(word))
        .collect();
    core.sort_unstable();
    core
}

/// The initials of a name, with and without those of its fillers; none for a single word.
pub(super) fn acronyms(words: &[String]) -> Vec<String> {
    let initials = |keep: &dyn Fn(&str) -> bool| -> String {
        words
            .iter()
            .filter(|word| keep(word))
            .filter_map(|word| word.chars().next())
            .collect()
    };
    let bare = |word: &str| !FILLERS.contains(&word);
    let core = |word: &str| bare(word) && !LEGAL_FORMS.contains(&word);
    let mut found = vec![initials(&|_| true), initials(&bare), initials(&core)];
    found.retain(|acronym| acronym.chars().count() > 1);
    found.sort_unstable();
    found.dedup();
    found
}

/// The letters of a name that is written as an acronym: `RCAF`, `U.S.A.`.
pub(super) fn as_acronym(text: &str) -> Option<String> {
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let written = text.chars().all(|c| c.is_alphanumeric() || c == '.')
        && letters.chars().filter(|c| c.is_uppercase()).count() * 2 > letters.chars().count()
        && (2..=10).contains(&letters.chars().count());
    written.then(|| letters.to_lowercase())
}

/// Whether a name of several words is in capitals throughout, as in a heading.
pub(super) fn is_shouted(text: &str) -> bool {
    text.trim().contains(' ')
        && text.chars().any(char::is_uppercase)
        && !text.chars().any(char::is_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_by_their_words() {
        assert_eq!(
            words("the Saint  Cuthbert's Hospital"),
            ["st", "cuthbert", "hospital"]
        );
        assert_eq!(words("Barrow & Lark"), words("Barrow and Lark"));
        assert_eq!(
            core(&words("University of West Dunholm")),
            core(&words("West Dunholm University"))
        );
        assert_eq!(shown("the  Ashby\nBreakwater"), "Ashby Breakwater");
        assert_eq!(shown("the"), "the");
    }

    #[test]
    fn acronyms_of_names() {
        assert_eq!(acronyms(&words("Royal Canadian Air Force")), ["rcaf"]);
        assert!(acronyms(&words("University of the West Indies")).contains(&"uwi".to_owned()));
        assert_eq!(as_acronym("U.S."), Some("us".to_owned()));
        assert_eq!(as_acronym("Paris"), None);
    }
}
