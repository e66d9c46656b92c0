//! The end of every handshake, good or bad: Reset-State, then Set-Identity.
//!
//! Set-Identity is the strongest reset there is (§5.3): it ends an abandoned segment chain, which
//! nothing but SELECT does otherwise (§13, point 5).

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::EapCardCommand;
use proto::id::IdentityName;

use super::command::{Pending, Progress};
use super::parameters::OptionalSteps;
use crate::card::counter::Counter;
use crate::card::fault::{CardFault, CardStep};
use crate::card::profile::EapTlsProfile;
use crate::card::transport::ChainLink;

/// Begins the end of a handshake under `identity`.
///
/// # Errors
/// None in practice: a first command is always allowed.
pub fn begin(
    profile: &EapTlsProfile,
    steps: OptionalSteps,
    identity: IdentityName,
) -> Result<Step, CardFault> {
    let common = Common {
        profile: profile.clone(),
        steps,
        identity,
        counter: Counter::new(MAX_CLOSING_COMMANDS),
    };
    if profile.reset_state {
        let command = common.apdu(&EapCardCommand::ResetState);
        common.command(CardStep::ResetState, command)
    } else {
        common.set_identity()
    }
}

/// What the end of a handshake wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this command and feed its response to [`Closing::on_response`].
    Transmit(Box<Closing>, CommandApdu),
    /// The card is at rest.
    Closed,
}

/// The end of a handshake, waiting for the card.
#[derive(Debug)]
pub struct Closing {
    common: Common,
    pending: Pending,
}

impl Closing {
    /// Takes the response to the command of [`Step::Transmit`].
    ///
    /// # Errors
    /// [`CardFault`] when the card is not at rest: it needs a cold reset and opening.
    pub fn on_response(self, response: ResponseApdu) -> Result<Step, CardFault> {
        let Self {
            mut common,
            pending,
        } = self;
        match pending.on_response(response, &mut common.counter)? {
            Progress::Transmit(pending, command) => {
                Ok(Step::Transmit(Box::new(Self { common, pending }), command))
            }
            // A card that lacks Reset-State, or has nothing to reset, is no worse for it.
            Progress::Complete(answer) if answer.step == CardStep::ResetState => {
                common.set_identity()
            }
            Progress::Complete(answer) if answer.is_success() => Ok(Step::Closed),
            Progress::Complete(answer) => Err(answer.refused()),
        }
    }

    /// Which command is under way.
    #[must_use]
    pub fn step(&self) -> CardStep {
        self.pending.step()
    }

    /// `command`, which is under way, and the one that follows it whatever the card answers.
    #[must_use]
    pub fn chain(&self, command: &CommandApdu) -> Vec<ChainLink> {
        let set_identity = match self.step() {
            CardStep::ResetState => self.common.set_identity_command(),
            _ => None,
        };
        ChainLink::independent(std::iter::once(command.clone()).chain(set_identity))
    }
}

#[derive(Debug)]
struct Common {
    profile: EapTlsProfile,
    steps: OptionalSteps,
    identity: IdentityName,
    counter: Counter,
}

impl Common {
    fn set_identity(self) -> Result<Step, CardFault> {
        match self.set_identity_command() {
            Some(command) => self.command(CardStep::SetIdentity, command),
            None => Ok(Step::Closed),
        }
    }

    fn set_identity_command(&self) -> Option<CommandApdu> {
        let command = EapCardCommand::SetIdentity(self.identity.clone());
        let wanted = self.steps.set_identity_at_end;
        wanted.then(|| self.apdu(&command))
    }

    fn apdu(&self, command: &EapCardCommand) -> CommandApdu {
        let apdu = command.to_apdu(self.profile.cla);
        apdu.expect("a friendly name fits an APDU")
    }

    fn command(mut self, step: CardStep, command: CommandApdu) -> Result<Step, CardFault> {
        let (pending, command) = Pending::start(step, command, &self.profile, &mut self.counter)?;
        let closing = Box::new(Closing {
            common: self,
            pending,
        });
        Ok(Step::Transmit(closing, command))
    }
}

/// Two commands, each with what a T=0 card makes of it.
const MAX_CLOSING_COMMANDS: u32 = 16;
