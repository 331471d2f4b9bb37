//! RDF/XML before its parser reads it: what would make much of little is refused, and the prefixes
//! are kept.

use std::collections::HashMap;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::MOST_ONTOLOGY_BYTES;

/// Elements in each other at most: for each name the parser looks through all that it is in.
const MOST_DEPTH: usize = 1000;

/// Attributes of an element at most: the parser compares each with each.
const MOST_ATTRIBUTES: usize = 500;

/// Namespaces that hold at once, at most: for each name the parser looks through them.
const MOST_NAMESPACES: usize = 1000;

/// Bytes that an entity stands for at most.
const MOST_ENTITY_BYTES: usize = 4096;

/// Prefixes with what they stand for, in the order of the prefixes. What is no XML is left to the
/// parser, which says why.
///
/// # Errors
/// Says what nobody would write.
pub(super) fn check(content: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut reader = Reader::from_str(content);
    let mut entities = HashMap::new();
    let (mut prefixes, mut started) = (Vec::new(), false);
    // How many namespaces hold in each element that is open.
    let mut open: Vec<usize> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::DocType(_)) if started || !entities.is_empty() => {
                return Err("it has a DOCTYPE that is not at its beginning");
            }
            Ok(Event::DocType(text)) => {
                entities = declared(&String::from_utf8_lossy(&text))?;
                check_growth(content, &entities)?;
            }
            Ok(Event::Start(_)) if open.len() == MOST_DEPTH => {
                return Err("its elements are too deep in each other");
            }
            Ok(Event::Start(element)) => {
                let names = namespaces(&element, &entities)?;
                let hold = open.last().copied().unwrap_or_default() + names.len();
                if hold > MOST_NAMESPACES {
                    return Err("too many of its namespaces hold at once");
                }
                open.push(hold);
                if !started {
                    prefixes = names;
                }
                started = true;
            }
            Ok(Event::Empty(element)) => {
                namespaces(&element, &entities)?;
                started = true;
            }
            Ok(Event::End(_)) => drop(open.pop()),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    prefixes.sort();
    Ok(prefixes)
}

/// The entities of a document type, told apart as the parser does it: at every `<`.
fn declared(text: &str) -> Result<HashMap<String, String>, &'static str> {
    const WRONG: &str = "an entity is declared as nobody would: <!ENTITY name \"value\">";
    let mut entities = HashMap::new();
    for declaration in text.split('<').skip(1) {
        let Some(declaration) = declaration.strip_prefix("!ENTITY") else {
            continue;
        };
        let mut words = declaration.split_ascii_whitespace();
        let name = words.next().ok_or(WRONG)?;
        let plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
        let value = declaration.split('"').nth(1).ok_or(WRONG)?;
        if !name.chars().all(plain) || value.len() > MOST_ENTITY_BYTES {
            return Err(WRONG);
        }
        if references(value).any(is_own) {
            return Err("an entity that names another one is not read");
        }
        if entities.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err("an entity is declared twice");
        }
    }
    Ok(entities)
}

/// Refuses entities of which the parser would make more text than an ontology may have.
fn check_growth(content: &str, entities: &HashMap<String, String>) -> Result<(), &'static str> {
    let values = references(content).filter_map(|name| entities.get(name));
    if values.map(String::len).sum::<usize>() > MOST_ONTOLOGY_BYTES {
        return Err("its entities stand for more text than an ontology may have");
    }
    Ok(())
}

/// What is named between `&` and the next `;`.
fn references(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split('&').skip(1);
    after.filter_map(|rest| rest.split_once(';').map(|(name, _)| name))
}

/// Whether an entity is the document's own: not one of a character, and none of XML's five.
fn is_own(entity: &str) -> bool {
    !entity.starts_with('#') && !["amp", "lt", "gt", "quot", "apos"].contains(&entity)
}

/// The namespaces that an element declares.
fn namespaces(
    element: &BytesStart<'_>,
    entities: &HashMap<String, String>,
) -> Result<Vec<(String, String)>, &'static str> {
    let mut found = Vec::new();
    // Two of one name are the parser's to refuse.
    for (number, attribute) in element.attributes().with_checks(false).enumerate() {
        if number == MOST_ATTRIBUTES {
            return Err("an element has too many attributes");
        }
        let Ok(attribute) = attribute else { break };
        let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        let Some(prefix) = name.strip_prefix("xmlns:") else {
            continue;
        };
        let value = String::from_utf8_lossy(&attribute.value).into_owned();
        let own = value
            .strip_prefix('&')
            .and_then(|rest| rest.strip_suffix(';'));
        let stands_for = own.and_then(|name| entities.get(name)).cloned();
        found.push((prefix.to_owned(), stands_for.unwrap_or(value)));
    }
    Ok(found)
}
