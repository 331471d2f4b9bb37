//! What persons decide about entities.

use knowledge_domain::{Caller, ids::EntityId};

use super::Orchestrator;
use crate::store::{Decider, DecisionError};

/// How merge history calls whoever decides, where nobody is asked for a key.
const USER: &str = "user";

impl Orchestrator {
    /// Makes entities one; the canonical entity.
    pub async fn merge_entities(
        &self,
        caller: Caller,
        entities: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        let store = self.shared.ledger.store();
        let name = by(caller);
        let decider = self.decider(&name, caller);
        Ok(vec![store.merge_entities(&decider, entities).await?])
    }

    /// Takes members out of their entity; the canonical entities of what is left and of what they
    /// are.
    pub async fn split_entity(
        &self,
        caller: Caller,
        members: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        let store = self.shared.ledger.store();
        store
            .split_entity(&self.decider(&by(caller), caller), members)
            .await
    }

    /// Undoes the merge of a member; as [`Self::split_entity`].
    pub async fn unmerge_entity(
        &self,
        caller: Caller,
        member: EntityId,
    ) -> Result<Vec<EntityId>, DecisionError> {
        let store = self.shared.ledger.store();
        store
            .unmerge_entity(&self.decider(&by(caller), caller), member)
            .await
    }

    /// Keeps entities apart; they themselves.
    pub async fn keep_apart(
        &self,
        caller: Caller,
        entities: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        let store = self.shared.ledger.store();
        store
            .keep_apart(&self.decider(&by(caller), caller), entities)
            .await
    }

    fn decider<'a>(&'a self, name: &'a str, caller: Caller) -> Decider<'a> {
        Decider {
            organization: caller.organization,
            name,
            clock: self.shared.ledger.clock(),
            entropy: self.shared.ledger.entropy(),
        }
    }
}

/// How merge history calls a caller.
fn by(caller: Caller) -> String {
    caller
        .key
        .map_or_else(|| USER.to_owned(), |key| key.to_string())
}
