//! The TLS engine of the sign-only door: rustls makes the handshake, the card only signs.
//!
//! An [`Engine`] is one handshake, without I/O: whole records of the server go in, records for the
//! server come out, and at its end the keys, as any card gives them ([`CardSession`]). Only for its
//! one signature it asks the [`SignDoor`] it was given, and waits there; so it runs on a thread
//! that may block.
//!
//! [`Engines`] holds what must outlive a handshake so that the next one can be resumed: for each
//! (card, identity, domain) the verifier, the resolver and the sessions, none of it ever shared
//! with another. A session made under another trust or another certificate is gone.
//!
//! | Module | Holds |
//! |---|---|
//! | `engines` | what is kept for each (card, identity, domain), and how a handshake begins |
//! | `request` | what one handshake shall be |
//! | `handshake` | one handshake, record by record |
//! | `drive` | rustls, fed with one record at a time |
//! | `wire` | what of it can be seen in clear, and how much there is of it |
//! | `callbacks` | how rustls's callbacks reach the card of the handshake that runs |
//! | `signer`, `verifier`, `store` | what rustls calls: the key, the trust, the sessions |
//! | `keys`, `secrets` | the keys at the end, and nothing but them |
//! | `tickets` | tickets that come after the handshake |
//! | `error` | what went wrong, in the words of the other door |
//!
//! Sources: RFC 5246, RFC 8446; specs/keyblock-handover.md; design §2 and §4.
//!
//! [`CardSession`]: crate::card::CardSession

mod callbacks;
mod drive;
mod engines;
mod error;
mod handshake;
mod keys;
mod request;
mod secrets;
mod signer;
mod store;
mod tickets;
mod verifier;
mod wire;

#[cfg(test)]
mod tests;

pub use self::callbacks::SignDoor;
pub use self::engines::Engines;
pub use self::handshake::{Engine, EngineStep};
pub use self::request::EngineRequest;
pub use self::tickets::TicketTaker;
