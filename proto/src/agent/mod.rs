//! Messages between an agent in a guest and the middleware in dom0.
//!
//! # Primer
//!
//! One connection carries any number of sessions; a session is one TLS handshake and what follows
//! it. The agent speaks first:
//!
//! ```text
//! agent                                   dom0
//!   hello ------------------------------->
//!   <----------------------------- welcome
//!   open ------------------------------->          the guest's TCP connection already stands
//!   <------------------------------ queued          when the card is busy, once per change
//!   <---------------------- client_records          ClientHello
//!   server_records --------------------->           one or more whole TLS records each
//!   <---------------------- client_records          Certificate .. Finished
//!   server_records --------------------->
//!   <------------------------- established          keys; or refused, at any time
//!   close ------------------------------>           the guest is done with the session
//! ```
//!
//! Each message is one CBOR map (RFC 8949) with text keys, preceded by its length:
//!
//! ```text
//!  0                   1                   2                   3
//! +-------------------------------+-------------------------------+
//! | length of the map in bytes, big-endian, 1 ..= 65,536          |
//! +---------------------------------------------------------------+
//! | A? 64 74 79 70 65 ("type") ..                                 |
//! +---------------------------------------------------------------+
//! ```
//!
//! Both ends are strict about form and lenient about content that they do not know: an unknown key
//! is skipped, an unknown `type` concerns only the message or session that carries it, but a map
//! that is nested too deep, names a key twice, or uses an indefinite length ends the connection.
//!
//! # Map
//!
//! | Module | Holds |
//! |---|---|
//! | `frame` | [`FrameReader`], [`encode_frame`]: the length prefix |
//! | `value`, `cbor` | the values of a message with their writer; the strict reader |
//! | `field` | typed access to the fields of a map |
//! | `from_agent`, `from_dom0` | [`AgentMessage`], [`Dom0Message`] and what they carry |
//! | `established` | [`EstablishedMessage`]: the keys and what is said about them |
//! | `refusal` | [`RefusalCode`]: all that a guest learns about a no |
//! | `host_name` | [`is_host_name`] |
//!
//! The grammar is `docs/protocol.cddl`; a test holds every message against it.

mod cbor;
mod error;
mod established;
mod field;
mod frame;
mod from_agent;
mod from_dom0;
mod host_name;
mod identity_info;
mod refusal;
mod value;

#[cfg(test)]
mod cddl_tests;
#[cfg(test)]
mod example_tests;
#[cfg(test)]
mod samples;

pub use cbor::CborError;
pub use error::{FieldError, FieldProblem, MessageError, ProtocolError};
pub use established::{EstablishedFlags, EstablishedMessage};
pub use frame::{FrameError, FrameReader, MAX_FRAME, encode_frame};
pub use from_agent::{AgentMessage, Close, Hello, Open, PROTOCOL_VERSION, SessionData};
pub use from_dom0::{Dom0Message, Queued, Refused, Welcome, WelcomeLimits};
pub use host_name::is_host_name;
pub use identity_info::{Door, IdentityInfo};
pub use refusal::{RefusalCode, UnknownRefusalCode};
