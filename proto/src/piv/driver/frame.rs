//! One command after the other, each to its complete answer, counted.

use super::fault::{PivFault, PivStep};
use super::pin::{self, AwaitPin, PinKeeper, Verified};
use crate::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::piv::{PinReference, PivCommand, Transfer, TransferError, TransferStep};

/// What a task wants next.
pub enum Step<T: Task> {
    /// Send this command and feed its response to [`AwaitCard::on_response`].
    Transmit(AwaitCard<T>, CommandApdu),
    /// The card wants its PIN, and it may be tried: [`AwaitPin::verify`].
    NeedPin(AwaitPin<T>),
    /// The card accepted the PIN: [`Verified::proceed`].
    PinAccepted(Verified<T>),
    /// The task is done.
    Done(T::Output),
}

/// Runs a task to its end: `transmit` sends a command of the step that it is told, `keeper` has the PIN.
///
/// # Errors
/// Whatever ends it first: the card, the way to it, or the keeper.
pub fn run<T, K, E>(
    begun: Result<Step<T>, PivFault>,
    keeper: &K,
    mut transmit: impl FnMut(PivStep, &CommandApdu) -> Result<ResponseApdu, E>,
) -> Result<T::Output, E>
where
    T: Task,
    K: PinKeeper + ?Sized,
    E: From<PivFault> + From<K::Error>,
{
    run_in_rows(begun, keeper, |step, command, _| transmit(step, command))
}

/// [`run`], where `transmit` is also told which commands go out behind that one, each if the one before
/// it was answered by 9000 without data: it may send them ahead, and give the answers when it is asked
/// for them.
///
/// # Errors
/// As [`run`].
pub fn run_in_rows<T, K, E>(
    begun: Result<Step<T>, PivFault>,
    keeper: &K,
    mut transmit: impl FnMut(PivStep, &CommandApdu, &[CommandApdu]) -> Result<ResponseApdu, E>,
) -> Result<T::Output, E>
where
    T: Task,
    K: PinKeeper + ?Sized,
    E: From<PivFault> + From<K::Error>,
{
    let mut step = begun?;
    loop {
        step = match step {
            Step::Transmit(waiting, command) => {
                let response = transmit(waiting.step(), &command, waiting.transfer.following())?;
                waiting.on_response(response)?
            }
            Step::NeedPin(waiting) => waiting.verify::<K, E>(keeper)?,
            Step::PinAccepted(verified) => verified.proceed::<K, E>(keeper)?,
            Step::Done(output) => return Ok(output),
        };
    }
}

/// What is done with a card: a chain of commands, each decided by the answer to the one before.
pub trait Task {
    /// What comes of it.
    type Output;

    /// How many commands it may take, whatever the card says.
    const MAX_COMMANDS: u32;

    /// Takes the answer to the last command. That the PIN is verified comes as the answer to
    /// [`PivStep::PinStatus`] or [`PivStep::VerifyPin`].
    fn on_answer(&mut self, answer: &Answer) -> Result<Next<Self::Output>, PivFault>;

    /// The answer to the last command did not come whole, and what came of it is gone. The task ends
    /// there, unless it can do without that answer.
    ///
    /// # Errors
    /// [`PivFault`] when it cannot.
    fn on_broken_answer(
        &mut self,
        step: PivStep,
        source: TransferError,
    ) -> Result<Next<Self::Output>, PivFault> {
        Err(PivFault::Transfer { step, source })
    }
}

/// What a task decides.
pub enum Next<O> {
    /// To send a command.
    Command(PivStep, PivCommand),
    /// To see to it that the PIN is verified.
    Pin(PinTerms),
    /// That it is done.
    Done(O),
}

/// Which PIN is wanted, and how much.
#[derive(Debug, Clone, Copy)]
pub struct PinTerms {
    /// Which one.
    pub reference: PinReference,
    /// Whether a card that has it verified is sent it all the same.
    pub anew: bool,
}

/// The complete answer to one command.
#[derive(Debug)]
pub struct Answer {
    /// To what.
    pub step: PivStep,
    /// All of it.
    pub response: ResponseApdu,
}

impl Answer {
    pub(super) fn sw(&self) -> StatusWord {
        self.response.sw
    }

    pub(super) fn data(&self) -> &[u8] {
        self.response.data()
    }

