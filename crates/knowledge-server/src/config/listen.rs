use std::net::{SocketAddr, ToSocketAddrs};

use super::ConfigurationError;

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// The address.
    pub address: SocketAddr,
    /// Whether only this machine can reach it.
    pub is_loopback: bool,
}

impl ListenAddress {
    /// The address that a setting means.
    ///
    /// # Errors
    /// [`ConfigurationError::Address`] where it means none.
    pub fn of(listen: &str) -> Result<Self, ConfigurationError> {
        let unknown = || ConfigurationError::Address(listen.to_owned());
        let addresses: Vec<SocketAddr> = listen.to_socket_addrs().map_err(|_| unknown())?.collect();
        Ok(Self {
            address: addresses.first().copied().ok_or_else(unknown)?,
            is_loopback: addresses.iter().all(|address| address.ip().is_loopback()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_what_others_reach() {
        for listen in ["127.0.0.1:0", "[::1]:8080", "127.1.2.3:1"] {
            assert!(ListenAddress::of(listen).unwrap().is_loopback, "{listen}");
        }
        for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
            assert!(!ListenAddress::of(listen).unwrap().is_loopback, "{listen}");
        }
        for listen in ["", "8080", "127.0.0.1", "127.0.0.1:99999"] {
            let error = ListenAddress::of(listen).unwrap_err();
            assert!(matches!(error, ConfigurationError::Address(_)), "{listen}");
        }
    }
}
