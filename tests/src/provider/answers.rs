//! A simple reader: it finds names, and that neighbours in a sentence have to do with each other.

use serde_json::{Value, json};

/// What an answer is made wrong by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wrong {
    pub(super) offsets: bool,
    pub(super) invented: bool,
}

/// A name in a text, by characters.
struct Name {
    text: String,
    start: usize,
}

/// The answer to a question of the extractor, by what it asks for.
pub(super) fn answer(system: &str, user: &str, wrong: Wrong) -> Value {
    let text = between(user, "<text>", "</text>");
    if system.contains("numbered mentions") {
        entities(text)
    } else if user.contains("<mentions>") {
        relations(text, between(user, "<mentions>", "</mentions>"))
    } else if system.contains("`relations`") {
        single(text, wrong)
    } else {
        mentions(text, wrong)
    }
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    let Some(start) = text.find(open) else {
        return "";
    };
    let rest = &text[start + open.len()..];
    rest.split(close).next().unwrap_or(rest)
}

fn single(text: &str, wrong: Wrong) -> Value {
    let found = names(text);
    let mut unique: Vec<&str> = found.iter().map(|name| name.text.as_str()).collect();
    unique.sort_unstable();
    unique.dedup();
    let mut entities: Vec<Value> = unique
        .into_iter()
        .map(|name| {
            let places = found.iter().filter(|found| found.text == name);
            let mentions: Vec<Value> = places
                .map(|place| json!({ "text": place.text, "start": shifted(place.start, wrong) }))
                .collect();
            json!({
                "name": name,
                "type": kind(name),
                "mentions": mentions,
                "attributes": [],
                "confidence": 0.9,
            })
        })
        .collect();
    if wrong.invented {
        entities.push(json!({
            "name": "Merlin",
            "type": "Wizard",
            "mentions": [{ "text": "Merlin the Never Named", "start": 0 }],
            "attributes": [],
            "confidence": 0.9,
        }));
        if let Some(first) = entities.first_mut() {
            first["type"] = json!("Wizard");
        }
    }
    let relations: Vec<Value> = pairs(text, &found)
        .into_iter()
        .map(|(subject, object, sentence)| {
            json!({
                "subject": found[subject].text,
                "predicate": "associated with",
                "object": found[object].text,
                "literal_type": null,
                "evidence": sentence,
                "confidence": 0.8,
            })
        })
        .collect();
    json!({ "entities": entities, "relations": relations })
}

fn mentions(text: &str, wrong: Wrong) -> Value {
    let mut mentions: Vec<Value> = names(text)
        .into_iter()
        .map(|name| {
            json!({
                "text": name.text,
                "start": shifted(name.start, wrong),
                "type": kind(&name.text),
                "confidence": 0.9,
            })
        })
        .collect();
    if wrong.invented {
        mentions.push(json!({ "text": "Merlin the Never Named", "start": 0, "type": "Person", "confidence": 0.9 }));
        if let Some(first) = mentions.first_mut() {
            first["type"] = json!("Wizard");
        }
    }
    json!({ "mentions": mentions })
}

/// Each line is `NUMBER. TEXT (TYPE): …`.
fn entities(lines: &str) -> Value {
    let mut entities: Vec<(String, String, Vec<u64>)> = Vec::new();
    for line in lines.lines() {
        let Some((number, name, kind)) = numbered(line) else {
            continue;
        };
        match entities.iter_mut().find(|(known, ..)| *known == name) {
            Some((.., mentions)) => mentions.push(number),
            None => entities.push((name, kind, vec![number])),
        }
    }
    let entities: Vec<Value> = entities
        .into_iter()
        .map(|(name, kind, mentions)| {
            json!({
                "name": name,
                "types": [kind],
                "mentions": mentions,
                "attributes": [],
                "confidence": 0.9,
            })
        })
        .collect();
    json!({ "entities": entities })
}

