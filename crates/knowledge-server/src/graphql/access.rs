//! `Caller`, `ApiKey`: who may do what.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject, Union};
use chrono::{DateTime, Utc};
use knowledge_domain::{Caller, ids::ApiKeyId};

use super::{
    error::{forbidden_field, internal, not_found},
    payload::{NotFound, ValidationError},
    viewer::Viewer,
};
use crate::{
    access::{Access, KeyRequest, NewKeyError},
    store::KeyView,
};

/// What the holder of an API key may do; each role may do what those before it may.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "knowledge_domain::Role")]
pub(crate) enum Role {
    /// Reads and watches.
    Viewer,
    /// Starts and steers.
    Editor,
    /// Makes and revokes keys, and reads what operators want to know.
    Admin,
}

/// Who asks, by the API key of the request.
#[derive(SimpleObject)]
#[graphql(name = "Caller")]
pub(crate) struct CallerNode {
    /// The organisation whose rows they see.
    organization: Organization,
    /// What they may do.
    role: Role,
    /// The id of their API key; `null` where the server asks for none.
    api_key_id: Option<ID>,
}

/// Whose graph it is.
#[derive(SimpleObject)]
pub(crate) struct Organization {
    /// The id.
    id: ID,
    /// The name in commands.
    slug: String,
    /// The name that people read.
    name: String,
}

/// What callers prove who they are by; its secret was told when it was made.
pub(crate) struct ApiKey(KeyView);

/// What callers prove who they are by; its secret was told when it was made.
#[Object]
impl ApiKey {
    /// The id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What it is for.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What its holder may do.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// The beginning of its secret.
    async fn hint(&self) -> &str {
        &self.0.hint
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it ends by itself.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at
    }

    /// When somebody ended it.
    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.0.revoked_at
    }
}

/// An API key to make.
#[derive(InputObject)]
pub(crate) struct CreateApiKeyInput {
    /// What it is for.
    name: String,
    /// What its holder may do.
    role: Role,
    /// When it ends by itself; never, when left out.
    expires_at: Option<DateTime<Utc>>,
}

/// The key was made.
#[derive(SimpleObject)]
pub(crate) struct CreateApiKeySuccess {
    /// The key.
    api_key: ApiKey,
    /// What its holder sends as `Authorization: Bearer …`. It is told now and never again.
    secret: String,
}

/// What `createApiKey` answers.
#[derive(Union)]
pub(crate) enum CreateApiKeyPayload {
    Success(CreateApiKeySuccess),
    ValidationError(ValidationError),
}

/// The key does not hold any more.
#[derive(SimpleObject)]
pub(crate) struct RevokeApiKeySuccess {
    /// The key.
    api_key: ApiKey,
}

/// What `revokeApiKey` answers.
#[derive(Union)]
pub(crate) enum RevokeApiKeyPayload {
    Success(RevokeApiKeySuccess),
    NotFound(NotFound),
}

/// Who asks.
pub(super) async fn caller(ctx: &Context<'_>) -> Result<CallerNode> {
    let caller = Viewer::of(ctx)?.caller;
    let found = ctx.data::<Access>()?.organization(caller.organization);
    let found = found.await.map_err(|error| internal(&error))?;
    let organization = found.ok_or_else(|| not_found("the organisation was deleted meanwhile"))?;
    Ok(CallerNode {
        organization: Organization {
            id: organization.id.into(),
            slug: organization.slug,
            name: organization.name,
        },
        role: caller.role.into(),
        api_key_id: caller.key.map(ID::from),
    })
}

/// The keys of the caller's organisation.
pub(super) async fn keys(ctx: &Context<'_>) -> Result<Vec<ApiKey>> {
    let caller = administrator(ctx)?;
    let keys = ctx.data::<Access>()?.keys(Some(caller.organization)).await;
    let keys = keys.map_err(|error| internal(&error))?;
    Ok(keys.into_iter().map(ApiKey).collect())
}

pub(super) async fn create(
    ctx: &Context<'_>,
    input: CreateApiKeyInput,
) -> Result<CreateApiKeyPayload> {
    let request = KeyRequest {
        organization: administrator(ctx)?.organization,
        name: input.name,
        role: input.role.into(),
        expires_at: input.expires_at,
    };
    let invalid = |field: &str, error: &NewKeyError| {
        Ok(ValidationError::new(vec![field.to_owned()], error.to_string()).into())
    };
    match ctx.data::<Access>()?.create(request).await {
        Ok((key, secret)) => {
            let api_key = ApiKey(key);
            Ok(CreateApiKeySuccess { api_key, secret }.into())
        }
        Err(error @ NewKeyError::Name) => invalid("name", &error),
        Err(error @ NewKeyError::Expiry) => invalid("expiresAt", &error),
        Err(NewKeyError::Store(error)) => Err(internal(&error)),
    }
}

pub(super) async fn revoke(ctx: &Context<'_>, id: &ID) -> Result<RevokeApiKeyPayload> {
    let organization = administrator(ctx)?.organization;
    let none = || NotFound::new("there is no such API key").into();
    let Ok(id) = id.parse::<ApiKeyId>() else {
        return Ok(none());
    };
    let revoked = ctx.data::<Access>()?.revoke(Some(organization), id).await;
    Ok(match revoked.map_err(|error| internal(&error))? {
        Some(key) => RevokeApiKeySuccess {
            api_key: ApiKey(key),
        }
        .into(),
        None => none(),
    })
}

/// The caller, who may do what takes the role `admin`.
pub(super) fn administrator(ctx: &Context<'_>) -> Result<Caller> {
    let caller = Viewer::of(ctx)?.caller;
    if caller.role < knowledge_domain::Role::Admin {
        return Err(forbidden_field(caller.role, knowledge_domain::Role::Admin));
    }
    Ok(caller)
}
