//! Where a database is, as users write it and as it may be shown.

use std::{fmt, str::FromStr};

use super::StoreError;

/// Parameters of a URL that hold no secret.
const SHOWN_PARAMETERS: [&str; 6] = ["user", "host", "port", "dbname", "sslmode", "mode"];

/// Where the database is; shown with its password masked.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Kind);

/// A kind of database, and where it is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file.
    Sqlite {
        /// Its path.
        path: String,
    },
    /// A server.
    Postgres {
        /// As PostgreSQL's clients take it.
        url: String,
    },
}

impl DatabaseUrl {
    /// The SQLite database in this file.
    pub fn sqlite(path: impl Into<String>) -> Self {
        Self(Kind::Sqlite { path: path.into() })
    }

    /// The file of a SQLite database.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&str> {
        match &self.0 {
            Kind::Sqlite { path } => Some(path),
            Kind::Postgres { .. } => None,
        }
    }
}

impl DatabaseUrl {
    /// Which database it names.
    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let refused = || StoreError::Url { url: masked(url) };
        if let Some(path) = url.strip_prefix("sqlite://") {
            let path = unescaped(path);
            // An in-memory database would lose everything that this tool is for.
            if path.is_empty() || path.contains(":memory:") || path.contains(['?', '\0']) {
                return Err(refused());
            }
            return Ok(Self::sqlite(path));
        }
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self(Kind::Postgres {
                url: url.to_owned(),
            })),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sqlite { path } => write!(f, "sqlite://{path}"),
            Kind::Postgres { url } => f.write_str(&masked(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A path as it is, of one that a URL may have escaped: `%20` is a space. What is no escape stays.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, next) = match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, after),
                _ => (b'%', tail),
            },
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = next;
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

fn digit(letter: u8) -> Option<u8> {
    let value = char::from(letter).to_digit(16)?;
    u8::try_from(value).ok()
}

/// The URL without its secrets: everything between the user's colon and the last `@`, and every
/// parameter but the few that say how to connect.
fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.chars().take(80).collect();
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut shown = match place.rsplit_once('@') {
        Some((credentials, host)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}")
        }
        None => format!("{scheme}://{place}"),
    };
    for (index, parameter) in query.split('&').filter(|part| !part.is_empty()).enumerate() {
        let name = parameter.split('=').next().unwrap_or_default();
        shown.push(if index == 0 { '?' } else { '&' });
        if SHOWN_PARAMETERS.contains(&name) {
            shown.push_str(parameter);
        } else {
            shown.push_str(name);
            shown.push_str("=***");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        let url: DatabaseUrl = "postgres://me:s3cret@p@db:5432/knowledge".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://me:***@db:5432/knowledge");
        assert!(!format!("{url:?}").contains("s3cret"));
        let url: DatabaseUrl = "postgres://h/d?password=s3cret&user=u".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://h/d?password=***&user=u");
    }

    #[test]
    fn a_file_has_one_path_however_its_url_is_written() {
        for (url, path) in [
            ("sqlite://my notes/a.db", "my notes/a.db"),
            ("sqlite://my%20notes/a.db", "my notes/a.db"),
            ("sqlite:///%C3%BC/\u{1f980}#1.db", "/ü/\u{1f980}#1.db"),
            ("sqlite://100%/%zz%2", "100%/%zz%2"),
            ("sqlite://%ff", "%ff"),
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            assert_eq!(url.sqlite_path(), Some(path));
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "mysql://a",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://:memory:",
            "postgres://",
            "knowledge.db",
        ] {
            assert!(url.parse::<DatabaseUrl>().is_err(), "{url}");
        }
    }
}
