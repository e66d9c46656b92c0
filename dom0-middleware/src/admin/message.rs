//! Requests of an operator, and their answers.

use std::path::PathBuf;

use proto::id::Seid;
use serde::{Deserialize, Serialize};

use super::enrolment::{ApproveRequest, PendingView, VmApproved};
use super::rights::{
    BindRequest, BindingView, TokenRevoked, TokenView, VmChanged, VmDetails, VmName,
};
use super::view::{CardDetails, StatusView};
use crate::broker::{CardView, QueueView, SessionName, SessionView};

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminRequest {
    /// All cards.
    CardList {},
    /// Everything about one card. A PIV card that is idle is asked how its PIN stands, which costs no
    /// try; nothing else is sent, and nothing to other cards.
    CardShow {
        /// The card.
        seid: Seid,
    },
    /// All cards, and from then on each that changes: one line each, until the operator leaves.
    CardWatch {},
    /// Make the card that is there now the right one.
    CardAdopt {
        /// The card.
        seid: Seid,
        /// The file with its PIN, as an absolute path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pin_file: Option<PathBuf>,
    },
    /// Try the PIN in a file, even if it was tried before.
    CardPin {
        /// The card.
        seid: Seid,
        /// The file, as an absolute path.
        pin_file: PathBuf,
    },
    /// Take a card from its guests for raw APDUs of others, or give it back to them.
    CardMaintenance {
        /// The card.
        seid: Seid,
        /// Whether it is in maintenance from now on.
        on: bool,
    },
    /// All sessions in progress or established.
    SessionList {},
    /// End one session.
    SessionKill {
        /// Which one.
        session: SessionName,
    },
    /// Who has each card, and who waits for it.
    QueueShow {},
    /// All bindings.
    VmList {},
    /// Everything about one domain.
    VmShow {
        /// Which one.
        vm: VmName,
    },
    /// Running domains that offer a key and have no token for it.
    VmPending {},
    /// Issue a token for the key that a domain offers, if it is the one that is said.
    VmApprove(Box<ApproveRequest>),
    /// Bind a domain to identities of a card.
    VmBind(Box<BindRequest>),
    /// Take all bindings of a domain away that were made by a command.
    VmUnbind {
        /// Which one.
        vm: VmName,
    },
    /// The last token of each domain, and tokens that were revoked.
    TokenList {},
    /// Revoke one token.
    TokenRevoke {
        /// Its number, in hexadecimal.
        cti: String,
    },
    /// Revoke all tokens of a domain that were issued before a time.
    TokensRevoke {
        /// Which one.
        vm: VmName,
        /// The time, as RFC 3339 writes it; now, if it is not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
    },
    /// Everything at a glance.
    Status {},
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminAnswer {
    /// All cards.
    CardList(Vec<CardView>),
    /// Everything about one card.
    Card(Box<CardDetails>),
    /// One card, for somebody who watches.
    CardNews(Box<CardView>),
    /// All sessions.
    SessionList(Vec<SessionView>),
    /// A session that was ended, as it was before.
    SessionKilled(Box<SessionView>),
    /// All queues.
    QueueShow(Vec<QueueView>),
    /// All bindings.
    VmList(Vec<BindingView>),
    /// Everything about one domain.
    Vm(Box<VmDetails>),
    /// Domains that wait for a token.
    VmPending(Vec<PendingView>),
    /// A token was issued.
    VmApproved(Box<VmApproved>),
    /// Bindings were made.
    VmBound(Box<VmChanged>),
    /// Bindings were removed.
    VmUnbound(Box<VmChanged>),
    /// Tokens.
    TokenList(Vec<TokenView>),
    /// A token was revoked.
    TokenRevoked(Box<TokenRevoked>),
    /// All older tokens of a domain were revoked.
    TokensRevoked(Box<VmChanged>),
    /// Everything at a glance.
    Status(Box<StatusView>),
    /// No.
    Error(Problem),
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of no.
    pub code: ProblemCode,
    /// In words.
    pub message: String,
}

/// Kinds of no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// Not a request.
    BadRequest,
    /// There is no such card, or it is not in its reader.
    NoCard,
    /// What it is about is not there, or not any more.
    NotFound,
    /// It may not be done, or the card says no.
    Refused,
    /// Something that is needed for it does not answer.
    Unavailable,
}

impl AdminAnswer {
    /// A no.
    #[must_use]
    pub fn error(code: ProblemCode, message: impl ToString) -> Self {
        Self::Error(Problem {
            code,
            message: message.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_object_with_one_key() {
        let read = |text| serde_json::from_str::<AdminRequest>(text);
        assert_eq!(
            read(r#"{"card_list":{}}"#).expect("known"),
            AdminRequest::CardList {}
        );
        assert_eq!(
            read(r#"{"status":{}}"#).expect("known"),
            AdminRequest::Status {}
        );
        assert_eq!(
            read(r#"{"card_adopt":{"seid":"se-00"}}"#).expect("known"),
            AdminRequest::CardAdopt {
                seid: "se-00".parse().expect("a SEID"),
                pin_file: None
            }
        );
        for bad in [
            r#"{"reboot":{}}"#,
            r#"{"status":{"x":1}}"#,
            r#"{"card_pin":{"seid":"se-00"}}"#,
            "{}",
            "[]",
            "",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
