//! Words that mean something to names: what may be left out, what tells apart.

/// Words that carry no meaning of their own within a name.
const FILLERS: &[&str] = &[
    "a", "an", "and", "at", "by", "da", "das", "de", "del", "della", "den", "der", "des", "di",
    "die", "do", "dos", "du", "e", "el", "et", "for", "in", "la", "las", "le", "les", "los", "of",
    "on", "the", "und", "y", "zu",
];

/// Legal forms of firms.
const LEGAL_FORMS: &[&str] = &[
    "ab",
    "ag",
    "as",
    "asa",
    "bv",
    "co",
    "company",
    "corp",
    "corporation",
    "gmbh",
    "group",
    "holding",
    "holdings",
    "inc",
    "incorporated",
    "kg",
    "kgaa",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "nv",
    "oy",
    "oyj",
    "plc",
    "pte",
    "pty",
    "pvt",
    "sa",
    "sarl",
    "sas",
    "se",
    "spa",
    "srl",
];

/// Words that say what kind of thing an organisation is: the first to be left out.
const DESCRIPTORS: &[&str] = &[
    "academy",
    "agency",
    "association",
    "authority",
    "bank",
    "board",
    "brothers",
    "bureau",
    "centre",
    "center",
    "chapel",
    "church",
    "club",
    "college",
    "commission",
    "committee",
    "consortium",
    "council",
    "department",
    "engineering",
    "enterprises",
    "federation",
    "foundation",
    "foundry",
    "guild",
    "hospital",
    "industries",
    "insurance",
    "institute",
    "institution",
    "international",
    "laboratories",
    "laboratory",
    "league",
    "library",
    "line",
    "lines",
    "manufacturing",
    "ministry",
    "mission",
    "museum",
    "office",
    "organisation",
    "organization",
    "orchestra",
    "party",
    "partners",
    "press",
    "publishers",
    "publishing",
    "railway",
    "railways",
    "savings",
    "school",
    "services",
    "shipping",
    "society",
    "solutions",
    "station",
    "systems",
    "technologies",
    "trust",
    "union",
    "university",
    "works",
];

/// What precedes a person's name, with the sex that it tells.
const HONORIFICS: &[(&str, Sex)] = &[
    ("admiral", Sex::Unsaid),
    ("baron", Sex::Male),
    ("baroness", Sex::Female),
    ("bishop", Sex::Unsaid),
    ("brother", Sex::Male),
    ("capt", Sex::Unsaid),
    ("captain", Sex::Unsaid),
    ("col", Sex::Unsaid),
    ("colonel", Sex::Unsaid),
    ("commander", Sex::Unsaid),
    ("count", Sex::Male),
    ("countess", Sex::Female),
    ("dame", Sex::Female),
    ("doctor", Sex::Unsaid),
    ("dr", Sex::Unsaid),
    ("duchess", Sex::Female),
    ("duke", Sex::Male),
    ("father", Sex::Male),
    ("frau", Sex::Female),
    ("gen", Sex::Unsaid),
    ("general", Sex::Unsaid),
    ("gov", Sex::Unsaid),
    ("governor", Sex::Unsaid),
    ("herr", Sex::Male),
    ("hon", Sex::Unsaid),
    ("inspector", Sex::Unsaid),
    ("judge", Sex::Unsaid),
    ("lady", Sex::Female),
    ("lieutenant", Sex::Unsaid),
    ("lord", Sex::Male),
    ("lt", Sex::Unsaid),
    ("madame", Sex::Female),
    ("maj", Sex::Unsaid),
    ("major", Sex::Unsaid),
    ("miss", Sex::Female),
    ("mme", Sex::Female),
    ("monsieur", Sex::Male),
    ("mr", Sex::Male),
    ("mrs", Sex::Female),
    ("ms", Sex::Female),
    ("mx", Sex::Unsaid),
    ("president", Sex::Unsaid),
    ("prof", Sex::Unsaid),
    ("professor", Sex::Unsaid),
    ("rev", Sex::Unsaid),
    ("reverend", Sex::Unsaid),
    ("senator", Sex::Unsaid),
    ("senor", Sex::Male),
    ("senora", Sex::Female),
    ("sergeant", Sex::Unsaid),
    ("sgt", Sex::Unsaid),
    ("sir", Sex::Male),
];

