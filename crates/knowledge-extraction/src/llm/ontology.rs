//! The part of an ontology that a prompt tells of.

use std::{collections::BTreeSet, fmt::Write as _};

use knowledge_domain::{Ontology, Property};

/// Classes and properties that a prompt names at most; of a larger ontology it names what matters
/// to the chunk.
const MOST: usize = 60;

/// The allowed types and predicates as a prompt says them.
pub(super) fn section(ontology: &Ontology, text: &str) -> String {
    let classes = classes(ontology, text);
    let mut section = String::from("Allowed types:\n");
    for class in &ontology.classes {
        if !classes.contains(class.name.as_str()) {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = match &class.parent {
            Some(parent) => writeln!(section, "- {} (a {parent})", class.name),
            None => writeln!(section, "- {}", class.name),
        };
    }
    section.push_str(&predicates(ontology, text, &classes));
    section
}

fn predicates(ontology: &Ontology, text: &str, classes: &BTreeSet<&str>) -> String {
    if ontology.properties.is_empty() {
        return "Any predicate is allowed.".to_owned();
    }
    let mut section = String::from("Allowed predicates:\n");
    for property in properties(ontology, text, classes) {
        let end = |class: &Option<String>| class.clone().unwrap_or_else(|| "any".to_owned());
        let (domain, range) = (end(&property.domain), end(&property.range));
        let _ = writeln!(section, "- {}: {domain} → {range}", property.name);
    }
    section
}

/// All classes of a small ontology; of a large one those that the text speaks of with the classes
/// above them, then those without a class above them, up to the limit.
fn classes<'a>(ontology: &'a Ontology, text: &str) -> BTreeSet<&'a str> {
    if ontology.classes.len() <= MOST {
        return ontology
            .classes
            .iter()
            .map(|class| class.name.as_str())
            .collect();
    }
    let words = words(text);
    let mut chosen = BTreeSet::new();
    for class in &ontology.classes {
        if chosen.len() < MOST && spoken_of(&class.name, &words) {
            let above = ontology
                .classes
                .iter()
                .filter(|other| ontology.is_a(&class.name, &other.name));
            chosen.extend(above.map(|class| class.name.as_str()));
        }
    }
    for class in &ontology.classes {
        if chosen.len() < MOST && class.parent.is_none() {
            chosen.insert(class.name.as_str());
        }
    }
    chosen
}

/// Properties between the chosen classes, those that the text speaks of first, up to the limit.
fn properties<'a>(
    ontology: &'a Ontology,
    text: &str,
    classes: &BTreeSet<&str>,
) -> Vec<&'a Property> {
    if ontology.properties.len() <= MOST {
        return ontology.properties.iter().collect();
    }
    let words = words(text);
    let within = |class: &Option<String>| {
        class
            .as_deref()
            .is_none_or(|class| classes.contains(class) || !ontology.has_class(class))
    };
    let mut chosen: Vec<&Property> = ontology
        .properties
        .iter()
        .filter(|property| within(&property.domain) && within(&property.range))
        .collect();
    chosen.sort_by_key(|property| !spoken_of(&property.name, &words));
    chosen.truncate(MOST);
    chosen
}

/// Lower-case words, cut to what inflection leaves of them.
fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 2)
        .map(|word| stem(&word.to_lowercase()))
        .collect()
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
    use knowledge_domain::Class;

    use super::*;

    fn class(name: String, parent: Option<&str>) -> Class {
        Class {
            name,
            parent: parent.map(str::to_owned),
        }
    }

    #[test]
    fn the_core_types_are_all_told() {
        let section = section(&Ontology::core(), "");
        assert!(section.contains("- Person\n") && section.contains("- Thing\n"));
        assert!(section.ends_with("Any predicate is allowed."));
    }

    #[test]
    fn of_a_large_ontology_what_matters_is_told() {
        let mut ontology = Ontology::core();
        ontology.classes = (0..500)
            .map(|number| class(format!("Kind{number}x"), None))
            .collect();
        ontology.classes.push(class("Watercraft".to_owned(), None));
        ontology
            .classes
            .push(class("SteamShip".to_owned(), Some("Watercraft")));
        ontology.properties = (0..500)
            .map(|number| Property {
                name: format!("relatesTo{number}x"),
                domain: None,
                range: None,
            })
            .collect();
        ontology.properties.push(Property {
            name: "launchedIn".to_owned(),
            domain: Some("SteamShip".to_owned()),
            range: None,
        });
        let section = section(&ontology, "The ship was launched at Eastmere.");
        assert!(
            section.contains("- SteamShip (a Watercraft)\n- ")
                || section.contains("- SteamShip (a Watercraft)\n")
        );
        assert!(section.contains("- Watercraft\n"));
        assert!(section.contains("- launchedIn: SteamShip → any\n"));
        assert!(section.lines().count() < 2 * MOST + 5);
    }
}
