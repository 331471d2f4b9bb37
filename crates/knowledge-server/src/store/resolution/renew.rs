//! Forms that another version of the rules has resolved.

use std::collections::BTreeMap;

use knowledge_resolution::VERSION;
use knowledge_tables::{organization, resolution_form};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use super::{Resolution, forms::Stored};
use crate::store::StoreError;

/// Forms that are renewed at a time.
const FORMS: u64 = 500;

impl Resolution<'_> {
    /// Gives the next forms after one, by id, the blocks and leaves that they lack, and marks them
    /// dirty; none
    /// when all of them are of this version, which is noted then.
    pub(in crate::store) async fn renew(&mut self, after: Uuid) -> Result<Vec<Uuid>, StoreError> {
        if self.version == VERSION {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = resolution_form::Entity::find()
            .select_only()
            .column(resolution_form::Column::Id)
            .filter(resolution_form::Column::OrganizationId.eq(self.organization.uuid()))
            .filter(resolution_form::Column::Id.gt(after))
            .order_by_asc(resolution_form::Column::Id)
            .limit(FORMS)
            .into_tuple()
            .all(self.tx)
            .await?;
        if ids.is_empty() {
            self.renewed().await?;
            return Ok(ids);
        }
        let mut forms: BTreeMap<String, (Stored, Vec<u64>)> = BTreeMap::new();
        for stored in self.forms(ids.clone()).await?.into_values() {
            let keys = stored.form.block_keys();
            forms.insert(stored.form.key.clone(), (stored, keys));
        }
        self.add_to_blocks(&forms).await?;
        self.place_meanings(&ids).await?;
        self.soil(&ids).await?;
        Ok(ids)
    }

    async fn renewed(&mut self) -> Result<(), StoreError> {
        use organization::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::ResolutionVersion, Expr::value(VERSION))
            .col_expr(Column::UpdatedAt, Expr::value(self.at))
            .filter(Column::Id.eq(self.organization.uuid()))
            .exec(self.tx)
            .await?;
        self.version = VERSION;
        Ok(())
    }
}
