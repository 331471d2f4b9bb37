//! What was made one, why, and what persons decide about it.

use async_graphql::{Context, Enum, ID, Result, SimpleObject, Union};
use chrono::{DateTime, Utc};
use knowledge_domain::ids::EntityId;
use knowledge_resolution::Comparison;

use super::{
    entity::Entity,
    error::internal,
    payload::{NotFound, ValidationError},
    viewer::Viewer,
};
use crate::{
    orchestrator::Orchestrator,
    store::{
        DecisionError,
        read::{LinkView, MergeView, ResolutionView, SameAsView},
    },
};

/// What resolution amounts to.
#[derive(SimpleObject)]
pub(crate) struct Resolution {
    /// Entities of all documents.
    entities: i32,
    /// Entities after resolution.
    clusters: i32,
    /// Entities of documents for each entity after resolution; 1 when there are none.
    compression_ratio: f64,
}

/// One merge of an entity.
#[derive(SimpleObject)]
pub(crate) struct Merge {
    /// The entity that joined.
    source_id: ID,
    /// The entity that faced the cluster from then on; the same, when it was taken out of one.
    target_id: ID,
    /// `exact_name`, `similarity`, `manual`, or `separated` when a name turned out ambiguous.
    reason: String,
    /// How sure resolution was, from 0 to 1.
    confidence: f64,
    /// Who decided: a batch by its id, a person, or `resolution` for what followed from a person's
    /// decision.
    merged_by: String,
    /// The batch that carried it out; none when a person's decision did.
    batch_id: Option<ID>,
    /// When.
    merged_at: DateTime<Utc>,
}

/// A link from a canonical entity to another member.
#[derive(SimpleObject)]
pub(crate) struct SameAs {
    /// The canonical entity.
    canonical_id: ID,
    /// The member.
    member_id: ID,
    /// How sure resolution is, from 0 to 1.
    confidence: f64,
    /// Why: the rule of the weakest step between the two.
    reason: String,
}

/// One measure of a comparison.
#[derive(SimpleObject)]
pub(crate) struct LinkFeature {
    /// `name`, `types`, `identity`, `neighbours` or `cosine`.
    name: String,
    /// From 0 to 1.
    value: f64,
    /// What it weighs; the score is the weighted mean.
    weight: f64,
}

/// A person's decision about two entities.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkDecision {
    /// They are one.
    Together,
    /// They are not.
    Apart,
}

/// Why two entities are one, or are not.
#[derive(SimpleObject)]
pub(crate) struct LinkExplanation {
    /// Whether they are one now.
    linked: bool,
    /// The rule that their names follow: `initials`, `short_form` …
    rule: Option<String>,
    /// How alike they are, from 0 to 1; linked from 0.85 on.
    score: f64,
    /// What the score is made of.
    features: Vec<LinkFeature>,
    /// What forbids that they are one, whatever the score: `numbers`, `types` …
    conflict: Option<String>,
    /// What a person decided.
    decision: Option<LinkDecision>,
    /// The links from their canonical entities to the two.
    links: Vec<SameAs>,
}

/// It was done.
#[derive(SimpleObject)]
pub(crate) struct EntitiesSuccess {
    /// The entities as they are now.
    entities: Vec<Entity>,
}

/// What a decision about entities answers.
#[derive(Union)]
pub(crate) enum EntitiesPayload {
    Success(EntitiesSuccess),
    ValidationError(ValidationError),
    NotFound(NotFound),
}

/// A decision, as a mutation brings it.
pub(super) enum Decision {
    Merge(Vec<ID>),
    Split(Vec<ID>),
    Unmerge(ID),
    KeepApart(Vec<ID>),
}

