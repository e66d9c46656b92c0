//! Opening a card, as far as one slot goes: which key it holds. No PIN is sent.
//!
//! ```text
//! the certificate in the slot
//! a key without certificate: what the card says of it, the certificate, at last the operator
//! ```

use std::fmt;

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::hv::{HvCertificate, HvPublicKey};
use proto::piv::driver::{self, Inventory, PivKey, Unusable};
use proto::piv::{PinReference, Slot};

use crate::fault::KeyFault;
use crate::key::HvPinKeeper;

/// Which key will do.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// One whose certificate is in its slot.
    Certified,
    /// One of which the card says what it is, or its certificate, or at last the operator.
    Any(Option<Stated>),
}

/// What an operator says that the key is.
#[derive(Debug, Clone)]
pub struct Stated {
    /// Its public part.
    pub key: HvPublicKey,
    /// Where that stands, for people.
    pub place: String,
}

/// Who says what the key in a slot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The card, asked with GET METADATA.
    Metadata,
    /// The certificate in the slot.
    Certificate,
    /// The operator, in this place.
    Stated(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "the card's metadata",
            Self::Certificate => "the certificate there",
            Self::Stated(place) => place,
        })
    }
}

/// A slot with a key that can sign tokens.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Its key.
    pub key: HvPublicKey,
    /// Who says so.
    pub source: KeySource,
    /// The key as the card has it, and where.
    pub in_card: PivKey,
    /// Which PIN the key wants.
    pub pin: PinReference,
}

/// Opens a card that was just connected to. The keeper is not asked.
///
/// # Errors
/// [`KeyFault`] when the card or its slot cannot be used.
pub fn open(
    slot: Slot,
    wanted: &Wanted,
    keeper: &HvPinKeeper,
    mut transmit: impl FnMut(&CommandApdu) -> Result<ResponseApdu, KeyFault>,
) -> Result<Opened, KeyFault> {
    let metadata = matches!(wanted, Wanted::Any(_)).then_some(slot);
    let inventory = Inventory {
        metadata,
        ..Inventory::one(slot)
    };
    let begun = driver::opening::begin(inventory);
    let opened = driver::run(begun, keeper, |_, command| transmit(command))?;
    let pin = opened.pin;
    let (key, source) = who_knows(slot, wanted, opened)?;
    let kind = || key.to_string();
    if let Wanted::Any(Some(stated)) = wanted
        && stated.key.spki_der() != key.spki_der()
    {
        return Err(KeyFault::NotStated {
            by: source,
            kind: kind(),
            stated: KeySource::Stated(stated.place.clone()),
        });
    }
    let in_card = PivKey::of_spki(slot, key.spki_der());
    let in_card = in_card.map_err(|_| KeyFault::UnfitKey { kind: kind() })?;
    Ok(Opened {
        key,
        source,
        in_card,
        pin,
    })
}

/// What the key is, and who says so.
fn who_knows(
    slot: Slot,
    wanted: &Wanted,
    mut opened: driver::Opened,
) -> Result<(HvPublicKey, KeySource), KeyFault> {
    if let Some(spki) = &opened.metadata {
        let key = HvPublicKey::from_spki_der(spki);
        let key = key.map_err(|source| KeyFault::PublicKey { slot, source })?;
        return Ok((key, KeySource::Metadata));
    }
    let certificate = match (opened.keys.pop(), opened.unusable.pop()) {
        (Some(held), _) => held.certificate,
        (None, Some((_, Unusable::Key { certificate, .. }))) => certificate,
        (None, Some((_, Unusable::Object(source)))) => {
            return Err(KeyFault::CertificateObject { slot, source });
        }
        (None, None) => match wanted {
            Wanted::Certified => return Err(KeyFault::NoCertificate { slot }),
            Wanted::Any(None) => return Err(KeyFault::NoPublicKey { slot }),
            Wanted::Any(Some(Stated { key, place })) => {
                return Ok((key.clone(), KeySource::Stated(place.clone())));
            }
        },
    };
    let certificate = HvCertificate::from_der(&certificate);
    let certificate = certificate.map_err(|source| KeyFault::Certificate { slot, source })?;
    Ok((certificate.key().clone(), KeySource::Certificate))
}
