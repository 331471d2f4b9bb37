//! Names as they are compared.

mod fold;

pub use fold::normalise;
pub(crate) use fold::words;

use crate::{
    Kind,
    lexicon::{self, Sex},
};

/// A name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// Folded words in their order, without article, honorifics and degrees.
    pub(crate) words: Vec<String>,
    /// The words that say which one is meant, where others are among them.
    core: Option<Vec<String>>,
    /// What an honorific tells of a person's sex.
    pub(crate) sex: Option<Sex>,
}

impl Name {
    /// Takes a name apart; `text` may be folded already.
    pub(crate) fn new(text: &str, kind: Kind) -> Self {
        if kind == Kind::Person {
            return Self::of_person(text);
        }
        let mut words = words(&fold::head_first(text));
        if words.len() > 1 && words[0] == "the" {
            words.remove(0);
        }
        while kind != Kind::Place && ends_with_acronym(&words) {
            words.pop();
        }
        Self {
            core: core(&words, kind),
            words,
            sex: None,
        }
    }

    fn of_person(text: &str) -> Self {
        let mut words = words(&fold::spaced_initials(&fold::given_name_first(text)));
        if let Some(at) = born(&words) {
            words.truncate(at);
        }
        let mut sex = None;
        // `Duke of York` is nobody's name without the title.
        while words.len() > 1
            && words[1] != "of"
            && let Some(told) = title(&words)
        {
            sex = sex.or(Some(told).filter(|told| *told != Sex::Unsaid));
            words.remove(0);
            while words.len() > 1 && lexicon::is_faculty(&words[0]) {
                words.remove(0);
            }
        }
        if words.len() > 1 && words[0] == "the" {
            words.remove(0);
        }
        while words.len() > 2 && words.last().is_some_and(|word| lexicon::is_suffix(word)) {
            words.pop();
        }
        Self {
            core: None,
            words,
            sex,
        }
    }

    /// The words that say which one is meant: no fillers, no legal forms.
    pub(crate) fn core(&self) -> &[String] {
        self.core.as_deref().unwrap_or(&self.words)
    }

    /// The words with single spaces.
    pub(crate) fn joined(&self) -> String {
        self.words.join(" ")
    }

    /// What names that differ in order and dress only have in common; the order counts in names of
    /// persons and places.
    pub(crate) fn core_key(&self, kind: Kind) -> String {
        let mut core: Vec<&str> = self.core().iter().map(String::as_str).collect();
        if !matches!(kind, Kind::Person | Kind::Place) {
            core.sort_unstable();
        }
        core.join(" ")
    }

    /// Words that count or number, sorted.
    pub(crate) fn numbers(&self) -> Vec<&str> {
        let numbers = self.words.iter().map(String::as_str);
        let mut numbers: Vec<&str> = numbers.filter(|word| lexicon::is_number(word)).collect();
        numbers.sort_unstable();
        numbers
    }

    /// How much a name says: words that are no initials, words, characters.
    pub(crate) fn fullness(&self) -> (usize, usize, usize) {
        let full = self.core().iter().filter(|word| !is_initial(word)).count();
        let chars = self.words.iter().map(|word| word.chars().count()).sum();
        (full, self.core().len(), chars)
    }