    pub(super) fn refused(&self) -> PivFault {
        let (step, sw) = (self.step, self.sw());
        PivFault::Refused { step, sw }
    }
}

/// A task whose card has the word.
pub struct AwaitCard<T> {
    frame: Box<Frame<T>>,
    sent: Sent,
    transfer: Transfer,
}

/// What the card was told.
#[derive(Clone, Copy)]
enum Sent {
    Command(PivStep),
    Look(PinTerms),
    Verify,
}

impl<T: Task> AwaitCard<T> {
    /// Takes the response to the command of [`Step::Transmit`].
    ///
    /// # Errors
    /// [`PivFault`] when the task cannot go on.
    pub fn on_response(self, response: ResponseApdu) -> Result<Step<T>, PivFault> {
        let step = self.step();
        let Self {
            mut frame,
            sent,
            transfer,
        } = self;
        let response = match (transfer.on_response(response), sent) {
            (Ok(TransferStep::Transmit(transfer, command)), _) => {
                frame.count(step)?;
                let waiting = Self {
                    frame,
                    sent,
                    transfer,
                };
                return Ok(Step::Transmit(waiting, command));
            }
            (Ok(TransferStep::Complete(response)), _) => response,
            (Err(source), Sent::Command(_)) => {
                let next = frame.task.on_broken_answer(step, source)?;
                return frame.act(next);
            }
            (Err(source), Sent::Look(_) | Sent::Verify) => {
                return Err(PivFault::Transfer { step, source });
            }
        };
        let answer = Answer { step, response };
        match sent {
            Sent::Command(_) => frame.proceed(&answer),
            Sent::Look(terms) => pin::on_look(frame, terms, &answer),
            Sent::Verify => pin::on_verify(frame, answer),
        }
    }

    /// Which command is under way.
    #[must_use]
    pub fn step(&self) -> PivStep {
        match self.sent {
            Sent::Command(step) => step,
            Sent::Look(_) => PivStep::PinStatus,
            Sent::Verify => PivStep::VerifyPin,
        }
    }
}

/// A task, and how far it may go.
pub(super) struct Frame<T> {
    task: T,
    /// Whether the card takes long commands as one extended APDU.
    extended: bool,
    /// How many commands it may still take.
    left: u32,
}

impl<T: Task> Frame<T> {
    pub(super) fn begin(
        task: T,
        extended: bool,
        first: Next<T::Output>,
    ) -> Result<Step<T>, PivFault> {
        let left = T::MAX_COMMANDS;
        let frame = Box::new(Self {
            task,
            extended,
            left,
        });
        frame.act(first)
    }

    pub(super) fn proceed(mut self: Box<Self>, answer: &Answer) -> Result<Step<T>, PivFault> {
        let next = self.task.on_answer(answer)?;
        self.act(next)
    }

    fn act(mut self: Box<Self>, next: Next<T::Output>) -> Result<Step<T>, PivFault> {
        let (step, sent, command) = match next {
            Next::Command(step, command) => (step, Sent::Command(step), command),
            Next::Pin(terms) => {
                let look = PivCommand::PinStatus(terms.reference);
                (PivStep::PinStatus, Sent::Look(terms), look)
            }
            Next::Done(output) => return Ok(Step::Done(output)),
        };
        self.count(step)?;
        let started = Transfer::start(&command, self.extended);
        Ok(self.transmit(
            sent,
            started.expect("an input of the key's own length fits"),
        ))
    }

    /// Sends a PIN. Repeated for a 6Cxx it could cost a second try.
    pub(super) fn verify(mut self: Box<Self>, command: &PivCommand) -> Result<Step<T>, PivFault> {
        self.count(PivStep::VerifyPin)?;
        let started = Transfer::start_once(command);
        Ok(self.transmit(Sent::Verify, started.expect("a PIN fits an APDU")))
    }

    fn transmit(self: Box<Self>, sent: Sent, started: (Transfer, CommandApdu)) -> Step<T> {
        let (transfer, command) = started;
        let frame = self;
        let waiting = AwaitCard {
            frame,
            sent,
            transfer,
        };
        Step::Transmit(waiting, command)
    }

    fn count(&mut self, step: PivStep) -> Result<(), PivFault> {
        let max = T::MAX_COMMANDS;
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(PivFault::TooManyCommands { step, max })?;
        Ok(())
    }
}
