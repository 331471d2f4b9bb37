use std::net::{SocketAddr, ToSocketAddrs};

use super::ConfigurationError;

/// The address to listen on, if it is reachable from this machine only.
///
/// # Errors
/// [`ConfigurationError::NotLoopback`] for every other address: until there are API keys, whoever
/// can connect can do everything.
pub fn loopback_address(listen: &str) -> Result<SocketAddr, ConfigurationError> {
    let unknown = || ConfigurationError::Address(listen.to_owned());
    let addresses: Vec<SocketAddr> = listen.to_socket_addrs().map_err(|_| unknown())?.collect();
    let first = addresses.first().copied().ok_or_else(unknown)?;
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        Ok(first)
    } else {
        Err(ConfigurationError::NotLoopback(listen.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        for listen in ["127.0.0.1:0", "[::1]:8080", "127.1.2.3:1"] {
            assert!(loopback_address(listen).is_ok(), "{listen}");
        }
        for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
            let error = loopback_address(listen).unwrap_err();
            assert!(
                matches!(error, ConfigurationError::NotLoopback(_)),
                "{listen}"
            );
        }
        for listen in ["", "8080", "127.0.0.1", "127.0.0.1:99999"] {
            let error = loopback_address(listen).unwrap_err();
            assert!(matches!(error, ConfigurationError::Address(_)), "{listen}");
        }
    }
}
