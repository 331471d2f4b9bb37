//! Who calls, and what they may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ids::{ApiKeyId, OrganizationId};

/// What the holder of an API key may do; each role may do what those before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Reads and watches.
    Viewer,
    /// Starts and steers.
    Editor,
    /// Makes and revokes keys, and reads what operators want to know.
    Admin,
}

/// On whose behalf something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Whose rows these are.
    pub organization: OrganizationId,
    /// What they may do.
    pub role: Role,
    /// The key that says so; none where no keys are configured.
    pub key: Option<ApiKeyId>,
}

impl Caller {
    /// Whoever can connect to a server without API keys.
    pub const ANYBODY: Self = Self {
        organization: OrganizationId::DEFAULT,
        role: Role::Admin,
        key: None,
    };
}

/// The name of an organisation in commands: up to 63 small letters, digits and hyphens, the first
/// of them no hyphen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

/// A text that cannot name an organisation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot name an organisation; use up to 63 small letters, digits and hyphens, the first no hyphen"
)]
pub struct ParseSlugError(String);

impl Slug {
    const MAX: usize = 63;

    /// The organisation that is there from the start.
    pub const DEFAULT: &str = "default";

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = ParseSlugError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let fits = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_name = (1..=Self::MAX).contains(&given.len())
            && given.bytes().all(fits)
            && !given.starts_with('-');
        if is_name {
            Ok(Self(given.to_owned()))
        } else {
            Err(ParseSlugError(given.chars().take(80).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_grow() {
        assert!(Role::Viewer < Role::Editor && Role::Editor < Role::Admin);
        assert_eq!("editor".parse(), Ok(Role::Editor));
        assert_eq!(Role::Admin.to_string(), "admin");
    }

    #[test]
    fn organisations_have_plain_names() {
        for slug in ["default", "a", "acme-2", &"x".repeat(63)] {
            assert_eq!(
                slug.parse::<Slug>().map(|slug| slug.to_string()),
                Ok(slug.to_owned())
            );
        }
        for slug in ["", "-a", "Acme", "a b", "ä", "a_b", &"x".repeat(64)] {
            assert!(slug.parse::<Slug>().is_err(), "{slug}");
        }
    }
}
