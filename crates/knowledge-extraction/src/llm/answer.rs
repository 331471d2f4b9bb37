//! The forms of answers.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// A field that may be null and has to be there, as the schemas say.
fn nullable<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(from)
}

/// Everything that a chunk says, in one answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SingleAnswer {
    /// Each thing once.
    pub(super) entities: Vec<SingleEntity>,
    /// Each statement once.
    pub(super) relations: Vec<SingleRelation>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SingleEntity {
    /// The fullest name that the text uses.
    pub(super) name: String,
    /// One of the allowed types.
    #[serde(rename = "type")]
    pub(super) class: String,
    /// Every place where the text names it.
    pub(super) mentions: Vec<PlacedText>,
    /// What the text says of it beside its relations.
    pub(super) attributes: Vec<Attribute>,
    /// How sure you are, from 0 to 1.
    pub(super) confidence: f64,
}

/// A piece of the text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlacedText {
    /// Copied from the text, letter for letter.
    pub(super) text: String,
    /// The position of its first character in the text, counted from 0.
    pub(super) start: i64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Attribute {
    /// In camelCase: `gender`.
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SingleRelation {
    /// The name of an entity above.
    pub(super) subject: String,
    /// In camelCase: `worksFor`.
    pub(super) predicate: String,
    /// The name of an entity above, or a plain value.
    pub(super) object: String,
    /// The type of a plain value (`Date`, `Quantity`, `string`); null when the object is an entity.
    #[serde(deserialize_with = "nullable")]
    pub(super) literal_type: Option<String>,
    /// The words of the text that say so, copied letter for letter.
    pub(super) evidence: String,
    /// How sure you are, from 0 to 1.
    pub(super) confidence: f64,
}

/// The mentions of a chunk.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MentionsAnswer {
    pub(super) mentions: Vec<MentionItem>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MentionItem {
    /// Copied from the text, letter for letter.
    pub(super) text: String,
    /// The position of its first character in the text, counted from 0.
    pub(super) start: i64,
    /// One of the allowed types.
    #[serde(rename = "type")]
    pub(super) class: String,
    /// How sure you are, from 0 to 1.
    pub(super) confidence: f64,
}

/// The entities behind a batch of mentions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntitiesAnswer {
    pub(super) entities: Vec<EntityItem>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityItem {
    /// The fullest name that its mentions use.
    pub(super) name: String,
    /// Allowed types, the likeliest first; at least one.
    pub(super) types: Vec<String>,
    /// The numbers of its mentions.
    pub(super) mentions: Vec<i64>,
    /// What the context says of it.
    pub(super) attributes: Vec<Attribute>,
    /// How sure you are, from 0 to 1.
    pub(super) confidence: f64,
}

/// The relations of a chunk.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RelationsAnswer {
    pub(super) relations: Vec<RelationItem>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RelationItem {
    /// The number of a mention.
    pub(super) subject: i64,
    /// In camelCase: `worksFor`.
    pub(super) predicate: String,
    /// The number of a mention; null when the object is a plain value.
    #[serde(deserialize_with = "nullable")]
    pub(super) object: Option<i64>,
    /// The plain value; null when the object is a mention.
    #[serde(deserialize_with = "nullable")]
    pub(super) literal: Option<String>,
    /// The type of the plain value (`Date`, `Quantity`, `string`); null without one.
    #[serde(deserialize_with = "nullable")]
    pub(super) literal_type: Option<String>,
    /// The words of the text that say so, copied letter for letter.
    pub(super) evidence: String,
    /// How sure you are, from 0 to 1.
    pub(super) confidence: f64,
}
