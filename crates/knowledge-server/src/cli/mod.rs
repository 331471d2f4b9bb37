//! The binary's commands.
//!
//! Exit codes: 0 done; 1 failed, with one line on standard error that says what and what to do;
//! 2 wrong usage; 3 done, but some documents failed. Results go to standard output, everything
//! else to standard error. Who reads results from a pipe may stop; that is no failure.

mod args;
mod bars;
mod batch;
mod destination;
mod dry_run;
mod export;
mod extract;
mod inputs;
mod key;
mod local;
mod ontology;
mod options;
mod organization;
mod prune;
mod resolve;
mod serve;
mod verify;
mod watch;
#[cfg(feature = "restate")]
mod worker;

use std::{
    io::{ErrorKind, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Parser;

use self::args::{Arguments, Command};
use crate::{
    config::{Config, Overrides, unknown_variables},
    faults, graphql,
    store::DatabaseUrl,
    text::chain,
};

/// How a command ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Everything was done.
    Done,
    /// Everything was done, but some documents failed.
    SomeDocumentsFailed,
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    init_logs();
    if let Err(error) = faults::check() {
        tell(&format!("error: {error}"));
        return ExitCode::from(2);
    }
    match run(arguments) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::SomeDocumentsFailed) => ExitCode::from(3),
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!(
                "error: {}",
                chain(error.as_ref()).replace('\n', " ")
            ));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Ended> {
    let command = match arguments.command {
        Command::Schema => {
            print(&graphql::sdl())?;
            return Ok(Ended::Done);
        }
        Command::Resolve(command) => return resolve::run(&command),
        other => other,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(async {
        match command {
            Command::Schema | Command::Resolve(_) => Ok(Ended::Done),
            Command::Serve(command) => {
                let config = configuration(&command.overrides())?;
                serve::run(&command, config).await
            }
            Command::Extract(command) => {
                let config = configuration(&command.overrides())?;
                extract::run(command, config).await
            }
            Command::Export(command) => {
                let config = configuration(&command.overrides())?;
                export::run(command, config).await
            }
            Command::Batch(arguments) => batch::run(arguments).await,
            Command::Verify(command) => {
                let config = configuration(&command.overrides())?;
                verify::run(&command, &config).await
            }
            Command::Key(arguments) => {
                let config = configuration(&arguments.overrides())?;
                key::run(arguments.command, &config).await
            }
            Command::Organization(arguments) => {
                let config = configuration(&arguments.overrides())?;
                organization::run(arguments.command, &config).await
            }
            #[cfg(feature = "restate")]
            Command::Worker(command) => {
                let config = configuration(&command.overrides())?;
                worker::run(config).await
            }
            Command::Prune(command) => {
                let config = configuration(&command.overrides())?;
                prune::run(&command, &config).await
            }
        }
    })
}

/// Whoever reads standard output has had enough, as `head` has after some lines; no failure.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
struct ReaderGone;

/// Writes a result to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("standard output cannot be written"),
    }
}

/// Writes a line for people to standard error. Whoever reads it may have gone; the work goes on.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The configuration; variables that look like settings and are none are told.
fn configuration(overrides: &Overrides) -> anyhow::Result<Config> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    for unknown in unknown_variables(variables) {
        tell(&format!("warning: {unknown}"));
    }
    Ok(Config::load(overrides)?)
}

/// Where the database is, for commands that must not create one.
fn existing_database(config: &Config) -> anyhow::Result<DatabaseUrl> {
    let url: DatabaseUrl = config.database_url.parse()?;
    if let Some(path) = url.sqlite_path()
        && !Path::new(path).exists()
    {
        bail!("there is no database {path}; name one with --database");
    }
    Ok(url)
}

/// Whether the user wants no colours (no-color.org).
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|wish| !wish.is_empty())
}

fn init_logs() {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_from_env("KNOWLEDGE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,sea_orm_migration=warn"));
    // Set once in a process; a second call would be a bug of ours that changes nothing for users.
    let _ = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()) && !no_color())
        .with_target(false)
        .try_init();
}
