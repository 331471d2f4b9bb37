//! Entities that may be one, which takes a person to tell.

use async_graphql::{Context, Enum, ID, Object, Result};
use knowledge_domain::ids::EntityId;

use super::{
    entity::Entity,
    error::{internal, not_found},
    page::{PossibleDuplicateConnection, request},
    viewer::Viewer,
};
use crate::store::read::QuestionView;

/// Why resolution left two entities apart.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The one would have more names than an entity may have without review.
    Full,
    /// The name of the one can mean several.
    Ambiguous,
    /// Their names sound alike or mean nearly the same, and nothing else says that they are one.
    Near,
}

/// A question to a person.
#[derive(Clone)]
pub(crate) struct PossibleDuplicate(QuestionView);

impl From<QuestionView> for PossibleDuplicate {
    fn from(view: QuestionView) -> Self {
        Self(view)
    }
}

/// Two entities that may be one: `mergeEntities` makes them one, `keepApart` says that they are
/// not.
#[Object]
impl PossibleDuplicate {
    /// The id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The one.
    async fn left(&self, ctx: &Context<'_>) -> Result<Entity> {
        end(ctx, self.0.left).await
    }

    /// The other.
    async fn right(&self, ctx: &Context<'_>) -> Result<Entity> {
        end(ctx, self.0.right).await
    }

    /// How alike they are, from 0 to 1.
    async fn confidence(&self) -> f64 {
        self.0.confidence.value()
    }

    /// The rule that their names follow: `initials`, `short_form` …
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Why they were left apart.
    async fn doubt(&self) -> Doubt {
        match self.0.doubt.as_str() {
            "full" => Doubt::Full,
            "near" => Doubt::Near,
            _ => Doubt::Ambiguous,
        }
    }
}

async fn end(ctx: &Context<'_>, id: EntityId) -> Result<Entity> {
    let found = Viewer::of(ctx)?.loaders.load_one(id).await;
    let found = found.map_err(|error| internal(&error))?;
    found
        .map(|view| Entity::new(view, None))
        .ok_or_else(|| not_found("the entity was merged meanwhile; ask again"))
}

/// A page of the organisation's questions.
pub(super) async fn page(
    ctx: &Context<'_>,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<PossibleDuplicateConnection> {
    let wanted = request(first, after)?;
    let page = Viewer::of(ctx)?.reads.question_page(wanted).await;
    let page = page.map_err(|error| internal(&error))?;
    let page = page.map(|view| (view.id, PossibleDuplicate(view)));
    Ok(PossibleDuplicateConnection::new(&wanted, page))
}
