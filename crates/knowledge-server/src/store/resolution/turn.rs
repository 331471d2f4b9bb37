//! Whose turn it is to ask what forms mean.
//!
//! Forms are dirty for the whole organisation, so batches that resolve at once lack the vectors of
//! the same names. One of them asks at a time, and which forms it asks about is kept before it
//! does: whoever goes on after it, itself or another one, asks the same question first, which the
//! record of calls answers if it was answered before. A turn is over when the vectors are kept, or
//! when the workflow that has it does not go on.

use std::collections::HashSet;

use knowledge_domain::ids::FormId;
use knowledge_tables::organization;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{Resolution, meaning::Wanted};
use crate::store::{StoreError, convert};

/// Who asks, and about what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// The workflow that asks.
    execution: Option<Uuid>,
    /// What was last asked about and has no vector yet, in the order of the question.
    forms: Vec<Uuid>,
}

impl Turn {
    pub(super) fn read(row: &organization::Model) -> Result<Self, StoreError> {
        let forms = row
            .embedding_forms
            .clone()
            .map(|forms| convert::from_json("organization.embedding_forms", forms));
        Ok(Self {
            execution: row.embedding_execution_id,
            forms: forms.transpose()?.unwrap_or_default(),
        })
    }
}

impl Resolution<'_> {
    /// The workflow that has the turn, whether or not it goes on.
    pub(in crate::store) fn who_asks(&self) -> Option<Uuid> {
        self.turn.execution
    }

    /// Gives a workflow the turn; what it is to ask about: what was asked before and not kept, else
    /// the forms that it wants.
    pub(in crate::store) async fn take_turn(
        &mut self,
        execution: Uuid,
        wanted: Vec<Wanted>,
    ) -> Result<Vec<Wanted>, StoreError> {
        let mut asked = self.without_vector(&self.turn.forms).await?;
        if asked.is_empty() {
            asked = wanted;
        }
        let forms = asked.iter().map(|wanted| wanted.form.uuid()).collect();
        self.set_turn(Some(execution), forms).await?;
        Ok(asked)
    }

    /// Leaves the turn, if this workflow has it, to whoever wants it: with what it asked about.
    pub(in crate::store) async fn leave_turn(&mut self, execution: Uuid) -> Result<(), StoreError> {
        if self.turn.execution != Some(execution) {
            return Ok(());
        }
        self.set_turn(None, self.turn.forms.clone()).await
    }

    /// Ends the turn when what was asked about is kept.
    pub(super) async fn answered(
        &mut self,
        forms: impl Iterator<Item = FormId>,
    ) -> Result<(), StoreError> {
        let kept: HashSet<Uuid> = forms.map(FormId::uuid).collect();
        let mut rest = self.turn.forms.clone();
        rest.retain(|form| !kept.contains(form));
        let execution = self.turn.execution.filter(|_| !rest.is_empty());
        self.set_turn(execution, rest).await
    }

    async fn set_turn(
        &mut self,
        execution: Option<Uuid>,
        forms: Vec<Uuid>,
    ) -> Result<(), StoreError> {
        use organization::{Column, Entity};
        let turn = Turn { execution, forms };
        if turn == self.turn {
            return Ok(());
        }
        let forms = (!turn.forms.is_empty()).then(|| convert::to_json(&turn.forms));
        Entity::update_many()
            .col_expr(Column::EmbeddingExecutionId, Expr::value(turn.execution))
            .col_expr(Column::EmbeddingForms, Expr::value(forms.transpose()?))
            .col_expr(Column::UpdatedAt, Expr::value(self.at))
            .filter(Column::Id.eq(self.organization.uuid()))
            .exec(self.tx)
            .await?;
        self.turn = turn;
        Ok(())
    }
}
