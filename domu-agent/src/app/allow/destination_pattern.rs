//! Destinations that a rule allows.

use std::net::Ipv6Addr;
use std::str::FromStr;

use proto::agent::is_host_name;
use serde::Deserialize;

use crate::app::destination::Destination;

/// `HOST:PORT` as in a request, with stars:
///
/// | Pattern | Means |
/// |---|---|
/// | `*.example.org:443` | one label of any content before `.example.org` |
/// | `*:443` | any host |
/// | `www.example.org:*` | any port |
///
/// Names are compared without regard to case, IPv6 addresses by their value. Nothing is resolved:
/// a pattern with a name does not fit the name's address, nor the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct DestinationPattern {
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Any,
    /// A name or an IPv4 address.
    Name(String),
    /// The name behind `*.`.
    AnyLabelBefore(String),
    Ipv6(Ipv6Addr),
}

impl DestinationPattern {
    /// Whether `destination` is one of those meant.
    pub(crate) fn fits(&self, destination: &Destination) -> bool {
        self.port.is_none_or(|port| port == destination.port())
            && self.host.fits(destination.host())
    }
}

impl HostPattern {
    fn fits(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => host.eq_ignore_ascii_case(name),
            Self::AnyLabelBefore(name) => host
                .split_once('.')
                .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(name)),
            Self::Ipv6(address) => host.parse() == Ok(*address),
        }
    }
}

impl FromStr for DestinationPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(ParsePatternError)?;
        let port = match port {
            "*" => None,
            port => Some(port.parse().ok().filter(|port| *port != 0)),
        };
        let port = match port {
            Some(port) => Some(port.ok_or(ParsePatternError)?),
            None => None,
        };
        Ok(Self {
            host: host.parse()?,
            port,
        })
    }
}

impl FromStr for HostPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let bracketed = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(address) = bracketed {
            let address = address.parse().map_err(|_| ParsePatternError)?;
            return Ok(Self::Ipv6(address));
        }
        match text.strip_prefix("*.") {
            Some(name) if is_host_name(name) => Ok(Self::AnyLabelBefore(name.to_owned())),
            None if is_host_name(text) => Ok(Self::Name(text.to_owned())),
            _ => Err(ParsePatternError),
        }
    }
}

impl TryFrom<String> for DestinationPattern {
    type Error = ParsePatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Not a destination pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not HOST:PORT, where HOST is a name, an address, \"*\", or \"*.\" and a name, and PORT a \
     number from 1 to 65535 or \"*\""
)]
pub(crate) struct ParsePatternError;

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, destination: &str) -> bool {
        let pattern: DestinationPattern = pattern.parse().expect(pattern);
        pattern.fits(&destination.parse().expect(destination))
    }

    #[test]
    fn a_name_is_itself_in_any_case() {
        assert!(fits("www.example.org:443", "WWW.example.org:443"));
        for other in [
            "www.example.org:444",
            "example.org:443",
            "a.www.example.org:443",
            "www.example.org.evil.example:443",
            "192.0.2.1:443",
        ] {
            assert!(!fits("www.example.org:443", other), "{other}");
        }
    }

    #[test]
    fn a_star_before_a_name_is_exactly_one_label() {
        assert!(fits("*.example.org:443", "www.Example.org:443"));
        for other in [
            "example.org:443",
            "a.b.example.org:443",
            "wwwexample.org:443",
            "www.example.com:443",
        ] {
            assert!(!fits("*.example.org:443", other), "{other}");
        }
    }

    #[test]
    fn a_star_alone_is_any_host_or_any_port() {
        for host in ["a.example:443", "192.0.2.1:443", "[::1]:443"] {
            assert!(fits("*:443", host), "{host}");
        }
        assert!(!fits("*:443", "a.example:80"));
        assert!(fits("a.example:*", "a.example:80"));
        assert!(!fits("a.example:*", "b.example:80"));
        assert!(fits("*:*", "[2001:db8::1]:1"));
    }

    #[test]
    fn addresses_are_compared_by_value() {
        assert!(fits("[2001:db8:0::1]:443", "[2001:DB8::1]:443"));
        assert!(!fits("[2001:db8::1]:443", "[2001:db8::2]:443"));
        assert!(!fits("[::1]:443", "localhost:443"));
        assert!(fits("192.0.2.1:443", "192.0.2.1:443"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "a.example",
            "a.example:",
            "a.example:0",
            "a.example:65536",
            "a.example:4*",
            ":443",
            "*.:443",
            "a.*:443",
            "*a.example:443",
            "*.*.example:443",
            "*.[::1]:443",
            "[a.example]:443",
            "::1:443",
        ] {
            assert_eq!(
                text.parse::<DestinationPattern>(),
                Err(ParsePatternError),
                "{text}"
            );
        }
    }
}
