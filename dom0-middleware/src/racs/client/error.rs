//! What went wrong with which grid, and what to do.

use proto::racs::{AnswerError, FailureClass, StatusCode};
use rustls::AlertDescription;
use thiserror::Error;

use super::address::GridAddress;
use super::conversation::ConversationFault;
use super::files::GridFilesError;
use crate::card::TrustError;

/// A grid did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("grid {address}: {problem}")]
pub struct GridError {
    /// Which grid.
    pub address: GridAddress,
    /// Why.
    pub problem: GridProblem,
}

/// Why a grid did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GridProblem {
    /// Certificate, key or CA of ours.
    #[error(transparent)]
    Files(#[from] GridFilesError),
    /// Its name is unknown.
    #[error("the host's name has no address: {0}")]
    NoAddress(String),
    /// Nobody listens, or no way leads there.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// It took too long.
    #[error("{doing}: no answer in time")]
    TimedOut {
        /// What was waited for.
        doing: &'static str,
    },
    /// The connection ended.
    #[error("{doing}: the server closed the connection")]
    Closed {
        /// What was waited for.
        doing: &'static str,
    },
    /// Its certificate is not believed.
    #[error("the server's certificate: {0}")]
    ServerCertificate(TrustError),
    /// It ended TLS with an alert: most likely it does not like our certificate.
    #[error("the server refused the TLS connection: alert {0:?}")]
    Alert(AlertDescription),
    /// TLS failed otherwise.
    #[error("TLS: {0}")]
    Tls(String),
    /// What it said is no answer.
    #[error(transparent)]
    Conversation(#[from] ConversationFault),
    /// What it said of an APDU or of its elements is none.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// It said no.
    #[error("{}line {line}: {code} {text}", element(seid.as_deref()))]
    Refused {
        /// The element it is about.
        seid: Option<String>,
        /// The command's line in its request, the first being 1.
        line: u32,
        /// The status.
        code: StatusCode,
        /// What the server says about it.
        text: String,
    },
    /// It has let go of what we had.
    #[error("the server does not hold the element for us any more")]
    NotHeld,
    /// A command that no request has room for.
    #[error("a request of more than 16384 bytes; its APDU is too long for RACS")]
    TooLong,
}

fn element(seid: Option<&str>) -> String {
    seid.map_or_else(String::new, |seid| format!("element {seid}: "))
}

impl GridProblem {
    /// What an operator can do about it.
    #[must_use]
    pub fn next(&self) -> &'static str {
        match self {
            Self::Files(_) => "correct the file; certificate, key and CA are in PEM",
            Self::NoAddress(_) => "check the host's name, or give its address",
            Self::Connect(_) => {
                "check host and port, that the RACS server runs there, and the firewalls between"
            }
            Self::TimedOut { .. } => {
                "check the network and the load of that host; a card may be stuck there"
            }
            Self::Closed { .. } => "look into the log of the RACS server; then try again",
            Self::ServerCertificate(_) => {
                "give the CA that issued the server's certificate (and the name in it), or its pin"
            }
            Self::Alert(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
                "the server needs TLS 1.2 or 1.3 with an ECDHE cipher suite; RSA key transport is not spoken"
            }
            Self::Alert(_) => {
                "check that our certificate is valid and its CA is one that the server believes"
            }
            Self::Tls(_) => "check that the port is that of a RACS server",
            Self::Conversation(_) | Self::Answer(_) => {
                "check that the port is that of a RACS server, and which one it is"
            }
            Self::Refused { code, .. } => of_refusal(*code),
            Self::NotHeld => "look into the log of the RACS server; the element is asked for again",
            Self::TooLong => "use command chaining (CLA bit 5)",
        }
    }

    /// Whether the answer was no, and not that something is missing or broken.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                [FailureClass::Parameter, FailureClass::Unauthorised]
                    .into_iter()
                    .any(|class| code.is(class))
                    || code.is(FailureClass::InUse)
            }
            Self::Alert(_) | Self::ServerCertificate(_) => true,
            _ => false,
        }
    }
}

fn of_refusal(code: StatusCode) -> &'static str {
    match (code.success, code.class) {
        (false, 4) => {
            "check the SEID with grid list, and that this certificate's user may use it there"
        }
        (false, 6) => "have the grid's operator allow it to this certificate's user",
        (false, 7) => {
            "another session holds the element, or the APDU is not allowed: wait until it is let go, \
             or ask the grid's operator"
        }
        (false, 8 | 9) => "look at card and reader on that host",
        _ => "look into the log of the RACS server",
    }
}
