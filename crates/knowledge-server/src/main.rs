//! The binary `knowledge`.
fn main() {}
