use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::{
    graph::Confidence,
    ids::{DocumentId, EntityId, ExtractionId, OrganizationId},
};
use proptest::prelude::*;

use super::*;

mod forest;
mod meaning;
mod pairs;

/// An entity of a document of its own, unless `at` names one of the same document.
pub(crate) fn candidate(at: usize, name: &str, class: &str) -> Candidate {
    let document = DocumentId::derive(OrganizationId::DEFAULT, &at.to_string());
    let digest = at * 1_000 + name.len();
    Candidate {
        id: EntityId::derive(ExtractionId::derive(document, name), digest),
        document,
        name: name.to_owned(),
        types: vec![class.to_owned()],
        above: Vec::new(),
        aliases: Vec::new(),
        attributes: BTreeMap::new(),
        literals: BTreeMap::new(),
        neighbours: Vec::new(),
        mentions: 1,
        confidence: Confidence::new(0.9),
    }
}

/// A form of which nothing but the name and the class is known.
pub(crate) fn form_of(name: &str, class: &str) -> Form {
    Form::of(&candidate(1, name, class))
}

fn with(mut candidate: Candidate, attribute: &str, value: &str) -> Candidate {
    candidate
        .attributes
        .insert(attribute.to_owned(), value.to_owned());
    candidate
}

/// The names of each cluster of several entities, sorted.
fn merged(candidates: &[Candidate]) -> Vec<Vec<&str>> {
    let names: BTreeMap<EntityId, &str> = candidates
        .iter()
        .map(|candidate| (candidate.id, candidate.name.as_str()))
        .collect();
    let clusters = resolve(candidates, &Decisions::default(), &Settings::default());
    let clusters = clusters.iter().filter(|cluster| cluster.members.len() > 1);
    let mut merged: Vec<Vec<&str>> = clusters
        .map(|cluster| {
            let mut found: Vec<&str> = cluster.members.iter().map(|m| names[&m.id]).collect();
            found.sort_unstable();
            found
        })
        .collect();
    merged.sort();
    merged
}

/// Entities of one class, each of a document of its own.
fn of_class(class: &str, names: &[&str]) -> Vec<Candidate> {
    let names = names.iter().enumerate();
    names.map(|(at, name)| candidate(at, name, class)).collect()
}

fn meet(class: &str, names: &[&str]) {
    let candidates = of_class(class, names);
    let mut all = names.to_vec();
    all.sort_unstable();
    assert_eq!(merged(&candidates), [all]);
}

fn stay_apart(class: &str, names: &[&str]) {
    let candidates = of_class(class, names);
    assert_eq!(merged(&candidates), Vec::<Vec<&str>>::new(), "{names:?}");
}

#[test]
fn names_of_one_thing_meet() {
    meet(
        "Organization",
        &[
            "Saint Brannock Hospital",
            "St Brannock Hospital",
            "St. Brannock Hospital",
        ],
    );
    meet(
        "Organization",
        &["Meridian Optical Works", "Meridian Optical"],
    );
    meet(
        "Organization",
        &["University of Port Selby", "Port Selby University"],
    );
    meet(
        "Organization",
        &["Harrow & Finch Publishing", "Harrow and Finch"],
    );
    meet("Organization", &["Lowland Savings Bank", "Lowland Bank"]);
    meet(
        "Organization",
        &["North Atlantic Treaty Organization", "NATO"],
    );
    meet("Organization", &["Calder GmbH", "CALDER"]);
    meet(
        "Person",
        &[
            "Elias Brandt",
            "E. Brandt",
            "Brandt",
            "Dr. Elias Brandt",
            "Brandt, Elias",
        ],
    );
    meet("Person", &["Sherlock Holmes", "Mr. Holmes", "Holmes"]);
    meet("Person", &["Ruben Castellan", "Ruben C."]);
    meet("Person", &["John Ronald Reuel Tolkien", "J.R.R. Tolkien"]);
    meet("Person", &["Peter Lindqvist", "Peter Lindquist"]);
    meet(
        "Work",
        &[
            "A History of the Northern Lines",
            "A History of Northern Lines",
        ],
    );
    meet("Place", &["Kingsferry", "Kingsfery"]);
    meet("Place", &["Łódź", "Lodz"]);
}

