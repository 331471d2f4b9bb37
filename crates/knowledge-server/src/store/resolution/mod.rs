//! Resolution of stored entities: what `knowledge-resolution` says, kept in rows.
//!
//! Owns forms, blocks, leaves, decisions, questions, clusters, members, sameAs links and merge history, and the links
//! of entities and mentions to canonical entities. New entities are indexed ([`Resolution::index`]):
//! their forms are made or added to, and marked dirty with whatever they may change. Dirty forms are
//! settled ([`Resolution::settle`]): everything that is connected with them is clustered anew, and
//! what differs is written. What another version of the rules has resolved is given its blocks and
//! made dirty first ([`Resolution::renew`]). In between, what is written holds for what was there before; so each
//! step is a transaction of its own, and any number of batches may take turns.
//!
//! Every transaction holds the organisation's lock, so steps follow each other.

mod author;
mod blocks;
mod decide;
mod explore;
mod forms;
mod index;
mod leaves;
mod meaning;
mod questions;
mod renew;
mod turn;
mod write;

pub(super) use author::Author;
use chrono::{DateTime, Utc};
pub use decide::{Decider, DecisionError};
pub(super) use forms::Stored;
use knowledge_domain::{Entropy, ids::OrganizationId};
use knowledge_resolution::Settings;
use knowledge_tables::organization;
pub(super) use meaning::vectors;
pub use meaning::{Meaning, Wanted};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QuerySelect, sea_query::LockType,
};
use turn::Turn;

use super::StoreError;

/// Every read of a step names rows by what an index begins with. While a new database has no
/// statistics PostgreSQL would go through whole tables instead, and compare each row with each of a
/// thousand keys.
const BY_INDEX: &str = "SET LOCAL enable_seqscan = off";

/// One step of resolution: a transaction that holds the organisation's lock.
pub(super) struct Resolution<'a> {
    tx: &'a DatabaseTransaction,
    organization: OrganizationId,
    entropy: &'a dyn Entropy,
    at: DateTime<Utc>,
    /// Who resolves.
    author: Author,
    settings: Settings,
    /// The version of the rules that the organisation's forms are resolved by.
    version: i32,
    /// The model whose vectors forms are compared by.
    model: Option<String>,
    /// Whether forms were resolved without the vector that they should have.
    gaps: bool,
    /// Whether a form without a vector stays dirty until it has one.
    vectors_wanted: bool,
    turn: Turn,
}

impl<'a> Resolution<'a> {
    /// Waits for the organisation's lock. Not the one that foreign keys to the organisation wait
    /// for.
    pub(super) async fn begin(
        tx: &'a DatabaseTransaction,
        organization: OrganizationId,
        entropy: &'a dyn Entropy,
        at: DateTime<Utc>,
        author: Author,
    ) -> Result<Self, StoreError> {
        let row = organization::Entity::find_by_id(organization.uuid())
            .lock(LockType::NoKeyUpdate)
            .one(tx)
            .await?;
        if tx.get_database_backend() == DbBackend::Postgres {
            tx.execute_unprepared(BY_INDEX).await?;
        }
        Ok(Self {
            tx,
            organization,
            entropy,
            at,
            author,
            settings: Settings::default(),
            turn: row
                .as_ref()
                .map_or_else(|| Ok(Turn::default()), Turn::read)?,
            version: row.as_ref().map_or(0, |row| row.resolution_version),
            // What a person decides while a batch asks for vectors takes none of its forms from it.
            vectors_wanted: row
                .as_ref()
                .is_some_and(|row| row.embedding_model.is_some() && !row.embedding_gaps),
            gaps: row.as_ref().is_some_and(|row| row.embedding_gaps),
            model: row.and_then(|row| row.embedding_model),
        })
    }
}
