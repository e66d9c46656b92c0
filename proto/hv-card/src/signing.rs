//! One signature by the key in a slot: the PIN where the slot wants it, GENERAL AUTHENTICATE, and the
//! check.
//!
//! ```text
//! 9A, 9C, 9D, retired   PinStatus -> NeedPin -> PinAccepted -> Sign -> Signed
//! 9E                    Sign -> Signed
//! ```
//!
//! A card that was just connected to has no PIN verified; one that says it has wants it before each
//! signature in 9C all the same.

use std::fmt;

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::card::{Pin, PinStatus};
use proto::piv::{
    GeneralAuthenticate, PinLook, PivCommand, Salt, SignatureForm, SignatureHash,
    authenticate_answer, signature_input,
};
use proto::token::SignatureAlgorithm;

use crate::command::{Answer, Pending, Progress};
use crate::ecdsa;
use crate::fault::{CardStep, KeyFault};
use crate::opening::Opened;

/// Begins a signature of `message` on an open card. `salt` is fresh randomness.
///
/// # Errors
/// [`KeyFault::Algorithm`] if the key makes other signatures; nothing was sent.
pub fn begin(
    opened: &Opened,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    salt: &Salt,
) -> Result<Step, KeyFault> {
    let slot = opened.slot;
    let input = form_of(algorithm)
        .filter(|_| opened.key.algorithms().contains(&algorithm))
        .and_then(|form| signature_input(opened.algorithm, form, message, salt))
        .ok_or(KeyFault::Algorithm { slot, algorithm })?;
    let context = Box::new(Context {
        opened: opened.clone(),
        algorithm,
        message: message.to_vec(),
        input,
    });
    Ok(match slot.needs_pin() {
        true => {
            let look = PivCommand::PinStatus(opened.pin);
            context.command(CardStep::PinStatus, &look)
        }
        false => context.sign(),
    })
}

/// What a signature wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this command and feed its response to [`AwaitCard::on_response`].
    Transmit(AwaitCard, CommandApdu),
    /// The card wants its PIN, and it may be tried: record the attempt, then give it.
    NeedPin(AwaitPin),
    /// The card accepted the PIN: record that, then go on.
    PinAccepted(Verified),
    /// The signature, checked; as tokens have it.
    Signed(Vec<u8>),
}

/// A signature that waits for its card.
pub struct AwaitCard {
    context: Box<Context>,
    pending: Pending,
}

impl AwaitCard {
    /// Takes the response to the command of [`Step::Transmit`].
    ///
    /// # Errors
    /// [`KeyFault`] when there is no signature to be had.
    pub fn on_response(self, response: ResponseApdu) -> Result<Step, KeyFault> {
        let Self { context, pending } = self;
        let answer = match pending.on_response(response)? {
            Progress::Transmit(pending, command) => {
                return Ok(Step::Transmit(Self { context, pending }, command));
            }
            Progress::Complete(answer) => answer,
        };
        match answer.step {
            CardStep::PinStatus => context.on_pin_status(answer.response.sw),
            CardStep::VerifyPin => {
                judge_verify(&answer)?;
                Ok(Step::PinAccepted(Verified(context)))
            }
            _ => context.on_signed(&answer),
        }
    }
}

/// A signature that waits for the PIN.
pub struct AwaitPin(Box<Context>);

impl AwaitPin {
    /// Sends the PIN. The attempt must be on record by now, where there is a record.
    #[must_use]
    pub fn with_pin(self, pin: &Pin) -> Step {
        let Self(context) = self;
        let command = PivCommand::VerifyPin(context.opened.pin, pin.clone());
        // Repeated for a 6Cxx it could cost a second try.
        let (pending, command) = Pending::start_once(CardStep::VerifyPin, &command);
        Step::Transmit(AwaitCard { context, pending }, command)
    }
}

/// A signature whose PIN was accepted.
pub struct Verified(Box<Context>);

impl Verified {
    /// Goes on.
    #[must_use]
    pub fn proceed(self) -> Step {
        self.0.sign()
    }
}

/// The terms of a signature.
struct Context {
    opened: Opened,
    algorithm: SignatureAlgorithm,
    message: Vec<u8>,
    /// What the card is given.
    input: Vec<u8>,
}

impl Context {
    fn command(self: Box<Self>, step: CardStep, command: &PivCommand) -> Step {
        let (pending, command) = Pending::start(step, command);
        let context = self;
        Step::Transmit(AwaitCard { context, pending }, command)
    }

    fn sign(self: Box<Self>) -> Step {
        let order = PivCommand::GeneralAuthenticate(GeneralAuthenticate {
            algorithm: self.opened.algorithm,
            slot: self.opened.slot,
            input: self.input.clone(),
        });
        self.command(CardStep::Sign, &order)
    }

    fn on_pin_status(self: Box<Self>, sw: StatusWord) -> Result<Step, KeyFault> {
        match PinLook::of(sw) {
            PinLook::Verified if !self.opened.slot.pin_always() => Ok(self.sign()),
            PinLook::Verified | PinLook::Tries(2..) => Ok(Step::NeedPin(AwaitPin(self))),
            PinLook::Tries(_) => Err(KeyFault::LastPinTry),
            PinLook::Blocked => Err(KeyFault::PinBlocked),
            PinLook::Silent => Err(KeyFault::PinUncounted { sw }),
        }
    }

    fn on_signed(&self, answer: &Answer) -> Result<Step, KeyFault> {
        let slot = self.opened.slot;
        if answer.response.sw.pin_status() == Some(PinStatus::Required) {
            return Err(KeyFault::PinRequired { slot });
        }
        let signature = authenticate_answer(answer.success()?).map_err(|source| {
            let step = answer.step;
            KeyFault::Malformed { step, source }
        })?;
        let signature = match self.algorithm {
            SignatureAlgorithm::Es256 => ecdsa::fixed(signature),
            _ => Some(signature.to_vec()),
        };
        let key = &self.opened.key;
        let is_good = |signature: &Vec<u8>| {
            let verified = key.verify(self.algorithm, &self.message, signature);
            verified.is_ok()
        };
        let signature = signature.filter(is_good);
        let wrong = || KeyFault::WrongSignature {
            slot,
            by: self.opened.source.clone(),
        };
        Ok(Step::Signed(signature.ok_or_else(wrong)?))
    }
}

/// Reads the answer to VERIFY.
fn judge_verify(answer: &Answer) -> Result<(), KeyFault> {
    let sw = answer.response.sw;
    if sw.is_success() {
        return Ok(());
    }
    Err(match (PinLook::of(sw), sw.pin_status()) {
        (PinLook::Blocked, _) => KeyFault::PinBlocked,
        (PinLook::Tries(left), _) => KeyFault::PinRejected {
            tries_left: Some(left),
        },
        (_, Some(_)) => KeyFault::PinRejected { tries_left: None },
        (_, None) => answer.refused(),
    })
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

impl fmt::Debug for AwaitCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitCard({:?})", self.pending)
    }
}

impl fmt::Debug for AwaitPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitPin")
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified")
    }
}
