//! Who may call: API keys, and whether the server asks for one.
//!
//! A server of a database without keys takes everybody who can connect for the default organisation;
//! it listens on loopback only. From the first key on it asks everybody for one, at once and for as
//! long as there is a row of a key, a revoked one among them: no revocation opens a server.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Datelike, Utc};
use knowledge_domain::{
    Caller, Clock, Entropy, Role,
    ids::{ApiKeyId, OrganizationId},
};
use sha2::{Digest, Sha256};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    store::{KeyView, NewKey, OrganizationView, Store, StoreError},
    text::hex,
};

/// What every secret begins with, so that scanners of repositories know one.
const PREFIX: &str = "kn_";
/// Random bytes of a secret.
const RANDOM_BYTES: usize = 32;
/// Characters of a secret that are shown later.
const HINT: usize = PREFIX.len() + 6;
/// The longest name of a key, in characters.
const MAX_NAME: usize = 200;
/// The last year that a text in the order of time can hold, as SQLite keeps moments.
const LAST_YEAR: i32 = 9999;

/// Says who calls; cheap to clone.
#[derive(Clone)]
pub struct Access {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Whether there was a key when it was last looked.
    asks: Arc<AtomicBool>,
    seen: Arc<Mutex<HashMap<Option<ApiKeyId>, Seen>>>,
}

/// Whether callers are still served, as it was at a moment.
#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    holds: bool,
}

/// Why somebody is not served.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The server asks for keys, and none was named.
    #[error("this server asks for an API key: `Authorization: Bearer KEY`")]
    Missing,
    /// What was named is no key that holds.
    #[error("the API key is unknown, revoked or expired; ask for another one")]
    Unknown,
    /// Nobody can say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a key is not made.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyError {
    /// Nobody could tell it from others.
    #[error("a key's name has 1 to {MAX_NAME} characters, none of them a control character")]
    Name,
    /// It would never hold.
    #[error(
        "a key must expire in the future, in the year {LAST_YEAR} at the latest; leave the moment out for a key that does not"
    )]
    Expiry,
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a key is to be.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// The organisation that its holder speaks for.
    pub organization: OrganizationId,
    /// What it is for.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Access {
    /// Says who calls, by the keys of a store.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            store,
            clock,
            entropy,
            asks: Arc::default(),
            seen: Arc::default(),
        }
    }

    /// Whether callers are asked for a key.
    ///
    /// # Errors
    /// When the database does not say.
    pub async fn asks_for_keys(&self) -> Result<bool, StoreError> {
        if self.asks.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let asks = self.store.has_keys().await?;
        if asks {
            self.asks.store(true, Ordering::Relaxed);
        }
        Ok(asks)
    }

    /// Who calls and names this secret, or none.
    ///
    /// # Errors
    /// [`AccessError::Missing`] where the server asks for a key, [`AccessError::Unknown`] for one
    /// that does not hold, whether or not it asks for one.
    pub async fn caller(&self, secret: Option<&str>) -> Result<Caller, AccessError> {
        let Some(secret) = secret else {
            if self.asks_for_keys().await? {
                return Err(AccessError::Missing);
            }
            return Ok(Caller::ANYBODY);
        };
        if !is_secret(secret) {
            return Err(AccessError::Unknown);
        }
        let (hash, now) = (hash(secret), self.clock.now());
        let holder = self.store.key_holder(&hash, now).await?;
        holder.ok_or(AccessError::Unknown)
    }

    /// Ends when the caller would not be served any more: the key was revoked or has expired, or
    /// there is a first key and the caller has none. It is looked so often; while the database does
    /// not say, the key holds.
    pub async fn withdrawn(self, caller: Caller, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            if matches!(self.still_served(caller, every).await, Ok(false)) {
                return;
            }
        }
    }

    /// Asks the database once in a while for all streams of a key, of which there may be thousands.
    async fn still_served(&self, caller: Caller, every: Duration) -> Result<bool, StoreError> {
        let mut seen = self.seen.lock().await;
        seen.retain(|_, seen| seen.at.elapsed() < every);
        if let Some(seen) = seen.get(&caller.key) {
            return Ok(seen.holds);
        }
        let holds = self.serves(caller).await?;
        let at = Instant::now();
        seen.insert(caller.key, Seen { at, holds });
        Ok(holds)
    }

    /// Whether somebody who was admitted before would be admitted now.
    ///
    /// # Errors
    /// When the database does not say.
    pub async fn serves(&self, caller: Caller) -> Result<bool, StoreError> {
        match caller.key {
            Some(key) => {
                let now = self.clock.now();
                self.store.still_holds(key, caller, now).await
            }
            None => Ok(!self.asks_for_keys().await?),
        }
    }

    /// Makes a key; the secret is told here and never again.
    ///
    /// # Errors
    /// [`NewKeyError`] says what is wrong with the request.
    pub async fn create(&self, request: KeyRequest) -> Result<(KeyView, String), NewKeyError> {
        let now = self.clock.now();
        let name = request.name.trim();
        if !is_name(name) {
            return Err(NewKeyError::Name);
        }
        let holds = |at: DateTime<Utc>| at > now && at.year() <= LAST_YEAR;
        if !request.expires_at.is_none_or(holds) {
            return Err(NewKeyError::Expiry);
        }
        let secret = format!("{PREFIX}{}", hex(&self.entropy.bytes()));
        let id = ApiKeyId::from_uuid(self.entropy.uuid_v7());
        let key = NewKey {
            id,
            organization: request.organization,
            name: name.to_owned(),
            role: request.role,
            secret_hash: hash(&secret),
            hint: secret[..HINT].to_owned(),
            expires_at: request.expires_at,
        };
        self.store.insert_key(key, now).await?;
        self.asks.store(true, Ordering::Relaxed);
        let made = self.store.key(None, id).await?;
        let made = made.ok_or_else(|| StoreError::corrupt("no key that was just stored"))?;
        tracing::info!(key = %id, organization = made.organization, role = %made.role, "API key made");
        Ok((made, secret))
    }

    /// An organisation as it is shown.
    ///
    /// # Errors
    /// When the database does not say.
    pub async fn organization(
        &self,
        id: OrganizationId,
    ) -> Result<Option<OrganizationView>, StoreError> {
        self.store.organization_view(id).await
    }

    /// Keys of an organisation, or of all.
    ///
    /// # Errors
    /// When the database does not say.
    pub async fn keys(
        &self,
        organization: Option<OrganizationId>,
    ) -> Result<Vec<KeyView>, StoreError> {
        self.store.keys(organization).await
    }

    /// Ends a key of an organisation, or of any, for good; `None` where there is none.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn revoke(
        &self,
        organization: Option<OrganizationId>,
        id: ApiKeyId,
    ) -> Result<Option<KeyView>, StoreError> {
        if self.store.key(organization, id).await?.is_none() {
            return Ok(None);
        }
        self.store.revoke_key(id, self.clock.now()).await?;
        tracing::info!(key = %id, "API key revoked");
        self.store.key(organization, id).await
    }
}

/// Whether a text can name a key or an organisation, in a list of many.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.chars().count()) && !text.contains(char::is_control)
}

fn is_secret(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|rest| {
        rest.len() == 2 * RANDOM_BYTES && rest.bytes().all(|letter| letter.is_ascii_hexdigit())
    })
}

/// What is stored of a secret. One of so many random bits cannot be guessed from its hash, however
/// fast that is made, and a hash without salt finds its row by an index.
fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret))
}
