//! A request that was checked.

use std::time::Duration;

use proto::agent::is_host_name;
use proto::tls::ProtocolVersion;

use super::allow::{Asked, Denied, Rights};
use super::destination::Destination;
use super::error::AppError;
use super::request::{ConnectRequest, Mode, Via};
use crate::dom0::Wish;
use crate::kernel_tls::Obstacle;

/// Most protocols in an ALPN list, and most bytes of one name.
const MAX_ALPN: (usize, usize) = (16, 255);
/// Longest name of an identity, in bytes.
const MAX_IDENTITY: usize = 64;

/// What to connect to and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) mode: Mode,
    pub(super) destination: Destination,
    pub(super) server_name: String,
    pub(super) timeout: Option<Duration>,
    /// Whether the kernel may have the keys of this connection.
    pub(super) kernel_tls: Result<(), Obstacle>,
    identity: Option<String>,
    alpn: Vec<String>,
    min_version: Option<ProtocolVersion>,
    max_version: Option<ProtocolVersion>,
    resume: Option<bool>,
}

impl Plan {
    /// Asks whether the caller may do this; chooses the identity where the rules leave only one.
    pub(super) fn permit(mut self, rights: &Rights<'_>) -> Result<Self, Denied> {
        let asked = Asked {
            mode: self.mode,
            destination: &self.destination,
            identity: self.identity.as_deref(),
        };
        let identity = rights.judge(asked)?;
        // Keys that the kernel has can be read back by whoever has the socket.
        let with_keys = Asked {
            mode: Mode::Keys,
            identity,
            ..asked
        };
        if rights.judge(with_keys).ok() != Some(identity) {
            self.kernel_tls = self.kernel_tls.and(Err(Obstacle::NotAllowed));
        }
        self.identity = identity.map(str::to_owned);
        Ok(self)
    }

    /// What dom0 is asked for.
    pub(super) fn wish(&self) -> Wish {
        Wish {
            server_name: self.server_name.clone(),
            identity: self.identity.clone(),
            alpn: self.alpn.clone(),
            min_version: self.min_version.map(|version| version.0),
            max_version: self.max_version.map(|version| version.0),
            resume: self.resume,
        }
    }
}

impl TryFrom<ConnectRequest> for Plan {
    type Error = AppError;

