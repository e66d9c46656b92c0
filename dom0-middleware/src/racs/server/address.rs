//! Where a server listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::str::FromStr;

use thiserror::Error;

/// The port that the author's configurations use; none is assigned.
///
/// Source: specs/racs.md §1.
pub const DEFAULT_PORT: u16 = 7777;

/// A host and a port; as text `HOST`, `HOST:PORT`, `ADDRESS` or `[ADDRESS]:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    host: String,
    port: u16,
}

impl ListenAddress {
    /// Listens there, on the first address that a name has.
    pub(super) fn listen(&self) -> std::io::Result<TcpListener> {
        TcpListener::bind((self.host.as_str(), self.port))
    }
}

impl FromStr for ListenAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self {
                host: address.ip().to_string(),
                port: address.port(),
            });
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
            return Ok(Self {
                host: address.to_string(),
                port: DEFAULT_PORT,
            });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| NoAddress)?),
            None => (text, DEFAULT_PORT),
        };
        let is_name = !host.is_empty()
            && host.len() <= MAX_HOST
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        match is_name {
            true => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            false => Err(NoAddress),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.port);
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

/// Not where one can listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not HOST, HOST:PORT or [ADDRESS]:PORT")]
pub struct NoAddress;

/// The longest name in the domain name system.
const MAX_HOST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_left_out() {
        for (text, expected) in [
            ("127.0.0.1", "127.0.0.1:7777"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("::", "[::]:7777"),
            ("[::1]", "[::1]:7777"),
            ("[::1]:9", "[::1]:9"),
            ("grid.example.org", "grid.example.org:7777"),
            ("grid:8000", "grid:8000"),
        ] {
            let address: ListenAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), expected);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        for bad in [
            "",
            ":7777",
            "grid:",
            "grid:x",
            "grid:65536",
            "a b",
            "racs://grid",
            "[grid]",
        ] {
            assert_eq!(bad.parse::<ListenAddress>(), Err(NoAddress), "{bad}");
        }
    }
}
