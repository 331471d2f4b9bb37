//! What persons decide about entities.

use knowledge_domain::ids::{EntityId, OrganizationId};

use super::Orchestrator;
use crate::store::{Decider, DecisionError};

/// How merge history calls whoever decides, while nobody has a name.
const USER: &str = "user";

impl Orchestrator {
    /// Makes entities one; the canonical entity.
    pub async fn merge_entities(
        &self,
        organization: OrganizationId,
        entities: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        let store = self.shared.ledger.store();
        let decider = self.decider(organization);
        Ok(vec![store.merge_entities(&decider, entities).await?])
    }

    /// Takes members out of their entity; the canonical entities of what is left and of what they
    /// are.
    pub async fn split_entity(
        &self,
        organization: OrganizationId,
        members: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        let store = self.shared.ledger.store();
        store
            .split_entity(&self.decider(organization), members)
            .await
    }

    /// Undoes the merge of a member; as [`Self::split_entity`].
    pub async fn unmerge_entity(
        &self,
        organization: OrganizationId,
        member: EntityId,
    ) -> Result<Vec<EntityId>, DecisionError> {
        let store = self.shared.ledger.store();
        store
            .unmerge_entity(&self.decider(organization), member)
            .await
    }

    /// Keeps entities apart; they themselves.
    pub async fn keep_apart(
        &self,
        organization: OrganizationId,
        entities: &[EntityId],
    ) -> Result<Vec<EntityId>, DecisionError> {
        let store = self.shared.ledger.store();
        store
            .keep_apart(&self.decider(organization), entities)
            .await
    }

    fn decider(&self, organization: OrganizationId) -> Decider<'_> {
        Decider {
            organization,
            name: USER,
            clock: self.shared.ledger.clock(),
            entropy: self.shared.ledger.entropy(),
        }
    }
}
