//! The part of an ontology that a prompt tells of.

use std::{
    collections::{BTreeSet, HashSet},
    fmt::Write as _,
};

use knowledge_domain::{Class, Ontology, Property, Takes, Term};

use crate::{offline::class_of, sentence::sentences};

/// Classes and properties that a prompt names at most; of a larger ontology it names what matters
/// to the chunk.
const MOST: usize = 60;

/// Classes above one that is spoken of, which a prompt names as well, at most.
const NEAREST: usize = 10;

/// Classes of a domain or range that a prompt names at most.
const ENDS: usize = 6;

/// Characters of a definition that a prompt quotes at most.
const DEFINITION: usize = 160;

/// The allowed types and predicates as a prompt says them.
pub(super) fn section(ontology: &Ontology, text: &str) -> String {
    let classes = classes(ontology, text);
    let described = described(ontology.classes().len(), text);
    let mut section = String::from("Allowed types:\n");
    for class in ontology.classes() {
        if !classes.contains(class.name.as_str()) {
            continue;
        }
        let about = described(&class.name, class.term.as_ref());
        // Writing to a string cannot fail.
        let _ = match class.parents.as_slice() {
            [] => writeln!(section, "- {}{about}", class.name),
            parents => writeln!(
                section,
                "- {} (a kind of {}){about}",
                class.name,
                one_of(parents)
            ),
        };
    }
    section.push_str(&predicates(ontology, text, &classes));
    section
}

fn predicates(ontology: &Ontology, text: &str, classes: &BTreeSet<&str>) -> String {
    if ontology.properties().is_empty() {
        return "Any predicate is allowed.".to_owned();
    }
    let described = described(ontology.properties().len(), text);
    let mut section = String::from("Allowed predicates:\n");
    for property in properties(ontology, text, classes) {
        let about = described(&property.name, property.term.as_ref());
        let (domain, range) = (one_of(&property.domain), range(property));
        let _ = writeln!(section, "- {}: {domain} → {range}{about}", property.name);
    }
    section
}

fn one_of(names: &[String]) -> String {
    if names.is_empty() {
        return "any".to_owned();
    }
    if names.len() > ENDS {
        return format!("{} or others", names[..ENDS].join(" or "));
    }
    names.join(" or ")
}

fn range(property: &Property) -> String {
    match (property.range.is_empty(), property.takes) {
        (true, Takes::Literals) => "plain value".to_owned(),
        (true, Takes::Entities) => "any entity".to_owned(),
        _ => one_of(&property.range),
    }
}

/// What is said of a term: all that its author says where there are few, else that only of terms that
/// the text speaks of, since every word of it is paid for with every question.
fn described(terms: usize, text: &str) -> impl Fn(&str, Option<&Term>) -> String {
    let words = (terms > MOST).then(|| words(text));
    move |name, term| match &words {
        Some(words) if !told_of(name, term, words) => String::new(),
        _ => about(name, term),
    }
}

/// What the author of a term says of it: other names, and the beginning of its definition.
fn about(name: &str, term: Option<&Term>) -> String {
    let Some(term) = term else {
        return String::new();
    };
    let mut about = String::new();
    let plain = letters(name);
    let labels = term.labels.iter().filter(|label| letters(label) != plain);
    let labels: Vec<&str> = labels.map(String::as_str).take(3).collect();
    if !labels.is_empty() {
        let _ = write!(about, ", also “{}”", labels.join("”, “"));
    }
    if let Some(definition) = &term.definition {
        let _ = write!(about, ": {}", beginning(definition));
    }
    about
}

/// The first sentence on one line, cut between words where it is long.
fn beginning(definition: &str) -> String {
    let words = definition.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = sentences(&words).into_iter().next();
    let sentence = first.map_or("", |first| &words[first.start..first.end]);
    if sentence.chars().count() <= DEFINITION {
        return sentence.to_owned();
    }
    let cut: String = sentence.chars().take(DEFINITION).collect();
    let kept = cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept);
    format!("{kept} …")
}