#[test]
fn other_spellings_of_a_sound_meet() {
    meet("Person", &["Catherine Meyer", "Katherine Maier"]);
    meet("Person", &["Stephen Holt", "Steven Holt"]);
    meet("Person", &["Anna Müller", "Anna Mueller"]);
    meet(
        "Organization",
        &["Maier Optical Works", "Meyer Optical Works"],
    );
}

#[test]
fn given_names_that_only_sound_near_stay_apart() {
    for (one, other) in [
        ("Mario Meyer", "Maria Meyer"),
        ("Mario Meyer", "Maria Maier"),
        ("Dina Brandt", "Tina Brandt"),
        ("Jan Meyer", "Jon Maier"),
        ("Paul Meyer", "Paula Maier"),
        ("Emma Meyer", "Emil Maier"),
    ] {
        stay_apart("Person", &[one, other]);
    }
    stay_apart("Place", &["Meyer", "Maier"]);
    stay_apart("Person", &["Иван Петров", "Иван Петровa"]);
}

#[test]
fn what_sounds_alike_in_one_document_is_two() {
    let names = ["Catherine Meyer", "Katherine Meyer"];
    let apart = names.map(|name| candidate(0, name, "Person"));
    assert_eq!(merged(&apart), Vec::<Vec<&str>>::new());
}

#[test]
fn no_chain_of_sounds_brings_other_given_names_together() {
    let candidates = of_class(
        "Person",
        &["Elias Meyer", "Elias Maier", "E. Maier", "Emma Maier"],
    );
    assert_eq!(merged(&candidates), [["Elias Maier", "Elias Meyer"]]);
}

#[test]
fn names_of_different_things_stay_apart() {
    stay_apart("Work", &["Boeing 737", "Boeing 747", "Boeing"]);
    stay_apart("Event", &["World War I", "World War II"]);
    stay_apart("Place", &["North Carrick", "South Carrick", "Carrick"]);
    stay_apart("Person", &["Elias Brandt", "Emma Brandt"]);
    stay_apart("Person", &["Mario Rossi", "Maria Rossi"]);
    stay_apart("Person", &["Ruben Castellan", "Ruben Cole", "Ruben C."]);
    stay_apart("Person", &["Elizabeth Irving", "Elizabeth I"]);
    stay_apart("Person", &["Ruben Castellan", "Rolf C."]);
    stay_apart("Person", &["Elias Brandt", "Elias Brandt Jr."]);
    stay_apart("Person", &["Mr. Brandt", "Mrs. Brandt"]);
    stay_apart(
        "Organization",
        &["University of Leeds", "University of Lund"],
    );
    stay_apart("Place", &["Port Selby", "Port Selby East"]);
}

#[test]
fn a_short_form_of_two_things_is_neither() {
    let candidates = of_class(
        "Person",
        &["Elias Brandt", "Emma Brandt", "E. Brandt", "Brandt"],
    );
    assert_eq!(merged(&candidates), Vec::<Vec<&str>>::new());
    assert_eq!(
        merged(&candidates[1..]).concat().len(),
        3,
        "without Elias all are Emma"
    );
}

#[test]
fn what_tells_apart_is_never_got_round_by_a_chain() {
    let candidates = of_class(
        "Person",
        &["Elias Brandt", "E. Brandt", "Emil Brandt", "Emil K. Brandt"],
    );
    assert_eq!(merged(&candidates), [["Emil Brandt", "Emil K. Brandt"]]);
}

#[test]
fn homonyms_of_other_classes_stay_apart() {
    let candidates = [
        candidate(0, "Lincoln", "Person"),
        candidate(1, "Lincoln", "Place"),
        candidate(2, "Lincoln", "Place"),
    ];
    assert_eq!(merged(&candidates), [["Lincoln", "Lincoln"]]);
}

#[test]
fn what_has_no_class_joins_the_only_one_of_its_name() {
    let mut candidates = vec![
        candidate(0, "Verity", "Thing"),
        candidate(1, "Verity", "Work"),
    ];
    assert_eq!(merged(&candidates), [["Verity", "Verity"]]);
    candidates.push(candidate(2, "Verity", "Person"));
    assert_eq!(merged(&candidates), Vec::<Vec<&str>>::new());
}

