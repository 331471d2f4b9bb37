//! API keys: who holds which, by the hash of their secret.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    Caller, Role,
    ids::{ApiKeyId, OrganizationId},
};
use knowledge_tables::{
    api_key::{ActiveModel, Column, Entity},
    organization,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, IntoCondition},
};
use serde::Serialize;
use uuid::Uuid;

use super::{Store, StoreError, convert};

/// A key to store.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The id.
    pub id: ApiKeyId,
    /// The organisation that its holder speaks for.
    pub organization: OrganizationId,
    /// What it is for.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// SHA-256 of the secret, in hex.
    pub secret_hash: String,
    /// The beginning of the secret.
    pub hint: String,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    /// The id.
    pub id: ApiKeyId,
    /// The slug of the organisation that its holder speaks for.
    pub organization: String,
    /// What it is for.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The beginning of the secret.
    pub hint: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When somebody ended it.
    pub revoked_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    slug: String,
    name: String,
    role: String,
    hint: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl Row {
    fn view(self) -> Result<KeyView, StoreError> {
        Ok(KeyView {
            id: ApiKeyId::from_uuid(self.id),
            organization: self.slug,
            name: self.name,
            role: convert::from_text("api_key.role", &self.role)?,
            hint: self.hint,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
        })
    }
}

impl Store {
    /// Whether there is or was any key.
    pub async fn has_keys(&self) -> Result<bool, StoreError> {
        let any: Option<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .limit(1)
            .into_tuple()
            .one(self.read())
            .await?;
        Ok(any.is_some())
    }

    /// Who holds the key whose secret has this hash; none where it does not hold any more.
    pub async fn key_holder(
        &self,
        secret_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Caller>, StoreError> {
        self.holder(Column::SecretHash.eq(secret_hash), now).await
    }

    /// Whether a key still says what it said of its holder.
    pub async fn still_holds(
        &self,
        key: ApiKeyId,
        caller: Caller,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let holder = self.holder(Column::Id.eq(key.uuid()), now).await?;
        Ok(holder == Some(caller))
    }

    async fn holder(
        &self,
        which: impl IntoCondition,
        now: DateTime<Utc>,
    ) -> Result<Option<Caller>, StoreError> {
        let row: Option<(Uuid, Uuid, String)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::OrganizationId, Column::Role])
            .filter(which.into_condition())
            .filter(Column::RevokedAt.is_null())
            .filter(
                Condition::any()
                    .add(Column::ExpiresAt.is_null())
                    .add(Column::ExpiresAt.gt(now)),
            )
            .into_tuple()
            .one(self.read())
            .await?;
        row.map(|(id, organization, role)| {
            Ok(Caller {
                organization: OrganizationId::from_uuid(organization),
                role: convert::from_text("api_key.role", &role)?,
                key: Some(ApiKeyId::from_uuid(id)),
            })
        })
        .transpose()
    }

    /// Keys of an organisation, or of all, in the order in which they were made.
    pub async fn keys(
        &self,
        organization: Option<OrganizationId>,
    ) -> Result<Vec<KeyView>, StoreError> {
        let of = organization.map(|id| Column::OrganizationId.eq(id.uuid()));
        self.shown(Condition::all().add_option(of)).await
    }

    /// A key as it is shown, where the organisation, or any, has it.
    pub async fn key(
        &self,
        organization: Option<OrganizationId>,
        id: ApiKeyId,
    ) -> Result<Option<KeyView>, StoreError> {
        let of = organization.map(|id| Column::OrganizationId.eq(id.uuid()));
        let which = Condition::all()
            .add(Column::Id.eq(id.uuid()))
            .add_option(of);
        Ok(self.shown(which).await?.pop())
    }

    async fn shown(&self, which: Condition) -> Result<Vec<KeyView>, StoreError> {
        let to_organization = Entity::belongs_to(organization::Entity)
            .from(Column::OrganizationId)
            .to(organization::Column::Id)
            .into();
        let rows = Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::Name,
                Column::Role,
                Column::Hint,
                Column::CreatedAt,
                Column::ExpiresAt,
                Column::RevokedAt,
            ])
            .column(organization::Column::Slug)
            .join(JoinType::InnerJoin, to_organization)
            .filter(which)
            .order_by_asc(Column::Id)
            .into_model::<Row>()
            .all(self.read())
            .await?;
        rows.into_iter().map(Row::view).collect()
    }

    /// Stores a key.
    pub async fn insert_key(&self, key: NewKey, now: DateTime<Utc>) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(key.id.uuid()),
            organization_id: Set(key.organization.uuid()),
            name: Set(key.name),
            role: Set(key.role.to_string()),
            secret_hash: Set(key.secret_hash),
            hint: Set(key.hint),
            expires_at: Set(key.expires_at),
            revoked_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.begin().await?;
        Entity::insert(row).exec_without_returning(&tx).await?;
        Ok(tx.commit().await?)
    }

    /// Ends a key for good; one that was ended before keeps its moment.
    pub async fn revoke_key(&self, id: ApiKeyId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(now))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::RevokedAt.is_null())
            .exec(&tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