/// Letters and digits alone, in lower case.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|char| char.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// All classes of a small ontology; of a large one those that stand for core types, those that the
/// text speaks of with the nearest classes above them, and then the others from the top down, up to
/// the limit.
fn classes<'a>(ontology: &'a Ontology, text: &str) -> BTreeSet<&'a str> {
    let all = ontology.classes();
    if all.len() <= MOST {
        return all.iter().map(|class| class.name.as_str()).collect();
    }
    let kinds = Ontology::core();
    let kinds = kinds
        .classes()
        .iter()
        .filter_map(|kind| class_of(ontology, &kind.name));
    let mut chosen: BTreeSet<&str> = kinds.collect();
    let words = words(text);
    for class in all {
        if chosen.len() < MOST && told_of(&class.name, class.term.as_ref(), &words) {
            let above = ontology.above(&class.name).into_iter().take(NEAREST);
            chosen.extend(above.chain([class]).map(|class| class.name.as_str()));
        }
    }
    let top_down = top_down(ontology).into_iter();
    let others = top_down.filter(|class| !chosen.contains(class));
    let others: Vec<&str> = others.take(MOST.saturating_sub(chosen.len())).collect();
    chosen.extend(others);
    chosen
}

/// Classes that nothing else is above, then those right below them, and so on.
fn top_down(ontology: &Ontology) -> Vec<&str> {
    let (all, below) = (ontology.classes(), ontology.below());
    // Classes that specialise each other are at one height.
    let is_top = |class: &Class| {
        let mut parents = class.parents.iter();
        parents.all(|parent| !ontology.has_class(parent) || ontology.is_a(parent, &class.name))
    };
    let tops = (0..all.len()).filter(|position| is_top(&all[*position]));
    let mut order: Vec<usize> = tops.collect();
    let mut seen: HashSet<usize> = order.iter().copied().collect();
    let mut next = 0;
    while next < order.len() && order.len() < 3 * MOST {
        let found = below[order[next]]
            .iter()
            .filter(|class| seen.insert(**class));
        let found: Vec<usize> = found.copied().collect();
        order.extend(found);
        next += 1;
    }
    let order = order.into_iter();
    order.map(|position| all[position].name.as_str()).collect()
}

/// Properties between the chosen classes, those that the text speaks of first, up to the limit.
fn properties<'a>(
    ontology: &'a Ontology,
    text: &str,
    classes: &BTreeSet<&str>,
) -> Vec<&'a Property> {
    let all = ontology.properties();
    if all.len() <= MOST {
        return all.iter().collect();
    }
    let words = words(text);
    let told = |class: &String| classes.contains(class.as_str()) || !ontology.has_class(class);
    let within = |ends: &[String]| ends.is_empty() || ends.iter().any(told);
    let mut chosen: Vec<&Property> = all
        .iter()
        .filter(|property| within(&property.domain) && within(&property.range))
        .collect();
    chosen.sort_by_key(|property| !told_of(&property.name, property.term.as_ref(), &words));
    chosen.truncate(MOST);
    chosen
}

/// Whether the text may speak of a term: by a word of its name, or by all words of a label.
fn told_of(name: &str, term: Option<&Term>, text: &BTreeSet<String>) -> bool {
    let by_label = |label: &String| {
        let mut words = stems(label).peekable();
        words.peek().is_some() && words.all(|word| text.contains(&word))
    };
    spoken_of(name, text) || term.is_some_and(|term| term.labels.iter().any(by_label))
}

/// Lower-case words, cut to what inflection leaves of them.
fn words(text: &str) -> BTreeSet<String> {
    stems(text).collect()
}

fn stems(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 2)
        .map(|word| stem(&word.to_lowercase()))
}

fn stem(word: &str) -> String {
    word.chars().take(6).collect()
}

