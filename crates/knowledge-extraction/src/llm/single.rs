//! One question a chunk: its answer names entities and relations, and the later stages take them
//! from what the first has left them.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use knowledge_domain::{
    core_type,
    graph::{CharSpan, Confidence, SourceText},
};
use serde::{Deserialize, Serialize};

use super::{
    answer::{Attribute, PlacedText, SingleAnswer, SingleEntity, SingleRelation},
    ask::{AskError, ask},
    call::Call,
    extractor::{LlmExtractor, question},
    prompt::{GLEANING, SINGLE, enclosed},
    split::middle,
};
use crate::{
    error::ExtractionError,
    extractor::{
        EntityCandidate, EntityHint, EntityRequest, Found, MentionCandidate, MentionRequest,
        ObjectCandidate, RelationCandidate, RelationRequest, TypedMention,
    },
    verify::{Rejections, relocate},
};

/// What the first stage leaves to the stage of relations, in characters of the chunk.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memo {
    /// Every mention of each entity that relations name.
    entities: Vec<Vec<CharSpan>>,
    relations: Vec<MemoRelation>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MemoRelation {
    /// A position in [`Memo::entities`].
    subject: u32,
    predicate: String,
    object: MemoObject,
    evidence: CharSpan,
    confidence: Confidence,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MemoObject {
    /// A position in [`Memo::entities`].
    Entity(u32),
    Literal {
        value: String,
        literal_type: Option<String>,
    },
}

/// What was found in a piece of a chunk.
#[derive(Default)]
struct Piece {
    mentions: Vec<MentionCandidate>,
    memo: Memo,
    tokens: u64,
    rejections: Rejections,
}

pub(super) async fn mentions(
    extractor: &LlmExtractor,
    request: MentionRequest<'_>,
) -> Result<Found<MentionCandidate>, ExtractionError> {
    let piece = piece(extractor, request, request.text, 0).await?;
    let memo = serde_json::to_value(&piece.memo).map_err(|error| ExtractionError::Decode {
        what: "the answer".to_owned(),
        source: std::sync::Arc::new(error),
    })?;
    Ok(Found {
        items: piece.mentions,
        tokens_used: piece.tokens,
        rejections: piece.rejections,
        memo: Some(memo),
    })
}

/// What a piece of the chunk, `offset` characters from its start, says; a piece that is too long
/// for the model is cut in two.
fn piece<'a>(
    extractor: &'a LlmExtractor,
    request: MentionRequest<'a>,
    text: &'a str,
    offset: u32,
) -> BoxFuture<'a, Result<Piece, ExtractionError>> {
    Box::pin(async move {
        let cut = middle(text);
        let about = (text, enclosed(text));
        let key = request.idempotency_key;
        let call =
            question::<SingleAnswer>(SINGLE, request.ontology, about, key, extractor.options());
        let asked = ask::<SingleAnswer>(
            extractor.models(),
            call.clone(),
            extractor.room(cut.is_none()),
        )
        .await;
        match (asked, cut) {
            (Ok(mut asked), _) => {
                glean(
                    extractor,
                    &call,
                    &mut asked.answer,
                    &mut asked.tokens,
                    &mut asked.rejections,
                )
                .await?;
                Ok(placed(
                    text,
                    offset,
                    asked.answer,
                    asked.tokens,
                    asked.rejections,
                ))
            }
            (Err(AskError::TooLong { tokens }), Some((byte, char))) => {
                let (left, right) = text.split_at(byte);
                let mut whole = piece(extractor, request, left, offset).await?;
                whole.join(piece(extractor, request, right, offset + char).await?);
                whole.tokens = whole.tokens.saturating_add(tokens);
                Ok(whole)
            }
            (Err(AskError::TooLong { .. }), None) => Err(ExtractionError::Unit {
                reason: "the chunk is too long for the model and cannot be cut".to_owned(),
            }),
            (Err(AskError::Failed(error)), _) => Err(error),
        }
    })
}

