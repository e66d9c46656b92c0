//! One signature by the key in a slot, as tokens have it.

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::piv::driver::{self, PivFault, SignRequest};
use proto::piv::{Salt, SignatureForm, SignatureHash};
use proto::token::SignatureAlgorithm;

use crate::ecdsa;
use crate::fault::KeyFault;
use crate::key::HvPinKeeper;
use crate::opening::Opened;

/// Signs `message` on an open card. A card that was just connected to has no PIN verified; one that says
/// it has wants it before each signature in 9C all the same. `salt` is fresh randomness.
///
/// # Errors
/// [`KeyFault::Algorithm`] if the key makes other signatures; nothing was sent. Any other when there is
/// no signature to be had.
pub fn sign(
    opened: &Opened,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    salt: &Salt,
    keeper: &HvPinKeeper,
    mut transmit: impl FnMut(&CommandApdu) -> Result<ResponseApdu, KeyFault>,
) -> Result<Vec<u8>, KeyFault> {
    let slot = opened.in_card.slot();
    let request = form_of(algorithm).and_then(|form| {
        let (key, message) = (opened.in_card.clone(), message.to_vec());
        SignRequest::new(key, opened.pin, form, message, salt)
    });
    let request = request.ok_or(KeyFault::Algorithm { slot, algorithm })?;
    let begun = driver::signing::begin(request, false);
    let wrong = || KeyFault::WrongSignature {
        slot,
        by: opened.source.clone(),
    };
    let signature = driver::run(begun, keeper, |_, command| transmit(command));
    let signature = signature.and_then(|signature| Ok(signature.checked()?));
    let signature = signature.map_err(|fault| match fault {
        KeyFault::Card(PivFault::WrongSignature { .. }) => wrong(),
        fault => fault,
    })?;
    match algorithm {
        SignatureAlgorithm::Es256 => ecdsa::fixed(&signature).ok_or_else(wrong),
        _ => Ok(signature),
    }
}

/// `None` for what no PIV card signs.
fn form_of(algorithm: SignatureAlgorithm) -> Option<SignatureForm> {
    match algorithm {
        SignatureAlgorithm::Ps256 => Some(SignatureForm::Pss(SignatureHash::Sha256)),
        SignatureAlgorithm::Rs256 => Some(SignatureForm::Pkcs1(SignatureHash::Sha256)),
        SignatureAlgorithm::Es256 => Some(SignatureForm::Ecdsa(SignatureHash::Sha256)),
        SignatureAlgorithm::EdDsa => None,
    }
}