#[test]
fn contradicting_attributes_keep_homonyms_apart() {
    let born = |at, value| with(candidate(at, "John Smith", "Person"), "bornOn", value);
    assert_eq!(
        merged(&[born(0, "1950"), born(1, "1980")]),
        Vec::<Vec<&str>>::new()
    );
    assert_eq!(
        merged(&[born(0, "1950"), born(1, "13 March 1950")]).len(),
        1
    );
    let unknown = candidate(2, "John Smith", "Person");
    assert_eq!(merged(&[born(0, "1950"), unknown.clone()]).len(), 1);
    let ambiguous = [born(0, "1950"), born(1, "1980"), unknown];
    assert_eq!(merged(&ambiguous), Vec::<Vec<&str>>::new());
}

#[test]
fn a_document_that_has_both_tells_near_names_apart() {
    let near = ["Peter Lindqvist", "Peter Lindquist"];
    let apart = [
        candidate(0, near[0], "Person"),
        candidate(0, near[1], "Person"),
    ];
    assert_eq!(merged(&apart), Vec::<Vec<&str>>::new());
}

#[test]
fn an_alias_links_what_no_rule_does() {
    let mut twain = candidate(0, "Samuel Langhorne Clemens", "Person");
    twain.aliases = vec!["Mark Twain".to_owned()];
    assert_eq!(
        merged(&[twain, candidate(1, "Mark Twain", "Person")]).len(),
        1
    );
}

#[test]
fn decisions_of_persons_come_first() {
    let candidates = [
        candidate(0, "Elias Brandt", "Person"),
        candidate(1, "E. Brandt", "Person"),
        candidate(2, "Northgate", "Place"),
        candidate(3, "Carrick", "Organization"),
    ];
    let key = |at: usize| Form::of(&candidates[at]).key;
    let decisions = Decisions {
        together: BTreeSet::from([Decisions::pair(&key(2), &key(3))]),
        apart: BTreeSet::from([Decisions::pair(&key(0), &key(1))]),
    };
    let clusters = resolve(&candidates, &decisions, &Settings::default());
    let sizes: Vec<_> = clusters
        .iter()
        .map(|cluster| cluster.members.len())
        .collect();
    assert_eq!(sizes, [2, 1, 1]);
    let manual = clusters[0].members.iter().map(|member| member.reason);
    assert!(manual.collect::<Vec<_>>().contains(&Rule::Manual));
}

#[test]
fn a_cluster_grows_to_a_size_and_is_then_reviewed() {
    let letters = || ('a'..='z').flat_map(|one| ('a'..='z').map(move |two| format!("{one}{two}")));
    let names: Vec<String> = letters()
        .take(60)
        .map(|word| format!("Elias {word}x Brandt"))
        .collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push("Elias Brandt");
    let candidates = of_class("Person", &names);
    let clusters = resolve(&candidates, &Decisions::default(), &Settings::default());
    assert!(clusters.iter().all(|cluster| cluster.members.len() <= 50));
    let same = of_class("Place", &["Kingsferry"; 200]);
    let clusters = resolve(&same, &Decisions::default(), &Settings::default());
    assert_eq!(
        (clusters.len(), clusters[0].members.len()),
        (1, 200),
        "one name is one form"
    );
}

#[test]
fn the_fullest_name_faces_its_cluster() {
    let mut short = candidate(0, "E. Brandt", "Person");
    short.mentions = 9;
    let candidates = [short, candidate(1, "Elias Brandt", "Person")];
    let clusters = resolve(&candidates, &Decisions::default(), &Settings::default());
    assert_eq!(clusters[0].canonical, candidates[1].id);
    let short = clusters[0]
        .members
        .iter()
        .find(|member| member.id == candidates[0].id);
    assert_eq!(short.map(|member| member.reason), Some(Rule::Initials));
}

#[test]
fn a_comparison_says_why() {
    let form = |name| Form::of(&candidate(0, name, "Person"));
    let compared = compare(
        &form("Elias Brandt"),
        &form("E. Brandt"),
        &Settings::default(),
    );
    assert_eq!(
        (compared.rule, compared.short),
        (Some(Rule::Initials), Some(Side::Right))
    );
    let names: Vec<_> = compared
        .features
        .iter()
        .map(|feature| feature.name)
        .collect();
    assert_eq!(names, ["name", "types"]);
    let sum: f64 = compared.features.iter().map(|f| f.value * f.weight).sum();
    let weights: f64 = compared.features.iter().map(|f| f.weight).sum();
    assert!((compared.score - sum / weights).abs() < 1e-12);
}

