//! Entities to clusters, canonical faces and sameAs links; tables to pairs.
//!
//! Pure: it is given entities and says which mean the same, who faces them, and why. It owns no
//! storage and no order: the same entities give the same clusters, however they arrive.
//!
//! Entities with one name, class and identity are one [`Form`]. Forms that share a block are
//! compared ([`compare()`]), and what may mean the same by its vector where it shares a [`Leaf`];
//! those that are linked are clustered ([`cluster()`]) under constraints
//! that no chain gets round. [`resolve()`] does it for entities in memory, [`Exploration`] for the
//! part of a stored graph that new entities may change.

mod block;
mod canonical;
mod cluster;
mod compare;
mod explore;
mod forest;
mod form;
mod hash;
mod kind;
mod lexicon;
mod name;
mod outline;
mod pairs;
mod resolve;
mod rotation;
mod sketch;
mod sound;
mod table;
mod vector;

pub use canonical::{Face, FaceStrategy, select_face};
pub use cluster::{Clustered, Decisions, Doubt, Edge, FormCluster, Question, cluster};
pub use compare::{Comparison, Conflict, Feature, Rule, Settings, Side, Weights, compare};
pub use explore::{Asked, Exploration, Explored};
pub use forest::{BITS, Leaf, MEMBER, TREES};
pub use form::{Candidate, Form};
pub use kind::Kind;
pub use name::normalise;
pub use resolve::{Cluster, Member, Workload, resolve, workload};
pub use sketch::Sketch;
pub use table::{Link, Record, link_tables};
pub use vector::{PROBES, Vector, centre};

/// The version of block keys, addresses of vectors and rules. Whoever stores forms that another version has clustered
/// gives them their keys, and clusters them, anew.
pub const VERSION: i32 = 6;

#[cfg(test)]
mod tests;
