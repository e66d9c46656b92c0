//! PIV cards, as TLS wants them. Their driver is [`proto::piv::driver`]; here are the names that its
//! keys, signatures and faults have in this service.

mod scheme;
mod sign_error;
mod unused;

/// The card of the driver's own tests.
#[cfg(test)]
#[path = "../../../../proto/tests/piv_driver/fake_card.rs"]
pub(crate) mod testing;

use proto::piv::driver::{CertifiedKey, Opened};

pub use self::scheme::{form_of, schemes};
pub use self::sign_error::SignError;
pub use self::unused::UnusedKey;
pub(super) use self::unused::set_aside;
use super::report::CardIdentity;

/// The keys of a card as a guest and an operator know them: named by slot, `9a`.
pub(super) fn identities(opened: &Opened) -> Vec<CardIdentity> {
    let identity = |held: &CertifiedKey| CardIdentity {
        name: (held.key.slot().to_string().parse()).expect("a slot's name is printable"),
        certificate: Some(held.certificate.clone()),
        schemes: schemes(held.key.algorithm()).to_vec(),
    };
    opened.keys.iter().map(identity).collect()
}
