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
    "aktiebolag",
    "aktiengesellschaft",
    "aktieselskab",
    "as",
    "asa",
    "bhd",
    "bv",
    "co",
    "company",
    "coop",
    "corp",
    "corporation",
    "doo",
    "eirl",
    "eurl",
    "ev",
    "gesmbh",
    "gmbh",
    "group",
    "holding",
    "holdings",
    "inc",
    "incorporated",
    "jsc",
    "kft",
    "kg",
    "kgaa",
    "kk",
    "kommanditgesellschaft",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "ltda",
    "ltee",
    "mbh",
    "nv",
    "nyrt",
    "oao",
    "ohg",
    "ojsc",
    "ooo",
    "oy",
    "oyj",
    "pao",
    "pjsc",
    "plc",
    "pllc",
    "pte",
    "pty",
    "pvt",
    "sa",
    "sab",
    "sarl",
    "sas",
    "scs",
    "sdn",
    "se",
    "sgps",
    "sicav",
    "sl",
    "slu",
    "snc",
    "spa",
    "sprl",
    "spzoo",
    "srl",
    "sro",
    "tbk",
    "ug",
    "vof",
    "zao",
    "zrt",
    "ао",
    "зао",
    "оао",
    "ооо",
    "пао",
];

/// Legal forms of several words.
const LEGAL_PHRASES: &[&[&str]] = &[
    &["a", "s"],
    &["aksjeselskap"],
    &["anonim", "sirketi"],
    &["besloten", "vennootschap"],
    &["gesellschaft", "mit", "beschrankter", "haftung"],
    &["kabushiki", "kaisha"],
    &["limited", "liability", "company"],
    &["limited", "liability", "partnership"],
    &["naamloze", "vennootschap"],
    &["public", "limited", "company"],
    &["s", "coop"],
    &["sociedad", "anonima"],
    &["sociedade", "anonima"],
    &["societa", "per", "azioni"],
    &["societe", "anonyme"],
    &["sp", "z", "oo"],
    &["z", "oo"],
];

/// Legal forms that are written without a space before or after the name.
const LEGAL_AFFIXES: &[&str] = &[
    "股份有限公司",
    "有限责任公司",
    "有限公司",
    "株式会社",
    "有限会社",
    "合同会社",
    "주식회사",
];

/// What is as often called by its initials.
const ABBREVIATED: &[(&[&str], &str)] = &[
    (&["united", "states", "of", "america"], "us"),
    (&["united", "states"], "us"),
    (&["usa"], "us"),
    (&["united", "kingdom"], "uk"),
    (&["association", "football", "club"], "afc"),
    (&["football", "club"], "fc"),
];

/// Words before or after the name of a place that say what kind of place it is.
const LANDFORMS: &[&str] = &[
    "bay",
    "cape",
    "creek",
    "gulf",
    "island",
    "isle",
    "lake",
    "loch",
    "mt",
    "peninsula",
    "river",
];

/// Words that begin the surname of a person, and are no given names.
const PARTICLES: &[&str] = &[
    "af", "al", "av", "bin", "d", "da", "dal", "de", "del", "della", "den", "der", "di", "do",
    "dos", "du", "el", "ibn", "la", "le", "ten", "ter", "van", "vande", "vander", "vom", "von",
    "zu", "zum", "zur",
];

