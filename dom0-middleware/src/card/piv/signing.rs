//! One signature: the PIN where the slot wants it, GENERAL AUTHENTICATE, and the check.
//!
//! ```text
//! 9A, 9D, retired   Signed -> done            6982 -> PinStatus -> NeedPin -> ... once
//! 9C                PinStatus -> NeedPin -> PinVerified -> Signed -> done
//! 9E                Signed -> done            6982 -> an error
//! ```

use std::fmt;

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::{Pin, PinStatus};
pub use proto::piv::Salt;
use proto::piv::{
    GeneralAuthenticate, PinReference, PivCommand, SignatureForm, SignatureHash,
    authenticate_answer, signature_input,
};
use rustls::SignatureScheme;
use thiserror::Error;

use super::command::{Pending, Progress};
use super::key::PivKey;
use super::parameters::{MAX_SIGNING_COMMANDS, PivParameters};
use super::pin::{judge_status, judge_verify};
use crate::card::answer::Answer;
use crate::card::counter::Counter;
use crate::card::error::{CardError, SessionError};
use crate::card::fault::{CardFault, CardStep};
use crate::card::session_fault::PolicyFault;

/// What is to be signed with which key.
pub struct SignRequest {
    /// The key.
    pub key: PivKey,
    /// The PIN that its slot wants.
    pub pin: PinReference,
    /// How to sign.
    pub scheme: SignatureScheme,
    /// What to sign, not its hash.
    pub message: Vec<u8>,
    /// Fresh randomness, for PSS.
    pub salt: Salt,
}

/// Begins a signature on a card that is open.
///
/// # Errors
/// [`SessionError::Policy`] if the key cannot make this kind of signature; nothing was sent.
pub fn begin(request: SignRequest, parameters: PivParameters) -> Result<Step, SignError> {
    let SignRequest {
        key,
        pin,
        scheme,
        message,
        salt,
    } = request;
    let slot = key.slot();
    let block = form_of(scheme)
        .and_then(|form| signature_input(key.algorithm(), form, &message, &salt))
        .ok_or(PolicyFault::SchemeNotOfKey { slot, scheme })
        .map_err(SessionError::from)?;
    let context = Box::new(Context {
        parameters,
        counter: Counter::new(MAX_SIGNING_COMMANDS),
        pin,
        scheme,
        message,
        block,
        verified: false,
        key,
    });
    match slot.pin_always() {
        true => context.look_at_pin(),
        false => context.sign(),
    }
}

