//! The names that a server is known by beside those of its machine.

use std::{fmt, str::FromStr};

use axum::http::uri::Authority;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};

/// Names of hosts in lower case, without ports: those that a proxy passes on. In the environment
/// they are separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Whether this is one of the names; `host` may have a port.
    #[must_use]
    pub fn names(&self, host: &Authority) -> bool {
        let host = host.host();
        let host = host.strip_suffix('.').unwrap_or(host);
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

impl FromStr for AllowedHosts {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let names = list.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty()).map(host);
        Ok(Self(names.collect::<Result<_, _>>()?))
    }
}

fn host(name: &str) -> Result<String, String> {
    let of_dns = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if name.chars().all(of_dns) {
        return Ok(name.trim_end_matches('.').to_ascii_lowercase());
    }
    Err(format!(
        "`{name}` is no name of a host; write it without scheme, port and path, such as \
         graph.example.org"
    ))
}

impl<'de> Deserialize<'de> for AllowedHosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Hosts)
    }
}

struct Hosts;

impl<'de> Visitor<'de> for Hosts {
    type Value = AllowedHosts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names of hosts")
    }

    fn visit_str<E: Error>(self, list: &str) -> Result<AllowedHosts, E> {
        list.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<AllowedHosts, A::Error> {
        let mut hosts = Vec::new();
        while let Some(name) = names.next_element::<String>()? {
            hosts.push(host(name.trim()).map_err(Error::custom)?);
        }
        Ok(AllowedHosts(hosts))
    }
}
