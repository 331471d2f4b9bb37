//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use knowledge_domain::{
    Role, Slug,
    batch::{BatchStage, Extractor},
    ids::{ApiKeyId, BatchId},
};

use super::options::{ExtractorArg, Options};
use crate::{config::Overrides, export::Format};

/// Turns batches of documents into a typed, deduplicated, evidence-backed knowledge graph.
#[derive(Debug, Parser)]
#[command(name = "knowledge", version)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server.
    Serve(Serve),
    /// Extract the graph of files and folders, in this process.
    Extract(Extract),
    /// Start, watch and steer batches of a running server.
    Batch(BatchArguments),
    /// Write the graph of a batch, or of everything.
    Export(Export),
    /// Find the rows of tables that mean the same.
    Resolve(Resolve),
    /// Check that the database keeps its promises; changes nothing.
    Verify(Verify),
    /// Remove what finished work kept to be resumed; the graph and the events stay.
    Prune(Prune),
    /// Make, list and revoke API keys.
    Key(KeyArguments),
    /// Make and list organisations, each with a graph of its own.
    Organization(OrganizationArguments),
    /// Run documents for servers in the mode `engine`, as Restate asks.
    #[cfg(feature = "restate")]
    Worker(WorkerArguments),
    /// Print the GraphQL schema.
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address to listen on; one that other machines reach takes API keys (`knowledge key create`).
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// What extracts when a batch does not say.
    #[arg(long, value_enum)]
    pub(super) extractor: Option<ExtractorArg>,
    /// Print the configuration with its sources, and end.
    #[arg(long)]
    pub(super) print_config: bool,
}

