//! Registered ontologies: checked when they come, read once while they are in use.
//!
//! Owns what a registration must be. What an ontology says is read by
//! [`knowledge_extraction::read_ontology`], where it is kept is the store's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use knowledge_domain::{
    Clock, Ontology, OntologyFormat,
    ids::{OntologyId, OrganizationId},
};
use knowledge_extraction::{OntologyDocument, OntologyError, read_ontology, sha256_hex};
use tokio::sync::{OnceCell, Semaphore};

use crate::store::{NewOntology, Store, StoreError};

/// Ontologies that are kept in memory.
const KEPT: usize = 8;

/// Ontologies that are read at a time, for whoever sends them: each may take a processor and half a
/// gigabyte for some seconds.
static READERS: Semaphore = Semaphore::const_new(1);

const MAX_NAME_CHARS: usize = 200;

/// An ontology to register.
#[derive(Debug, Clone)]
pub struct RegisterOntology {
    /// The name that people read.
    pub name: String,
    /// The document.
    pub content: String,
    /// What it is written in.
    pub format: OntologyFormat,
}

/// An ontology that can be registered.
#[derive(Debug, Clone)]
pub struct CheckedOntology {
    request: RegisterOntology,
    document: OntologyDocument,
}

impl RegisterOntology {
    /// The same as [`Self::check`], for servers: one at a time, on a thread of its own.
    pub async fn check_in_turn(self) -> Result<CheckedOntology, RegisterError> {
        let gone = || RegisterError {
            path: "content",
            message: "the ontology could not be read".to_owned(),
        };
        let turn = READERS.acquire().await.map_err(|_| gone())?;
        let checked = tokio::task::spawn_blocking(move || {
            let checked = self.check();
            drop(turn);
            checked
        });
        checked.await.map_err(|_| gone())?
    }

    /// Reads the document. A large one takes a while: not to be called where others wait.
    ///
    /// # Errors
    /// [`RegisterError`] when it has no name, cannot be read or has no class.
    pub fn check(self) -> Result<CheckedOntology, RegisterError> {
        let invalid = |path, message: String| Err(RegisterError { path, message });
        let chars = self.name.chars().count();
        if self.name.trim().is_empty() || chars > MAX_NAME_CHARS || self.name.contains('\0') {
            let message =
                format!("an ontology's name has between 1 and {MAX_NAME_CHARS} characters");
            return invalid("name", message);
        }
        if self.content.contains('\0') {
            // PostgreSQL's text cannot hold it.
            let message = "an ontology must not contain the character U+0000".to_owned();
            return invalid("content", message);
        }
        match read_ontology(&self.content, self.format) {
            Ok(document) => Ok(CheckedOntology {
                request: self,
                document,
            }),
            Err(error) => invalid("content", error.to_string()),
        }
    }
}

impl CheckedOntology {
    /// What was read.
    #[must_use]
    pub fn document(&self) -> &OntologyDocument {
        &self.document
    }

    /// The request, as it was before it was checked.
    #[must_use]
    pub fn into_request(self) -> RegisterOntology {
        self.request
    }

    /// SHA-256 of the content, in hex.
    #[must_use]
    pub fn content_hash(&self) -> String {
        sha256_hex(self.request.content.as_bytes())
    }
}

/// A registration that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RegisterError {
    /// Where in the request: `name` or `content`.
    pub path: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// An ontology that a batch cannot be run with.
#[derive(Debug, thiserror::Error)]
pub enum OntologyUnavailable {
    /// The organisation has none of this id.
    #[error("there is no ontology {0}")]
    NotFound(OntologyId),
    /// This release cannot read it.
    #[error("ontology {id} cannot be read: {source}")]
    Unreadable {
        /// Which.
        id: OntologyId,
        /// Why.
        source: OntologyError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The ontologies of a store; clones share what they keep in memory.
#[derive(Clone)]
pub struct Ontologies {
    store: Store,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// An ontology that is read, or being read.
type Place = Arc<OnceCell<Arc<Ontology>>>;

struct Kept {
    of: (OrganizationId, OntologyId),
    ontology: Place,
}

impl Ontologies {
    /// The ontologies of a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            kept: Arc::default(),
        }
    }

    /// Stores an ontology. The same content again is the same ontology, under the name that it was
    /// registered with first.
    pub async fn register(
        &self,
        organization: OrganizationId,
        checked: CheckedOntology,
        clock: &dyn Clock,
    ) -> Result<OntologyId, StoreError> {
        let content_hash = checked.content_hash();
        let id = OntologyId::derive(organization, &content_hash);
        let CheckedOntology { request, document } = checked;
        let row = NewOntology {
            id,
            name: request.name.trim().to_owned(),
            namespace: document.namespace,
            format: request.format,
            content_hash,
            content: request.content,
            class_count: document.ontology.classes().len(),
            property_count: document.ontology.properties().len(),
        };
        let stored = self.store.insert_ontology(organization, row, clock.now());
        stored.await?;
        // Another one may have read the same meanwhile.
        let _ = self
            .kept((organization, id))
            .set(Arc::new(document.ontology));
        for import in &document.imports {
            tracing::warn!(ontology = %id, import, "what an ontology imports is not read");
        }
        Ok(id)
    }

    /// An ontology of the organisation, read once while it is kept.
    ///
    /// # Errors
    /// [`OntologyUnavailable`] when the organisation has none of this id, or it cannot be read.
    pub async fn get(
        &self,
        organization: OrganizationId,
        id: OntologyId,
    ) -> Result<Arc<Ontology>, OntologyUnavailable> {
        let of = (organization, id);
        let kept = match self.known(of) {
            Some(kept) => kept,
            // One that there is not takes no place.
            None if self.store.has_ontology(organization, id).await? => self.kept(of),
            None => return Err(OntologyUnavailable::NotFound(id)),
        };
        let read = kept.get_or_try_init(|| self.read(organization, id)).await?;
        Ok(Arc::clone(read))
    }

    /// The place of an ontology, if it is kept.
    fn known(&self, of: (OrganizationId, OntologyId)) -> Option<Place> {
        let mut all = self.lock();
        let at = all.iter().position(|kept| kept.of == of)?;
        // What is asked for comes first, and stays longest.
        all[..=at].rotate_right(1);
        Some(Arc::clone(&all[0].ontology))
    }

    /// The place of an ontology, from now on if it is not kept yet; the one that was not asked for
    /// the longest makes room.
    fn kept(&self, of: (OrganizationId, OntologyId)) -> Place {
        if let Some(known) = self.known(of) {
            return known;
        }
        let ontology = Place::default();
        let mut all = self.lock();
        all.insert(
            0,
            Kept {
                of,
                ontology: Arc::clone(&ontology),
            },
        );
        all.truncate(KEPT);
        ontology
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        // The list is changed by single steps.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(
        &self,
        organization: OrganizationId,
        id: OntologyId,
    ) -> Result<Arc<Ontology>, OntologyUnavailable> {
        let stored = self.store.ontology_content(organization, id).await?;
        let (format, content) = stored.ok_or(OntologyUnavailable::NotFound(id))?;
        let read = tokio::task::spawn_blocking(move || read_ontology(&content, format)).await;
        let read = read.map_err(|_| StoreError::corrupt("an ontology that cannot be read"))?;
        let document = read.map_err(|source| OntologyUnavailable::Unreadable { id, source })?;
        Ok(Arc::new(document.ontology))
    }
}
