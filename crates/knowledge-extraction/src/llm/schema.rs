//! JSON schemas of answers: what an endpoint is told, and what an answer is checked against.

use std::sync::{Arc, LazyLock};

use jsonschema::Validator;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    answer::{EntitiesAnswer, MentionsAnswer, RelationsAnswer, SingleAnswer},
    call::AnswerFormat,
};

/// A form of answers.
pub(super) struct Form {
    /// What the endpoint is told.
    pub(super) format: Arc<AnswerFormat>,
    validator: Validator,
    /// Checks one item of each list by the list's name.
    items: Vec<(&'static str, Validator)>,
}

/// The form of one type of answers.
pub(super) trait Formed: DeserializeOwned + Default {
    fn form() -> &'static Form;
}

macro_rules! formed {
    ($($answer:ty, $name:literal, [$($list:literal),+];)+) => {
        $(
            impl Formed for $answer {
                fn form() -> &'static Form {
                    static FORM: LazyLock<Form> = LazyLock::new(|| Form::of::<$answer>($name, &[$($list),+]));
                    &FORM
                }
            }
        )+
    };
}

formed! {
    SingleAnswer, "single_answer", ["entities", "relations"];
    MentionsAnswer, "mentions_answer", ["mentions"];
    EntitiesAnswer, "entities_answer", ["entities"];
    RelationsAnswer, "relations_answer", ["relations"];
}

impl Form {
    fn of<T: JsonSchema>(name: &'static str, lists: &[&'static str]) -> Self {
        let schema = strict_schema::<T>();
        let items = lists
            .iter()
            .map(|list| {
                let item = &schema["properties"][list]["items"];
                (*list, validator(item))
            })
            .collect();
        Self {
            validator: validator(&schema),
            items,
            format: Arc::new(AnswerFormat { name, schema }),
        }
    }

    /// What is wrong with a value; `None` when nothing is.
    pub(super) fn fault(&self, value: &Value) -> Option<String> {
        let error = self.validator.iter_errors(value).next()?;
        // The error's own text quotes the value, which may be a document's.
        let place = error.instance_path().to_string();
        let place = if place.is_empty() {
            "the answer"
        } else {
            &place
        };
        Some(format!(
            "{place} is not what {} asks for",
            error.schema_path()
        ))
    }

    /// Whether a value is about what was asked for: it names a list, or is empty.
    fn is_answer(&self, value: &Value) -> bool {
        value.as_object().is_some_and(|object| {
            object.is_empty()
                || self
                    .items
                    .iter()
                    .any(|(list, _)| object.contains_key(*list))
        })
    }

    /// The answer in what a model put around it or left out around it: the object within another
    /// one or a list, or the items of the lists without their names. None where there is none.
    pub(super) fn unwrapped(&self, value: Value) -> Option<Value> {
        if self.is_answer(&value) {
            return Some(value);
        }
        match value {
            Value::Object(object) => object.into_values().find(|inner| self.is_answer(inner)),
            Value::Array(items) if items.len() == 1 && self.is_answer(&items[0]) => {
                items.into_iter().next()
            }
            Value::Array(items) => Some(self.sorted(items)),
            _ => None,
        }
    }

    /// Each item in the list that it is valid in; those that are valid in none in the first one,
    /// where they are counted.
    fn sorted(&self, items: Vec<Value>) -> Value {
        let mut lists: serde_json::Map<String, Value> = serde_json::Map::new();
        for item in items {
            let valid = self.items.iter().find(|(_, items)| items.is_valid(&item));
            let Some((list, _)) = valid.or(self.items.first()) else {
                continue;
            };
            let list = lists
                .entry(*list)
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Some(list) = list.as_array_mut() {
                list.push(item);
            }
        }
        Value::Object(lists)
    }

    /// Takes out of each list what is not valid, and every field that is not known; how many items
    /// were taken out. A list that is missing is empty.
    pub(super) fn salvage(&self, value: &mut Value) -> u32 {
        let Some(object) = value.as_object_mut() else {
            return 0;
        };
        object.retain(|key, _| self.items.iter().any(|(list, _)| list == key));
        let mut dropped = 0;
        for (list, validator) in &self.items {
            let entry = object
                .entry((*list).to_owned())
                .or_insert_with(|| Value::Array(Vec::new()));
            let Some(items) = entry.as_array_mut() else {
                *entry = Value::Array(Vec::new());
                dropped += 1;
                continue;
            };
            let before = items.len();
            items.retain(|item| validator.is_valid(item));
            dropped += u32::try_from(before - items.len()).unwrap_or(u32::MAX);
        }
        dropped
    }
}

