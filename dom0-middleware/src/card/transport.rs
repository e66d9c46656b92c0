//! How a worker reaches a card: APDUs out and in, a cold reset, a look whether it is still there.

use std::io;
use std::time::{Duration, Instant};

use proto::apdu::{Atr, CommandApdu, ResponseApdu};
use proto::error::DecodeError;
use thiserror::Error;

/// A powered card that takes APDUs. One worker owns it; nobody else speaks to the card meanwhile.
///
/// Every method returns by its deadline. After an error other than [`TransportError::Reset`] the
/// answer of an earlier command may still be on its way: only [`cold_reset`](Self::cold_reset) or
/// a new connection makes the transport usable again.
pub trait CardTransport: Send {
    /// The answer to reset of the last power-up.
    fn atr(&self) -> &Atr;

    /// Sends one command and waits for its response.
    ///
    /// # Errors
    /// A [`TransportError`] when no whole response came by `deadline`; status words are not errors
    /// here.
    fn transmit(
        &mut self,
        command: &CommandApdu,
        deadline: Instant,
    ) -> Result<ResponseApdu, TransportError>;

    /// Takes the card's power away and gives it back; PIN and handshake state are gone.
    ///
    /// # Errors
    /// A [`TransportError`] when the card gave no answer to reset by `deadline`.
    fn cold_reset(&mut self, deadline: Instant) -> Result<Atr, TransportError>;

    /// Resets the card and leaves its power on, where that can be done; else as
    /// [`cold_reset`](Self::cold_reset).
    ///
    /// # Errors
    /// A [`TransportError`] when the card gave no answer to reset by `deadline`.
    fn warm_reset(&mut self, deadline: Instant) -> Result<Atr, TransportError> {
        self.cold_reset(deadline)
    }

    /// Looks, without an APDU and without waiting, whether the card is still there.
    ///
    /// # Errors
    /// [`TransportError::Removed`] when it has left.
    fn check_present(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    /// Whether the way to the card should be made anew while nobody uses it, by
    /// [`cold_reset`](Self::cold_reset).
    fn is_worn(&self) -> bool {
        false
    }

    /// Which commands are faster together than one after the other.
    fn takes_chains(&self) -> Chains {
        Chains::None
    }

    /// Sends commands one after the other, up to the first one that had to succeed and did not. Each may
    /// take `apdu_timeout`.
    fn transmit_all(&mut self, chain: &[ChainLink], apdu_timeout: Duration) -> Chained {
        one_by_one(self, chain, apdu_timeout)
    }
}

/// Which commands go to a card together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chains {
    /// None: one after the other.
    None,
    /// Those that are sent whatever becomes of the ones before them.
    Independent,
    /// All but those behind an answer with data: the card speaks T=0, and gives data when it is asked
    /// again.
    Silent,
    /// All.
    All,
}

impl Chains {
    /// Whether commands go together of which one must succeed for the next.
    #[must_use]
    pub fn may_depend(self) -> bool {
        matches!(self, Self::Silent | Self::All)
    }

    /// Whether commands go together whose answers have data.
    #[must_use]
    pub fn may_answer(self) -> bool {
        matches!(self, Self::Independent | Self::All)
    }
}

/// A chain where commands do not go together.
pub(super) fn one_by_one<T: CardTransport + ?Sized>(
    transport: &mut T,
    chain: &[ChainLink],
    apdu_timeout: Duration,
) -> Chained {
    let mut done = Chained::default();
    for link in chain {
        match transport.transmit(&link.command, Instant::now() + apdu_timeout) {
            Ok(response) => {
                let goes_on = response.sw.is_success() || !link.must_succeed;
                done.responses.push(response);
                if !goes_on {
                    break;
                }
            }
            Err(error) => return done.failed(error),
        }
    }
    done
}

/// A command that others follow whatever data its answer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// The command.
    pub command: CommandApdu,
    /// Whether nothing behind it may reach the card unless it is answered by 9000, without data.
    pub must_succeed: bool,
    /// CLA INS P1 P2 of what fetches the rest of its answer after 9Fxx. The transport may do so, and give
    /// the answer as a whole; if it does not, whoever sent the command does.
    pub fetch: Option<[u8; 4]>,
}