#[cfg(feature = "restate")]
#[derive(Debug, Args)]
pub(super) struct WorkerArguments {
    /// Address that Restate asks this worker at.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// Where Restate finds the worker, when not where it listens: a balancer, as a rule.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// `postgres://USER:PASSWORD@HOST:PORT/NAME`, as the servers have it.
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Extract {
    /// Files and folders: .txt, .md, .html, .jsonl.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// An ontology whose classes and properties are the types and predicates: .ttl, .rdf, .owl, .nt,
    /// .jsonld; the core types without it.
    #[arg(long, value_name = "FILE")]
    pub(super) ontology: Option<PathBuf>,
    /// Where the graph goes; standard output without it, or with `-`.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// The graph's format; without it by the ending of --out, or json on standard output.
    #[arg(long, value_enum)]
    pub(super) format: Option<Format>,
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// Whose graph it is: the name of an organisation.
    #[arg(
        long,
        value_name = "NAME",
        env = "KNOWLEDGE_ORGANIZATION",
        default_value = Slug::DEFAULT
    )]
    pub(super) organization: Slug,
    #[command(flatten)]
    pub(super) options: Options,
    /// Say what would be asked of a model and what it would cost, and ask nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Try again what failed when these arguments were run before.
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) retry: bool,
    /// Print the totals as JSON (with --out).
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct BatchArguments {
    #[command(subcommand)]
    pub(super) command: BatchCommand,
    /// Where the server is; the API key, where it asks for one, is taken from `KNOWLEDGE_API_KEY`.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "KNOWLEDGE_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(super) server: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum BatchCommand {
    /// Start a batch from files and folders.
    Start(BatchStart),
    /// Show a batch.
    Status {
        /// The batch.
        batch: BatchId,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Watch a batch to its end; reconnects by itself.
    Watch {
        /// The batch.
        batch: BatchId,
        /// Print every event as a line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Cancel a batch, promptly and for good.
    Cancel {
        /// The batch.
        batch: BatchId,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a batch use more tokens; what waits for its budget goes on.
    Raise {
        /// The batch.
        batch: BatchId,
        /// The most tokens that model calls may use, all in all.
        #[arg(long, value_name = "TOKENS", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(1..))]
        token_budget: i64,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try the failed and skipped documents of an ended batch again.
    Retry {
        /// The batch.
        batch: BatchId,
        /// Watch it to its end.
        #[arg(long)]
        watch: bool,
        /// Print it as JSON; with --watch every event as a line.
        #[arg(long)]
        json: bool,
    },
    /// Show whether workers come to the same, for a batch of the mode `shadow`.
    Parity {
        /// The batch.
        batch: BatchId,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List batches, the newest first.
    List {
        /// Only those that are so far.
        #[arg(long, value_enum)]
        stage: Option<StageArg>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Print each as a line of JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct BatchStart {
    /// Files and folders: .txt, .md, .html, .jsonl.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// An ontology to register and to use: .ttl, .rdf, .owl, .nt, .jsonld; the core types without it.
    #[arg(long, value_name = "FILE", conflicts_with = "ontology_id")]
    pub(super) ontology: Option<PathBuf>,
    /// An ontology that the server knows.
    #[arg(long, value_name = "ID")]
    pub(super) ontology_id: Option<String>,
    /// Names the request: sent again, it gives the same batch.
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
    /// Watch the batch to its end.
    #[arg(long)]
    pub(super) watch: bool,
    /// Print the batch as JSON; with --watch every event as a line.
    #[arg(long)]
    pub(super) json: bool,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StageArg {
    Pending,
    Chunking,
    ExtractingMentions,
    ExtractingEntities,
    ExtractingRelations,
    Assembling,
    Resolving,
    Completed,
    Failed,
    Cancelled,
}

impl From<StageArg> for BatchStage {
    fn from(argument: StageArg) -> Self {
        match argument {
            StageArg::Pending => Self::Pending,
            StageArg::Chunking => Self::Chunking,
            StageArg::ExtractingMentions => Self::ExtractingMentions,
            StageArg::ExtractingEntities => Self::ExtractingEntities,
            StageArg::ExtractingRelations => Self::ExtractingRelations,
            StageArg::Assembling => Self::Assembling,
            StageArg::Resolving => Self::Resolving,
            StageArg::Completed => Self::Completed,
            StageArg::Failed => Self::Failed,
            StageArg::Cancelled => Self::Cancelled,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The batch; everything without it.
    pub(super) batch: Option<BatchId>,
    /// The graph's format; without it by the ending of --out, or json.
    #[arg(long, value_enum)]
    pub(super) format: Option<Format>,
    /// Where the graph goes; standard output without it, or with `-`.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// Whose graph it is: the name of an organisation.
    #[arg(
        long,
        value_name = "NAME",
        env = "KNOWLEDGE_ORGANIZATION",
        default_value = Slug::DEFAULT
    )]
    pub(super) organization: Slug,
}

#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// Tab-separated values, the first of a line its id.
    #[arg(long, value_name = "FILE")]
    pub(super) left: PathBuf,
    /// The table to compare with; without it the left one with itself.
    #[arg(long, value_name = "FILE")]
    pub(super) right: Option<PathBuf>,
    /// The first line of each table names its columns.
    #[arg(long)]
    pub(super) header: bool,
    /// Print a JSON object a line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Only what finished more than so many days ago.
    #[arg(long, value_name = "DAYS")]
    pub(super) older_than: u32,
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// Count what would be removed, and remove nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print the counts as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct KeyArguments {
    #[command(subcommand)]
    pub(super) command: KeyCommand,
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[arg(long, global = true, value_name = "URL")]
    pub(super) database: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print its secret, this once. The first key makes the server ask everybody for
    /// one.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What its holder may do: read and watch; start and steer, too; make keys, too.
        #[arg(long, value_enum)]
        role: RoleArg,
        /// Whose graph its holder sees: the name of an organisation.
        #[arg(
            long,
            value_name = "NAME",
            env = "KNOWLEDGE_ORGANIZATION",
            default_value = Slug::DEFAULT
        )]
        organization: Slug,
        /// Days until it ends by itself; never without it.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        expires_in: Option<u32>,
        /// Print the key and its secret as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List all keys, without their secrets.
    List {
        /// Print a JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// End a key for good; streams that it has opened end within seconds.
    Revoke {
        /// The key.
        key: ApiKeyId,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct OrganizationArguments {
    #[command(subcommand)]
    pub(super) command: OrganizationCommand,
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[arg(long, global = true, value_name = "URL")]
    pub(super) database: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum OrganizationCommand {
    /// Make an organisation. It shares nothing with others: no batch, no entity, no kept answer.
    Create {
        /// Its name in commands: small letters, digits and hyphens.
        name: Slug,
        /// Its name for people; the other one without it.
        #[arg(long, value_name = "NAME")]
        title: Option<String>,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List all organisations.
    List {
        /// Print a JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

/// What the holder of a key may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleArg {
    /// Read and watch.
    Viewer,
    /// Start and steer batches, too.
    Editor,
    /// Make and revoke keys and read `/metrics`, too.
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Editor => Self::Editor,
            RoleArg::Admin => Self::Admin,
        }
    }
}

impl Serve {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            database_url: self.database.clone(),
            listen: self.listen.clone(),
            extractor: self.extractor.map(Extractor::from),
            ..Overrides::default()
        }
    }
}

impl Extract {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            database_url: self.database.clone(),
            extractor: self.options.extractor.map(Extractor::from),
            ..Overrides::default()
        }
    }
}

/// What a command says that takes nothing from the configuration but the database.
fn of_database(database: Option<&String>) -> Overrides {
    Overrides {
        database_url: database.cloned(),
        ..Overrides::default()
    }
}

impl Export {
    pub(super) fn overrides(&self) -> Overrides {
        of_database(self.database.as_ref())
    }
}

impl Verify {
    pub(super) fn overrides(&self) -> Overrides {
        of_database(self.database.as_ref())
    }
}

impl KeyArguments {
    pub(super) fn overrides(&self) -> Overrides {
        of_database(self.database.as_ref())
    }
}

impl OrganizationArguments {
    pub(super) fn overrides(&self) -> Overrides {
        of_database(self.database.as_ref())
    }
}

#[cfg(feature = "restate")]
impl WorkerArguments {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            worker_listen: self.listen.clone(),
            worker_url: self.url.clone(),
            ..of_database(self.database.as_ref())
        }
    }
}

impl Prune {
    pub(super) fn overrides(&self) -> Overrides {
        of_database(self.database.as_ref())
    }
}
