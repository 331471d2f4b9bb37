//! Vectors of what forms mean, as rows.
//!
//! An organisation's forms are compared by the vectors of one model. While a batch compares
//! meanings, no form is settled without its vector; forms that were, by batches that compare none,
//! are gaps, which the next batch that compares meanings fills.

use std::collections::{BTreeMap, HashMap};

use knowledge_domain::ids::{FormId, OrganizationId};
use knowledge_extraction::sha256_hex;
use knowledge_resolution::Vector;
use knowledge_tables::{embedding, organization, resolution_form};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::{Condition, Expr, OnConflict, Query},
};
use uuid::Uuid;

use super::Resolution;
use crate::store::{
    StoreError, convert,
    portions::{key_lists, portions},
};

/// What `embedding.owner_type` says of forms.
const FORM: &str = "form";

/// A form whose vector is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The form.
    pub form: FormId,
    /// What it means, in words.
    pub text: String,
}

/// A form with what a model says of it; nothing, where it says nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Meaning {
    /// The form.
    pub form: FormId,
    /// The text that the model was asked about.
    pub text: String,
    /// What it said.
    pub vector: Option<Vector>,
}

/// The vectors of forms by a model; of those that the model says nothing of, none.
pub(in crate::store) async fn vectors(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
    model: &str,
    forms: &[Uuid],
) -> Result<HashMap<Uuid, Option<Vector>>, StoreError> {
    use embedding::{Column, Entity};
    let mut vectors = HashMap::with_capacity(forms.len());
    for ids in key_lists(forms) {
        let rows: Vec<(Uuid, Vec<u8>)> = Entity::find()
            .select_only()
            .columns([Column::OwnerId, Column::Vector])
            .filter(Column::OrganizationId.eq(organization.uuid()))
            .filter(Column::OwnerType.eq(FORM))
            .filter(Column::Model.eq(model))
            .filter(Column::OwnerId.is_in(ids))
            .into_tuple()
            .all(connection)
            .await?;
        let rows = rows.into_iter();
        vectors.extend(rows.map(|(owner, bytes)| (owner, Vector::from_bytes(model, &bytes))));
    }
    Ok(vectors)
}

