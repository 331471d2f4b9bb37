//! A new migration: its file, and its place in the list.

use std::{fs, time::SystemTime};

use anyhow::{Context, Result, bail};
use sea_orm_migration::sea_orm::prelude::ChronoDateTimeUtc;

use crate::process::{cargo, root, run};

/// Writes the file and registers it after the others.
pub(crate) fn write(name: &str) -> Result<()> {
    check(name)?;
    let module = format!("m{}_{name}", stamp());
    let folder = root().join("migrations/src");
    let list = folder.join("lib.rs");
    let registered = registered(&fs::read_to_string(&list)?, &module)
        .context("migrations/src/lib.rs has not the form that this task knows")?;

    fs::write(folder.join(format!("{module}.rs")), template(name))?;
    fs::write(&list, registered)?;
    run(cargo().args(["fmt", "--package", "knowledge-migrations"]))?;
    println!("migrations/src/{module}.rs is written and registered; now say what it changes");
    Ok(())
}

fn check(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        bail!("`{name}` is not a name; write it like `add_embeddings`");
    }
    if !name.chars().all(allowed) {
        bail!("`{name}` is not a name; use lower-case letters, digits and underscores");
    }
    Ok(())
}

/// Date and time, by which migrations are ordered.
#[expect(
    clippy::disallowed_methods,
    reason = "a development task names a file; nothing replays it"
)]
fn stamp() -> String {
    let now = ChronoDateTimeUtc::from(SystemTime::now());
    now.format("%Y%m%d_%H%M%S").to_string()
}

/// The list with the module after the last one; `None` where it has another form.
fn registered(list: &str, module: &str) -> Option<String> {
    const ENTRY: &str = "::Migration)";
    let last_module = list.rfind("\nmod m")? + 1;
    let end_of_module = last_module + list[last_module..].find('\n')?;
    let end_of_entry = list.rfind(ENTRY)? + ENTRY.len();
    Some(format!(
        "{}\nmod {module};{}, Box::new({module}::Migration){}",
        &list[..end_of_module],
        &list[end_of_module..end_of_entry],
        &list[end_of_entry..]
    ))
}

fn template(name: &str) -> String {
    let summary = name.replace('_', " ");
    format!(
        r#"//! What changes: {summary}.

use sea_orm_migration::{{prelude::*, schema::*}};

/// Applies and takes back: {summary}.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {{
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {{
        let change = Table::alter()
            .table("table_name")
            .add_column(text_null("column_name"))
            .to_owned();
        manager.alter_table(change).await
    }}

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {{
        let change = Table::alter()
            .table("table_name")
            .drop_column("column_name")
            .to_owned();
        manager.alter_table(change).await
    }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_registered_after_the_last() {
        let list = "use x;\n\nmod m1_a;\nmod m2_b;\n\nfn f() {\n    vec![Box::new(m1_a::Migration), Box::new(m2_b::Migration)]\n}\n";
        let expected = "use x;\n\nmod m1_a;\nmod m2_b;\nmod m3_c;\n\nfn f() {\n    vec![Box::new(m1_a::Migration), Box::new(m2_b::Migration), Box::new(m3_c::Migration)]\n}\n";
        assert_eq!(registered(list, "m3_c").unwrap(), expected);
    }

    #[test]
    fn the_real_list_has_the_form_that_is_known() {
        let list = fs::read_to_string(root().join("migrations/src/lib.rs")).unwrap();
        let changed = registered(&list, "m9_x").unwrap();
        assert!(changed.contains("mod m9_x;") && changed.contains("Box::new(m9_x::Migration)"));
    }

    #[test]
    fn names_are_those_of_modules() {
        assert!(check("add_embeddings").is_ok());
        for name in ["", "Add", "1st", "a-b", "a b", "../a"] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
