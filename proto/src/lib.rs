//! Every byte format that crosses a boundary in Tessera.
//!
//! ```text
//! TLS server == records ==> agent == frames ==> middleware == APDUs ==> card
//!                tls         tls     agent       tls  eap     card  apdu
//! ```
//!
//! A TLS handshake arrives in the middleware as TLS records ([`tls`]), carried by the agent's
//! messages ([`agent`]). An EAP-TLS card takes each flight as EAP-TLS packets ([`eap`]), which are
//! cut into commands ([`card`]) and sent as APDUs ([`apdu`]). What comes out of a handshake, the
//! KeyBlock, goes back in a message and becomes a record layer in the guest ([`tls`]).
//!
//! Everything here takes bytes and returns types, or takes types and returns bytes. There is no
//! I/O, no clock, no thread and no `unsafe`. Bytes are taken to be hostile: lengths are checked
//! before anything is allocated, nothing panics, and errors say which field was wrong, never what
//! was in it.
//!
//! | Module | Holds |
//! |---|---|
//! | [`apdu`] | commands, responses, status words, AID, ATR |
//! | [`eap`] | EAP and EAP-TLS packets, fragments, segments |
//! | [`card`] | typed commands of EAP-TLS cards, long answers |
//! | `piv` | commands, data objects and keys of PIV cards (feature `piv`), their driver (`piv-driver`) |
//! | [`racs`] | lines of RACS: commands for a grid of secure elements, and its answers |
//! | [`tls`] | records, hellos, flights, suites, KeyBlock, record layer |
//! | [`agent`] | frames and messages between agent and dom0 |
//! | [`token`], [`hv`] | VM-Auth-Tokens; the certificates and keys of the hosts that sign them |
//! | [`id`] | names of domains, cards, sessions, identities |
//! | [`codec`], [`error`] | the reader all decoders use, and what it refuses |
//! | [`pem`], [`hex`] | text forms |
//! | [`repeated`] | when a log says once more that something fails |

pub mod agent;
pub mod apdu;
pub mod card;
pub mod codec;
pub mod eap;
pub mod error;
pub mod hex;
pub mod hv;
pub mod id;
pub mod pem;
#[cfg(feature = "piv")]
pub mod piv;
pub mod racs;
pub mod repeated;
pub mod tls;
pub mod token;
