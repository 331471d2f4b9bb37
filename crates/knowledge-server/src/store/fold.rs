//! Literals that say the same.

use sea_orm::{
    DbBackend,
    sea_query::{Expr, Func},
};

/// A literal as it is compared: in lower case, of ASCII letters only, which both databases and Rust
/// fold alike. SQLite knows no others; the collation holds PostgreSQL to the same.
pub(super) fn folded(backend: DbBackend, literal: Expr) -> Expr {
    match backend {
        DbBackend::Postgres => Expr::cust_with_exprs(r#"LOWER($1 COLLATE "C")"#, [literal]),
        _ => Func::lower(literal).into(),
    }
}
