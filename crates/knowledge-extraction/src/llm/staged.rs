//! A question for each stage: mentions of a chunk, entities of a batch of mentions, relations of a
//! chunk.

use std::fmt::Write as _;

use futures::future::BoxFuture;
use knowledge_domain::{
    core_type,
    graph::{CharSpan, Confidence, SourceText},
};

use super::{
    answer::{EntitiesAnswer, MentionItem, MentionsAnswer, RelationItem, RelationsAnswer},
    ask::{AskError, Asked, ask},
    call::Call,
    extractor::{LlmExtractor, question},
    prompt::{ENTITIES, GLEANING, MENTIONS, RELATIONS, enclosed, harmless},
    single::{attributes, predicate},
    split::middle,
};
use crate::{
    error::ExtractionError,
    extractor::{
        EntityCandidate, EntityRequest, Found, MentionCandidate, MentionInContext, MentionRequest,
        ObjectCandidate, RelationCandidate, RelationRequest,
    },
    verify::relocate,
};

pub(super) async fn mentions(
    extractor: &LlmExtractor,
    request: MentionRequest<'_>,
) -> Result<Found<MentionCandidate>, ExtractionError> {
    mentions_of(extractor, request, request.text, 0).await
}

/// The mentions of a piece of the chunk, `offset` characters from its start.
fn mentions_of<'a>(
    extractor: &'a LlmExtractor,
    request: MentionRequest<'a>,
    text: &'a str,
    offset: u32,
) -> BoxFuture<'a, Result<Found<MentionCandidate>, ExtractionError>> {
    Box::pin(async move {
        let cut = middle(text);
        let about = (text, enclosed(text));
        let key = request.idempotency_key;
        let call =
            question::<MentionsAnswer>(MENTIONS, request.ontology, about, key, extractor.options());
        match (
            ask::<MentionsAnswer>(
                extractor.models(),
                call.clone(),
                extractor.room(cut.is_none()),
            )
            .await,
            cut,
        ) {
            (Ok(mut asked), _) => {
                glean(extractor, &call, &mut asked).await?;
                let items = asked.answer.mentions.into_iter();
                Ok(Found {
                    items: items.filter_map(|item| candidate(item, offset)).collect(),
                    tokens_used: asked.tokens,
                    rejections: asked.rejections,
                    memo: None,
                })
            }
            (Err(AskError::TooLong { tokens }), Some((byte, char))) => {
                let (left, right) = text.split_at(byte);
                let mut found = mentions_of(extractor, request, left, offset).await?;
                found.join(mentions_of(extractor, request, right, offset + char).await?);
                found.tokens_used = found.tokens_used.saturating_add(tokens);
                Ok(found)
            }
            (Err(error), _) => Err(too_long(error)),
        }
    })
}

/// A text that cannot be cut fails as a unit.
fn too_long(error: AskError) -> ExtractionError {
    match error {
        AskError::Failed(error) => error,
        AskError::TooLong { .. } => ExtractionError::Unit {
            reason: "the question is too long for the model and cannot be cut".to_owned(),
        },
    }
}

async fn glean(
    extractor: &LlmExtractor,
    call: &Call,
    asked: &mut Asked<MentionsAnswer>,
) -> Result<(), ExtractionError> {
    for round in 1..=extractor.options().gleaning_rounds {
        let found: Vec<&str> = asked
            .answer
            .mentions
            .iter()
            .map(|mention| mention.text.as_str())
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
        match ask::<MentionsAnswer>(extractor.models(), missed, extractor.room(true)).await {
            Ok(more) => {
                asked.tokens = asked.tokens.saturating_add(more.tokens);
                asked.rejections += more.rejections;
                if more.answer.mentions.is_empty() {
                    break;
                }
                asked.answer.mentions.extend(more.answer.mentions);
            }
            // The first answer stands without it.
            Err(AskError::TooLong { .. } | AskError::Failed(ExtractionError::Unit { .. })) => break,
            Err(AskError::Failed(error)) => return Err(error),
        }
    }
    Ok(())
}