/// Adds forms one by one, each time clustering only what is connected with the new one.
fn step_by_step(candidates: &[Candidate]) -> BTreeMap<String, BTreeSet<String>> {
    let settings = Settings::default();
    let mut stored: BTreeMap<String, Form> = BTreeMap::new();
    let mut clusters: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for candidate in candidates {
        let form = Form::of(candidate);
        let kept = stored
            .entry(form.key.clone())
            .or_insert_with(|| form.clone());
        kept.absorb(&form);
        let mut exploration = Exploration::new(settings, [kept.clone()]);
        loop {
            let wanted = exploration.next_blocks();
            if wanted.is_empty() {
                break;
            }
            for (from, keys) in &wanted {
                let near = stored
                    .values()
                    .filter(|form| form.block_keys().iter().any(|key| keys.contains(key)));
                let near: Vec<Form> = near.cloned().collect();
                exploration.see(near.iter().cloned());
                exploration.compare(near.iter().map(|form| (from.as_str(), form.key.as_str())));
            }
            let reached: Vec<String> = exploration.reached().map(str::to_owned).collect();
            let together = clusters
                .values()
                .filter(|cluster| reached.iter().any(|form| cluster.contains(form)));
            let together: Vec<Form> = together.flatten().map(|key| stored[key].clone()).collect();
            exploration.reach(together);
        }
        let explored = exploration.finish(&Decisions::default());
        let changed: BTreeSet<&String> = explored.forms.iter().map(|form| &form.key).collect();
        clusters.retain(|_, cluster| !cluster.iter().any(|form| changed.contains(form)));
        for cluster in &explored.clusters {
            let keys = cluster
                .forms
                .iter()
                .map(|form| explored.forms[*form].key.clone());
            let keys: BTreeSet<String> = keys.collect();
            clusters.insert(keys.first().cloned().unwrap_or_default(), keys);
        }
    }
    clusters
}

/// A link may stand in the way of another, and go when a document has both ends of it.
#[test]
fn what_a_link_stood_in_the_way_of_is_looked_at_when_it_goes() {
    let candidates = [
        candidate(1, "Sloberg", "Thing"),
        candidate(0, "Solberg", "Organization"),
        candidate(2, "Solberg", "Person"),
        candidate(1, "Solberg", "Person"),
    ];
    let all = resolve(&candidates, &Decisions::default(), &Settings::default());
    let all: BTreeSet<String> = all.into_iter().map(|cluster| cluster.key).collect();
    let steps: BTreeSet<String> = step_by_step(&candidates).into_keys().collect();
    assert_eq!(steps, all);
}

fn names() -> impl Strategy<Value = Vec<(usize, String, &'static str)>> {
    let name = "(Elias|Emma|E\\.|Elizabeth|[CK]atherine )? ?(Brandt|Solberg|Sloberg|Smyth|Smith)( Works| Society| Ltd)?";
    let class = prop::sample::select(vec!["Person", "Organization", "Thing"]);
    prop::collection::vec((0_usize..6, name, class), 1..14)
}

proptest! {
    #[test]
    fn the_order_of_entities_does_not_matter(names in names(), at in any::<prop::sample::Index>()) {
        let mut candidates: Vec<_> = names
            .iter()
            .map(|(at, name, class)| candidate(*at, name, class))
            .collect();
        let expected = resolve(&candidates, &Decisions::default(), &Settings::default());
        let middle = at.index(candidates.len());
        candidates.rotate_left(middle);
        candidates.reverse();
        let found = resolve(&candidates, &Decisions::default(), &Settings::default());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn one_by_one_is_all_at_once(names in names()) {
        let candidates: Vec<_> = names
            .iter()
            .map(|(at, name, class)| candidate(*at, name, class))
            .collect();
        let all = resolve(&candidates, &Decisions::default(), &Settings::default());
        let all: BTreeSet<String> = all.into_iter().map(|cluster| cluster.key).collect();
        let steps: BTreeSet<String> = step_by_step(&candidates).into_keys().collect();
        prop_assert_eq!(steps, all);
    }

    #[test]
    fn any_names_are_resolved_without_panic(names in prop::collection::vec("\\PC{0,24}", 0..8)) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for class in ["Person", "Organization", "Place", "Lamp"] {
            let candidates = of_class(class, &names);
            let clusters = resolve(&candidates, &Decisions::default(), &Settings::default());
            let members: usize = clusters.iter().map(|cluster| cluster.members.len()).sum();
            prop_assert_eq!(members, names.len());
        }
    }
}
