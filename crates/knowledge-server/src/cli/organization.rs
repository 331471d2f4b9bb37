//! `knowledge organization`: tenants.

use anyhow::{Context, bail};
use knowledge_domain::{Clock, Entropy, Slug, ids::OrganizationId};

use super::{Ended, args::OrganizationCommand, existing_database, local, print};
use crate::{
    access::is_name,
    config::Config,
    environment::{SystemClock, SystemEntropy},
    store::{OrganizationView, Store},
};

pub(super) async fn run(command: OrganizationCommand, config: &Config) -> anyhow::Result<Ended> {
    match command {
        OrganizationCommand::Create { name, title, json } => {
            let store = local::database(config).await?;
            let made = create(&store, &name, title).await;
            store.close().await?;
            let made = made?;
            if json {
                print(&format!("{}\n", serde_json::to_value(&made)?))?;
            } else {
                print(&format!("{}\n", line(&made)))?;
            }
        }
        OrganizationCommand::List { json } => {
            let store = Store::read_only_current(&existing_database(config)?).await?;
            let found = store.organizations().await;
            store.close().await?;
            list(&found?, json)?;
        }
    }
    Ok(Ended::Done)
}

async fn create(
    store: &Store,
    name: &Slug,
    title: Option<String>,
) -> anyhow::Result<OrganizationView> {
    let title = title.unwrap_or_else(|| name.to_string());
    if !is_name(&title) {
        bail!("--title has 1 to 200 characters, none of them a control character");
    }
    let organization = OrganizationView {
        id: OrganizationId::from_uuid(SystemEntropy.uuid_v7()),
        slug: name.to_string(),
        name: title,
        created_at: SystemClock.now(),
    };
    let made = store.insert_organization(organization).await?;
    made.with_context(|| format!("there is an organisation {name} already"))
}

fn list(organizations: &[OrganizationView], json: bool) -> anyhow::Result<()> {
    let mut text = String::new();
    for organization in organizations {
        if json {
            text.push_str(&serde_json::to_string(organization)?);
        } else {
            text.push_str(&line(organization));
        }
        text.push('\n');
    }
    print(&text)
}

fn line(organization: &OrganizationView) -> String {
    let OrganizationView { id, slug, name, .. } = organization;
    format!("{slug}  {id}  {name}")
}