/// What TLS calls a scheme, as a card has it. `None` for schemes of keys that no card has.
fn form_of(scheme: SignatureScheme) -> Option<SignatureForm> {
    use SignatureForm::{Ecdsa, Pkcs1, Pss};
    use SignatureHash::{Sha256, Sha384, Sha512};
    Some(match scheme {
        SignatureScheme::RSA_PSS_SHA256 => Pss(Sha256),
        SignatureScheme::RSA_PSS_SHA384 => Pss(Sha384),
        SignatureScheme::RSA_PSS_SHA512 => Pss(Sha512),
        SignatureScheme::RSA_PKCS1_SHA256 => Pkcs1(Sha256),
        SignatureScheme::RSA_PKCS1_SHA384 => Pkcs1(Sha384),
        SignatureScheme::RSA_PKCS1_SHA512 => Pkcs1(Sha512),
        SignatureScheme::ECDSA_NISTP256_SHA256 => Ecdsa(Sha256),
        SignatureScheme::ECDSA_NISTP384_SHA384 => Ecdsa(Sha384),
        _ => return None,
    })
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignError {
    /// The PIN: the card cannot be used until that is put right.
    #[error(transparent)]
    Pin(CardError),
    /// Anything else.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl SignError {
    /// What it means for the session that wanted the signature.
    #[must_use]
    pub fn session(&self) -> SessionError {
        match self {
            Self::Pin(why) => SessionError::of_unusable_card(why),
            Self::Session(error) => error.clone(),
        }
    }
}

impl SignError {
    /// What came of a look at the PIN, or of VERIFY.
    fn of_look(error: CardError) -> Self {
        match error {
            CardError::Fault(fault) => fault.into(),
            pin => Self::Pin(pin),
        }
    }
}

impl From<CardFault> for SignError {
    fn from(fault: CardFault) -> Self {
        Self::Session(fault.into())
    }
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
    /// The signature, checked; as TLS wants it.
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
    /// [`SignError`] when there is no signature to be had.
    pub fn on_response(self, response: ResponseApdu) -> Result<Step, SignError> {
        let Self {
            mut context,
            pending,
        } = self;
        let answer = match pending.on_response(response, &mut context.counter)? {
            Progress::Transmit(pending, command) => {
                return Ok(Step::Transmit(Self { context, pending }, command));
            }
            Progress::Complete(answer) => answer,
        };
        match answer.step {
            CardStep::PinStatus => {
                // A slot that wants the PIN before each use wants it even if it was verified.
                judge_status(&answer).map_err(SignError::of_look)?;
                Ok(Step::NeedPin(AwaitPin(context)))
            }
            CardStep::VerifyPin => {
                judge_verify(&answer).map_err(SignError::of_look)?;
                context.verified = true;
                Ok(Step::PinAccepted(Verified(context)))
            }
            _ => context.on_signed(&answer),
        }
    }

    /// Which command is under way.
    #[must_use]
    pub fn step(&self) -> CardStep {
        self.pending.step()
    }
}

/// A signature that waits for the PIN.
pub struct AwaitPin(Box<Context>);

impl AwaitPin {
    /// Sends the PIN. The attempt must be on record by now.
    ///
    /// # Errors
    /// [`SignError`] when the signature has used up its commands.
    pub fn with_pin(self, pin: &Pin) -> Result<Step, SignError> {
        let mut context = self.0;
        let command = PivCommand::VerifyPin(context.pin, pin.clone());
        // Repeated for a 6Cxx it could cost a second try.
        let (pending, command) =
            Pending::start_once(CardStep::VerifyPin, &command, &mut context.counter)?;
        Ok(Step::Transmit(AwaitCard { context, pending }, command))
    }
}

/// A signature whose PIN was accepted.
pub struct Verified(Box<Context>);

impl Verified {
    /// Goes on.
    ///
    /// # Errors
    /// [`SignError`] when the signature has used up its commands.
    pub fn proceed(self) -> Result<Step, SignError> {
        self.0.sign()
    }
}

/// The terms of a signature.
struct Context {
    parameters: PivParameters,
    counter: Counter,
    key: PivKey,
    pin: PinReference,
    scheme: SignatureScheme,
    message: Vec<u8>,
    /// What the card is given.
    block: Vec<u8>,
    /// Whether VERIFY went out for this signature and was accepted: it is never sent twice.
    verified: bool,
}

impl Context {
    fn look_at_pin(self: Box<Self>) -> Result<Step, SignError> {
        let command = PivCommand::PinStatus(self.pin);
        self.command(CardStep::PinStatus, &command)
    }

    fn sign(self: Box<Self>) -> Result<Step, SignError> {
        let command = PivCommand::GeneralAuthenticate(GeneralAuthenticate {
            algorithm: self.key.algorithm(),
            slot: self.key.slot(),
            input: self.block.clone(),
        });
        self.command(CardStep::Sign, &command)
    }

    fn command(
        mut self: Box<Self>,
        step: CardStep,
        command: &PivCommand,
    ) -> Result<Step, SignError> {
        let (pending, command) =
            Pending::start(step, command, &self.parameters, &mut self.counter)?;
        let context = self;
        Ok(Step::Transmit(AwaitCard { context, pending }, command))
    }

    fn on_signed(self: Box<Self>, answer: &Answer) -> Result<Step, SignError> {
        let slot = self.key.slot();
        if answer.sw().pin_status() == Some(PinStatus::Required)
            && slot.needs_pin()
            && !self.verified
        {
            // It has lost what it knew of the PIN; it gets it once more.
            return self.look_at_pin();
        }
        let data = answer.success()?;
        let signature = authenticate_answer(data).map_err(|source| CardFault::Malformed {
            step: CardStep::Sign,
            source,
        })?;
        if !self.key.verifies(self.scheme, &self.message, signature) {
            return Err(CardFault::WrongSignature { slot }.into());
        }
        Ok(Step::Signed(signature.to_vec()))
    }
}

impl fmt::Debug for SignRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignRequest({}, {:?})", self.key.slot(), self.scheme)
    }
}

impl fmt::Debug for AwaitCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitCard({})", self.step())
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