#[expect(
    clippy::expect_used,
    reason = "the schemas are constants of this crate, and a test compiles each"
)]
fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).expect("a generated schema is valid")
}

/// The schema with everything inlined, every field required and no other allowed: what
/// `response_format` with `strict: true` takes.
fn strict_schema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    make_strict(&mut schema);
    schema
}

fn make_strict(schema: &mut Value) {
    let Value::Object(schema) = schema else {
        return;
    };
    schema.retain(|key, _| !matches!(key.as_str(), "title" | "format" | "default" | "$schema"));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(make_strict);
        let all = properties.keys().cloned().map(Value::String).collect();
        schema.insert("required".to_owned(), Value::Array(all));
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if let Some(items) = schema.get_mut("items") {
        make_strict(items);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Every value of the schema's answers with one part left out or made something else.
    fn changed(value: &Value, replacement: Option<&Value>) -> Vec<Value> {
        let mut all = Vec::new();
        match value {
            Value::Object(object) => {
                for (key, inner) in object {
                    let mut other = object.clone();
                    match replacement {
                        Some(replacement) => other.insert(key.clone(), replacement.clone()),
                        None => other.remove(key),
                    };
                    all.push(Value::Object(other));
                    all.extend(changed(inner, replacement).into_iter().map(|inner| {
                        let mut other = object.clone();
                        other.insert(key.clone(), inner);
                        Value::Object(other)
                    }));
                }
                let mut more = object.clone();
                more.insert("more".to_owned(), json!(1));
                all.push(Value::Object(more));
            }
            Value::Array(list) => all.extend(
                list.iter()
                    .flat_map(|inner| changed(inner, replacement))
                    .map(|inner| json!([inner])),
            ),
            _ => {}
        }
        all
    }

    fn agrees<A: Formed>(value: &Value) -> Result<(), TestCaseError> {
        let form = A::form();
        let replacements = [
            json!(null),
            json!("x"),
            json!(7),
            json!(0.5),
            json!([]),
            json!({}),
        ];
        let replacements = replacements.iter().map(Some).chain([None]);
        let all = replacements.flat_map(|replacement| changed(value, replacement));
        for value in all.chain([value.clone()]) {
            let is_read = serde_json::from_value::<A>(value.clone()).is_ok();
            let is_valid = form.fault(&value).is_none();
            prop_assert!(
                is_read == is_valid,
                "read {is_read}, valid {is_valid}: {value}"
            );
        }
        Ok(())
    }

    proptest! {
        /// Reading an answer is checking it: nothing is read that the schema does not allow.
        #[test]
        fn the_types_take_what_the_schemas_allow(text in "\\PC{0,8}", start in any::<i32>(), confidence in 0.0..1.0) {
            let attributes = json!([{ "name": text, "value": text }]);
            agrees::<SingleAnswer>(&json!({
                "entities": [{
                    "name": text, "type": text, "confidence": confidence, "attributes": attributes,
                    "mentions": [{ "text": text, "start": start }],
                }],
                "relations": [{
                    "subject": text, "predicate": text, "object": text, "literal_type": null,
                    "evidence": text, "confidence": confidence,
                }],
            }))?;
            agrees::<MentionsAnswer>(&json!({
                "mentions": [{ "text": text, "start": start, "type": text, "confidence": confidence }],
            }))?;
            agrees::<EntitiesAnswer>(&json!({
                "entities": [{
                    "name": text, "types": [text], "mentions": [start], "attributes": attributes,
                    "confidence": confidence,
                }],
            }))?;
            agrees::<RelationsAnswer>(&json!({
                "relations": [{
                    "subject": start, "predicate": text, "object": start, "literal": null,
                    "literal_type": text, "evidence": text, "confidence": confidence,
                }],
            }))?;
        }
    }
}
