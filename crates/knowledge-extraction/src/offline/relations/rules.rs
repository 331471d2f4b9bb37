//! Which words name which relation, and how its two sides are found.

use std::{collections::HashMap, sync::LazyLock};

use super::scene::Kinds;

/// Where a slot's value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// It says something of the clause's subject.
    Subject,
    /// It is said of the clause's direct object.
    Object,
}

/// A relation that a verb opens to what follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// Prepositions before the value; empty for the direct object.
    pub(super) prepositions: &'static [&'static str],
    pub(super) kinds: Kinds,
    /// Empty for what only takes its place in the clause.
    pub(super) predicate: &'static str,
    /// The value is the subject of the relation.
    pub(super) flip: bool,
    pub(super) about: About,
}

/// How the verb stands to its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    Active,
    Passive,
    /// Nouns, and verbs whose form does not tell.
    Any,
}

/// What a word opens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) voice: Voice,
    pub(super) subject: Kinds,
    pub(super) slots: &'static [Slot],
}

const fn slot(
    prepositions: &'static [&'static str],
    kinds: Kinds,
    predicate: &'static str,
) -> Slot {
    Slot {
        prepositions,
        kinds,
        predicate,
        flip: false,
        about: About::Subject,
    }
}

const fn flipped(
    prepositions: &'static [&'static str],
    kinds: Kinds,
    predicate: &'static str,
) -> Slot {
    Slot {
        prepositions,
        kinds,
        predicate,
        flip: true,
        about: About::Subject,
    }
}

const fn of_object(
    prepositions: &'static [&'static str],
    kinds: Kinds,
    predicate: &'static str,
) -> Slot {
    Slot {
        prepositions,
        kinds,
        predicate,
        flip: false,
        about: About::Object,
    }
}

const fn object_flipped(
    prepositions: &'static [&'static str],
    kinds: Kinds,
    predicate: &'static str,
) -> Slot {
    Slot {
        prepositions,
        kinds,
        predicate,
        flip: true,
        about: About::Object,
    }
}

const DIRECT: &[&str] = &[];
const BY: &[&str] = &["by"];
const WHEN: &[&str] = &[
    "in", "on", "since", "during", "", "c", "circa", "around", "about",
];
const WHERE: &[&str] = &["in", "at", "near", "on"];
const COST: &[&str] = &["for", "of", "at"];

const PERSON: Kinds = Kinds::PERSON;
const ORG: Kinds = Kinds::ORGANIZATION;
const PLACE: Kinds = Kinds::PLACE;
const DATE: Kinds = Kinds::DATE;
const MADE: Kinds = Kinds::MADE;
const AGENT: Kinds = Kinds::AGENT;

type Row = (&'static str, Voice, Kinds, &'static [Slot]);

