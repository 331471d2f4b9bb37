//! The rules by which two names may mean one thing.

use rapidfuzz::distance::osa;

use super::{Rule, Side};
use crate::{
    Kind,
    form::Prepared,
    lexicon,
    name::{Name, is_initial},
    sound,
};

/// The rule that two names follow, and how much it says, 0..1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) rule: Rule,
    pub(super) value: f64,
    pub(super) short: Option<Side>,
}

/// Words of a name that is looked at; a longer one is compared as a whole only.
const MAX_WORDS: usize = 24;

/// The rule that says most.
pub(super) fn rule(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<Found> {
    if left.form.name == right.form.name {
        return Some(Found {
            rule: Rule::ExactName,
            value: 1.0,
            short: less_known(left, right),
        });
    }
    let kind = left.kind.min(right.kind);
    if left.same_words(right, kind) {
        return Some(Found {
            rule: Rule::SameWords,
            value: 0.97,
            short: less_known(left, right),
        });
    }
    if left.name.words.len() > MAX_WORDS || right.name.words.len() > MAX_WORDS {
        return None;
    }
    let short = [(left, right, Side::Left), (right, left, Side::Right)];
    let short = short.into_iter().filter_map(|(short, full, side)| {
        let (rule, value) = short_for(short, full, kind)?;
        Some(Found {
            rule,
            value,
            short: Some(side),
        })
    });
    let similar = similar(&left.name, &right.name, kind).map(|value| Found {
        rule: Rule::SimilarName,
        value,
        short: less_known(left, right),
    });
    let sounding = sounding(left, right, kind).map(|value| Found {
        rule: Rule::SoundsAlike,
        value,
        short: less_known(left, right),
    });
    short
        .chain(sounding)
        .chain(similar)
        .max_by(|one, other| one.value.total_cmp(&other.value))
}

/// Of two with one name, the one of which less is known is short for the other.
fn less_known(left: &Prepared<'_>, right: &Prepared<'_>) -> Option<Side> {
    let (left, right) = (left.form, right.form);
    let one_sided = |less: &crate::Form, more: &crate::Form| {
        (less.is_untyped() && !more.is_untyped())
            || (less.identity.is_empty() && !more.identity.is_empty())
    };
    match (one_sided(left, right), one_sided(right, left)) {
        (true, false) => Some(Side::Left),
        (false, true) => Some(Side::Right),
        _ => None,
    }
}

/// Whether `short` is another, lesser name of what `full` names.
fn short_for(short: &Prepared<'_>, full: &Prepared<'_>, kind: Kind) -> Option<(Rule, f64)> {
    if full.form.aliases.contains(&short.form.name) {
        return Some((Rule::Alias, 0.95));
    }
    if short.fullness >= full.fullness {
        return None;
    }
    match kind {
        Kind::Person => short_person(&short.name.words, &full.name.words),
        Kind::Place => None,
        _ => left_out(&short.name, &full.name, kind).or_else(|| acronym(&short.name, &full.name)),
    }
}

fn short_person(short: &[String], full: &[String]) -> Option<(Rule, f64)> {
    match short {
        [only] if is_initial(only) => None,
        [only] if full.len() > 1 && full.last() == Some(only) => Some((Rule::PartOfName, 0.85)),
        [only] if full.len() > 1 && full.first() == Some(only) => Some((Rule::PartOfName, 0.80)),
        [first, last] if is_initial(last) && !is_initial(first) => {
            // `Elizabeth I` is nobody's surname.
            let counts = matches!(last.as_str(), "i" | "v" | "x");
            let begins = full.first() == Some(first);
            let ends = full.last().is_some_and(|name| name.starts_with(last));
            (!counts && full.len() > 1 && begins && ends).then_some((Rule::Initials, 0.85))
        }
        [first, .., last] => {
            if full.len() > short.len() && full.ends_with(short) {
                return Some((Rule::PartOfName, 0.90));
            }
            let ends = full.last() == Some(last) && full.len() > 1;
            let begins = full.first().is_some_and(|name| fits_given(first, name));
            let named = begins && ends && middle_fits(&short[1..short.len() - 1], full);
            named.then_some((Rule::Initials, 0.93))
        }
        _ => None,
    }
}

/// Whether the middle names of a short form are among those of the full one, in their order. An
/// initial is for the next of them: `George W. Bush` is not `George H. W. Bush`.
fn middle_fits(middle: &[String], full: &[String]) -> bool {
    let mut rest = full[1..full.len() - 1].iter();
    middle.iter().all(|word| {
        if is_initial(word) {
            return rest.next().is_some_and(|other| fits_given(word, other));
        }
        rest.any(|other| fits_given(word, other))
    })
}

/// Whether two given names may be one: the same, or one the initial of the other.
pub(super) fn fits_given(left: &str, right: &str) -> bool {
    left == right
        || (is_initial(left) && right.starts_with(left))
        || (is_initial(right) && left.starts_with(right))
}

/// A name with words left out, at its end, its start or in between. Words that only say what kind
/// of thing it is are readily left out.
fn left_out(short: &Name, full: &Name, kind: Kind) -> Option<(Rule, f64)> {
    let (short, full) = (short.core(), full.core());
    let gone = full
        .len()
        .checked_sub(short.len())
        .filter(|gone| *gone > 0)?;
    let descriptive = || {
        let mut left_out = full.iter().filter(|word| !short.contains(word));
        left_out.all(|word| lexicon::is_descriptor(word))
    };
    let value = match short {
        [only] if full.first() == Some(only) && descriptive() => 0.82,
        [_] => return None,
        [.., last] if full.starts_with(short) => match (descriptive(), gone) {
            // `World War I` is one of several.
            (_, 1) if full.last().is_some_and(|word| is_initial(word)) => 0.80,
            _ if lexicon::is_institution(last) => 0.80,
            (false, _) if lexicon::is_number(last) => 0.80,
            (true, 1..=3) => 0.93,
            // `Physical Review Letters` is not the Physical Review.
            (false, 1) if kind == Kind::Work => 0.80,
            (false, 1) => 0.87,
            _ => 0.80,
        },
        [first, last] if full.first() == Some(first) && full.last() == Some(last) => {
            if descriptive() && gone <= 2 {
                0.90
            } else {
                0.80
            }
        }
        _ if full.ends_with(short) => 0.80,
        _ => return None,
    };
    Some((Rule::ShortForm, value))
}

fn acronym(short: &Name, full: &Name) -> Option<(Rule, f64)> {
    let [only] = short.words.as_slice() else {
        return None;
    };
    let letters = only.chars().count();
    let plausible = (2..=8).contains(&letters) && full.words.len() > 1;
    let fits = plausible && full.acronyms().contains(only);
    let value = if letters > 2 { 0.88 } else { 0.78 };
    fits.then_some((Rule::Acronym, value))
}

/// How alike two names are that differ by a slip of the pen, by where a word is split, or by how
/// umlauts are written.
fn similar(left: &Name, right: &Name, kind: Kind) -> Option<f64> {
    let (one, other) = (left.core(), right.core());
    if one.len() != other.len() {
        let letters = |words: &[String]| words.iter().map(String::len).sum::<usize>();
        // `An Na` is not Anna; `Wi-Fi` is WiFi.
        let counted = [one, other]
            .iter()
            .any(|words| words.iter().any(|word| lexicon::is_number(word)));
        let split = !counted && !matches!(kind, Kind::Person | Kind::Place);
        let long = letters(one) > if split { 3 } else { 7 } && letters(one) == letters(other);
        return (long && one.concat() == other.concat()).then_some(0.95);
    }
    let mut differing = one.iter().zip(other).filter(|(one, other)| one != other);
    if kind != Kind::Person
        && differing
            .clone()
            .all(|(one, other)| sound::same_umlauts(one, other))
    {
        return Some(0.92);
    }
    let (Some((one, other)), None) = (differing.next(), differing.next()) else {
        return None;
    };
    if !is_typo(one, other, left.core().len() > 1) {
        return None;
    }
    // Names bear a slip; a letter more or less, or another one, makes another term: `nitrite`.
    let named = !matches!(kind, Kind::Other | Kind::Thing) && !is_substituted(one, other);
    Some(if named || is_exchange(one, other) {
        0.92
    } else {
        TERM
    })
}

/// Whether short words differ in letters that stand for each other, as many names of two things do:
/// `Salzburg`, `Salzberg`; `Ireland`, `Iceland`. A slip rather leaves out a letter, or adds one.
fn is_substituted(left: &str, right: &str) -> bool {
    let (one, other) = (left.chars(), right.chars());
    one.clone().count() == other.clone().count() && one.count() < LONG && !is_exchange(left, right)
}

/// Letters of a word in which another letter is a slip.
const LONG: usize = 9;

/// What it says that two terms differ by what may be a slip: a person tells.
const TERM: f64 = 0.81;

/// Whether two words have the same letters, one of them perhaps doubled, two perhaps exchanged:
/// what no word differs in from another that means something else.
fn is_exchange(left: &str, right: &str) -> bool {
    let single = |word: &str| {
        let mut chars: Vec<char> = word.chars().collect();
        chars.dedup();
        chars
    };
    let sorted = |word: &str| {
        let mut chars: Vec<char> = word.chars().collect();
        chars.sort_unstable();
        chars
    };
    single(left) == single(right) || sorted(left) == sorted(right)
}

/// How much it says that two names of a person or an organisation sound alike, word by word; words
/// that are the same help, and a single word says little.
fn sounding(left: &Prepared<'_>, right: &Prepared<'_>, kind: Kind) -> Option<f64> {
    let named = |kind| matches!(kind, Kind::Person | Kind::Organization);
    let (one, other) = (left.name.core(), right.name.core());
    if !named(kind) || one.len() != other.len() {
        return None;
    }
    let mut differing = one.iter().zip(other).filter(|(one, other)| one != other);
    let all = differing
        .clone()
        .all(|(one, other)| sound::alike(one, other));
    let value = match (differing.by_ref().count(), one.len()) {
        (1, 1) => 0.82,
        (1, _) => 0.91,
        (2, _) => 0.88,
        _ => return None,
    };
    all.then_some(value)
}

/// Whether two words differ by a slip: one letter of five, or seven where nothing else helps; two
/// of ten. Neither the first letter nor the last, which tell names apart (`Mario`, `Maria`).
pub(super) fn is_typo(left: &str, right: &str, others: bool) -> bool {
    let (short, long) = {
        let (left, right) = (left.chars().count(), right.chars().count());
        (left.min(right), left.max(right))
    };
    let allowed = match short {
        10.. => 2,
        7.. => 1,
        5.. if others => 1,
        _ => return false,
    };
    let ends = |word: &str| (word.chars().next(), word.chars().next_back());
    let same_ends = ends(left).0 == ends(right).0 && (short > 8 || ends(left).1 == ends(right).1);
    let tells = |word: &str| lexicon::is_distinguishing(word);
    left != right
        && long - short <= allowed
        && same_ends
        && !tells(left)
        && !tells(right)
        && osa::distance(left.chars(), right.chars()) <= allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen() {
        assert!(is_typo("lindqvist", "lindquist", false));
        assert!(is_typo("solberg", "sloberg", false));
        assert!(!is_typo("maria", "mario", true), "the last letter tells");
        assert!(!is_typo("harlow", "barlow", true), "the first letter tells");
        assert!(!is_typo("1998", "1999", true), "a number is no slip");
        assert!(!is_typo("weston", "westin", false), "nothing else helps");
    }

    #[test]
    fn letters_that_are_exchanged_or_doubled() {
        assert!(is_exchange("ligthhouse", "lighthouse") && is_exchange("harbor", "harbbor"));
        assert!(!is_exchange("nitrate", "nitrite") && !is_exchange("hypertension", "hypotension"));
    }
}
