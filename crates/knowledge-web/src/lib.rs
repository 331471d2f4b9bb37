//! The browser pages, embedded in the binary.
//!
//! Owns what `npm run build` left in `dist` and the pages that need no build. A binary that was
//! compiled without `dist` says so where a built page would be.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "dist"]
#[allow_missing = true]
struct Dist;

/// A built file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The bytes.
    pub content: Cow<'static, [u8]>,
    /// The media type: `text/javascript`.
    pub media_type: String,
}

/// The dashboard, or what there is without it and how to build it.
#[must_use]
pub fn index() -> Cow<'static, [u8]> {
    Dist::get("index.html").map_or(
        Cow::Borrowed(include_bytes!("index.html").as_slice()),
        |page| page.data,
    )
}

/// The explorer of the GraphQL API, or how to build it.
#[must_use]
pub fn graphiql() -> Cow<'static, [u8]> {
    Dist::get("graphiql.html").map_or(
        Cow::Borrowed(include_bytes!("not_built.html").as_slice()),
        |page| page.data,
    )
}

/// A built file by its path under `dist`: `assets/graphiql-1a2b.js`.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    // In debug builds the files are read from the disk: nothing above `dist` is a path of it.
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    Dist::get(path).map(|file| Asset {
        media_type: file.metadata.mimetype().to_owned(),
        content: file.data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_ask_nobody_else_for_anything() {
        for page in [index(), graphiql()] {
            let page = String::from_utf8(page.into_owned()).unwrap();
            for attribute in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
                assert!(!page.contains(attribute), "{attribute}");
            }
        }
    }

    #[test]
    fn nothing_outside_the_build_is_served() {
        for path in [
            "",
            "../Cargo.toml",
            "assets/../../Cargo.toml",
            "/etc/passwd",
            "assets//x",
        ] {
            assert_eq!(asset(path), None, "{path}");
        }
    }
}