/// Words after a title that say of what it is.
const FACULTIES: &[&str] = &[
    "dent", "emer", "emeritus", "habil", "hc", "ing", "jur", "med", "mult", "nat", "oec", "phil",
    "pol", "rer", "theol", "vet",
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

/// Institutions: what is named after one of them is another one, `Selby University Press`.
const INSTITUTIONS: &[&str] = &[
    "academy",
    "bank",
    "church",
    "college",
    "hospital",
    "library",
    "museum",
    "school",
    "university",
];

/// What precedes a person's name, with the sex that it tells.
const HONORIFICS: &[(&str, Sex)] = &[
    ("admiral", Sex::Unsaid),
    ("ambassador", Sex::Unsaid),
    ("baron", Sex::Male),
    ("baroness", Sex::Female),
    ("bishop", Sex::Unsaid),
    ("brother", Sex::Male),
    ("capt", Sex::Unsaid),
    ("captain", Sex::Unsaid),
    ("chancellor", Sex::Unsaid),
    ("col", Sex::Unsaid),
    ("colonel", Sex::Unsaid),
    ("commander", Sex::Unsaid),
    ("congressman", Sex::Male),
    ("congresswoman", Sex::Female),
    ("corporal", Sex::Unsaid),
    ("count", Sex::Male),
    ("countess", Sex::Female),
    ("dame", Sex::Female),
    ("detective", Sex::Unsaid),
    ("dipl", Sex::Unsaid),
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
    ("imam", Sex::Unsaid),
    ("inspector", Sex::Unsaid),
    ("judge", Sex::Unsaid),
    ("justice", Sex::Unsaid),
    ("lady", Sex::Female),
    ("lieutenant", Sex::Unsaid),
    ("lord", Sex::Male),
    ("lt", Sex::Unsaid),
    ("madame", Sex::Female),
    ("maj", Sex::Unsaid),
    ("major", Sex::Unsaid),
    ("mayor", Sex::Unsaid),
    ("minister", Sex::Unsaid),
    ("miss", Sex::Female),
    ("mme", Sex::Female),
    ("monsieur", Sex::Male),
    ("mr", Sex::Male),
    ("mrs", Sex::Female),
    ("ms", Sex::Female),
    ("mx", Sex::Unsaid),
    ("pastor", Sex::Unsaid),
    ("president", Sex::Unsaid),
    ("prof", Sex::Unsaid),
    ("professor", Sex::Unsaid),
    ("rabbi", Sex::Unsaid),
    ("rev", Sex::Unsaid),
    ("reverend", Sex::Unsaid),
    ("senator", Sex::Unsaid),
    ("senor", Sex::Male),
    ("senora", Sex::Female),
    ("sergeant", Sex::Unsaid),
    ("sgt", Sex::Unsaid),
    ("sheikh", Sex::Male),
    ("signor", Sex::Male),
    ("signora", Sex::Female),
    ("sir", Sex::Male),
    ("sister", Sex::Female),
    ("superintendent", Sex::Unsaid),
];

/// Titles of those who reign.
const REIGNING: &[(&str, Sex)] = &[
    ("emperor", Sex::Male),
    ("empress", Sex::Female),
    ("king", Sex::Male),
    ("pope", Sex::Male),
    ("prince", Sex::Male),
    ("princess", Sex::Female),
    ("queen", Sex::Female),
    ("sultan", Sex::Male),
    ("tsar", Sex::Male),
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
    "sharp",
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
    ("aluminium", "aluminum"),
    ("assoc", "association"),
    ("avenue", "ave"),
    ("boulevard", "blvd"),
    ("bros", "brothers"),
    ("centre", "center"),
    ("defence", "defense"),
    ("dept", "department"),
    ("eighth", "8th"),
    ("eleventh", "11th"),
    ("fifth", "5th"),
    ("first", "1st"),
    ("fort", "ft"),
    ("fourth", "4th"),
    ("govt", "government"),
    ("harbour", "harbor"),
    ("inst", "institute"),
    ("intl", "international"),
    ("jnr", "jr"),
    ("junior", "jr"),
    ("labour", "labor"),
    ("mount", "mt"),
    ("natl", "national"),
    ("ninth", "9th"),
    ("nr", "no"),
    ("number", "no"),
    ("organisation", "organization"),
    ("programme", "program"),
    ("road", "rd"),
    ("saint", "st"),
    ("sankt", "st"),
    ("second", "2nd"),
    ("senior", "sr"),
    ("seventh", "7th"),
    ("sixth", "6th"),
    ("snr", "sr"),
    ("street", "st"),
    ("sulphate", "sulfate"),
    ("sulphide", "sulfide"),
    ("sulphur", "sulfur"),
    ("sulphuric", "sulfuric"),
    ("tenth", "10th"),
    ("theatre", "theater"),
    ("third", "3rd"),
    ("twelfth", "12th"),
    ("univ", "university"),
    ("α", "alpha"),
    ("β", "beta"),
    ("γ", "gamma"),
    ("δ", "delta"),
    ("κ", "kappa"),
    ("λ", "lambda"),
    ("ω", "omega"),
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

/// How many words at the beginning of some are one legal form; none, when they are none.
pub(crate) fn legal_phrase(words: &[String]) -> usize {
    let found = LEGAL_PHRASES.iter().filter(|phrase| begins(words, phrase));
    found.map(|phrase| phrase.len()).max().unwrap_or(0)
}

/// A word without the legal form that is written together with it.
pub(crate) fn without_legal_affix(word: &str) -> &str {
    let bare = LEGAL_AFFIXES.iter().find_map(|affix| {
        let bare = word
            .strip_prefix(affix)
            .or_else(|| word.strip_suffix(affix))?;
        (!bare.is_empty()).then_some(bare)
    });
    bare.unwrap_or(word)
}

/// The initials of what some words begin with, and how many words it has.
pub(crate) fn abbreviated(words: &[String]) -> Option<(&'static str, usize)> {
    let found = ABBREVIATED.iter().find(|(name, _)| begins(words, name));
    found.map(|(name, initials)| (*initials, name.len()))
}

fn begins(words: &[String], phrase: &[&str]) -> bool {
    words.len() >= phrase.len() && words.iter().zip(phrase).all(|(word, other)| word == other)
}

pub(crate) fn is_landform(word: &str) -> bool {
    LANDFORMS.contains(&word)
}

pub(crate) fn is_particle(word: &str) -> bool {
    PARTICLES.contains(&word)
}

/// Whether a word after a title belongs to it.
pub(crate) fn is_faculty(word: &str) -> bool {
    FACULTIES.contains(&word)
}

/// Whether a word says little about which organisation is meant.
pub(crate) fn is_descriptor(word: &str) -> bool {
    DESCRIPTORS.contains(&word) || is_legal_form(word)
}

pub(crate) fn is_institution(word: &str) -> bool {
    INSTITUTIONS.contains(&word)
}

/// What a word tells that precedes names of persons; nothing, when it is no such word.
pub(crate) fn honorific(word: &str) -> Option<Sex> {
    let found = HONORIFICS.binary_search_by(|(known, _)| known.cmp(&word));
    found.ok().map(|index| HONORIFICS[index].1)
}

/// What the title of a monarch tells; nothing, when a word is no such title.
pub(crate) fn reigning(word: &str) -> Option<Sex> {
    let found = REIGNING.iter().find(|(known, _)| *known == word);
    found.map(|(_, sex)| *sex)
}

/// Whether a word says that the name of a person's birth follows.
pub(crate) fn is_birth(word: &str) -> bool {
    matches!(word, "nee" | "born" | "geb" | "geborene")
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
    let found = SPELLINGS.binary_search_by(|(variant, _)| variant.cmp(&word));
    found.map_or(word, |index| SPELLINGS[index].1)
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
        assert!(SPELLINGS.is_sorted());
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