impl Resolution<'_> {
    /// Whether the organisation compares meanings by this model.
    pub(in crate::store) fn compares_by(&self, model: &str) -> bool {
        self.model.as_deref() == Some(model)
    }

    /// Begins to compare meanings by a model, or goes on with it: forms that were resolved without
    /// are dirty from now on.
    pub(in crate::store) async fn compare_meanings(
        &mut self,
        model: &str,
    ) -> Result<(), StoreError> {
        use resolution_form::{Column, Entity};
        self.vectors_wanted = true;
        let other = !self.compares_by(model);
        if !other && !self.gaps {
            return Ok(());
        }
        let mut concerned =
            Condition::all().add(Column::OrganizationId.eq(self.organization.uuid()));
        if !other {
            let known = Query::select()
                .column(embedding::Column::OwnerId)
                .from(embedding::Entity)
                .and_where(embedding::Column::OrganizationId.eq(self.organization.uuid()))
                .and_where(embedding::Column::OwnerType.eq(FORM))
                .and_where(embedding::Column::Model.eq(model))
                .take();
            concerned = concerned.add(Column::Id.not_in_subquery(known));
        }
        Entity::update_many()
            .col_expr(Column::Dirty, Expr::value(true))
            .filter(concerned)
            .exec(self.tx)
            .await?;
        self.model = Some(model.to_owned());
        self.gaps = false;
        self.note_meanings().await
    }

    /// Goes on without comparing meanings; where others do, what is resolved now is a gap.
    pub(in crate::store) async fn leave_gaps(&mut self) -> Result<(), StoreError> {
        self.vectors_wanted = false;
        if self.model.is_none() || self.gaps {
            return Ok(());
        }
        self.gaps = true;
        self.note_meanings().await
    }

    async fn note_meanings(&self) -> Result<(), StoreError> {
        use organization::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::EmbeddingModel, Expr::value(self.model.clone()))
            .col_expr(Column::EmbeddingGaps, Expr::value(self.gaps))
            .col_expr(Column::UpdatedAt, Expr::value(self.at))
            .filter(Column::Id.eq(self.organization.uuid()))
            .exec(self.tx)
            .await?;
        Ok(())
    }

    /// Which of some forms lack the vector that they should have.
    pub(in crate::store) async fn without_vector(
        &self,
        forms: &[Uuid],
    ) -> Result<Vec<Wanted>, StoreError> {
        if !self.vectors_wanted {
            return Ok(Vec::new());
        }
        let forms = self.forms(forms.to_vec()).await?;
        let lacking = forms.into_values().filter(|stored| !stored.embedded);
        let mut lacking: Vec<Wanted> = lacking
            .map(|stored| Wanted {
                form: FormId::from_uuid(stored.row.id),
                text: stored.form.meaning(),
            })
            .collect();
        lacking.sort_by(|one, other| one.text.cmp(&other.text).then(one.form.cmp(&other.form)));
        Ok(lacking)
    }

    /// Gives forms their vectors, and those their places in the model's trees; how many forms
    /// there are.
    pub(in crate::store) async fn keep_meanings(
        &mut self,
        model: &str,
        meanings: &[Meaning],
    ) -> Result<usize, StoreError> {
        use embedding::{Column, Entity};
        let rows: Vec<embedding::Model> = meanings.iter().map(|it| self.row(model, it)).collect();
        let known = OnConflict::columns([
            Column::OrganizationId,
            Column::OwnerType,
            Column::OwnerId,
            Column::Model,
        ])
        .do_nothing()
        .to_owned();
        for rows in portions(&rows) {
            let rows = rows
                .iter()
                .cloned()
                .map(|row| row.into_active_model().reset_all());
            Entity::insert_many(rows)
                .on_conflict(known.clone())
                .exec_without_returning(self.tx)
                .await?;
        }
        self.answered(meanings.iter().map(|meaning| meaning.form))
            .await?;
        // Those that are stored: another batch may have been told first.
        let forms: Vec<Uuid> = meanings.iter().map(|it| it.form.uuid()).collect();
        self.place_meanings(&forms).await?;
        Ok(meanings.len())
    }

    fn row(&self, model: &str, meaning: &Meaning) -> embedding::Model {
        let vector = meaning.vector.as_ref();
        embedding::Model {
            id: self.entropy.uuid_v7(),
            organization_id: self.organization.uuid(),
            owner_type: FORM.to_owned(),
            owner_id: meaning.form.uuid(),
            model: model.to_owned(),
            dimensions: convert::count(vector.map_or(0, Vector::dimensions)),
            vector: vector.map(Vector::to_bytes).unwrap_or_default(),
            content_hash: sha256_hex(meaning.text.as_bytes()),
            created_at: self.at,
            updated_at: self.at,
        }
    }

    /// A form that was split off means what the other does; which forms are dirty because of it.
    pub(super) async fn copy_meanings(
        &self,
        from: Uuid,
        to: Uuid,
    ) -> Result<Vec<Uuid>, StoreError> {
        for row in self.embeddings(&[from]).await? {
            let copy = embedding::ActiveModel {
                id: Set(self.entropy.uuid_v7()),
                owner_id: Set(to),
                created_at: Set(self.at),
                updated_at: Set(self.at),
                ..row.into_active_model().reset_all()
            };
            embedding::Entity::insert(copy)
                .exec_without_returning(self.tx)
                .await?;
        }
        self.place_meanings(&[to]).await
    }

    /// Puts forms into the trees of every model that they have a vector of; which are dirty because
    /// of it.
    pub(super) async fn place_meanings(&self, forms: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let mut vectors: BTreeMap<String, Vec<(FormId, Vector)>> = BTreeMap::new();
        for row in self.embeddings(forms).await? {
            if let Some(vector) = Vector::from_bytes(&row.model, &row.vector) {
                let of_model = vectors.entry(row.model).or_default();
                of_model.push((FormId::from_uuid(row.owner_id), vector));
            }
        }
        let mut soiled = Vec::new();
        for (model, vectors) in vectors {
            let of_model = self.add_to_leaves(&model, &vectors).await?;
            if self.compares_by(&model) {
                soiled.extend(of_model);
            }
        }
        Ok(soiled)
    }

    /// What models say of forms.
    async fn embeddings(&self, forms: &[Uuid]) -> Result<Vec<embedding::Model>, StoreError> {
        use embedding::{Column, Entity};
        let mut rows = Vec::with_capacity(forms.len());
        for ids in key_lists(forms) {
            let found = Entity::find()
                .filter(Column::OrganizationId.eq(self.organization.uuid()))
                .filter(Column::OwnerType.eq(FORM))
                .filter(Column::OwnerId.is_in(ids));
            rows.extend(found.all(self.tx).await?);
        }
        Ok(rows)
    }
}