/// Carries a decision out.
pub(super) async fn decide(ctx: &Context<'_>, decision: Decision) -> Result<EntitiesPayload> {
    let caller = Viewer::of(ctx)?.caller;
    let orchestrator = ctx.data::<Orchestrator>()?;
    let done = match &decision {
        Decision::Merge(ids) => match parsed(ids) {
            Ok(ids) => orchestrator.merge_entities(caller, &ids).await,
            Err(missing) => return Ok(missing),
        },
        Decision::Split(ids) => match parsed(ids) {
            Ok(ids) => orchestrator.split_entity(caller, &ids).await,
            Err(missing) => return Ok(missing),
        },
        Decision::KeepApart(ids) => match parsed(ids) {
            Ok(ids) => orchestrator.keep_apart(caller, &ids).await,
            Err(missing) => return Ok(missing),
        },
        Decision::Unmerge(id) => match parsed(std::slice::from_ref(id)) {
            Ok(ids) => orchestrator.unmerge_entity(caller, ids[0]).await,
            Err(missing) => return Ok(missing),
        },
    };
    match done {
        Ok(canonical) => Ok(EntitiesPayload::Success(EntitiesSuccess {
            entities: load(ctx, &canonical).await?,
        })),
        Err(error @ DecisionError::NotFound(_)) => {
            Ok(EntitiesPayload::NotFound(NotFound::new(error.to_string())))
        }
        Err(DecisionError::Pointless(message)) => {
            let path = vec!["ids".to_owned()];
            let error = ValidationError::new(path, message.to_owned());
            Ok(EntitiesPayload::ValidationError(error))
        }
        Err(DecisionError::Store(error)) => Err(internal(&error)),
    }
}

fn parsed(ids: &[ID]) -> Result<Vec<EntityId>, EntitiesPayload> {
    if ids.is_empty() {
        let error = ValidationError::new(vec!["ids".to_owned()], "name an entity".to_owned());
        return Err(EntitiesPayload::ValidationError(error));
    }
    let parsed = ids.iter().map(|id| {
        id.parse::<EntityId>().map_err(|_| {
            EntitiesPayload::NotFound(NotFound::new(format!("there is no entity {}", id.0)))
        })
    });
    parsed.collect()
}

async fn load(ctx: &Context<'_>, canonical: &[EntityId]) -> Result<Vec<Entity>> {
    let found = Viewer::of(ctx)?.reads.entities(canonical).await;
    let found = found.map_err(|error| internal(&error))?;
    Ok(found
        .into_iter()
        .map(|view| Entity::new(view.into(), None))
        .collect())
}

impl From<ResolutionView> for Resolution {
    fn from(view: ResolutionView) -> Self {
        let int = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            entities: int(view.entities),
            clusters: int(view.clusters),
            compression_ratio: view.compression_ratio(),
        }
    }
}

impl From<MergeView> for Merge {
    fn from(view: MergeView) -> Self {
        Self {
            source_id: view.source.into(),
            target_id: view.target.into(),
            reason: view.reason,
            confidence: view.confidence.value(),
            merged_by: view.merged_by,
            batch_id: view.batch.map(Into::into),
            merged_at: view.merged_at,
        }
    }
}

impl From<SameAsView> for SameAs {
    fn from(view: SameAsView) -> Self {
        Self {
            canonical_id: view.canonical.into(),
            member_id: view.member.into(),
            confidence: view.confidence.value(),
            reason: view.reason,
        }
    }
}

impl From<LinkView> for LinkExplanation {
    fn from(view: LinkView) -> Self {
        let compared = view.comparison.unwrap_or(Comparison {
            rule: None,
            features: Vec::new(),
            score: 0.0,
            conflict: None,
            short: None,
        });
        let features = compared.features.iter().map(|feature| LinkFeature {
            name: feature.name.to_owned(),
            value: feature.value,
            weight: feature.weight,
        });
        Self {
            linked: view.linked,
            rule: compared.rule.map(|rule| rule.to_string()),
            score: compared.score,
            features: features.collect(),
            conflict: compared.conflict.map(|conflict| conflict.to_string()),
            decision: view.decision.map(|kind| match kind.as_str() {
                "together" => LinkDecision::Together,
                _ => LinkDecision::Apart,
            }),
            links: view.links.into_iter().map(SameAs::from).collect(),
        }
    }
}