impl ChainLink {
    /// Commands that are sent whatever becomes of each other.
    #[must_use]
    pub fn independent(commands: impl IntoIterator<Item = CommandApdu>) -> Vec<Self> {
        let link = |command| Self {
            command,
            must_succeed: false,
            fetch: None,
        };
        commands.into_iter().map(link).collect()
    }

    /// Commands in a row, each of which may go if the one before it was answered by 9000 without data.
    /// What the last one's answer must be is said elsewhere.
    #[must_use]
    pub fn in_row(commands: impl IntoIterator<Item = CommandApdu>) -> Vec<Self> {
        let link = |command| Self {
            command,
            must_succeed: true,
            fetch: None,
        };
        let mut chain: Vec<Self> = commands.into_iter().map(link).collect();
        if let Some(last) = chain.last_mut() {
            last.must_succeed = false;
        }
        chain
    }
}

/// What became of a chain.
#[derive(Debug, Default)]
pub struct Chained {
    /// The answers, in the order of the commands; the last one may be a failure.
    pub responses: Vec<ResponseApdu>,
    /// Why the next command has none.
    pub error: Option<TransportError>,
}

impl Chained {
    /// Ended by `error` at the next command.
    #[must_use]
    pub fn failed(mut self, error: TransportError) -> Self {
        self.error = Some(error);
        self
    }
}

/// Where the cards of one SEID come from: a reader's slot, or a socket virtual cards connect to.
pub trait CardSource: Send {
    /// A card that arrived since the last call, powered, or nothing. Never waits for an arrival;
    /// powering up what arrived ends by `deadline`.
    ///
    /// # Errors
    /// A [`TransportError`] when something arrived that did not behave like a card; it was let go.
    fn poll(&mut self, deadline: Instant)
    -> Result<Option<Box<dyn CardTransport>>, TransportError>;

    /// Why no card can come, as of the last look; `None` when one only has to be put in.
    fn trouble(&self) -> Option<SourceTrouble> {
        None
    }

    /// Refuses whatever arrived while a card is held; returns how many were refused.
    fn refuse_surplus(&mut self) -> usize {
        0
    }
}

/// Why no card can come.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceTrouble {
    /// The daemon of the readers does not answer.
    #[error("no PC/SC service answers; is pcscd running? (systemctl start pcscd.socket)")]
    NoService,
    /// The daemon does not let us.
    #[error(
        "PC/SC access denied; allow this user org.debian.pcsc-lite.access_pcsc and access_card in polkit"
    )]
    Denied,
    /// There is no reader of that name.
    #[error("no reader {reader:?}; is it plugged in, and is its name right? (opensc-tool -l)")]
    NoReader {
        /// The name.
        reader: String,
    },
    /// Somebody else has the card.
    #[error("another program holds the card in reader {reader:?}; end it")]
    InUse {
        /// The reader.
        reader: String,
    },
    /// The grid of another host does not give it.
    #[error("racs element {seid}: {why}; {next}")]
    Grid {
        /// The element, as the grid names it.
        seid: String,
        /// Which grid, and what is wrong.
        why: String,
        /// What to do.
        next: &'static str,
    },
    /// Anything else, in the library's words.
    #[error("cannot connect to the card: {0}")]
    Other(String),
}

/// Why a transport gave no response.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransportError {
    /// The card, or the connection to it, is gone.
    #[error("the card was removed")]
    Removed,
    /// The deadline passed first.
    #[error("no answer from the card in time")]
    TimedOut,
    /// The card was reset by someone else: its state is lost, the connection is not.
    #[error("the card was reset")]
    Reset,
    /// What came is not a response APDU.
    #[error("garbled answer: {0}")]
    Garbled(#[from] DecodeError),
    /// The other host's grid does not let this command pass.
    #[error("{0}")]
    Refused(String),
    /// Another status word than 9000, which the other host's grid keeps to itself.
    #[error("the card did not answer 9000; the grid does not say what it answered")]
    StatusUnseen,
    /// The operating system failed us.
    #[error("input or output failed: {0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut, UnexpectedEof,
            WouldBlock,
        };
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof => {
                Self::Removed
            }
            TimedOut | WouldBlock => Self::TimedOut,
            kind => Self::Io(kind),
        }
    }
}
