//! A smart card in software: an EAP-TLS card or a PIV card that connects as a virtual card.
//!
//! # Primer
//!
//! An EAP-TLS card is a TLS client in a chip. It holds a certificate, the private key and a CA; a
//! host brings it the server's records inside EAP-TLS packets inside APDUs, sends what comes back,
//! and after the Finished messages reads the key block. From there the card is not needed.
//!
//! ```text
//! SELECT, VERIFY, Set-Identity     which card, whose, which key
//! Process-EAP(start, time)         -> ClientHello
//! Process-EAP(server flight)       -> Certificate .. Finished
//! Process-EAP(CCS, Finished)       -> empty packet: the handshake is over
//! Get-Exported-Parameter           -> CipherSuite, KeyBlock
//! ```
//!
//! The TLS inside is rustls: versions 1.2 and 1.3, so neither the suites nor the randomness of the
//! cards of the papers. It is a partner for tests and demonstrations, not a place for keys.
//!
//! A PIV card signs and does nothing else: see [`piv`].
//!
//! # Map
//!
//! | Module | Holds |
//! |---|---|
//! | [`applet`], [`profile`] | what every card is, and which there are |
//! | [`card`] | the EAP-TLS card: commands in, answers out; who may do what when |
//! | `eap_tls` | segments, fragments, handshakes, exported parameters |
//! | [`piv`] | the PIV card |
//! | [`pin`], [`eeprom`] | PINs, their counters, the memory that keeps them |
//! | `crypto` | the cryptography of its TLS |
//! | [`identity`], [`store`] | what personalisation puts on a card, and the directory that is one |
//! | [`cost`], [`timing`], [`fault`] | how long it takes, and what goes wrong |
//! | [`device`], `t0`, [`vpcd`] | the card in its socket, and the protocols to the reader |
//! | [`cli`], [`cmd`] | the command line |
//!
//! The card and the device know no clock and no socket; `cmd::serve` is their shell.

pub mod applet;
pub mod card;
pub mod cli;
pub mod cmd;
pub mod cost;
mod crypto;
pub mod device;
mod eap_tls;
pub mod eeprom;
pub mod exit_code;
pub mod fault;
pub mod identity;
mod output;
pub mod pin;
pub mod piv;
pub mod profile;
pub mod settings;
mod status;
pub mod store;
mod t0;
pub mod timing;
pub mod vpcd;

pub use applet::{Answer, Applet};
pub use card::{ATR, ATR_T0, Card};
pub use identity::{Identity, IdentityPem};
pub use piv::{ATR_PIV, ATR_PIV_T0, PivCard};
pub use profile::Profile;
pub use settings::CardSettings;
pub use store::CardDirectory;