fn relations(text: &str, lines: &str) -> Value {
    let known: Vec<(u64, String, String)> = lines.lines().filter_map(numbered).collect();
    let number = |name: &str| {
        known
            .iter()
            .find(|(_, known, _)| known == name)
            .map(|it| it.0)
    };
    let found = names(text);
    let relations: Vec<Value> = pairs(text, &found)
        .into_iter()
        .filter_map(|(subject, object, sentence)| {
            let (subject, object) = (number(&found[subject].text)?, number(&found[object].text)?);
            Some(json!({
                "subject": subject,
                "predicate": "associatedWith",
                "object": object,
                "literal": null,
                "literal_type": null,
                "evidence": sentence,
                "confidence": 0.8,
            }))
        })
        .collect();
    json!({ "relations": relations })
}

fn numbered(line: &str) -> Option<(u64, String, String)> {
    let (number, rest) = line.split_once(". ")?;
    let (name, rest) = rest.split_once(" (")?;
    let (kind, _) = rest.split_once(')')?;
    Some((
        number.trim().parse().ok()?,
        name.to_owned(),
        kind.to_owned(),
    ))
}

fn shifted(start: usize, wrong: Wrong) -> usize {
    if wrong.offsets { start + 7 } else { start }
}

fn kind(name: &str) -> &'static str {
    const FIRMS: &[&str] = &[
        "Instruments",
        "Shipping",
        "Optics",
        "Society",
        "Institute",
        "Bank",
    ];
    const PLACES: &[&str] = &["Halvern", "Port Ellis", "Steinach"];
    if PLACES.contains(&name) {
        "Place"
    } else if FIRMS.iter().any(|firm| name.ends_with(firm)) {
        "Organization"
    } else if name.contains(' ') {
        "Person"
    } else {
        "Thing"
    }
}

/// Runs of words that begin with a capital letter; single ones that open a sentence are no names.
fn names(text: &str) -> Vec<Name> {
    let mut names = Vec::new();
    let mut run: Option<(usize, String)> = None;
    let (mut opens, mut run_opens) = (true, false);
    let mut position = 0;
    for word in text.split_inclusive(|c: char| c.is_whitespace()) {
        let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let capital = bare.chars().next().is_some_and(char::is_uppercase);
        if capital {
            if let Some((_, text)) = &mut run {
                text.push(' ');
                text.push_str(bare);
            } else {
                run = Some((position, bare.to_owned()));
                run_opens = opens;
            }
        }
        // White space of one character between the words of a name.
        let ends = !capital || word.trim_end().len() != bare.len() || !word.ends_with(' ');
        if ends && let Some((start, text)) = run.take() {
            let lone = !text.contains(' ');
            if !(lone && run_opens) {
                names.push(Name { text, start });
            }
        }
        opens = word.trim_end().ends_with(['.', '!', '?', '\n']) || word.ends_with('\n');
        position += word.chars().count();
    }
    if let Some((start, text)) = run {
        names.push(Name { text, start });
    }
    names
}

/// Neighbouring names of one sentence, with the sentence.
fn pairs<'a>(text: &'a str, names: &[Name]) -> Vec<(usize, usize, &'a str)> {
    let mut pairs = Vec::new();
    let mut start = 0;
    for sentence in text.split_inclusive(". ") {
        let end = start + sentence.chars().count();
        let inside: Vec<usize> = (0..names.len())
            .filter(|name| (start..end).contains(&names[*name].start))
            .collect();
        for pair in inside.windows(2) {
            if names[pair[0]].text != names[pair[1]].text {
                pairs.push((pair[0], pair[1], sentence.trim()));
            }
        }
        start = end;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_where_they_are_said_to_be() {
        let text = "In 1990 Ilse Varga founded Calder Instruments in Port Ellis. She met Zoë. Nobody cared.";
        let found = names(text);
        let chars: Vec<char> = text.chars().collect();
        for name in &found {
            let there: String = chars[name.start..]
                .iter()
                .take(name.text.chars().count())
                .collect();
            assert_eq!(there, name.text);
        }
        let texts: Vec<_> = found.iter().map(|name| name.text.as_str()).collect();
        assert_eq!(
            texts,
            ["Ilse Varga", "Calder Instruments", "Port Ellis", "Zoë"]
        );
        assert_eq!(pairs(text, &found).len(), 2);
    }
}
