//! The outside of an opening: what a worker feeds it and what it asks for.

use std::fmt;

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::Pin;
use proto::piv::{PinReference, PivCommand};

use super::inventory::{ExpectCertificate, ExpectChuid, ExpectDiscovery, ExpectSelected};
use crate::card::answer::Answer;
use crate::card::counter::Counter;
use crate::card::error::CardError;
use crate::card::fault::CardStep;
use crate::card::piv::command::{Pending, Progress};
use crate::card::piv::key::PivKey;
use crate::card::piv::parameters::{MAX_OPENING_COMMANDS, PivParameters};
use crate::card::piv::pin::{PinNeed, judge_status, judge_verify};
use crate::card::report::CardIdentity;

/// Begins to open a card that was just powered up or reset.
///
/// # Errors
/// None in practice: a first command is always allowed.
pub fn begin(parameters: PivParameters) -> Result<Step, CardError> {
    let command = PivCommand::Select(parameters.profile.aid);
    let context = Box::new(Context {
        counter: Counter::new(MAX_OPENING_COMMANDS),
        parameters,
        opened: Opened {
            application: [0; 32],
            chuid: None,
            pin: PinReference::Application,
            keys: Vec::new(),
        },
    });
    let state = State::Selected(ExpectSelected);
    act(context, Next::Command(CardStep::Select, command, state))
}

/// What an opening wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this command and feed its response to [`AwaitCard::on_response`].
    Transmit(AwaitCard, CommandApdu),
    /// The card wants its PIN, and it may be tried: record the attempt, then give it.
    NeedPin(AwaitPin),
    /// The card accepted the PIN: record that, then go on.
    PinAccepted(Verified),
    /// The card is open.
    Opened(Opened),
}

/// A card that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// SHA-256 of the data that answered SELECT.
    pub application: [u8; 32],
    /// SHA-256 of its CHUID, if it has one.
    pub chuid: Option<[u8; 32]>,
    /// Which PIN its keys want.
    pub pin: PinReference,
    /// What can be used of what it holds, by slot.
    pub keys: Vec<PivKey>,
}

impl Opened {
    /// Its keys as a guest and an operator know them: named by slot, `9a`.
    #[must_use]
    pub fn identities(&self) -> Vec<CardIdentity> {
        let identity = |key: &PivKey| CardIdentity {
            name: (key.slot().to_string().parse()).expect("a slot's name is printable"),
            certificate: Some(key.certificate().to_vec()),
            schemes: key.schemes().to_vec(),
        };
        self.keys.iter().map(identity).collect()
    }

    /// The key in the slot of that name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&PivKey> {
        let slot = name.parse().ok()?;
        self.keys.iter().find(|key| key.slot() == slot)
    }
}

/// An opening that waits for its card.
pub struct AwaitCard {
    context: Box<Context>,
    pending: Pending,
    state: State,
}

impl AwaitCard {
    /// Takes the response to the command of [`Step::Transmit`].
    ///
    /// # Errors
    /// [`CardError`] when the card cannot be used.
    pub fn on_response(self, response: ResponseApdu) -> Result<Step, CardError> {
        let Self {
            mut context,
            pending,
            state,
        } = self;
        let answer = match pending.on_response(response, &mut context.counter)? {
            Progress::Transmit(pending, command) => {
                let waiting = Self {
                    context,
                    pending,
                    state,
                };
                return Ok(Step::Transmit(waiting, command));
            }
            Progress::Complete(answer) => answer,
        };
        let next = match state {
            State::Selected(state) => state.on_answer(&mut context, &answer),
            State::Discovery(state) => state.on_answer(&mut context, &answer),
            State::Chuid(state) => state.on_answer(&mut context, &answer),
            State::Certificate(state) => state.on_answer(&mut context, &answer),
            State::PinStatus => on_pin_status(&answer),
            State::PinVerified => judge_verify(&answer).map(|()| Next::PinAccepted),
        }?;
        act(context, next)
    }

    /// Which command is under way.
    #[must_use]
    pub fn step(&self) -> CardStep {
        self.pending.step()
    }
}

fn on_pin_status(answer: &Answer) -> Result<Next, CardError> {
    Ok(match judge_status(answer)? {
        PinNeed::Wanted => Next::NeedPin,
        PinNeed::Verified => Next::Opened,
    })
}

/// An opening that waits for the PIN.
pub struct AwaitPin(Box<Context>);

impl AwaitPin {
    /// What is seen of the card: all of it, before its PIN.
    #[must_use]
    pub fn seen(&self) -> &Opened {
        &self.0.opened
    }

    /// Sends the PIN. The attempt must be on record by now.
    ///
    /// # Errors
    /// [`CardError`] when the opening has used up its commands.
    pub fn with_pin(self, pin: &Pin) -> Result<Step, CardError> {
        let mut context = self.0;
        let command = PivCommand::VerifyPin(context.opened.pin, pin.clone());
        // Repeated for a 6Cxx it could cost a second try.
        let (pending, command) =
            Pending::start_once(CardStep::VerifyPin, &command, &mut context.counter)?;
        let waiting = AwaitCard {
            context,
            pending,
            state: State::PinVerified,
        };
        Ok(Step::Transmit(waiting, command))
    }
}

/// An opening whose PIN was accepted.
pub struct Verified(Box<Context>);

impl Verified {
    /// Goes on.
    ///
    /// # Errors
    /// None in practice: nothing more is asked of the card.
    pub fn proceed(self) -> Result<Step, CardError> {
        act(self.0, Next::Opened)
    }
}

/// The fixed terms of an opening and what was learned on the way.
pub(super) struct Context {
    parameters: PivParameters,
    counter: Counter,
    pub(super) opened: Opened,
}

/// A state in which the card has the word.
pub(super) enum State {
    Selected(ExpectSelected),
    Discovery(ExpectDiscovery),
    Chuid(ExpectChuid),
    Certificate(ExpectCertificate),
    PinStatus,
    PinVerified,
}

/// What a state decides.
pub(super) enum Next {
    Command(CardStep, PivCommand, State),
    NeedPin,
    PinAccepted,
    Opened,
}

fn act(mut context: Box<Context>, next: Next) -> Result<Step, CardError> {
    Ok(match next {
        Next::Command(step, command, state) => {
            let Context {
                parameters,
                counter,
                ..
            } = &mut *context;
            let (pending, command) = Pending::start(step, &command, parameters, counter)?;
            let waiting = AwaitCard {
                context,
                pending,
                state,
            };
            Step::Transmit(waiting, command)
        }
        Next::NeedPin => Step::NeedPin(AwaitPin(context)),
        Next::PinAccepted => Step::PinAccepted(Verified(context)),
        Next::Opened => Step::Opened(context.opened),
    })
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
