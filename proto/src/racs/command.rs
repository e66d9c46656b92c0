//! Commands.

use super::status::CommandNumber;
use super::token::{Label, SeidToken};
use crate::apdu::{CommandApdu, StatusWord};

/// A line of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestLine {
    /// A request begins.
    Begin(Option<Label>),
    /// A command of it.
    Command(CommandLine),
    /// It ends.
    End,
}

/// A command, and whether its status line is wanted though others follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The command.
    pub command: Command,
    /// Whether it ended in APPEND.
    pub append: bool,
}

impl From<Command> for CommandLine {
    fn from(command: Command) -> Self {
        let append = false;
        Self { command, append }
    }
}

/// A command.
///
/// Source: specs/racs.md §5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Which version is spoken?
    GetVersion,
    /// Speak this one: one of [`ACCEPTED_VERSIONS`](super::ACCEPTED_VERSIONS).
    SetVersion(&'static str),
    /// Which elements are there?
    List,
    /// Reset an element.
    Reset {
        /// The element.
        seid: SeidToken,
        /// It keeps its power.
        warm: bool,
    },
    /// Send an APDU.
    Apdu(ApduCommand),
    /// Take an element's power away and let it go.
    Shutdown(SeidToken),
    /// Power an element and hold it.
    PowerOn(SeidToken),
    /// Send this token back; `APPEND` cannot be one.
    Echo(Label),
    /// Give an element its name for the second service.
    Sen(SeidToken),
    /// The name an element has for the second service.
    GetSen(SeidToken),
    /// End the session behind END; QUIT, or XEND.
    Quit,
}

impl Command {
    /// Its number in status codes.
    #[must_use]
    pub fn number(&self) -> CommandNumber {
        match self {
            Self::GetVersion => CommandNumber::GetVersion,
            Self::SetVersion(_) => CommandNumber::SetVersion,
            Self::List => CommandNumber::List,
            Self::Reset { .. } => CommandNumber::Reset,
            Self::Apdu(_) => CommandNumber::Apdu,
            Self::Shutdown(_) => CommandNumber::Shutdown,
            Self::PowerOn(_) => CommandNumber::PowerOn,
            Self::Echo(_) => CommandNumber::Echo,
            Self::Sen(_) => CommandNumber::Sen,
            Self::GetSen(_) => CommandNumber::GetSen,
            Self::Quit => CommandNumber::Quit,
        }
    }
}

/// An APDU for an element, and what is to be done with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApduCommand {
    /// The element.
    pub seid: SeidToken,
    /// The APDU. It goes to the card as [`CommandApdu::encode`] has it, which is how it came unless
    /// extended lengths were not needed.
    pub command: CommandApdu,
    /// The batch goes on only if the final status word is this one.
    pub continue_on: Option<StatusWord>,
    /// While the first byte of the status word is this one, more is fetched.
    pub more: Option<u8>,
    /// CLA, INS, P1 and P2 of what fetches it; Le is the status word's second byte.
    pub fetch: [u8; 4],
}

impl ApduCommand {
    /// GET RESPONSE, which fetches unless something else is named.
    pub const GET_RESPONSE: [u8; 4] = [0x00, 0xC0, 0x00, 0x00];

    /// An APDU without options: what the card answers comes back.
    #[must_use]
    pub fn new(seid: SeidToken, command: CommandApdu) -> Self {
        Self {
            seid,
            command,
            continue_on: None,
            more: None,
            fetch: Self::GET_RESPONSE,
        }
    }

    /// CLA INS P1 P2 of all APDUs that the card may be sent for it: what FETCH names is one, which
    /// means nothing without MORE.
    pub fn headers(&self) -> impl Iterator<Item = [u8; 4]> {
        let fetch = self.more.map(|_| self.fetch);
        [self.command.header()].into_iter().chain(fetch)
    }
}
