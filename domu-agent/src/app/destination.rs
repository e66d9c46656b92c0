//! Where to connect, and the name expected there.

use std::fmt;
use std::str::FromStr;

use proto::agent::is_host_name;

/// `HOST:PORT`; an IPv6 address stands in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    host: String,
    port: u16,
}

impl Destination {
    /// The host without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Destination {
    type Err = ParseDestinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(ParseDestinationError::NoPort)?;
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or(ParseDestinationError::BadPort)?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let host = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().map(|_| address).ok(),
            None => is_host_name(host).then_some(host),
        };
        let host = host.ok_or(ParseDestinationError::BadHost)?.to_owned();
        Ok(Self { host, port })
    }
}

/// Why a text is not `HOST:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseDestinationError {
    /// No colon.
    #[error("no port; write HOST:PORT")]
    NoPort,
    /// Not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    BadPort,
    /// Neither a host name, an IPv4 address nor an IPv6 address in brackets.
    #[error("not a host name, an IPv4 address or an IPv6 address in brackets")]
    BadHost,
}

/// A name for the server's certificate to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerName(String);

impl ServerName {
    /// The name as text.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl FromStr for ServerName {
    type Err = ParseDestinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = is_host_name(text);
        let name = is_name.then(|| Self(text.to_owned()));
        name.ok_or(ParseDestinationError::BadHost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read_and_shown_alike() {
        for text in ["www.example.org:443", "192.0.2.1:8443", "[2001:db8::1]:1"] {
            let destination: Destination = text.parse().expect(text);
            assert_eq!(destination.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        use ParseDestinationError::{BadHost, BadPort, NoPort};
        for (text, reason) in [
            ("example.org", NoPort),
            ("example.org:", BadPort),
            ("example.org:0", BadPort),
            ("example.org:65536", BadPort),
            (":443", BadHost),
            ("2001:db8::1:443", BadHost),
            ("[example.org]:443", BadHost),
            ("exa mple:443", BadHost),
        ] {
            assert_eq!(text.parse::<Destination>(), Err(reason), "{text}");
        }
    }
}
