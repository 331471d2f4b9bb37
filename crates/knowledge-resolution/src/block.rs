//! Blocking: forms are compared only where they share a key.
//!
//! Keys are hashes of what two names of one thing have in common under each rule. A block of more
//! than [`Settings::max_block`](crate::Settings) forms says nothing, and none of its pairs is
//! looked at; so what is compared is a function of the forms that there are, not of their order.

use crate::{
    Form, Kind,
    form::Prepared,
    hash::stable_hash,
    name::{Name, is_initial},
    sound,
};

/// Words of a name that give keys of their own at most.
const MAX_WORDS: usize = 6;

impl Form {
    /// The keys of the blocks that the form is in by its names, sorted.
    #[must_use]
    pub fn block_keys(&self) -> Vec<u64> {
        keys(&Prepared::new(self))
    }
}

pub(crate) fn keys(form: &Prepared<'_>) -> Vec<u64> {
    let mut keys = Keys(Vec::with_capacity(12));
    keys.whole(&form.name);
    for alias in form.form.aliases.iter() {
        keys.whole(&Name::new(alias, form.kind));
    }
    if matches!(form.kind, Kind::Person | Kind::Thing) {
        keys.person(&form.name.words);
    }
    if !matches!(form.kind, Kind::Person | Kind::Place) {
        keys.shortened(&form.name);
    }
    keys.misspelt(form.name.core());
    if matches!(form.kind, Kind::Person | Kind::Organization | Kind::Thing) {
        keys.sounding(form.name.core());
    }
    keys.0.sort_unstable();
    keys.0.dedup();
    keys.0
}

struct Keys(Vec<u64>);

impl Keys {
    fn add(&mut self, parts: &[&str]) {
        self.0.push(stable_hash(parts));
    }

    /// The words that count in any order: same words, aliases.
    fn whole(&mut self, name: &Name) {
        let mut core: Vec<&str> = name.core().iter().map(String::as_str).collect();
        core.sort_unstable();
        let whole = core.join(" ");
        let plain = sound::plain_umlauts(&whole);
        if plain != whole {
            self.add(&["n", &plain]);
        }
        self.add(&["n", &whole]);
    }

    /// Surname and given name: initials, parts of names.
    fn person(&mut self, words: &[String]) {
        if let Some(last) = words.last() {
            self.add(&["l", last]);
        }
        if let Some(first) = words.first().filter(|word| !is_initial(word)) {
            self.add(&["l", first]);
        }
    }

    /// Beginning, ends and initials: words left out, acronyms.
    fn shortened(&mut self, name: &Name) {
        match name.core() {
            [] => {}
            [only] => {
                self.add(&["p", only]);
                if only.chars().count() <= 8 {
                    self.add(&["a", only]);
                }
            }
            [first, second, ..] => {
                self.add(&["p", first]);
                self.add(&["p", first, second]);
                if let Some(last) = name.core().last().filter(|last| *last != second) {
                    self.add(&["p", first, last]);
                }
            }
        }
        for acronym in name.acronyms() {
            self.add(&["a", &acronym]);
        }
    }

    /// What a slip of the pen in one word leaves: the other words; of a single word its ends. And
    /// the letters without spaces.
    fn misspelt(&mut self, words: &[String]) {
        match words {
            [] => {}
            [only] => {
                let chars: Vec<char> = only.chars().collect();
                if chars.len() >= 7 {
                    let begin: String = chars[..4].iter().collect();
                    let end: String = chars[chars.len() - 4..].iter().collect();
                    self.add(&["b", &begin]);
                    self.add(&["d", &end]);
                }
                self.add(&["c", only]);
            }
            words => {
                for (index, word) in words.iter().enumerate().take(MAX_WORDS) {
                    let others = initials(words, index);
                    self.add(&["t", word, &others]);
                }
                self.add(&["c", &words.concat()]);
            }
        }
    }

    /// How the words sound, in their order.
    fn sounding(&mut self, words: &[String]) {
        if words.is_empty() || words.len() > MAX_WORDS {
            return;
        }
        let mut heard = false;
        let mut sounds = String::with_capacity(16);
        for word in words {
            let code = sound::code(word);
            heard |= code.is_some();
            sounds.push_str(code.as_deref().unwrap_or(word));
            sounds.push(' ');
        }
        if heard {
            self.add(&["s", &sounds]);
        }
    }
}

/// The first letters of all words but one, which has a gap.
fn initials(words: &[String], but: usize) -> String {
    let letters = words.iter().enumerate().map(|(index, word)| {
        let first = word.chars().next().unwrap_or('_');
        if index == but { '_' } else { first }
    });
    letters.collect()
}