/// Degrees and orders that follow a person's name.
const SUFFIXES: &[&str] = &[
    "ba", "bsc", "cbe", "esq", "frs", "kbe", "kc", "ma", "mba", "mbe", "md", "mp", "msc", "obe",
    "phd", "qc",
];

/// Words of which one more or one less names another thing.
const DISTINGUISHING: &[&str] = &[
    "boys",
    "central",
    "east",
    "eastern",
    "elder",
    "female",
    "first",
    "girls",
    "great",
    "greater",
    "inner",
    "jr",
    "junior",
    "left",
    "lesser",
    "little",
    "lower",
    "male",
    "men",
    "mens",
    "mini",
    "new",
    "north",
    "northeast",
    "northeastern",
    "northern",
    "northwest",
    "northwestern",
    "old",
    "outer",
    "plus",
    "pro",
    "right",
    "second",
    "senior",
    "south",
    "southeast",
    "southeastern",
    "southern",
    "southwest",
    "southwestern",
    "sr",
    "third",
    "under",
    "upper",
    "west",
    "western",
    "women",
    "womens",
    "younger",
    "youth",
];

/// Spellings of one word.
const SPELLINGS: &[(&str, &str)] = &[
    ("saint", "st"),
    ("sankt", "st"),
    ("mount", "mt"),
    ("fort", "ft"),
    ("number", "no"),
    ("nr", "no"),
    ("jnr", "jr"),
    ("junior", "jr"),
    ("snr", "sr"),
    ("senior", "sr"),
    ("univ", "university"),
    ("dept", "department"),
    ("intl", "international"),
    ("natl", "national"),
    ("inst", "institute"),
    ("assoc", "association"),
    ("bros", "brothers"),
    ("centre", "center"),
    ("theatre", "theater"),
    ("organisation", "organization"),
];

/// A sex, as far as an honorific tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sex {
    Female,
    Male,
    Unsaid,
}

pub(crate) fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word)
}

pub(crate) fn is_legal_form(word: &str) -> bool {
    LEGAL_FORMS.binary_search(&word).is_ok()
}

/// Whether a word says little about which organisation is meant.
pub(crate) fn is_descriptor(word: &str) -> bool {
    DESCRIPTORS.contains(&word) || is_legal_form(word)
}

/// What a word tells that precedes names of persons; nothing, when it is no such word.
pub(crate) fn honorific(word: &str) -> Option<Sex> {
    let found = HONORIFICS.binary_search_by(|(known, _)| known.cmp(&word));
    found.ok().map(|index| HONORIFICS[index].1)
}

pub(crate) fn is_suffix(word: &str) -> bool {
    SUFFIXES.contains(&word)
}

pub(crate) fn is_distinguishing(word: &str) -> bool {
    DISTINGUISHING.binary_search(&word).is_ok() || is_number(word)
}

/// Whether a word tells persons of one name apart.
pub(crate) fn is_generation(word: &str) -> bool {
    matches!(word, "jr" | "sr" | "elder" | "younger")
}

/// The one spelling of a word that has several.
pub(crate) fn spelling(word: &str) -> &str {
    let found = SPELLINGS.iter().find(|(variant, _)| *variant == word);
    found.map_or(word, |(_, common)| common)
}

/// Whether a word counts or numbers: it has a digit, or is a Roman numeral of several letters.
pub(crate) fn is_number(word: &str) -> bool {
    word.chars().any(char::is_numeric) || is_roman(word)
}

/// Roman numerals up to 39, of more than a letter and no word of their own.
fn is_roman(word: &str) -> bool {
    let tail = word.trim_start_matches('x');
    word.len() > 1
        && word.len() - tail.len() <= 3
        && matches!(
            tail,
            "" | "i" | "ii" | "iii" | "iv" | "v" | "vi" | "vii" | "viii" | "ix"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_are_searched_are_sorted() {
        assert!(LEGAL_FORMS.is_sorted() && DISTINGUISHING.is_sorted());
        assert!(HONORIFICS.is_sorted_by_key(|(word, _)| *word));
    }

    #[test]
    fn numbers() {
        for word in ["737", "b2", "ii", "xiv", "viii"] {
            assert!(is_number(word), "{word}");
        }
        for word in ["i", "v", "x", "mill", "vi-x", ""] {
            assert!(!is_number(word), "{word}");
        }
    }
}
