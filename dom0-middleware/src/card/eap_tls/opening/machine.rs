//! The outside of an opening: what a worker feeds it and what it asks for.

use std::fmt;

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::{EapCardCommand, Pin};

use super::inventory::{ExpectCertificate, ExpectCurrentName, ExpectIdentity, ExpectName, list};
use super::pin_state::{ExpectPinState, ExpectPinVerified, ExpectSelected, verify_command};
use super::probes::{
    ExpectParametersProbe, ExpectSessionIdProbe, ExpectStateProbe, ExpectVersionsProbe,
};
use crate::card::counter::Counter;
use crate::card::eap_tls::command::{Pending, Progress};
use crate::card::eap_tls::parameters::{Capabilities, DriverParameters, MAX_OPENING_COMMANDS};
use crate::card::error::CardError;
use crate::card::fault::CardStep;
use crate::card::report::CardIdentity;

/// Begins to open a card that was just powered up or reset.
///
/// # Errors
/// None in practice: a first command is always allowed.
pub fn begin(parameters: DriverParameters) -> Result<Step, CardError> {
    let command = EapCardCommand::Select(parameters.profile.aid)
        .to_apdu(parameters.profile.cla)
        .expect("an AID fits an APDU");
    let context = Box::new(Context {
        counter: Counter::new(MAX_OPENING_COMMANDS),
        parameters,
        verified: false,
        application: [0; 32],
        identities: Vec::new(),
        capabilities: Capabilities::default(),
    });
    act(
        context,
        Next::Command(CardStep::Select, command, State::Selected(ExpectSelected)),
    )
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
    /// What it holds, by name; empty when the inventory was left out.
    pub identities: Vec<CardIdentity>,
    /// Which optional commands it has.
    pub capabilities: Capabilities,
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
                return Ok(Step::Transmit(
                    Self {
                        context,
                        pending,
                        state,
                    },
                    command,
                ));
            }
            Progress::Complete(answer) => answer,
        };
        let next = match state {
            State::Selected(state) => state.on_answer(&mut context, &answer),
            State::PinProbe(state) => state.on_answer(&mut context, &answer),
            State::PinVerified(state) => state.on_answer(&mut context, &answer),
            State::Name(state) => state.on_answer(&mut context, &answer),
            State::CurrentName(state) => state.on_answer(&mut context, &answer),
            State::Identity(state) => state.on_answer(&mut context, &answer),
            State::Certificate(state) => state.on_answer(&mut context, &answer),
            State::ParametersProbe(state) => state.on_answer(&mut context, &answer),
            State::VersionsProbe(state) => state.on_answer(&mut context, &answer),
            State::GetStateProbe(state) => state.on_answer(&mut context, &answer),
            State::SessionIdProbe(state) => state.on_answer(&mut context, &answer),
        }?;
        act(context, next)
    }

    /// Which command is under way.
    #[must_use]
    pub fn step(&self) -> CardStep {
        self.pending.step()
    }
}

/// An opening that waits for the PIN.
pub struct AwaitPin(Box<Context>);

impl AwaitPin {
    /// SHA-256 of the data that answered SELECT: all that is seen of a card before its PIN, its
    /// answer to reset aside.
    #[must_use]
    pub fn application(&self) -> &[u8; 32] {
        &self.0.application
    }

    /// Sends the PIN. The attempt must be on record by now.
    ///
    /// # Errors
    /// [`CardError`] when the opening has used up its commands.
    pub fn with_pin(self, pin: &Pin) -> Result<Step, CardError> {
        let mut context = self.0;
        let command = verify_command(&context.parameters.profile, pin.clone());
        // Repeated for a 6Cxx it could cost a second try.
        let pending = Pending::start_once(CardStep::VerifyPin, &mut context.counter)?;
        let state = State::PinVerified(ExpectPinVerified);
        let waiting = AwaitCard {
            context,
            pending,
            state,
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
    /// [`CardError`] when the opening has used up its commands.
    pub fn proceed(self) -> Result<Step, CardError> {
        let next = list(&self.0);
        act(self.0, next)
    }
}

/// The fixed terms of an opening and what was learned on the way.
pub(super) struct Context {
    pub(super) parameters: DriverParameters,
    counter: Counter,
    /// Whether VERIFY went out and was accepted: it is never sent twice.
    pub(super) verified: bool,
    /// SHA-256 of the data that answered SELECT.
    pub(super) application: [u8; 32],
    pub(super) identities: Vec<CardIdentity>,
    pub(super) capabilities: Capabilities,
}

impl Context {
    pub(super) fn apdu(&self, command: &EapCardCommand) -> CommandApdu {
        command
            .to_apdu(self.parameters.profile.cla)
            .expect("a command of the opening fits an APDU")
    }
}

/// A state in which the card has the word.
pub(super) enum State {
    Selected(ExpectSelected),
    PinProbe(ExpectPinState),
    PinVerified(ExpectPinVerified),
    Name(ExpectName),
    CurrentName(ExpectCurrentName),
    Identity(ExpectIdentity),
    Certificate(ExpectCertificate),
    ParametersProbe(ExpectParametersProbe),
    VersionsProbe(ExpectVersionsProbe),
    GetStateProbe(ExpectStateProbe),
    SessionIdProbe(ExpectSessionIdProbe),
}

/// What a state decides.
pub(super) enum Next {
    Command(CardStep, CommandApdu, State),
    NeedPin,
    PinAccepted,
    Opened,
}

fn act(mut context: Box<Context>, next: Next) -> Result<Step, CardError> {
    Ok(match next {
        Next::Command(step, command, state) => {
            let profile = &context.parameters.profile;
            let (pending, command) = Pending::start(step, command, profile, &mut context.counter)?;
            let waiting = AwaitCard {
                context,
                pending,
                state,
            };
            Step::Transmit(waiting, command)
        }
        Next::NeedPin => Step::NeedPin(AwaitPin(context)),
        Next::PinAccepted => Step::PinAccepted(Verified(context)),
        Next::Opened => {
            let mut identities = context.identities;
            // A card begins its list anywhere.
            identities.sort_by(|one, other| one.name.cmp(&other.name));
            Step::Opened(Opened {
                application: context.application,
                identities,
                capabilities: context.capabilities,
            })
        }
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