    /// The initials of the name with and without fillers and legal forms, each of two letters at
    /// least; none for a single word.
    pub(crate) fn acronyms(&self) -> Vec<String> {
        if self.words.len() < 2 {
            return Vec::new();
        }
        let filled = |word: &&String| !lexicon::is_filler(word);
        let bare = |word: &&String| filled(word) && !lexicon::is_legal_form(word);
        let mut found = vec![
            initials(self.words.iter()),
            initials(self.words.iter().filter(filled)),
            initials(self.words.iter().filter(bare)),
        ];
        found.retain(|acronym| acronym.chars().count() > 1);
        // `FAO`: what it is of is left out.
        if let Some(of) = self.words.iter().rposition(|word| word == "of") {
            let before = initials(self.words[..of].iter().filter(filled));
            found.extend(Some(before).filter(|acronym| acronym.chars().count() > 2));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn initials<'a>(words: impl Iterator<Item = &'a String>) -> String {
    words.filter_map(|word| word.chars().next()).collect()
}

/// Whether the last word is an acronym of those before it: `World Health Organization (WHO)`.
fn ends_with_acronym(words: &[String]) -> bool {
    let [before @ .., last] = words else {
        return false;
    };
    let filled = |word: &&String| !lexicon::is_filler(word);
    let fits = |acronym: String| acronym == *last;
    last.chars().count() > 1
        && before.len() > 1
        && (fits(initials(before.iter())) || fits(initials(before.iter().filter(filled))))
}

/// Where the words begin that say what a person was born as.
fn born(words: &[String]) -> Option<usize> {
    let at = words
        .iter()
        .skip(2)
        .position(|word| lexicon::is_birth(word))?
        + 2;
    (at + 1 < words.len()).then_some(at)
}

/// What the first word of a person's name tells, where it is a title: of a monarch where the name
/// counts, since `Queen Mary` is not Mary.
fn title(words: &[String]) -> Option<Sex> {
    let first = &words[0];
    let counts = words.last().is_some_and(|last| counts(last));
    lexicon::honorific(first).or_else(|| lexicon::reigning(first).filter(|_| counts))
}

/// Whether a word counts persons of one name: `VIII`, `V`.
fn counts(word: &str) -> bool {
    lexicon::is_number(word) || matches!(word, "i" | "v" | "x")
}

pub(crate) fn is_initial(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
}

/// The words that count, where that is not each as it is; all do where nothing else is left:
/// `The Company Ltd`.
fn core(words: &[String], kind: Kind) -> Option<Vec<String>> {
    let firm = matches!(kind, Kind::Organization | Kind::Thing);
    let mut core: Vec<&str> = Vec::with_capacity(words.len());
    let mut rest = words;
    while let [word, after @ ..] = rest {
        let phrase = if firm { lexicon::legal_phrase(rest) } else { 0 };
        if phrase > 0 {
            rest = &rest[phrase..];
        } else if let Some((initials, words)) = lexicon::abbreviated(rest) {
            core.push(initials);
            rest = &rest[words..];
        } else {
            // A letter that comes last tells apart: `Physical Review A`.
            let designates = after.is_empty() && is_initial(word);
            let idle = kind != Kind::Place && lexicon::is_filler(word) && !designates;
            let legal = firm && lexicon::is_legal_form(word);
            if !idle && !legal {
                core.push(if firm {
                    lexicon::without_legal_affix(word)
                } else {
                    word
                });
            }
            rest = after;
        }
    }
    if kind == Kind::Place && core.len() > 1 && lexicon::is_landform(core[0]) {
        // `River Selby` is the Selby River.
        core.rotate_left(1);
    }
    let differs = !core.is_empty() && !core.iter().eq(words);
    differs.then(|| core.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str, kind: Kind) -> String {
        Name::new(text, kind).joined()
    }

    #[test]
    fn persons_lose_their_titles() {
        for text in ["Dr. Elias Brandt, PhD", "Brandt, Elias", "ELIAS BRANDT"] {
            assert_eq!(joined(text, Kind::Person), "elias brandt", "{text}");
        }
        assert_eq!(
            Name::new("Mrs. Brandt", Kind::Person).sex,
            Some(Sex::Female)
        );
        assert_eq!(joined("Dr.", Kind::Person), "dr");
        assert_eq!(joined("J.R.R. Tolkien", Kind::Person), "j r r tolkien");
    }

    #[test]
    fn the_core_says_which_one_is_meant() {
        let core = |text| Name::new(text, Kind::Organization).core_key(Kind::Organization);
        assert_eq!(core("The Calder Railway Co. Ltd."), core("Calder Railway"));
        assert_eq!(core("Harrow & Finch"), core("Harrow and Finch"));
        assert_eq!(
            core("Port Selby University"),
            core("University of Port Selby")
        );
        assert_eq!(core("The Company Ltd"), "company ltd");
    }

    #[test]
    fn acronyms() {
        let acronyms = Name::new("Institute of Coastal Engineering", Kind::Organization).acronyms();
        assert_eq!(acronyms, ["ice", "ioce"]);
    }
}
