//! Keys of a card that are left alone.

use proto::piv::driver::{Opened, Unusable};
use proto::piv::{Slot, require_x509_v3};
use thiserror::Error;

/// A slot whose key is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the key in slot {slot} is not used: {why}")]
pub struct UnusedKey {
    /// The slot.
    pub slot: Slot,
    /// Why.
    pub why: String,
}

/// Takes away the keys whose certificates TLS does not take. Returns these and those that the driver
/// has set aside.
pub(in crate::card) fn set_aside(opened: &mut Opened) -> Vec<UnusedKey> {
    let told = |(slot, why): &(Slot, Unusable)| UnusedKey {
        slot: *slot,
        why: why.to_string(),
    };
    let mut unused: Vec<UnusedKey> = opened.unusable.iter().map(told).collect();
    opened.keys.retain(|held| {
        let old = require_x509_v3(&held.certificate).err();
        unused.extend(old.as_ref().map(|old| UnusedKey {
            slot: held.key.slot(),
            why: format!("its certificate cannot be used: {old}"),
        }));
        old.is_none()
    });
    unused
}
