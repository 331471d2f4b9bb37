//! General knowledge in small word lists: function words, given names, countries and their
//! adjectives, head words of names, titles, units.
//!
//! All entries are in lower case when looked up. Nothing here comes from a corpus.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::kind::Kind;

/// What is known of a word; a word can be several things.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WordClass(u32);

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)+) => {
        impl WordClass {
            $($(#[$doc])* pub(super) const $name: Self = Self(1 << $bit);)+
        }
    };
}

classes! {
    /// Articles, pronouns, prepositions, auxiliaries, adverbs.
    FUNCTION = 0;
    /// Common nouns, verbs and adjectives that open sentences.
    COMMON = 1;
    /// Given names.
    GIVEN = 2;
    /// Months.
    MONTH = 3;
    /// Days of the week.
    WEEKDAY = 4;
    /// Spelled cardinals: `two`.
    NUMBER = 5;
    /// `hundred`, `million`.
    MAGNITUDE = 6;
    /// Units of length, mass, power, money.
    UNIT = 7;
    /// Units of time.
    TIME_UNIT = 8;
    /// Heads of names of organisations.
    ORG_HEAD = 9;
    /// Heads of names of places.
    PLACE_HEAD = 10;
    /// Heads of names of works.
    WORK_HEAD = 11;
    /// Heads of names of events.
    EVENT_HEAD = 12;
    /// What persons are called by occupation.
    PERSON_NOUN = 13;
    /// What comes before the name of a person.
    TITLE = 14;
    /// Offices that are not part of a name.
    ROLE = 15;
    /// Adjectives and peoples of countries.
    DEMONYM = 16;
    /// Religions, parties and peoples without a country.
    GROUP = 17;
    /// Words within names of other languages: `de`, `von`.
    PARTICLE = 18;
    /// Given names of women.
    FEMALE = 21;
    /// Given names of men.
    MALE = 22;
    /// Further offices, which are also parts of names: `master`, `fellow`.
    OFFICE = 23;
    /// Adjectives that open names of places and institutions: `New`, `Royal`.
    OPENING = 19;
    /// Legal forms and generation suffixes.
    SUFFIX = 20;
}

impl WordClass {
    /// Whether the word is any of these.
    pub(super) fn is(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// Both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The word lists, parsed once.
pub(super) struct Lexicon {
    words: HashMap<String, WordClass>,
    phrases: HashMap<String, Kind>,
    countries: HashMap<String, &'static str>,
    names: HashMap<String, Kind>,
    states: HashSet<String>,
    provinces: HashSet<String>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::load);

/// The word lists.
pub(super) fn lexicon() -> &'static Lexicon {
    &LEXICON
}

const MONTHS: &str = "january february march april may june july august september october november \
    december jan feb mar apr jun jul aug sep sept oct nov dec";
const WEEKDAYS: &str = "monday tuesday wednesday thursday friday saturday sunday";
const NUMBERS: &str = "two three four five six seven eight nine ten eleven twelve thirteen \
    fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy \
    eighty ninety dozen";
const MAGNITUDES: &str = "hundred thousand million billion trillion lakh crore";
const TIME_UNITS: &str = "year years month months week weeks day days hour hours minute minutes \
    second seconds decade decades century centuries night nights weekend weekends";
const PARTICLES: &str = "de di da do dos das del della delle dei degli dello du des la le el los las \
    van von der den ter ten zu zur zum af av bin ibn al ul y et lo dal op aan am im sur les \
    en ben abu bint og ";
const OPENING: &str = "new old great north south east west northern southern eastern western central \
    upper lower saint st san santa santo mount royal national united general grand international \
    federal imperial greater little free first second third high big black white red green blue \
    golden silver fort port cape lake american british house state air music art power young \
    middle inner outer latin northeast northwest southeast southwest university bank \
    ministry department institute board king queen prince lord lady god county standard public world";
const SUFFIXES: &str = "inc ltd llc plc corp co gmbh ag jr sr bros esq phd md limited incorporated";

impl Lexicon {
    fn load() -> Self {
        let mut lexicon = Self {
            words: HashMap::new(),
            phrases: HashMap::new(),
            countries: HashMap::new(),
            names: HashMap::new(),
            states: HashSet::new(),
            provinces: HashSet::new(),
        };
        let lists = [
            (WordClass::FUNCTION, include_str!("function_words.txt")),
            (WordClass::COMMON, include_str!("common_words.txt")),
            (WordClass::GIVEN, include_str!("given_names.txt")),
            (
                WordClass::GIVEN.and(WordClass::FEMALE),
                include_str!("given_names_female.txt"),
            ),
            (
                WordClass::GIVEN.and(WordClass::MALE),
                include_str!("given_names_male.txt"),
            ),
            (WordClass::ORG_HEAD, include_str!("org_heads.txt")),
            (WordClass::PLACE_HEAD, include_str!("place_heads.txt")),
            (WordClass::WORK_HEAD, include_str!("work_heads.txt")),
            (WordClass::EVENT_HEAD, include_str!("event_heads.txt")),
            (WordClass::PERSON_NOUN, include_str!("person_nouns.txt")),
            (WordClass::TITLE, include_str!("titles.txt")),
            (WordClass::ROLE, include_str!("roles.txt")),
            (WordClass::OFFICE, include_str!("offices.txt")),
            (WordClass::UNIT, include_str!("units.txt")),
            (WordClass::MONTH, MONTHS),
            (WordClass::WEEKDAY, WEEKDAYS),
            (WordClass::NUMBER, NUMBERS),
            (WordClass::MAGNITUDE, MAGNITUDES),
            (WordClass::TIME_UNIT, TIME_UNITS),
            (WordClass::PARTICLE, PARTICLES),
            (WordClass::OPENING, OPENING),
            (WordClass::SUFFIX, SUFFIXES),
        ];
        for (class, list) in lists {
            for word in list.split_whitespace() {
                lexicon.add(word, class);
            }
        }
        for word in include_str!("groups.txt").split_whitespace() {
            lexicon.add(word, WordClass::GROUP);
        }
        for (list, sovereign) in [
            (include_str!("countries.txt"), true),
            (include_str!("regions.txt"), false),
        ] {
            lexicon.load_countries(list, sovereign);
        }
        for province in include_str!("provinces.txt").lines() {
            lexicon.provinces.insert(province.to_lowercase());
            lexicon.phrases.insert(province.to_lowercase(), Kind::Place);
        }
        for (kind, name) in include_str!("known_names.txt")
            .lines()
            .filter_map(|line| line.split_once(": "))
        {
            let kind = match kind {
                "organization" => Kind::Organization,
                "work" => Kind::Work,
                _ => Kind::Event,
            };
            lexicon.names.insert(name.to_lowercase(), kind);
        }
        for place in include_str!("places.txt").lines() {
            lexicon.phrases.insert(place.to_lowercase(), Kind::Place);
        }
        lexicon
    }

    fn add(&mut self, word: &str, class: WordClass) {
        let known = self.words.entry(word.to_lowercase()).or_default();
        *known = known.and(class);
    }

    fn load_countries(&mut self, list: &'static str, sovereign: bool) {
        for line in list.lines() {
            let Some((country, adjectives)) = line.split_once(':') else {
                continue;
            };
            self.phrases.insert(country.to_lowercase(), Kind::Place);
            if sovereign {
                self.states.insert(country.to_lowercase());
            }
            for adjective in adjectives.split_whitespace() {
                self.add(adjective, WordClass::DEMONYM);
                self.countries.insert(adjective.to_lowercase(), country);
            }
        }
    }

    /// What is known of a word in lower case.
    pub(super) fn class(&self, lower: &str) -> WordClass {
        self.words.get(lower).copied().unwrap_or_default()
    }

    /// The kind of a well-known place, in lower case with single spaces.
    pub(super) fn known(&self, lower: &str) -> Option<Kind> {
        self.phrases.get(lower).copied()
    }

    /// The kind of a well-known organisation, work or event, in lower case with single spaces.
    pub(super) fn known_name(&self, lower: &str) -> Option<Kind> {
        self.names.get(lower).copied()
    }

    /// Whether a name in lower case is one of a country.
    pub(super) fn is_country(&self, lower: &str) -> bool {
        let bare = lower.strip_prefix("the ").unwrap_or(lower);
        self.states.contains(bare)
            || matches!(
                bare,
                "us" | "u.s." | "usa" | "u.s.a." | "uk" | "u.k." | "ussr" | "uae"
            )
    }

    /// Whether a name in lower case is one of a well-known province, state or region.
    pub(super) fn is_province(&self, lower: &str) -> bool {
        self.provinces.contains(lower)
    }

    /// The country that an adjective or people belongs to, both as written.
    pub(super) fn country(&self, lower: &str) -> Option<&'static str> {
        self.countries.get(lower).copied()
    }
}

/// Whether a word is in a list of words with single spaces between.
pub(super) fn one_of(word: &str, list: &str) -> bool {
    list.split(' ').any(|other| other == word)
}
