//! One signature: the PIN where the slot wants it, and GENERAL AUTHENTICATE.
//!
//! ```text
//! 9A, 9D, retired   Sign -> Done       6982 -> PinStatus -> NeedPin -> PinAccepted -> Sign, once
//!   PIN not known   PinStatus -> [NeedPin -> PinAccepted] -> Sign -> Done
//! 9C                PinStatus -> NeedPin -> PinAccepted -> Sign -> Done
//! 9E                Sign -> Done       6982 -> an error
//! ```

use super::fault::{PivFault, PivStep};
use super::frame::{Answer, Frame, Next, PinTerms, Step, Task};
use super::key::PivKey;
use crate::card::PinStatus;
use crate::piv::{
    GeneralAuthenticate, PinReference, PivCommand, Salt, SignatureForm, authenticate_answer,
    signature_input,
};

/// Begins a signature on a card that is open. With `extended` long commands go as one APDU.
///
/// # Errors
/// None in practice: a first command is always allowed.
pub fn begin(request: SignRequest, extended: bool) -> Result<Step<Signing>, PivFault> {
    let slot = request.key.slot();
    let looks = match request.pin_verified {
        true => slot.pin_always(),
        false => slot.needs_pin(),
    };
    let mut signing = Signing {
        request,
        looked: false,
    };
    let first = match looks {
        true => signing.look_at_pin(slot.pin_always()),
        false => signing.sign(),
    };
    Frame::begin(signing, extended, first)
}

/// What is to be signed with which key.
pub struct SignRequest {
    key: PivKey,
    pin: PinReference,
    pin_verified: bool,
    form: SignatureForm,
    message: Vec<u8>,
    /// What the card is given.
    input: Vec<u8>,
}

impl SignRequest {
    /// A signature of `message`, which is not hashed yet. `pin` is the one that the slot wants; whether
    /// it is verified is seen first. `salt` is fresh randomness, for PSS. `None` if the key makes no
    /// such signature.
    #[must_use]
    pub fn new(
        key: PivKey,
        pin: PinReference,
        form: SignatureForm,
        message: Vec<u8>,
        salt: &Salt,
    ) -> Option<Self> {
        let input = signature_input(key.algorithm(), form, &message, salt)?;
        Some(Self {
            key,
            pin,
            pin_verified: false,
            form,
            message,
            input,
        })
    }

    /// On a card whose PIN was verified: it is looked at where the slot wants it before each use, and
    /// where the card has forgotten it.
    #[must_use]
    pub fn pin_verified(mut self) -> Self {
        self.pin_verified = true;
        self
    }
}

/// A signature.
pub struct Signing {
    request: SignRequest,
    /// Whether the card was asked about its PIN for this signature: that happens once.
    looked: bool,
}

impl Signing {
    fn look_at_pin<O>(&mut self, anew: bool) -> Next<O> {
        self.looked = true;
        let reference = self.request.pin;
        Next::Pin(PinTerms { reference, anew })
    }

    fn sign<O>(&self) -> Next<O> {
        let order = GeneralAuthenticate {
            algorithm: self.request.key.algorithm(),
            slot: self.request.key.slot(),
            input: self.request.input.clone(),
        };
        Next::Command(PivStep::Sign, PivCommand::GeneralAuthenticate(order))
    }

    fn signature(&mut self, answer: &Answer) -> Result<Signature, PivFault> {
        let (step, request) = (answer.step, &mut self.request);
        let signature = authenticate_answer(answer.data());
        let signature = signature.map_err(|source| PivFault::Malformed { step, source })?;
        Ok(Signature {
            signature: signature.to_vec(),
            key: request.key.clone(),
            form: request.form,
            message: std::mem::take(&mut request.message),
        })
    }
}

/// What a card gave for a signature. It goes nowhere before it was seen to be right: one that was
/// made wrong can betray an RSA key.
pub struct Signature {
    signature: Vec<u8>,
    key: PivKey,
    form: SignatureForm,
    message: Vec<u8>,
}

impl Signature {
    /// For who can go on with it while it is looked at.
    #[must_use]
    pub fn unchecked(&self) -> &[u8] {
        &self.signature
    }

    /// The signature; of an elliptic curve as DER. Looking at it takes the processor longer than all
    /// else about it.
    ///
    /// # Errors
    /// [`PivFault::WrongSignature`] if it is not one of the message by that key.
    pub fn checked(self) -> Result<Vec<u8>, PivFault> {
        match (self.key).verifies(self.form, &self.message, &self.signature) {
            true => Ok(self.signature),
            false => Err(PivFault::WrongSignature {
                slot: self.key.slot(),
            }),
        }
    }
}

impl Task for Signing {
    type Output = Signature;
    /// Three links and their answer, twice, and the PIN between.
    const MAX_COMMANDS: u32 = 64;

    fn on_answer(&mut self, answer: &Answer) -> Result<Next<Signature>, PivFault> {
        if answer.step != PivStep::Sign {
            return Ok(self.sign());
        }
        let slot = self.request.key.slot();
        match answer.sw().pin_status() {
            // It has lost what it knew of the PIN; it gets it once more.
            Some(PinStatus::Required) if slot.needs_pin() && !self.looked => {
                Ok(self.look_at_pin(true))
            }
            Some(PinStatus::Required) => Err(PivFault::PinRequired { slot }),
            _ if answer.sw().is_success() => self.signature(answer).map(Next::Done),
            _ => Err(answer.refused()),
        }
    }
}
