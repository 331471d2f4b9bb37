//! Entities to clusters, canonical faces and sameAs links.
//!
//! Pure: it is given entities and the clusters that they may join, and says what to write. It
//! owns no storage and no order: the same entities give the same clusters, however they arrive.
//!
//! Today entities meet when their normalised names and their types are the same
//! ([`cluster_key`]); nothing else merges.

mod canonical;
mod key;

use std::collections::BTreeMap;

pub use canonical::select as select_canonical;
pub use key::{cluster_key, normalise};
use knowledge_domain::{graph::Confidence, ids::EntityId};

/// What resolution knows of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The entity.
    pub id: EntityId,
    /// Its canonical name in its document.
    pub name: String,
    /// Its classes, at least one.
    pub types: Vec<String>,
    /// How many attributes are known.
    pub attributes: u32,
    /// How many mentions it has.
    pub mentions: u32,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

/// A cluster after resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// What its members agree on.
    pub key: String,
    /// The member that faces it.
    pub canonical: EntityId,
    /// Members by id, those that were there before among them.
    pub members: Vec<EntityId>,
    /// Classes that all members have, sorted.
    pub shared_types: Vec<String>,
}

/// Puts entities into clusters: `candidates` are the new ones and every member of the clusters
/// that share a key with one of them. Clusters come sorted by key.
#[must_use]
pub fn resolve(candidates: &[Candidate]) -> Vec<Cluster> {
    let mut by_key: BTreeMap<String, BTreeMap<EntityId, &Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_key
            .entry(cluster_key(&candidate.name, &candidate.types))
            .or_default()
            .insert(candidate.id, candidate);
    }
    by_key
        .into_iter()
        .filter_map(|(key, members)| cluster(key, &members))
        .collect()
}

fn cluster(key: String, members: &BTreeMap<EntityId, &Candidate>) -> Option<Cluster> {
    let canonical = select_canonical(members.values().copied())?;
    let mut shared_types = canonical.types.clone();
    shared_types.retain(|class| members.values().all(|member| member.types.contains(class)));
    shared_types.sort();
    Some(Cluster {
        key,
        canonical: canonical.id,
        members: members.keys().copied().collect(),
        shared_types,
    })
}

#[cfg(test)]
mod tests;
