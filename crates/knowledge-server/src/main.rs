//! The binary `knowledge`.

use std::process::ExitCode;

fn main() -> ExitCode {
    knowledge_server::cli::main()
}
