//! `Entity` and `Evidence`.

use std::{collections::BTreeMap, sync::Arc};

use async_graphql::{Context, ID, Json, Object, Result, SimpleObject};
use knowledge_domain::ids::BatchId;

use super::{
    document::BatchDocument,
    duplicates::PossibleDuplicate,
    error::internal,
    loaders::{MentionsOf, PlaceOf},
    resolution::{Merge, SameAs},
    viewer::Viewer,
};
use crate::store::read::{EntityView, EvidenceView};

/// An entity after resolution.
#[derive(Clone)]
pub(crate) struct Entity {
    view: Arc<EntityView>,
    /// The batch through which it was reached: evidence names that batch's documents.
    batch: Option<BatchId>,
}

impl Entity {
    pub(super) fn new(view: Arc<EntityView>, batch: Option<BatchId>) -> Self {
        Self { view, batch }
    }
}

/// An entity after resolution: one node for everything that means the same.
#[Object]
impl Entity {
    /// The id.
    pub(super) async fn id(&self) -> ID {
        self.view.id.into()
    }

    /// The canonical name.
    async fn name(&self) -> &str {
        &self.view.name
    }

    /// Its classes, sorted.
    async fn types(&self) -> &[String] {
        &self.view.types
    }

    /// Its other names, sorted.
    async fn aliases(&self) -> &[String] {
        &self.view.aliases
    }

    /// What is known of it beside its relations.
    async fn attributes(&self) -> Json<&BTreeMap<String, String>> {
        Json(&self.view.attributes)
    }

    /// How sure the extractor is, from 0 to 1: the highest of what means the same.
    async fn confidence(&self) -> f64 {
        self.view.confidence.value()
    }

    /// The entities of documents that are one with it, itself among them.
    async fn member_ids(&self) -> Vec<ID> {
        self.view.members.iter().map(|id| (*id).into()).collect()
    }

    /// The documents that it is in.
    #[graphql(complexity = "10 + 4 * child_complexity")]
    async fn documents(&self, ctx: &Context<'_>) -> Result<Vec<BatchDocument>> {
        let viewer = Viewer::of(ctx)?;
        let extractions = viewer.reads.extractions_of_entity(self.view.id).await;
        let extractions = extractions.map_err(|error| internal(&error))?;
        let place = |extraction| PlaceOf {
            batch: self.batch,
            extraction,
        };
        let wanted: Vec<PlaceOf> = extractions.into_iter().map(place).collect();
        let places = viewer.loaders.load_many(wanted.iter().copied()).await;
        let places = places.map_err(|error| internal(&error))?;
        let found = wanted.iter().filter_map(|place| places.get(place));
        Ok(found.map(|place| Arc::clone(place).into()).collect())
    }

    /// The links to its members, sorted.
    #[graphql(complexity = "10 + 4 * child_complexity")]
    async fn same_as(&self, ctx: &Context<'_>) -> Result<Vec<SameAs>> {
        let links = Viewer::of(ctx)?.reads.same_as(&self.view.members).await;
        let links = links.map_err(|error| internal(&error))?;
        Ok(links.into_iter().map(SameAs::from).collect())
    }

    /// Other entities that may be the same and were left apart, for a person to decide.
    #[graphql(complexity = "10 + 4 * child_complexity")]
    async fn possible_duplicates(&self, ctx: &Context<'_>) -> Result<Vec<PossibleDuplicate>> {
        let found = Viewer::of(ctx)?.reads.questions_about(self.view.id).await;
        let found = found.map_err(|error| internal(&error))?;
        Ok(found.into_iter().map(PossibleDuplicate::from).collect())
    }

    /// The merges that it came about by, and those that members were taken out by, the oldest
    /// first.
    #[graphql(complexity = "10 + 4 * child_complexity")]
    async fn merge_history(&self, ctx: &Context<'_>) -> Result<Vec<Merge>> {
        let merges = Viewer::of(ctx)?
            .reads
            .merge_history(&self.view.members)
            .await;
        let merges = merges.map_err(|error| internal(&error))?;
        Ok(merges.into_iter().map(Merge::from).collect())
    }

    /// Where documents mention it, sorted by document and position.
    #[graphql(complexity = "1 + 4 * child_complexity")]
    async fn evidence(&self, ctx: &Context<'_>) -> Result<Vec<Evidence>> {
        let mentions = Viewer::of(ctx)?
            .loaders
            .load_one(MentionsOf(self.view.id))
            .await
            .map_err(|error| internal(&error))?;
        match mentions {
            Some(mentions) => evidence(ctx, self.batch, mentions.iter()).await,
            None => Ok(Vec::new()),
        }
    }
}

/// A stretch of a document, in Unicode characters.
#[derive(SimpleObject)]
pub(crate) struct Evidence {
    /// The document.
    document: BatchDocument,
    /// The first character.
    start_char: i32,
    /// The character after the last.
    end_char: i32,
    /// The text between the two.
    text: String,
}

/// Evidence with the documents that it is in. What no document of a batch holds is left out: its
/// document was extracted, but has not been completed yet.
pub(super) async fn evidence<'a>(
    ctx: &Context<'_>,
    batch: Option<BatchId>,
    found: impl Iterator<Item = &'a EvidenceView> + Clone,
) -> Result<Vec<Evidence>> {
    let place = |evidence: &EvidenceView| PlaceOf {
        batch,
        extraction: evidence.extraction_id,
    };
    let places = Viewer::of(ctx)?
        .loaders
        .load_many(found.clone().map(place))
        .await
        .map_err(|error| internal(&error))?;
    let shown = found.filter_map(|evidence| {
        let document = places.get(&place(evidence))?;
        Some(Evidence {
            document: Arc::clone(document).into(),
            start_char: evidence.start_char,
            end_char: evidence.end_char,
            text: evidence.text.clone(),
        })
    });
    Ok(shown.collect())
}
