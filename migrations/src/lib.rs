//! Schema migrations for SQLite and PostgreSQL.
//!
//! Each file is frozen once released: a later change is a later file. Nothing here imports the
//! entities, which describe the newest schema and would change what an old migration means.

use sea_orm_migration::{MigrationTrait, async_trait};
pub use sea_orm_migration::{MigratorTrait, prelude::DbErr};

mod m20261120_000001_first_schema;
mod m20261121_012822_add_pruned_at;
mod m20261121_031000_add_suspension;
mod m20261121_033000_add_server_shares;
mod m20261121_034000_add_model_calls;
mod m20261121_034500_add_resolution;
mod m20261121_041000_add_tally;
mod m20261121_063000_add_partial_documents;
mod m20261121_064828_add_resolution_questions;
mod m20261121_065000_leave_room_for_updates;
mod m20261121_132126_add_resolution_version;
mod m20261121_134149_add_embeddings;
mod m20261121_141008_index_only_what_is_known;
mod m20261121_164500_index_in_order_of_writing;
mod m20261121_195435_add_embedding_turn;
mod m20261121_234500_index_less_of_resolution;
mod m20261122_144800_add_counted_tokens;
mod m20261123_003000_add_resolution_leaves;
mod m20261123_140000_add_classes_above;
mod m20261123_223000_add_api_keys;
mod m20261124_040000_add_parity_checks;
mod m20261124_050000_add_row_security;

/// The migrations in their order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_first_schema::Migration),
            Box::new(m20261121_012822_add_pruned_at::Migration),
            Box::new(m20261121_031000_add_suspension::Migration),
            Box::new(m20261121_033000_add_server_shares::Migration),
            Box::new(m20261121_034000_add_model_calls::Migration),
            Box::new(m20261121_034500_add_resolution::Migration),
            Box::new(m20261121_041000_add_tally::Migration),
            Box::new(m20261121_063000_add_partial_documents::Migration),
            Box::new(m20261121_064828_add_resolution_questions::Migration),
            Box::new(m20261121_065000_leave_room_for_updates::Migration),
            Box::new(m20261121_132126_add_resolution_version::Migration),
            Box::new(m20261121_134149_add_embeddings::Migration),
            Box::new(m20261121_141008_index_only_what_is_known::Migration),
            Box::new(m20261121_164500_index_in_order_of_writing::Migration),
            Box::new(m20261121_195435_add_embedding_turn::Migration),
            Box::new(m20261121_234500_index_less_of_resolution::Migration),
            Box::new(m20261122_144800_add_counted_tokens::Migration),
            Box::new(m20261123_003000_add_resolution_leaves::Migration),
            Box::new(m20261123_140000_add_classes_above::Migration),
            Box::new(m20261123_223000_add_api_keys::Migration),
            Box::new(m20261124_040000_add_parity_checks::Migration),
            Box::new(m20261124_050000_add_row_security::Migration),
        ]
    }
}