/// A mention where it says that it is; whoever verifies it looks for it elsewhere.
fn candidate(item: MentionItem, offset: u32) -> Option<MentionCandidate> {
    let length = u32::try_from(item.text.chars().count()).ok()?.max(1);
    let start = u32::try_from(item.start.max(0))
        .unwrap_or(u32::MAX)
        .saturating_add(offset);
    let start = start.min(u32::MAX - length);
    Some(MentionCandidate {
        span: CharSpan::new(start, start + length).ok()?,
        text: item.text,
        mention_type: item.class,
        confidence: Confidence::new(item.confidence),
        entity: None,
    })
}

pub(super) async fn entities(
    extractor: &LlmExtractor,
    request: EntityRequest<'_>,
) -> Result<Found<EntityCandidate>, ExtractionError> {
    // A date or an amount is no thing of its own: relations point at its text.
    let positions: Vec<u32> = (0_u32..)
        .zip(request.mentions)
        .filter(|(_, mention)| {
            ![core_type::DATE, core_type::QUANTITY].contains(&mention.mention_type)
        })
        .map(|(position, _)| position)
        .collect();
    entities_of(extractor, request, &positions).await
}

/// The entities of the mentions at these positions; too many for the model are cut in two.
fn entities_of<'a>(
    extractor: &'a LlmExtractor,
    request: EntityRequest<'a>,
    positions: &'a [u32],
) -> BoxFuture<'a, Result<Found<EntityCandidate>, ExtractionError>> {
    Box::pin(async move {
        if positions.is_empty() {
            return Ok(Found::from(Vec::new()));
        }
        let user = listed(request.mentions, positions);
        let about = (user.as_str(), enclosed(&user));
        let key = request.idempotency_key;
        let call =
            question::<EntitiesAnswer>(ENTITIES, request.ontology, about, key, extractor.options());
        let last = positions.len() == 1;
        match ask::<EntitiesAnswer>(extractor.models(), call, extractor.room(last)).await {
            Ok(asked) => Ok(entities_found(asked)),
            Err(AskError::TooLong { tokens }) if !last => {
                let (left, right) = positions.split_at(positions.len() / 2);
                let mut found = entities_of(extractor, request, left).await?;
                found.join(entities_of(extractor, request, right).await?);
                found.tokens_used = found.tokens_used.saturating_add(tokens);
                Ok(found)
            }
            Err(error) => Err(too_long(error)),
        }
    })
}

fn entities_found(asked: Asked<EntitiesAnswer>) -> Found<EntityCandidate> {
    let items = asked
        .answer
        .entities
        .into_iter()
        .map(|item| EntityCandidate {
            name: item.name.trim().to_owned(),
            types: item.types,
            attributes: attributes(item.attributes),
            confidence: Confidence::new(item.confidence),
            mentions: item.mentions.into_iter().map(number).collect(),
        });
    Found {
        items: items.collect(),
        tokens_used: asked.tokens,
        rejections: asked.rejections,
        memo: None,
    }
}

/// A number that means nothing is out of range, and rejected as such.
fn number(said: i64) -> u32 {
    u32::try_from(said).unwrap_or(u32::MAX)
}

