//! Typed commands of EAP-TLS cards, and how one command becomes one complete answer.
//!
//! | Module | Holds |
//! |---|---|
//! | `command` | [`EapCardCommand`]: each command as a type, to and from an APDU |
//! | `pin` | [`Pin`] |
//! | `state` | [`CardState`] |
//! | `export` | [`ExportIndex`], [`CipherSuiteAnswer`] |
//! | `next_handshake` | [`NextHandshake`]: what the next handshake shall be like |
//! | `exchange` | [`Exchange`]: over 61xx, 6Cxx and 9Fxx |
//!
//! Source: draft-urien-eap-smartcard; specs/eap-tls-card.md, where section numbers point to.
//! Codings marked PROPOSED there are no public standard.

mod command;
mod exchange;
mod export;
mod next_handshake;
mod pin;
mod state;

pub use self::command::{CardCommandError, EapCardCommand};
pub use self::exchange::{Exchange, ExchangeError, ExchangeStep, FetchRules};
pub use self::export::{CipherSuiteAnswer, ExportIndex};
pub use self::next_handshake::{NextHandshake, NextHandshakeError};
pub use self::pin::{Pin, PinCharacters, PinError, PinForm, PinHolder};
pub use self::state::CardState;
pub use crate::apdu::PinStatus;