/// Whether a word of a name in camelCase is among the words.
fn spoken_of(name: &str, words: &BTreeSet<String>) -> bool {
    let mut parts: Vec<String> = Vec::new();
    for char in name.chars() {
        match parts.last_mut() {
            Some(part) if char.is_lowercase() || char.is_numeric() => part.push(char),
            _ => parts.push(char.to_string()),
        }
    }
    parts
        .iter()
        .filter(|part| part.chars().count() > 2)
        .any(|part| words.contains(&stem(&part.to_lowercase())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, parents: &[&str]) -> Class {
        Class {
            name: name.to_owned(),
            parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
            term: None,
        }
    }

    fn term(labels: &[&str], definition: Option<&str>) -> Term {
        Term {
            iri: "https://example.org/x".to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            definition: definition.map(str::to_owned),
        }
    }

    #[test]
    fn the_core_types_are_all_told() {
        let section = section(&Ontology::core(), "");
        assert!(section.contains("- Person\n") && section.contains("- Thing\n"));
        assert!(section.ends_with("Any predicate is allowed."));
    }

    #[test]
    fn what_the_author_says_of_a_term_is_told() {
        let ferry = Class {
            term: Some(term(
                &["ferry", "car ferry"],
                Some("A ship that\n goes to and fro. Not a cruise ship."),
            )),
            ..class("Ferry", &["Ship", "Service"])
        };
        let property = |name: &str, range: &[&str], takes| Property {
            name: name.to_owned(),
            domain: vec!["Ferry".to_owned()],
            range: range.iter().map(|class| (*class).to_owned()).collect(),
            takes,
            term: None,
        };
        let properties = vec![
            property("callsAt", &[], Takes::Entities),
            property("launched", &["date"], Takes::Literals),
            property("motto", &[], Takes::Literals),
            property("ownedBy", &["Firm", "Person"], Takes::Anything),
        ];
        let told = section(&Ontology::new(vec![ferry], properties), "");
        assert_eq!(
            told,
            "Allowed types:\n\
             - Ferry (a kind of Ship or Service), also “car ferry”: A ship that goes to and fro.\n\
             Allowed predicates:\n\
             - callsAt: Ferry → any entity\n\
             - launched: Ferry → date\n\
             - motto: Ferry → plain value\n\
             - ownedBy: Ferry → Firm or Person\n"
        );
        let many: Vec<String> = (0..9).map(|number| format!("C{number}")).collect();
        assert_eq!(one_of(&many), "C0 or C1 or C2 or C3 or C4 or C5 or others");
        let long = beginning(&"word ".repeat(100));
        assert!(long.ends_with("word …") && long.chars().count() <= DEFINITION + 2);
    }

    #[test]
    fn of_a_large_ontology_what_matters_is_told() {
        let mut classes: Vec<Class> = (0..500)
            .map(|number| class(&format!("Kind{number}x"), &[]))
            .collect();
        classes.push(class("Watercraft", &[]));
        classes.push(class("SteamShip", &["Watercraft"]));
        classes.insert(
            0,
            Class {
                term: Some(term(&["port"], Some("Where ships are."))),
                ..class("Harbour", &[])
            },
        );
        classes.push(Class {
            term: Some(term(&["slipway"], None)),
            ..class("Q7", &[])
        });
        let mut properties: Vec<Property> = (0..500)
            .map(|number| Property {
                name: format!("relatesTo{number}x"),
                ..Property::default()
            })
            .collect();
        properties.push(Property {
            name: "launchedIn".to_owned(),
            domain: vec!["SteamShip".to_owned()],
            ..Property::default()
        });
        let ontology = Ontology::new(classes, properties);
        let section = section(&ontology, "The ship left the slipway and was launched.");
        assert!(section.contains("- SteamShip (a kind of Watercraft)\n"));
        assert!(section.contains("- Watercraft\n") && section.contains("- Q7, also “slipway”\n"));
        assert!(section.contains("- launchedIn: SteamShip → any\n"));
        let harbour = "- Harbour\n";
        assert!(
            section.contains(harbour),
            "what nobody speaks of is named alone: {section}"
        );
        assert!(section.lines().count() < 2 * MOST + 5);
    }

    #[test]
    fn of_an_ontology_with_one_root_what_is_general_is_told() {
        // As schema.org has it: everything is below one class, and places have many kinds.
        let mut classes = vec![
            class("Thing", &[]),
            class("Person", &["Thing"]),
            class("Place", &["Thing"]),
            class("Same", &["Equal"]),
            class("Equal", &["Same"]),
        ];
        classes.extend((0..500).map(|number| class(&format!("Aa{number}x"), &["Place"])));
        let born = Property {
            name: "birthPlace".to_owned(),
            domain: vec!["Person".to_owned()],
            range: vec!["Place".to_owned()],
            ..Property::default()
        };
        let others = (0..500).map(|number| Property {
            name: format!("relatesTo{number}x"),
            ..Property::default()
        });
        let ontology = Ontology::new(classes, std::iter::once(born).chain(others).collect());
        let section = section(&ontology, "Anna Berg came from Oslo.");
        for line in [
            "- Thing\n",
            "- Person (a",
            "- Place (a",
            "- Same (a",
            "- birthPlace: Person",
        ] {
            assert!(section.contains(line), "{line}: {section}");
        }
        let told = section.lines().filter(|line| line.starts_with("- "));
        assert_eq!(told.count(), 2 * MOST);
    }
}