fn listed(mentions: &[MentionInContext<'_>], positions: &[u32]) -> String {
    let mut list = String::new();
    for position in positions {
        let Some(mention) = mentions.get(*position as usize) else {
            continue;
        };
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        // Writing to a string cannot fail.
        let _ = writeln!(
            list,
            "{position}. {} ({}): …{}[{}]{}…",
            line(mention.text),
            mention.mention_type,
            line(mention.before),
            line(mention.text),
            line(mention.after)
        );
    }
    list
}

pub(super) async fn relations(
    extractor: &LlmExtractor,
    request: RelationRequest<'_>,
) -> Result<Found<RelationCandidate>, ExtractionError> {
    // A relation has a thing as its subject.
    if request.mentions.is_empty() && request.topic.is_none() {
        return Ok(Found::from(Vec::new()));
    }
    relations_of(extractor, request, request.text, 0).await
}

fn relations_of<'a>(
    extractor: &'a LlmExtractor,
    request: RelationRequest<'a>,
    text: &'a str,
    offset: u32,
) -> BoxFuture<'a, Result<Found<RelationCandidate>, ExtractionError>> {
    Box::pin(async move {
        let cut = middle(text);
        let user = format!("{}\n{}", enclosed(text), mentioned(request, text, offset));
        let key = request.idempotency_key;
        let call = question::<RelationsAnswer>(
            RELATIONS,
            request.ontology,
            (text, user),
            key,
            extractor.options(),
        );
        match (
            ask::<RelationsAnswer>(extractor.models(), call, extractor.room(cut.is_none())).await,
            cut,
        ) {
            (Ok(asked), _) => Ok(relations_found(text, offset, asked)),
            (Err(AskError::TooLong { tokens }), Some((byte, char))) => {
                let (left, right) = text.split_at(byte);
                let mut found = relations_of(extractor, request, left, offset).await?;
                found.join(relations_of(extractor, request, right, offset + char).await?);
                found.tokens_used = found.tokens_used.saturating_add(tokens);
                Ok(found)
            }
            (Err(error), _) => Err(too_long(error)),
        }
    })
}

/// The mentions of a piece of the chunk, by what relations call them by.
fn mentioned(request: RelationRequest<'_>, text: &str, offset: u32) -> String {
    let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let end = offset.saturating_add(length);
    let mut list = String::from("<mentions>");
    let within = |span: Option<CharSpan>| {
        span.is_some_and(|span| offset <= span.start() && span.end() <= end)
    };
    let here = request
        .mentions
        .iter()
        .filter(|mention| within(mention.span));
    let before = request.topic.filter(|topic| topic.span.is_none());
    for mention in before.into_iter().chain(here) {
        let place = match mention.span {
            Some(span) => format!("at {}", span.start() - offset),
            None => "what the document is about".to_owned(),
        };
        let text = harmless(&mention.text.replace(['\n', '\r'], " "), "mentions");
        let _ = writeln!(
            list,
            "\n{}. {text} ({}), {place}",
            mention.id,
            mention.types.join(", ")
        );
    }
    list.push_str("</mentions>");
    list
}

fn relations_found(
    text: &str,
    offset: u32,
    asked: Asked<RelationsAnswer>,
) -> Found<RelationCandidate> {
    let mut found = Found {
        items: Vec::new(),
        tokens_used: asked.tokens,
        rejections: asked.rejections,
        memo: None,
    };
    let source = SourceText::new(text);
    for item in asked.answer.relations {
        let placed = source.as_ref().and_then(|source| {
            let start = CharSpan::new(0, 1).ok()?;
            relocate(source, start, item.evidence.trim())?
                .shifted(offset)
                .ok()
        });
        match (placed, object(&item)) {
            (Some(evidence), Some(object)) => found.items.push(RelationCandidate {
                subject: number(item.subject),
                predicate: predicate(&item.predicate),
                object,
                evidence,
                confidence: Confidence::new(item.confidence),
            }),
            _ => found.rejections.unverified += 1,
        }
    }
    found
}

fn object(item: &RelationItem) -> Option<ObjectCandidate> {
    match (item.object, &item.literal) {
        (Some(mention), _) => Some(ObjectCandidate::Mention(number(mention))),
        (None, Some(value)) if !value.trim().is_empty() => Some(ObjectCandidate::Literal {
            value: value.trim().to_owned(),
            literal_type: item.literal_type.clone(),
        }),
        (None, _) => None,
    }
}
