//! `Ontology`.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject, Union};
use chrono::{DateTime, Utc};
use knowledge_domain::ids::OntologyId;

use super::{
    enums::OntologyFormat,
    error::{internal, not_found},
    payload::ValidationError,
    scalar::int,
    viewer::Viewer,
};
use crate::{
    ontologies::{RegisterError, RegisterOntology},
    orchestrator::Orchestrator,
    store::read::OntologyView,
};

/// The classes and properties that extractions may use.
#[derive(Clone)]
pub(crate) struct Ontology(OntologyView);

impl From<OntologyView> for Ontology {
    fn from(ontology: OntologyView) -> Self {
        Self(ontology)
    }
}

impl Ontology {
    pub(super) fn key(&self) -> OntologyId {
        self.0.id
    }
}

/// The classes and properties that extractions may use.
#[Object]
impl Ontology {
    /// The id.
    pub(super) async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The name that it was registered with first.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The IRI of the ontology; where it has none, what most of its terms begin with.
    async fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// What it was written in.
    async fn format(&self) -> OntologyFormat {
        self.0.format.into()
    }

    /// Classes: the types that entities may have.
    async fn class_count(&self) -> i32 {
        int(self.0.class_count)
    }

    /// Properties: the predicates that relations may have; with none, any is allowed.
    async fn property_count(&self) -> i32 {
        int(self.0.property_count)
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// An ontology to register.
#[derive(InputObject)]
pub(crate) struct RegisterOntologyInput {
    /// The name that people read.
    name: String,
    /// The document, of up to 16 MiB. Nothing that it refers to is fetched.
    content: String,
    /// What it is written in.
    format: OntologyFormat,
}

/// The ontology is registered, now or before.
#[derive(SimpleObject)]
pub(crate) struct RegisterOntologySuccess {
    /// The ontology.
    ontology: Ontology,
}

/// What `registerOntology` answers.
#[derive(Union)]
pub(crate) enum RegisterOntologyPayload {
    Success(RegisterOntologySuccess),
    ValidationError(ValidationError),
}

impl From<RegisterOntologyInput> for RegisterOntology {
    fn from(input: RegisterOntologyInput) -> Self {
        Self {
            name: input.name,
            content: input.content,
            format: input.format.into(),
        }
    }
}

pub(super) async fn register(
    ctx: &Context<'_>,
    input: RegisterOntologyInput,
) -> Result<RegisterOntologyPayload> {
    let reads = &Viewer::of(ctx)?.reads;
    let orchestrator = ctx.data::<Orchestrator>()?;
    let checked = match RegisterOntology::from(input).check_in_turn().await {
        Ok(checked) => checked,
        Err(RegisterError { path, message }) => {
            return Ok(ValidationError::new(vec![path.to_owned()], message).into());
        }
    };
    let registered = orchestrator.register_ontology(reads.organization(), checked);
    let id = registered.await.map_err(|error| internal(&error))?;
    let found = reads.ontology(id).await.map_err(|error| internal(&error))?;
    let ontology = found.ok_or_else(|| not_found("the ontology was deleted meanwhile"))?;
    let ontology = ontology.into();
    Ok(RegisterOntologySuccess { ontology }.into())
}
