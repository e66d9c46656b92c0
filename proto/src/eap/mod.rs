//! EAP and EAP-TLS packets as an EAP-TLS card takes and gives them.
//!
//! ```text
//! request   01 | identifier | length2 | 0D | flags | [TLS length4] | TLS data
//! response  02 | identifier | length2 | 0D | flags | [TLS length4] | TLS data
//! ```
//!
//! A flight that is too long for one packet goes in *fragments*, each acknowledged by the other
//! side. A packet that is too long for one APDU goes in *segments*, which only the card link knows
//! of: the first one has the EAP header, the others continue it.
//!
//! | Module | Holds |
//! |---|---|
//! | `packet` | [`EapPacket`], [`Code`], [`Method`] |
//! | `tls` | [`EapTls`], its flags, the start packet and the empty packet |
//! | `cut` | [`fragments`], [`segments`] |
//! | `reassembly` | [`Reassembly`] |
//!
//! Source: RFC 3748 §4, RFC 5216 §3, draft-urien-eap-smartcard; specs/eap-tls-card.md §5.5, §6.

mod cut;
mod packet;
mod reassembly;
mod tls;

pub use self::cut::{MIN_FRAGMENT, fragments, segments};
pub use self::packet::{Code, EapPacket, Method};
pub use self::reassembly::{EapError, Reassembled, Reassembly};
pub use self::tls::{EapTls, EapTlsFlags, acknowledge, start};