/// One row for words with one meaning; words that mean several things have several rows. Not
/// formatted, because it reads as the table that it is.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("born", Voice::Any, PERSON, &[slot(&["in", "at", "near", "on"], PLACE, "bornIn"), slot(WHEN, DATE, "bornOn"), flipped(&["to"], PERSON, "parentOf")]),
    ("died killed assassinated", Voice::Any, PERSON, &[slot(WHERE, PLACE, "diedIn"), slot(WHEN, DATE, "diedOn")]),
    ("buried interred", Voice::Any, PERSON, &[slot(WHERE, PLACE, "buriedIn")]),
    ("founded co-founded established formed incorporated started organised organized launched chartered", Voice::Passive, Kinds::FOUNDED, &[slot(BY, AGENT, "foundedBy"), slot(WHEN, DATE, "foundedIn"), slot(&["in", "at"], PLACE, "locatedIn")]),
    ("founded established formed started launched co-founded cofounded", Voice::Active, AGENT, &[flipped(DIRECT, Kinds::FOUNDED, "foundedBy"), of_object(WHEN, DATE, "foundedIn"), of_object(&["in", "at"], PLACE, "locatedIn"), of_object(&["with"], PERSON, "foundedBy")]),
    ("created", Voice::Passive, Kinds::FOUNDED, &[slot(BY, AGENT, "createdBy"), slot(WHEN, DATE, "createdIn")]),
    ("created invented", Voice::Active, AGENT, &[flipped(DIRECT, Kinds::FOUNDED, "createdBy"), of_object(WHEN, DATE, "createdIn")]),
    ("headquartered based", Voice::Any, ORG, &[slot(&["in", "at"], PLACE, "headquarteredIn")]),
    ("headquarters office offices seat", Voice::Any, ORG, &[slot(&["in", "at"], PLACE, "headquarteredIn")]),
    ("located situated lies lying sited stands housed", Voice::Any, Kinds::LOCATED, &[slot(&["in", "at", "on", "within", "near"], PLACE, "locatedIn")]),
    ("fought", Voice::Passive, Kinds::EVENT, &[slot(&["in", "on", "from"], DATE, "heldOn"), slot(&["in", "at", "near", "of"], PLACE, "locatedIn"), slot(&["during", "in"], Kinds::EVENT, "partOf")]),
    ("place", Voice::Any, Kinds::EVENT, &[slot(&["in", "on", "from"], DATE, "heldOn"), slot(&["in", "at", "near"], PLACE, "locatedIn")]),
    ("held hosted", Voice::Passive, Kinds::EVENT.or(Kinds::THING), &[slot(&["in", "at"], PLACE, "locatedIn"), slot(&["in", "on", "from"], DATE, "heldOn")]),
    ("acquired bought purchased acquires buys", Voice::Active, AGENT, &[slot(&["", "of", "in"], ORG.or(MADE).or(PLACE), "acquired"), of_object(COST, Kinds::QUANTITY, "cost"), of_object(&["in", "on"], DATE, "acquiredOn")]),
    ("acquired bought purchased", Voice::Passive, ORG.or(Kinds::WORK), &[flipped(BY, AGENT, "acquired"), slot(&["for"], Kinds::QUANTITY, "cost"), slot(&["in", "on"], DATE, "acquiredOn")]),
    ("sold", Voice::Passive, ORG.or(MADE).or(PLACE), &[flipped(&["to"], AGENT, "acquired"), slot(&["for"], Kinds::QUANTITY, "cost"), slot(&["in", "on"], DATE, "acquiredOn")]),
    ("sold", Voice::Active, AGENT, &[slot(DIRECT, ORG.or(MADE).or(PLACE), ""), object_flipped(&["to"], AGENT, "acquired"), of_object(COST, Kinds::QUANTITY, "cost"), of_object(&["in", "on"], DATE, "acquiredOn")]),
    ("completed built constructed erected", Voice::Active, AGENT, &[slot(DIRECT, Kinds::WORK.or(PLACE).or(Kinds::THING).or(ORG), "completed"), of_object(&["near", "in", "at"], PLACE, "locatedIn"), of_object(&["in", "on"], DATE, "completedIn"), of_object(&["of", "for"], Kinds::QUANTITY, "cost")]),
    ("completed built constructed erected", Voice::Passive, Kinds::LOCATED, &[flipped(BY, AGENT, "completed"), slot(&["near", "in", "at"], PLACE, "locatedIn"), slot(&["in", "on"], DATE, "completedIn"), slot(&["of", "for"], Kinds::QUANTITY, "cost")]),
    ("opened reopened", Voice::Any, Kinds::LOCATED, &[slot(&["in", "on"], DATE, "openedOn")]),
    ("opened", Voice::Any, PLACE.or(Kinds::WORK), &[slot(&["in", "at", "near"], PLACE, "locatedIn")]),
    ("opened inaugurated unveiled", Voice::Active, AGENT, &[slot(DIRECT, Kinds::LOCATED, ""), of_object(&["in", "on"], DATE, "openedOn")]),
    ("cost costs costing", Voice::Any, Kinds::LOCATED, &[slot(&["", "about", "over"], Kinds::QUANTITY, "cost")]),
    ("studied graduated graduating educated degree doctorate phd mba studies", Voice::Any, PERSON, &[slot(&["at", "from"], ORG, "studiedAt")]),
    ("attended attending", Voice::Active, PERSON, &[slot(DIRECT, ORG, "studiedAt")]),
    ("manages managed heads headed chairs chaired runs leads", Voice::Active, PERSON, &[slot(DIRECT, ORG, "workedFor")]),
    ("taught lectured worked works working employed teaches", Voice::Any, PERSON, &[slot(&["at", "for", "with"], ORG, "workedFor")]),
    ("joined joins left", Voice::Active, PERSON, &[slot(DIRECT, ORG, "memberOf"), slot(&["from"], ORG, "workedFor")]),
    ("played plays playing", Voice::Active, PERSON, &[slot(&["for", "with"], ORG, "memberOf")]),
    ("member members", Voice::Any, AGENT.or(PLACE), &[slot(&["of"], ORG, "memberOf")]),
    ("served serving enlisted", Voice::Active, PERSON, &[slot(&["in", "with"], ORG, "memberOf"), slot(&["in", "during"], Kinds::EVENT, "participatedIn")]),
    ("competed competing participated participating fought fighting", Voice::Active, AGENT, &[slot(&["in", "at", "during"], Kinds::EVENT, "participatedIn")]),
    ("met", Voice::Active, PERSON, &[slot(&["", "with"], PERSON, "met")]),
    ("married", Voice::Any, PERSON, &[slot(&["", "to"], PERSON, "marriedTo")]),
    ("part", Voice::Any, Kinds::LOCATED, &[slot(&["of"], Kinds::LOCATED, "partOf")]),
    ("written co-written penned authored", Voice::Passive, MADE, &[slot(BY, AGENT, "writtenBy"), slot(&["in"], DATE, "createdIn")]),
    ("wrote co-wrote authored", Voice::Active, AGENT, &[flipped(DIRECT, MADE, "writtenBy")]),
    ("novel book poem memoir trilogy play", Voice::Any, MADE, &[slot(BY, PERSON, "writtenBy")]),
    ("directed", Voice::Passive, MADE, &[slot(BY, AGENT, "directedBy")]),
    ("directed", Voice::Active, PERSON, &[flipped(DIRECT, MADE, "directedBy")]),
    ("produced", Voice::Passive, MADE, &[slot(BY, AGENT, "producedBy")]),
    ("produced", Voice::Active, AGENT, &[flipped(DIRECT, MADE, "producedBy")]),
    ("starring stars featuring", Voice::Any, MADE, &[slot(DIRECT, PERSON, "starring")]),
    ("starred appeared", Voice::Active, PERSON, &[flipped(&["in"], MADE, "starring")]),
    ("composed", Voice::Passive, MADE, &[slot(BY, PERSON, "composedBy")]),
    ("composed", Voice::Active, PERSON, &[flipped(DIRECT, MADE, "composedBy")]),
    ("performed recorded sung", Voice::Passive, MADE, &[slot(BY, AGENT, "performedBy")]),
    ("recorded sang", Voice::Active, AGENT, &[flipped(DIRECT, MADE, "performedBy")]),
    ("album single song ep track soundtrack", Voice::Any, MADE, &[slot(&["by", "from", "of"], AGENT, "performedBy")]),
    ("released issued", Voice::Any, MADE, &[slot(&["by", "on", "through", "via"], ORG, "publishedBy"), slot(&["in", "on"], DATE, "publishedOn")]),
    ("distributed", Voice::Passive, MADE, &[slot(BY, ORG, "publishedBy")]),
    ("published premiered aired debuted", Voice::Any, MADE, &[slot(BY, ORG, "publishedBy"), slot(&["in", "on"], DATE, "publishedOn"), slot(&["on"], ORG, "broadcastOn")]),
    ("released published", Voice::Active, AGENT, &[flipped(DIRECT, MADE, "publishedBy"), of_object(&["in", "on"], DATE, "publishedOn")]),
    ("developed designed", Voice::Passive, MADE.or(PLACE), &[slot(BY, AGENT, "developedBy")]),
    ("developed designed", Voice::Active, AGENT, &[flipped(DIRECT, MADE, "developedBy")]),
    ("manufactured made", Voice::Passive, MADE, &[slot(BY, ORG, "manufacturedBy")]),
    ("owned operated", Voice::Passive, Kinds::LOCATED, &[slot(BY, AGENT, "ownedBy")]),
    ("owned owns operates", Voice::Active, AGENT, &[flipped(DIRECT, ORG.or(MADE).or(PLACE), "ownedBy"), flipped(&["of"], ORG, "ownedBy")]),
    ("holds", Voice::Active, ORG, &[flipped(&["of", "in"], ORG, "ownedBy")]),
    ("belongs belonged", Voice::Active, ORG.or(MADE).or(PLACE), &[slot(&["to"], AGENT, "ownedBy")]),
    ("subsidiary division", Voice::Any, ORG, &[slot(&["of"], ORG, "ownedBy")]),
    ("awarded", Voice::Passive, AGENT.or(MADE), &[slot(DIRECT, Kinds::WORK.or(Kinds::EVENT), "awarded")]),
    ("awarded gave", Voice::Active, ORG, &[slot(DIRECT, PERSON, ""), of_object(DIRECT, Kinds::WORK, "awarded")]),
    ("won received earned", Voice::Active, AGENT.or(MADE), &[slot(DIRECT, Kinds::WORK.or(Kinds::EVENT), "awarded")]),
    ("named renamed", Voice::Passive, Kinds::LOCATED, &[slot(&["after", "for"], AGENT.or(PLACE), "namedAfter")]),
    ("moved emigrated settled relocated lived living resides resided lives live", Voice::Active, PERSON, &[slot(&["to", "in", "at", "near", "on"], PLACE, "livedIn")]),
    ("borders borders bordering", Voice::Any, PLACE, &[slot(DIRECT, PLACE, "borders")]),
];

/// The rules that a word in lower case opens.
pub(super) fn rules(word: &str) -> &'static [Rule] {
    static RULES: LazyLock<HashMap<&'static str, Vec<Rule>>> = LazyLock::new(|| {
        let mut found: HashMap<&'static str, Vec<Rule>> = HashMap::new();
        for (words, voice, subject, slots) in ROWS {
            for word in words.split_whitespace() {
                let rule = Rule {
                    voice: *voice,
                    subject: *subject,
                    slots,
                };
                found.entry(word).or_default().push(rule);
            }
        }
        found
    });
    RULES.get(word).map(Vec::as_slice).unwrap_or_default()
}
