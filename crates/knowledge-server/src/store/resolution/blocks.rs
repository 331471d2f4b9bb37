//! Blocks as rows. A block that is too large says nothing; of it only so many rows are kept as show
//! that.

use std::collections::{BTreeMap, HashMap};

use knowledge_domain::ids::OrganizationId;
use knowledge_tables::resolution_block::{ActiveModel, Column, Entity};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait,
    sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement},
};
use uuid::Uuid;

use super::{Resolution, forms::Stored};
use crate::store::{
    StoreError,
    portions::{key_lists, portions},
};

/// Forms by the key of the block that they share.
pub(super) type Blocks = HashMap<u64, Vec<Uuid>>;

impl Resolution<'_> {
    /// Adds forms to blocks, each with the keys that are new to it; where it is in one already, it
    /// stays. What is in a block that becomes too large by it may be linked no more: it is dirty
    /// from now on, and given back.
    pub(super) async fn add_to_blocks(
        &self,
        forms: &BTreeMap<String, (Stored, Vec<u64>)>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let mut keys: Vec<u64> = forms.values().flat_map(|(_, keys)| keys).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        let before = self.blocks(&keys).await?;
        let mut sizes: HashMap<u64, usize> = before
            .iter()
            .map(|(key, forms)| (*key, forms.len()))
            .collect();
        let most = self.settings.max_block;
        let (mut rows, mut grown) = (Vec::new(), Vec::new());
        for (stored, keys) in forms.values() {
            for key in keys {
                let size = sizes.entry(*key).or_default();
                let in_it = before
                    .get(key)
                    .is_some_and(|forms| forms.contains(&stored.row.id));
                if *size > most || in_it {
                    continue;
                }
                *size += 1;
                if *size > most {
                    grown.push(*key);
                }
                rows.push(self.block_row(*key, stored.row.id));
            }
        }
        for rows in portions(&rows) {
            Entity::insert_many(rows.to_vec())
                .exec_without_returning(self.tx)
                .await?;
        }
        let soiled = grown.iter().filter_map(|key| before.get(key)).flatten();
        let soiled: Vec<Uuid> = soiled.copied().collect();
        self.soil(&soiled).await?;
        Ok(soiled)
    }

    fn block_row(&self, key: u64, form: Uuid) -> ActiveModel {
        ActiveModel {
            id: Set(self.entropy.uuid_v7()),
            organization_id: Set(self.organization.uuid()),
            block_key: Set(key.cast_signed()),
            form_id: Set(form),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        }
    }

    /// The forms in some blocks, those that are too large among them.
    pub(super) async fn blocks(&self, keys: &[u64]) -> Result<Blocks, StoreError> {
        let mut blocks = Blocks::new();
        for keys in key_lists(keys) {
            let backend = self.tx.get_database_backend();
            let query = blocks_query(backend, self.organization, &keys);
            for row in self.tx.query_all(&query).await? {
                let (key, forms): (i64, Option<String>) =
                    (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                let forms = forms.iter().flat_map(|forms| forms.split(','));
                let forms: Vec<Uuid> = forms
                    .map(Uuid::try_parse)
                    .collect::<Result<_, _>>()
                    .map_err(|error| {
                        StoreError::corrupt(format!("resolution_block.form_id: {error}"))
                    })?;
                if !forms.is_empty() {
                    blocks.insert(key.cast_unsigned(), forms);
                }
            }
        }
        Ok(blocks)
    }
}

/// Each key with the forms of its block, looked up one by one: of a list of keys and a group for
/// each PostgreSQL may go through all blocks in their order, as long as it has no statistics.
fn blocks_query(backend: DbBackend, organization: OrganizationId, keys: &[u64]) -> SelectStatement {
    let wanted = Alias::new("wanted");
    // What both databases call the first value of a row.
    let key = || Expr::col((wanted.clone(), Alias::new("column1")));
    let forms = Query::select()
        .expr(forms_in_a_row(backend))
        .from(Entity)
        .and_where(Column::OrganizationId.eq(organization.uuid()))
        .and_where(Expr::col((Entity, Column::BlockKey)).eq(key()))
        .take();
    Query::select()
        .expr(key())
        .expr(Expr::expr(forms))
        .from_values(keys.iter().map(|key| key.cast_signed()), wanted.clone())
        .take()
}

/// The forms of a block as one text. SQLite's driver hands each row over to another thread, which
/// takes longer than to read it.
fn forms_in_a_row(backend: DbBackend) -> Expr {
    let list = match backend {
        DbBackend::Postgres => "STRING_AGG($1::text, ',')",
        _ => "GROUP_CONCAT(HEX(?))",
    };
    Expr::cust_with_exprs(list, [Expr::col(Column::FormId)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, plan};

    #[tokio::test]
    async fn blocks_are_found_by_their_keys_without_statistics() {
        let fixture = Fixture::new().await;
        let keys: Vec<u64> = (0..1_024).collect();
        let query = blocks_query(fixture.store.backend(), fixture.organization, &keys);
        let steps = plan(&fixture.store, &query).await;
        let found = steps.iter().any(|step| {
            let both = step.contains("organization_id") && step.contains("block_key");
            both && (step.contains("Index Cond") || step.contains("SEARCH"))
        });
        assert!(found, "{steps:#?}");
    }
}
