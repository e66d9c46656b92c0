//! What an application asks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::AppError;

/// One line from an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// A TLS connection.
    Connect(Box<ConnectRequest>),
    /// What the guest may use.
    Identities,
    /// How a connection ended, by its number.
    Ended(u64),
    /// How the agent is doing.
    Status,
}

/// Asks for a TLS connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectRequest {
    /// `HOST:PORT`; an IPv6 address stands in brackets.
    pub connect: String,
    /// The name that the server's certificate must carry; the host if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// The identity to use; the only one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Protocols for ALPN, the most wanted first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// The lowest TLS version, `1.2` or `1.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<String>,
    /// The highest TLS version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_version: Option<String>,
    /// Whether an earlier session may be resumed; the binding's rule if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<bool>,
    /// Time for the connection to stand, in milliseconds; the agent's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What the application wants to hold in the end.
    #[serde(default)]
    pub mode: Mode,
    /// Mode `socket`: who is to seal and open records; the kernel if it can and may, else the
    /// agent, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

/// Who seals and opens the records of mode `socket`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The agent, for an application that cannot deal with the ends of a kernel TLS socket.
    Relay,
}

/// What an application holds when a TLS connection stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The socket of its request, which then carries plaintext.
    #[default]
    Stream,
    /// A socket of its own that speaks plaintext.
    Socket,
    /// The keys and the TCP connection.
    Keys,
}

impl Mode {
    /// The modes in which the keys stay in the agent.
    pub(crate) fn without_keys() -> Vec<Self> {
        vec![Self::Stream, Self::Socket]
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "stream",
            Self::Socket => "socket",
            Self::Keys => "keys",
        })
    }
}

/// Which request a line is, whatever else stands in it.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    connect: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    identities: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    ended: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    status: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentitiesRequest {
    #[serde(rename = "identities")]
    _identities: Nothing,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndedRequest {
    ended: EndedSession,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndedSession {
    session: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusRequest {
    #[serde(rename = "status")]
    _status: Nothing,
}

/// `{}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Request {
    /// Reads one line.
    ///
    /// # Errors
    /// [`AppError`] `bad-request`.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, AppError> {
        let bad = |error: serde_json::Error| AppError::bad_request(error.to_string());
        // An array of the values would do for serde.
        if line
            .trim_ascii_start()
            .first()
            .is_some_and(|byte| *byte != b'{')
        {
            return Err(AppError::bad_request("not a JSON object"));
        }
        let kind: Kind = serde_json::from_slice(line).map_err(bad)?;
        match (kind.connect, kind.identities, kind.ended, kind.status) {
            (Some(_), None, None, None) => {
                let connect = serde_json::from_slice(line).map_err(bad)?;
                Ok(Self::Connect(Box::new(connect)))
            }
            (None, Some(_), None, None) => {
                let _: IdentitiesRequest = serde_json::from_slice(line).map_err(bad)?;
                Ok(Self::Identities)
            }
            (None, None, Some(_), None) => {
                let request: EndedRequest = serde_json::from_slice(line).map_err(bad)?;
                Ok(Self::Ended(request.ended.session))
            }
            (None, None, None, Some(_)) => {
                let _: StatusRequest = serde_json::from_slice(line).map_err(bad)?;
                Ok(Self::Status)
            }
            _ => Err(AppError::bad_request(
                "name one of \"connect\", \"identities\", \"ended\" and \"status\"",
            )),
        }
    }

    /// The request as one line of JSON, with its newline.
    pub(crate) fn to_line(&self) -> String {
        let json = match self {
            Self::Connect(connect) => serde_json::to_string(connect),
            Self::Identities => Ok(r#"{"identities":{}}"#.to_owned()),
            Self::Ended(session) => serde_json::to_string(&EndedRequest {
                ended: EndedSession { session: *session },
            }),
            Self::Status => Ok(r#"{"status":{}}"#.to_owned()),
        };
        let mut line = json.expect("texts and numbers are always JSON");
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(line: &str) -> String {
        let error = Request::parse(line.as_bytes()).expect_err("must be refused");
        assert_eq!(error.code, "bad-request");
        error.message
    }

    #[test]
    fn the_smallest_request_has_the_defaults() {
        let request = Request::parse(br#"{"connect":"a.example:443"}"#);
        let expected = ConnectRequest {
            connect: "a.example:443".to_owned(),
            ..ConnectRequest::default()
        };
        assert_eq!(expected.mode, Mode::Stream);
        assert_eq!(request, Ok(Request::Connect(Box::new(expected))));
    }

    #[test]
    fn what_is_not_one_request_is_refused() {
        assert!(message("").contains("EOF"));
        for other in ["[]", "[\"a:1\"]", "1", "\"connect\"", "\u{fffd}"] {
            assert_eq!(message(other), "not a JSON object");
        }
        assert!(message("{connect}").contains("key must be a string"));
        assert!(message("{}").contains("name one of"));
        assert!(message(r#"{"identities":{},"status":{}}"#).contains("name one of"));
        assert!(message(r#"{"connect":"a:1"} {}"#).contains("trailing"));
    }

    #[test]
    fn unknown_keys_and_modes_are_refused_by_name() {
        let unknown = message(r#"{"connect":"a:1","colour":1}"#);
        assert!(unknown.contains("colour"), "{unknown}");
        let mode = message(r#"{"connect":"a:1","mode":"pipe"}"#);
        assert!(mode.contains("pipe") && mode.contains("stream"), "{mode}");
        assert!(message(r#"{"status":{"all":true}}"#).contains("all"));
        assert!(message(r#"{"connect":"a:1","connect":"b:1"}"#).contains("duplicate"));
    }

    fn any_request() -> impl Strategy<Value = Request> {
        let text = || prop::option::of("\\PC{0,20}");
        let connect = (
            "\\PC{0,30}",
            text(),
            text(),
            prop::collection::vec("[ -~]{1,9}", 0..4),
            any::<Option<bool>>(),
            any::<Option<u64>>(),
        )
            .prop_map(
                |(connect, server_name, identity, alpn, resume, timeout_ms)| {
                    Request::Connect(Box::new(ConnectRequest {
                        connect,
                        server_name,
                        identity,
                        alpn,
                        resume,
                        timeout_ms,
                        ..ConnectRequest::default()
                    }))
                },
            );
        prop_oneof![
            connect,
            Just(Request::Identities),
            any::<u64>().prop_map(Request::Ended),
            Just(Request::Status)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_request_survives_its_line_and_no_prefix_of_it_is_one(request in any_request()) {
            let line = request.to_line();
            let json = line.strip_suffix('\n').expect("ends the line");
            prop_assert!(!json.contains('\n'));
            prop_assert_eq!(Request::parse(json.as_bytes()), Ok(request));
            for cut in 0..json.len() {
                prop_assert!(Request::parse(&json.as_bytes()[..cut]).is_err());
            }
        }
    }
}
