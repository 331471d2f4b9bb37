//! What the tests of the workspace share.
//!
//! Owns databases that come and go with a test, the running binary as its users meet it, and the
//! rules that every log of events obeys. Owns no test: those are in `tests/tests`.

pub mod bad_network;
pub mod batches;
pub mod browser;
pub mod client;
pub mod cluster;
pub mod database;
pub mod disturbed;
pub mod documents;
pub mod events;
pub mod faults;
pub mod harbour;
pub mod introspection;
pub mod measured;
pub mod node;
pub mod provider;
pub mod proxy;
pub mod restate;
pub mod rows;
pub mod scripted;
pub mod server;
pub mod storm;
mod verify;

pub use client::Client;
pub use cluster::free_port;
pub use database::{Backend, TestDatabase};
pub use server::TestServer;
pub use verify::verify;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the workspace.
///
/// # Panics
/// Never: the crate is in the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in the workspace")
        .to_path_buf()
}

/// Cargo, in the workspace, without what the cargo that runs the tests told them: build scripts
/// would take that for a change, and everything above them would be built again.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace());
    command
}

/// What a test's body may end in.
pub trait Outcome {
    /// Panics when the body failed.
    fn check(self);
}

impl Outcome for () {
    fn check(self) {}
}

impl<E: Into<anyhow::Error>> Outcome for Result<(), E> {
    fn check(self) {
        if let Err(error) = self {
            panic!("{:?}", error.into());
        }
    }
}

/// Runs a test's body on a fresh database; [`each_database!`] calls it.
///
/// # Panics
/// When the body does, or when a database that must be there is not.
pub fn run_on<F, R>(backend: Backend, body: impl FnOnce(TestDatabase) -> F)
where
    F: Future<Output = R>,
    R: Outcome,
{
    let Some(database) = TestDatabase::create(backend) else {
        return;
    };
    block_on(body(database)).check();
}

/// Runs a test's body on two threads.
///
/// # Panics
/// When the body does.
pub fn block_on<F: Future>(body: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built")
        .block_on(body)
}

/// Turns each function into a module of its name with one test on SQLite and one on PostgreSQL.
///
/// ```
/// knowledge_tests::each_database! {
///     /// What must hold.
///     async fn the_schema_is_there(db: TestDatabase) {
///         db.open().await;
///     }
/// }
/// ```
/// The body may return a `Result`, and every test has a database of its own.
#[macro_export]
macro_rules! each_database {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDatabase) $(-> $result:ty)? $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports, reason = "a body may need nothing from outside")]
                use super::*;

                #[allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]
                $(#[$meta])*
                async fn body($db: $crate::TestDatabase) $(-> $result)? $body

                #[test]
                fn sqlite() {
                    $crate::run_on($crate::Backend::Sqlite, body);
                }

                #[test]
                fn postgres() {
                    $crate::run_on($crate::Backend::Postgres, body);
                }
            }
        )*
    };
}