    fn try_from(request: ConnectRequest) -> Result<Self, AppError> {
        let bad = AppError::bad_request;
        let destination: Destination = request
            .connect
            .parse()
            .map_err(|error| bad(format!("connect: {error}")))?;
        let named = request.server_name.as_deref();
        let server_name = named.unwrap_or_else(|| destination.host()).to_owned();
        if !is_host_name(&server_name) {
            return Err(bad("server_name: not a host name".to_owned()));
        }
        let is_name = |name: &String| {
            (1..=MAX_IDENTITY).contains(&name.len())
                && name.bytes().all(|b| matches!(b, b' '..=b'~'))
        };
        if !request.identity.iter().all(is_name) {
            return Err(bad(
                "identity: not 1 to 64 printable ASCII characters".to_owned()
            ));
        }
        let (max_protocols, max_name) = MAX_ALPN;
        let is_protocol = |name: &String| (1..=max_name).contains(&name.len());
        if request.alpn.len() > max_protocols || !request.alpn.iter().all(is_protocol) {
            let text = "alpn: not at most 16 names of 1 to 255 bytes each";
            return Err(bad(text.to_owned()));
        }
        let version = |key: &str, text: Option<String>| {
            let version = text.map(|text| text.parse::<ProtocolVersion>()).transpose();
            version.map_err(|error| bad(format!("{key}: {error}")))
        };
        Ok(Self {
            min_version: version("min_version", request.min_version)?,
            max_version: version("max_version", request.max_version)?,
            mode: request.mode,
            destination,
            server_name,
            timeout: request.timeout_ms.map(Duration::from_millis),
            kernel_tls: match request.via {
                Some(Via::Relay) => Err(Obstacle::NotWanted),
                None => Ok(()),
            },
            identity: request.identity,
            alpn: request.alpn,
            resume: request.resume,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::allow::Caller;
    use crate::config::Config;

    fn plan(request: ConnectRequest) -> Result<Plan, AppError> {
        Plan::try_from(request)
    }

    fn to(connect: &str) -> ConnectRequest {
        ConnectRequest {
            connect: connect.to_owned(),
            ..ConnectRequest::default()
        }
    }

    #[test]
    fn the_host_is_the_server_name_unless_another_is_given() {
        let host = plan(to("a.example:443")).expect("good");
        assert_eq!(host.server_name, "a.example");
        let named = plan(ConnectRequest {
            server_name: Some("b.example".to_owned()),
            ..to("[::1]:443")
        });
        assert_eq!(named.expect("good").wish().server_name, "b.example");
    }

    /// Whether the kernel may have the keys of a connection of mode `socket` under these rules.
    fn kernel_tls(rules: &str, request: ConnectRequest) -> Result<(), Obstacle> {
        let text =
            format!("[dom0]\nkind = \"unix\"\npath = \"/x\"\ninsecure_development = true\n{rules}");
        let config = Config::parse(&text).expect("good rules");
        let allow = config.allow_list(Path::new("test.toml")).expect("accounts");
        let caller = Caller {
            uid: 1000,
            gid: 100,
            groups: Vec::new(),
            pid: None,
        };
        let rights = allow.rights(&caller).expect("a rule");
        let mode = Mode::Socket;
        let plan = plan(ConnectRequest { mode, ..request }).expect("good");
        plan.permit(&rights).expect("allowed").kernel_tls
    }

    #[test]
    fn the_kernel_has_keys_only_where_the_caller_may() {
        let request = || to("a.example:443");
        let both = "[[allow]]\nmodes = [\"socket\", \"keys\"]\n";
        assert_eq!(kernel_tls(both, request()), Ok(()));
        let relay = ConnectRequest {
            via: Some(Via::Relay),
            ..request()
        };
        assert_eq!(kernel_tls(both, relay), Err(Obstacle::NotWanted));
        assert_eq!(kernel_tls("", request()), Err(Obstacle::NotAllowed));
        // Keys to another destination, or of another identity, are no right to these.
        let socket = "[[allow]]\nmodes = [\"socket\"]\n";
        for keys in [
            "destinations = [\"b.example:443\"]",
            "identities = [\"web01\"]",
        ] {
            let rules = format!("{socket}[[allow]]\nmodes = [\"keys\"]\n{keys}\n");
            assert_eq!(kernel_tls(&rules, request()), Err(Obstacle::NotAllowed));
        }
        let named = ConnectRequest {
            identity: Some("web01".to_owned()),
            ..request()
        };
        let rules = format!("{socket}[[allow]]\nmodes = [\"keys\"]\nidentities = [\"web01\"]\n");
        assert_eq!(kernel_tls(&rules, named), Ok(()));
    }

    #[test]
    fn an_ipv6_address_needs_a_server_name() {
        let error = plan(to("[::1]:443")).expect_err("no name");
        assert_eq!(
            error.to_string(),
            "bad-request: server_name: not a host name"
        );
    }

    #[test]
    fn wishes_are_checked_before_anything_is_connected() {
        let base = || to("a.example:443");
        let bad = [
            to("a.example"),
            ConnectRequest {
                identity: Some(String::new()),
                ..base()
            },
            ConnectRequest {
                alpn: vec!["h2".to_owned(); 17],
                ..base()
            },
            ConnectRequest {
                alpn: vec![String::new()],
                ..base()
            },
            ConnectRequest {
                min_version: Some("1.9".to_owned()),
                ..base()
            },
        ];
        for request in bad {
            let error = plan(request.clone()).expect_err("bad");
            assert_eq!(error.code, "bad-request", "{request:?}");
        }
    }
}
