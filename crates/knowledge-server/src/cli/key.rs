//! `knowledge key`: API keys.

use anyhow::Context;
use chrono::{DateTime, Days, SecondsFormat, Utc};
use knowledge_domain::{Clock, Slug, ids::ApiKeyId};

use super::{Ended, args::KeyCommand, existing_database, local, print, tell};
use crate::{
    access::{Access, KeyRequest},
    app,
    config::Config,
    environment::SystemClock,
    store::{KeyView, Store},
};

pub(super) async fn run(command: KeyCommand, config: &Config) -> anyhow::Result<Ended> {
    match command {
        KeyCommand::Create {
            name,
            role,
            organization,
            expires_in,
            json,
        } => {
            let store = local::database(config).await?;
            let request = KeyRequest {
                organization: local::organization(&store, &organization).await?,
                name,
                role: role.into(),
                expires_at: expires_in.map(in_days).transpose()?,
            };
            create(&app::access(&store), request, &organization, json).await?;
            store.close().await?;
        }
        KeyCommand::List { json } => {
            let store = Store::read_only_current(&existing_database(config)?).await?;
            list(&store.keys(None).await?, json)?;
            store.close().await?;
        }
        KeyCommand::Revoke { key, json } => {
            let store = Store::open_beside(&existing_database(config)?).await?;
            revoke(&app::access(&store), key, json).await?;
            store.close().await?;
        }
    }
    Ok(Ended::Done)
}

fn in_days(days: u32) -> anyhow::Result<DateTime<Utc>> {
    let end = SystemClock.now().checked_add_days(Days::new(days.into()));
    end.context("--expires-in is too far away")
}

async fn create(
    access: &Access,
    request: KeyRequest,
    organization: &Slug,
    json: bool,
) -> anyhow::Result<()> {
    let (key, secret) = access.create(request).await?;
    if json {
        let mut shown = serde_json::to_value(&key)?;
        shown["secret"] = secret.into();
        return print(&format!("{shown}\n"));
    }
    let role = key.role;
    tell(&format!(
        "{} of {organization} may act as {role}; its secret, which is not shown again:",
        key.id
    ));
    print(&format!("{secret}\n"))
}

async fn revoke(access: &Access, key: ApiKeyId, json: bool) -> anyhow::Result<()> {
    let revoked = access.revoke(None, key).await?;
    let revoked =
        revoked.with_context(|| format!("there is no {key}; see `knowledge key list`"))?;
    if json {
        return print(&format!("{}\n", serde_json::to_value(&revoked)?));
    }
    print(&format!(
        "{key} ({}) does not hold any more\n",
        revoked.name
    ))
}

fn list(keys: &[KeyView], json: bool) -> anyhow::Result<()> {
    let mut text = String::new();
    for key in keys {
        if json {
            text.push_str(&serde_json::to_string(key)?);
        } else {
            text.push_str(&line(key));
        }
        text.push('\n');
    }
    if keys.is_empty() {
        tell("there are no API keys; make one with `knowledge key create`");
    }
    print(&text)
}

fn line(key: &KeyView) -> String {
    let on = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Secs, true);
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", on(at)),
        (None, Some(at)) => format!("until {}", on(at)),
        (None, None) => "for good".to_owned(),
    };
    let KeyView {
        id,
        organization,
        role,
        hint,
        name,
        ..
    } = key;
    format!("{id}  {organization}  {role}  {hint}…  {state}  {name}")
}
