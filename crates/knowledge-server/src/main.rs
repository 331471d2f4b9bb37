//! The binary `knowledge`.

use std::process::ExitCode;

/// The C library's allocator keeps most of what a large request or document took, and costs a sixth
/// of the processor time.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    knowledge_server::cli::main()
}