impl Piece {
    fn join(&mut self, other: Self) {
        self.mentions.extend(other.mentions);
        self.memo.join(other.memo);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.rejections += other.rejections;
    }
}

impl Memo {
    fn join(&mut self, other: Self) {
        let before = count(self.entities.len());
        self.entities.extend(other.entities);
        let moved = |mut relation: MemoRelation| {
            relation.subject = relation.subject.saturating_add(before);
            if let MemoObject::Entity(object) = &mut relation.object {
                *object = object.saturating_add(before);
            }
            relation
        };
        self.relations
            .extend(other.relations.into_iter().map(moved));
    }

    fn mentions(&self, entity: u32) -> &[CharSpan] {
        self.entities
            .get(entity as usize)
            .map_or(&[], Vec::as_slice)
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Asks for what was missed, until nothing was.
async fn glean(
    extractor: &LlmExtractor,
    call: &Call,
    answer: &mut SingleAnswer,
    tokens: &mut u64,
    rejections: &mut Rejections,
) -> Result<(), ExtractionError> {
    for round in 1..=extractor.options().gleaning_rounds {
        let found: Vec<&str> = answer
            .entities
            .iter()
            .map(|entity| entity.name.as_str())
            .collect();
        let missed = Call {
            prompt: format!("{}+{}/{round}", call.prompt, GLEANING.id()),
            user: format!(
                "{}\n{}",
                call.user,
                GLEANING.fill("found", &found.join("; ")).trim()
            ),
            ..call.clone()
        };
        match ask::<SingleAnswer>(extractor.models(), missed, extractor.room(true)).await {
            Ok(more) => {
                *tokens = tokens.saturating_add(more.tokens);
                *rejections += more.rejections;
                if more.answer.entities.is_empty() && more.answer.relations.is_empty() {
                    break;
                }
                answer.entities.extend(more.answer.entities);
                answer.relations.extend(more.answer.relations);
            }
            // The first answer stands without it.
            Err(AskError::TooLong { .. } | AskError::Failed(ExtractionError::Unit { .. })) => break,
            Err(AskError::Failed(error)) => return Err(error),
        }
    }
    Ok(())
}

/// An answer with every piece of text that it names in its place; what is not in the text is
/// counted and left out.
fn placed(
    text: &str,
    offset: u32,
    answer: SingleAnswer,
    tokens: u64,
    rejections: Rejections,
) -> Piece {
    let mut piece = Piece {
        tokens,
        rejections,
        ..Piece::default()
    };
    let Some(source) = SourceText::new(text) else {
        return piece;
    };
    let mut places = Places {
        source,
        offset,
        by_name: BTreeMap::new(),
        listed: BTreeMap::new(),
        evidence: BTreeMap::new(),
    };
    for entity in answer.entities {
        places.entity(entity, &mut piece);
    }
    for relation in answer.relations {
        places.relation(&relation, &mut piece);
    }
    piece
}

/// Where things are in a piece.
struct Places {
    source: SourceText,
    /// Characters before the piece.
    offset: u32,
    /// Mentions by the names and the texts of their entities, in lower case.
    by_name: BTreeMap<String, Vec<CharSpan>>,
    /// The positions of those that relations have named, in [`Memo::entities`].
    listed: BTreeMap<String, u32>,
    /// Where words that relations are said in were found, if they were.
    evidence: BTreeMap<String, Option<CharSpan>>,
}

impl Places {
    fn entity(&mut self, entity: SingleEntity, piece: &mut Piece) {
        let confidence = Confidence::new(entity.confidence);
        // A date or an amount is no thing of its own: relations point at its text.
        let is_value = [core_type::DATE, core_type::QUANTITY].contains(&entity.class.as_str());
        let hint = (!is_value).then(|| EntityHint {
            name: entity.name.trim().to_owned(),
            attributes: attributes(entity.attributes),
        });
        let mut spans = Vec::new();
        for mention in entity.mentions {
            let Some(span) = self.place(&mention, &mut piece.rejections) else {
                continue;
            };
            self.by_name
                .entry(key(&mention.text))
                .or_default()
                .push(span);
            spans.push(span);
            piece.mentions.push(MentionCandidate {
                span,
                text: mention.text,
                mention_type: entity.class.clone(),
                confidence,
                entity: hint.clone(),
            });
        }
        self.by_name
            .entry(key(&entity.name))
            .or_default()
            .extend(spans);
    }

    /// The span of a text in characters of the chunk: where it says, or nearest to that.
    fn place(&self, mention: &PlacedText, rejections: &mut Rejections) -> Option<CharSpan> {
        let length = u32::try_from(mention.text.chars().count()).ok()?;
        let start = u32::try_from(mention.start.max(0)).unwrap_or(u32::MAX);
        let said = CharSpan::new(start, start.saturating_add(length)).ok();
        if let Some(span) = said.filter(|span| self.source.verifies(*span, &mention.text)) {
            return span.shifted(self.offset).ok();
        }
        let near = said.unwrap_or(CharSpan::new(0, 1).ok()?);
        let Some(span) = relocate(&self.source, near, &mention.text) else {
            rejections.unverified += 1;
            return None;
        };
        rejections.relocated_mentions += 1;
        span.shifted(self.offset).ok()
    }

    fn relation(&mut self, relation: &SingleRelation, piece: &mut Piece) {
        let evidence = self.evidence(relation.evidence.trim());
        let subject = self.listed(&relation.subject, &mut piece.memo);
        let object = self.object(relation, &mut piece.memo);
        let (Some(evidence), Some(subject), Some(object)) = (evidence, subject, object) else {
            piece.rejections.unverified += 1;
            return;
        };
        piece.memo.relations.push(MemoRelation {
            subject,
            predicate: predicate(&relation.predicate),
            object,
            evidence,
            confidence: Confidence::new(relation.confidence),
        });
    }

    /// Where the words of an evidence are first, in characters of the chunk. Relations of a sentence
    /// have the same.
    fn evidence(&mut self, words: &str) -> Option<CharSpan> {
        if let Some(found) = self.evidence.get(words) {
            return *found;
        }
        let start = CharSpan::new(0, 1).ok();
        let found = start
            .and_then(|start| relocate(&self.source, start, words))
            .and_then(|span| span.shifted(self.offset).ok());
        self.evidence.insert(words.to_owned(), found);
        found
    }

    fn object(&mut self, relation: &SingleRelation, memo: &mut Memo) -> Option<MemoObject> {
        match &relation.literal_type {
            Some(literal_type) => Some(MemoObject::Literal {
                value: relation.object.trim().to_owned(),
                literal_type: Some(literal_type.clone()),
            }),
            // It says that it is an entity; one that has no mention is none.
            None => self.listed(&relation.object, memo).map(MemoObject::Entity),
        }
    }

    /// The position of a name's mentions, where it has some.
    fn listed(&mut self, name: &str, memo: &mut Memo) -> Option<u32> {
        let key = key(name);
        if let Some(listed) = self.listed.get(&key) {
            return Some(*listed);
        }
        let spans = self.by_name.get(&key).filter(|spans| !spans.is_empty())?;
        let mut spans = spans.clone();
        spans.sort_unstable();
        spans.dedup();
        let position = count(memo.entities.len());
        memo.entities.push(spans);
        self.listed.insert(key, position);
        Some(position)
    }
}

/// The entities of mentions whose hints name them.
pub(super) fn entities(request: EntityRequest<'_>) -> Vec<EntityCandidate> {
    let mut candidates: BTreeMap<(String, &str), EntityCandidate> = BTreeMap::new();
    for (mention, position) in request.mentions.iter().zip(0_u32..) {
        let Some(hint) = mention.entity else { continue };
        let candidate = candidates
            .entry((key(&hint.name), mention.mention_type))
            .or_insert_with(|| EntityCandidate {
                name: hint.name.clone(),
                types: vec![mention.mention_type.to_owned()],
                attributes: BTreeMap::new(),
                confidence: mention.confidence,
                mentions: Vec::new(),
            });
        candidate.mentions.push(position);
        candidate.confidence = candidate.confidence.max(mention.confidence);
        for (name, value) in &hint.attributes {
            candidate
                .attributes
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
    }
    candidates.into_values().collect()
}

/// The relations that the first stage left, between the mentions that were kept.
pub(super) fn relations(
    request: RelationRequest<'_>,
) -> Result<Found<RelationCandidate>, ExtractionError> {
    let Some(memo) = request.memo else {
        return Ok(Found::from(Vec::new()));
    };
    let memo: Memo = Deserialize::deserialize(memo).map_err(|error| ExtractionError::Decode {
        what: "the answer".to_owned(),
        source: std::sync::Arc::new(error),
    })?;
    let mut found = Found::from(Vec::new());
    let mut kept = Kept::new(request.mentions, &memo);
    for relation in &memo.relations {
        let evidence = relation.evidence;
        let subject = kept.nearest(relation.subject, evidence);
        let object = match &relation.object {
            MemoObject::Entity(entity) => kept
                .nearest(*entity, evidence)
                .map(ObjectCandidate::Mention),
            MemoObject::Literal {
                value,
                literal_type,
            } => Some(ObjectCandidate::Literal {
                value: value.clone(),
                literal_type: literal_type.clone(),
            }),
        };
        let (Some(subject), Some(object)) = (subject, object) else {
            found.rejections.unverified += 1;
            continue;
        };
        found.items.push(RelationCandidate {
            subject,
            predicate: relation.predicate.clone(),
            object,
            evidence,
            confidence: relation.confidence,
        });
    }
    Ok(found)
}

/// The mentions that were kept, by the entities that relations name.
struct Kept<'a> {
    mentions: &'a [TypedMention],
    memo: &'a Memo,
    /// Span and id of each mention of an entity; found when it is first asked for.
    of_entity: BTreeMap<u32, Vec<(CharSpan, u32)>>,
}

impl<'a> Kept<'a> {
    fn new(mentions: &'a [TypedMention], memo: &'a Memo) -> Self {
        Self {
            mentions,
            memo,
            of_entity: BTreeMap::new(),
        }
    }

    /// Of an entity's mentions the one nearest to the evidence.
    fn nearest(&mut self, entity: u32, evidence: CharSpan) -> Option<u32> {
        let (mentions, memo) = (self.mentions, self.memo);
        self.of_entity
            .entry(entity)
            .or_insert_with(|| at(mentions, memo.mentions(entity)))
            .iter()
            .min_by_key(|(span, _)| {
                let inside = evidence.contains(*span);
                (!inside, span.start().abs_diff(evidence.start()))
            })
            .map(|(_, id)| *id)
    }
}

/// The mentions at these spans. One that was cut differently by a neighbouring chunk still is
/// there.
fn at(mentions: &[TypedMention], spans: &[CharSpan]) -> Vec<(CharSpan, u32)> {
    mentions
        .iter()
        .filter_map(|mention| Some((mention.span?, mention.id)))
        .filter(|(at, _)| spans.iter().any(|span| span.overlaps(*at)))
        .collect()
}

pub(super) fn attributes(attributes: Vec<Attribute>) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .map(|attribute| {
            (
                camel_case(&attribute.name),
                attribute.value.trim().to_owned(),
            )
        })
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
        .collect()
}

fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// A predicate as the graph has it; one that is in camelCase already stays as it is.
pub(super) fn predicate(said: &str) -> String {
    camel_case(said)
}

/// `works for` → `worksFor`.
fn camel_case(said: &str) -> String {
    let mut name = String::with_capacity(said.len());
    let words = said.split(|c: char| c.is_whitespace() || matches!(c, '_' | '-'));
    for word in words.filter(|word| !word.is_empty()) {
        let mut chars = word.chars();
        match chars.next() {
            Some(first) if !name.is_empty() => name.extend(first.to_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.push_str(chars.as_str());
    }
    name
}
