//! Forms as rows.

use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::ids::FormId;
use knowledge_resolution::{Form, Sketch};
use knowledge_tables::{
    entity,
    resolution_form::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    prelude::Json,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{Resolution, meaning::vectors};
use crate::store::{
    StoreError, convert,
    portions::{key_lists, portions},
    scope::owned,
};

/// The columns that grow with a form's entities.
const ADDS_UP: &[Column] = &[
    Column::Above,
    Column::Aliases,
    Column::Neighbours,
    Column::Documents,
    Column::EntityCount,
    Column::FaceId,
    Column::UpdatedAt,
];

/// A form with its row.
#[derive(Debug, Clone)]
pub(in crate::store) struct Stored {
    /// Its row, without the columns of JSON: what they say is in `form`.
    pub(super) row: Model,
    pub(in crate::store) form: Form,
    /// Whether a model was asked what it means.
    pub(super) embedded: bool,
}

impl Stored {
    pub(in crate::store) fn read(mut row: Model) -> Result<Self, StoreError> {
        let sketch = |column, value: &mut Json| -> Result<Sketch, StoreError> {
            convert::from_json(column, value.take())
        };
        let form = Form {
            key: row.form_key.clone(),
            types: convert::from_json("resolution_form.types", row.types.take())?,
            above: match row.above.take() {
                Some(above) => convert::from_json("resolution_form.above", above)?,
                None => BTreeSet::new(),
            },
            name: row.name.clone(),
            identity: convert::from_json("resolution_form.identity", row.identity.take())?,
            aliases: sketch("resolution_form.aliases", &mut row.aliases)?,
            neighbours: sketch("resolution_form.neighbours", &mut row.neighbours)?,
            documents: sketch("resolution_form.documents", &mut row.documents)?,
            vector: None,
        };
        Ok(Self {
            row,
            form,
            embedded: false,
        })
    }
}

impl Resolution<'_> {
    /// A row for a form that is new; `face` is its first entity.
    pub(super) fn new_form(&self, form: Form, face: Uuid) -> Stored {
        let row = Model {
            id: form.id(self.organization).uuid(),
            organization_id: self.organization.uuid(),
            form_key: form.key.clone(),
            types: Json::Null,
            above: None,
            name: form.name.clone(),
            identity: Json::Null,
            aliases: Json::Null,
            neighbours: Json::Null,
            documents: Json::Null,
            entity_count: 0,
            face_id: face,
            dirty: true,
            cluster_id: None,
            canonical_id: None,
            link_confidence: None,
            link_reason: None,
            created_at: self.at,
            updated_at: self.at,
        };
        Stored {
            row,
            form,
            embedded: false,
        }
    }

    pub(super) async fn forms_by_key(
        &self,
        keys: impl Iterator<Item = &String>,
    ) -> Result<BTreeMap<String, Stored>, StoreError> {
        let ids = keys.map(|key| FormId::derive(self.organization, key).uuid());
        let forms = self.forms(ids.collect()).await?;
        Ok(forms
            .into_values()
            .map(|form| (form.form.key.clone(), form))
            .collect())
    }

    pub(super) async fn forms(&self, ids: Vec<Uuid>) -> Result<BTreeMap<Uuid, Stored>, StoreError> {
        self.forms_where(Column::Id, ids).await
    }

    pub(super) async fn forms_of_clusters(
        &self,
        clusters: Vec<Uuid>,
    ) -> Result<BTreeMap<Uuid, Stored>, StoreError> {
        self.forms_where(Column::ClusterId, clusters).await
    }

    async fn forms_where(
        &self,
        column: Column,
        ids: Vec<Uuid>,
    ) -> Result<BTreeMap<Uuid, Stored>, StoreError> {
        let mut forms = BTreeMap::new();
        for ids in key_lists(&ids) {
            // The ids are the organisation's own; naming it too would have SQLite go through all
            // of its forms.
            let rows = Entity::find()
                .filter(column.is_in(ids.iter().copied()))
                .all(self.tx)
                .await?;
            for row in rows {
                forms.insert(row.id, Stored::read(row)?);
            }
        }
        if let Some(model) = &self.model {
            let ids: Vec<Uuid> = forms.keys().copied().collect();
            for (form, vector) in vectors(self.tx, self.organization, model, &ids).await? {
                if let Some(stored) = forms.get_mut(&form) {
                    stored.form.vector = vector;
                    stored.embedded = true;
                }
            }
        }
        Ok(forms)
    }

    /// The first forms that are dirty, in the order of their keys: like names share their blocks, so
    /// that less is read.
    pub(in crate::store) async fn dirty_forms(&self, limit: u64) -> Result<Vec<Uuid>, StoreError> {
        Ok(Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            // As the index says it, which has none that are not.
            .filter(Expr::col(Column::Dirty))
            .order_by_asc(Column::FormKey)
            .limit(limit)
            .into_tuple()
            .all(self.tx)
            .await?)
    }

    pub(super) async fn soil(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        for ids in key_lists(ids) {
            Entity::update_many()
                .col_expr(Column::Dirty, Expr::value(true))
                .filter(Column::Id.is_in(ids.iter().copied()))
                .exec(self.tx)
                .await?;
        }
        Ok(())
    }

    /// Writes what forms add up to and where they belong.
    pub(super) async fn save_forms(&self, forms: &[&Stored]) -> Result<(), StoreError> {
        let belongs = [
            Column::Dirty,
            Column::ClusterId,
            Column::CanonicalId,
            Column::LinkConfidence,
            Column::LinkReason,
        ];
        self.overwrite(forms, ADDS_UP.iter().copied().chain(belongs))
            .await
    }

    /// Writes what forms add up to that are dirty already: no index is written for it.
    pub(super) async fn save_dirty(&self, forms: &[&Stored]) -> Result<(), StoreError> {
        self.overwrite(forms, ADDS_UP.iter().copied()).await
    }

    async fn overwrite(
        &self,
        forms: &[&Stored],
        columns: impl Iterator<Item = Column>,
    ) -> Result<(), StoreError> {
        let overwrite = OnConflict::column(Column::Id)
            .update_columns(columns)
            .to_owned();
        for forms in portions(forms) {
            let rows = forms.iter().map(|stored| self.written(stored));
            Entity::insert_many(rows.collect::<Result<Vec<_>, StoreError>>()?)
                .on_conflict(overwrite.clone())
                .exec_without_returning(self.tx)
                .await?;
        }
        Ok(())
    }

    fn written(&self, stored: &Stored) -> Result<ActiveModel, StoreError> {
        let above = !stored.form.above.is_empty();
        Ok(ActiveModel {
            types: Set(convert::to_json(&stored.form.types)?),
            above: Set(above
                .then(|| convert::to_json(&stored.form.above))
                .transpose()?),
            identity: Set(convert::to_json(&stored.form.identity)?),
            aliases: Set(convert::to_json(&stored.form.aliases)?),
            neighbours: Set(convert::to_json(&stored.form.neighbours)?),
            documents: Set(convert::to_json(&stored.form.documents)?),
            updated_at: Set(self.at),
            ..stored.row.clone().into_active_model().reset_all()
        })
    }

    /// The entities with these ids.
    pub(super) async fn entities(&self, ids: &[Uuid]) -> Result<Vec<entity::Model>, StoreError> {
        let mut entities = Vec::with_capacity(ids.len());
        for ids in key_lists(ids) {
            entities.extend(
                entity::Entity::find()
                    .filter(owned(entity::Column::OrganizationId, self.organization))
                    .filter(entity::Column::Id.is_in(ids.iter().copied()))
                    .all(self.tx)
                    .await?,
            );
        }
        Ok(entities)
    }
}
