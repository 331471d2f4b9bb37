//! The extractor that needs no model, no key and no download: deterministic rules over word lists.
//!
//! Owns what the rules find; knows nothing of documents, stages or stores. All of it is linear in
//! the chunk.

mod entities;
mod kind;
mod lexicon;
mod literals;
mod mentions;
mod names;
mod ontology;
mod relations;
mod titles;
mod token;
mod typing;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use knowledge_domain::{Ontology, workflow::BoxFuture};

use crate::{
    error::ExtractionError,
    extractor::{
        EntityCandidate, EntityRequest, Extractor, ExtractorIdentity, Found, MentionCandidate,
        MentionRequest, RelationCandidate, RelationRequest,
    },
};

/// Changes whenever the rules or the word lists may find something else.
const VERSION: &str = "2";

/// The offline extractor.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineExtractor;

impl OfflineExtractor {
    /// The extractor; it has no settings.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Extractor for OfflineExtractor {
    fn identity(&self) -> ExtractorIdentity {
        ExtractorIdentity {
            name: "offline".to_owned(),
            version: VERSION.to_owned(),
            settings: BTreeMap::new(),
        }
    }

    fn mentions<'a>(
        &'a self,
        request: MentionRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<MentionCandidate>, ExtractionError>> {
        Box::pin(async move {
            let types = ontology::TypeMap::new(request.ontology);
            let items: Vec<MentionCandidate> = mentions::mentions(request.text)
                .into_iter()
                .map(|found| MentionCandidate {
                    span: found.span,
                    text: found.text.to_owned(),
                    // A kind that the ontology does not have is proposed by its own name, so that
                    // the rejection is counted.
                    mention_type: types
                        .class(found.kind)
                        .unwrap_or(found.kind.core_type())
                        .to_owned(),
                    confidence: found.confidence,
                    entity: None,
                })
                .collect();
            Ok(items.into())
        })
    }

    fn entities<'a>(
        &'a self,
        request: EntityRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<EntityCandidate>, ExtractionError>> {
        Box::pin(async move { Ok(entities::entities(request).into()) })
    }

    fn relations<'a>(
        &'a self,
        request: RelationRequest<'a>,
    ) -> BoxFuture<'a, Result<Found<RelationCandidate>, ExtractionError>> {
        Box::pin(async move { Ok(relations::relations(request).into()) })
    }
}

/// The class of an ontology that stands for a core type, by the usual names of it; the core type's
/// own name where there is none.
pub(crate) fn class_for<'a>(ontology: &'a Ontology, core_type: &'a str) -> &'a str {
    class_of(ontology, core_type).unwrap_or(core_type)
}

/// The class of an ontology that stands for a core type, where there is one.
pub(crate) fn class_of<'a>(ontology: &'a Ontology, core_type: &str) -> Option<&'a str> {
    let types = ontology::TypeMap::new(ontology);
    let mut kinds = kind::Kind::ALL.into_iter();
    let kind = kinds.find(|kind| kind.core_type() == core_type)?;
    types.class(kind)
}

/// The country that an adjective or a people belongs to, as the word lists know it.
pub(crate) fn country_of(name: &str) -> Option<&'static str> {
    lexicon::lexicon().country(&name.to_lowercase())
}
