//! Where a grid is.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// The port of grids where none is said: that of the protocol's author, since none is assigned.
pub const DEFAULT_PORT: u16 = 7777;

/// A grid's host and port: `grid.example`, `grid.example:7000`, `192.0.2.1`, `[2001:db8::1]:7777`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GridAddress {
    host: String,
    port: u16,
}

impl GridAddress {
    /// The host: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for GridAddress {
    type Err = GridAddressError;

    fn from_str(text: &str) -> Result<Self, GridAddressError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(GridAddressError::Host)?;
                host.parse::<Ipv6Addr>()
                    .map_err(|_| GridAddressError::Host)?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if rest.is_empty() => (host, None),
                    None => return Err(GridAddressError::Port),
                }
            }
            None if text.parse::<Ipv6Addr>().is_ok() => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || host.len() > MAX_HOST || !host.bytes().all(is_name) {
            return Err(GridAddressError::Host);
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| GridAddressError::Port)?,
            None => DEFAULT_PORT,
        };
        if port == 0 {
            return Err(GridAddressError::Port);
        }
        let host = host.to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for GridAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Why a text is no address of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GridAddressError {
    /// The host.
    #[error("not a host name or address; write HOST, HOST:PORT or [IPV6]:PORT")]
    Host,
    /// The port.
    #[error("not a port from 1 to 65535; write HOST, HOST:PORT or [IPV6]:PORT")]
    Port,
}

/// The longest name in DNS, in characters (RFC 1035 §2.3.4).
const MAX_HOST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_left_out() {
        for (text, shown) in [
            ("grid.example", "grid.example:7777"),
            ("grid.example:7000", "grid.example:7000"),
            ("192.0.2.1", "192.0.2.1:7777"),
            ("2001:db8::1", "[2001:db8::1]:7777"),
            ("[2001:db8::1]", "[2001:db8::1]:7777"),
            ("[2001:db8::1]:1", "[2001:db8::1]:1"),
        ] {
            let address: GridAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let refused = |text: &str| text.parse::<GridAddress>().expect_err(text);
        for text in ["", ":7777", "a b", "a/b", "[grid]:1", "[::1", "user@host"] {
            assert_eq!(refused(text), GridAddressError::Host, "{text}");
        }
        for text in [
            "grid:",
            "grid:0",
            "grid:65536",
            "grid:x",
            "[::1]7777",
            "a:1:2",
        ] {
            assert_eq!(refused(text), GridAddressError::Port, "{text}");
        }
        assert_eq!(refused(&"a".repeat(254)), GridAddressError::Host);
    }
}
