//! What each command asks for.

use std::collections::BTreeMap;

use proto::id::Seid;
use proto::racs::{
    ApduCommand, Command, CommandLine, CommandNumber, FailureClass, LineError, SeidToken,
    StatusCode, StatusLine, VERSION,
};

use super::apdu_run::ApduRun;
use super::order::Order;
use super::rights::Rights;

/// What is to be done about a command.
pub(super) enum Asked {
    /// Nothing: this is its text.
    Answered(String),
    /// This is to be done first.
    Ordered(Ordered),
    /// Its text; the session ends behind END.
    Quit(String),
}

/// An order, and the command that waits for its outcome.
pub(super) type Ordered = (Order, Awaited);

/// The command that waits for an outcome.
#[derive(Debug)]
pub(super) enum Awaited {
    List { append: bool },
    PowerOn { seid: Seid, then: Then },
    Shutdown { seid: Seid, append: bool },
    Reset { seid: Seid, append: bool },
    Apdu(Box<ApduRun>),
}

/// What an element is powered for.
#[derive(Debug)]
pub(super) enum Then {
    /// For itself.
    Answer { append: bool },
    /// The first RESET takes the element.
    Reset { warm: bool, append: bool },
    /// The first APDU does.
    Transmit(Box<ApduRun>),
}

impl Awaited {
    /// The number of the command.
    pub(super) fn number(&self) -> CommandNumber {
        match self {
            Self::List { .. } => CommandNumber::List,
            Self::Shutdown { .. } => CommandNumber::Shutdown,
            Self::PowerOn { then, .. } => match then {
                Then::Answer { .. } => CommandNumber::PowerOn,
                Then::Reset { .. } => CommandNumber::Reset,
                Then::Transmit(..) => CommandNumber::Apdu,
            },
            Self::Reset { .. } => CommandNumber::Reset,
            Self::Apdu(_) => CommandNumber::Apdu,
        }
    }

    /// The element it is about.
    pub(super) fn seid(&self) -> Option<&Seid> {
        match self {
            Self::List { .. } => None,
            Self::PowerOn { seid, .. } | Self::Shutdown { seid, .. } | Self::Reset { seid, .. } => {
                Some(seid)
            }
            Self::Apdu(run) => Some(&run.seid),
        }
    }
}

/// A user's rights, and what the user's session holds: whether each is a card that guests use.
pub(super) struct Terms<'a> {
    pub(super) rights: &'a Rights,
    pub(super) held: &'a BTreeMap<Seid, bool>,
}

impl Terms<'_> {
    /// Judges a command.
    pub(super) fn ask(&self, line: CommandLine) -> Result<Asked, Refused> {
        let CommandLine { command, append } = line;
        let number = command.number();
        Ok(match command {
            Command::GetVersion => Asked::Answered(VERSION.to_owned()),
            Command::SetVersion(version) => Asked::Answered(version.to_owned()),
            Command::Echo(token) => Asked::Answered(token.to_string()),
            Command::Quit => Asked::Quit("QUIT".to_owned()),
            Command::List => Asked::Ordered((Order::List, Awaited::List { append })),
            Command::PowerOn(token) => self.power_on(&token, append)?,
            Command::Shutdown(token) => {
                let seid = self.rights.power(&token, number)?;
                let order = Order::Shutdown(seid.clone());
                Asked::Ordered((order, Awaited::Shutdown { seid, append }))
            }
            Command::Reset { seid, warm } => self.reset(&seid, warm, append)?,
            Command::Apdu(apdu) => self.apdu(apdu, append)?,
            Command::Sen(token) | Command::GetSen(token) => {
                self.rights.known(&token, number)?;
                let text = "there is no second service here that would use the name";
                return Err(Refused::new(FailureClass::NotImplemented, number, text));
            }
        })
    }

    fn power_on(&self, token: &SeidToken, append: bool) -> Result<Asked, Refused> {
        let seid = self.rights.power(token, CommandNumber::PowerOn)?;
        // Also one that is held: it may have been lost since, and this is a sign of life for it.
        Ok(Asked::Ordered(powered(seid, Then::Answer { append })))
    }

    fn reset(&self, token: &SeidToken, warm: bool, append: bool) -> Result<Asked, Refused> {
        let seid = self.rights.power(token, CommandNumber::Reset)?;
        Ok(Asked::Ordered(match self.held.contains_key(&seid) {
            true => reset(seid, warm, append),
            false => powered(seid, Then::Reset { warm, append }),
        }))
    }

    fn apdu(&self, apdu: ApduCommand, append: bool) -> Result<Asked, Refused> {
        let seid = self.rights.apdu(&apdu)?;
        let run = Box::new(ApduRun::new(seid, append, apdu));
        let Some(&bound) = self.held.get(&run.seid) else {
            let seid = run.seid.clone();
            return Ok(Asked::Ordered(powered(seid, Then::Transmit(run))));
        };
        self.rights.keys(&run.seid, bound, &run.apdu)?;
        Ok(Asked::Ordered(transmit(run)))
    }
}

/// The element is powered and taken first.
fn powered(seid: Seid, then: Then) -> Ordered {
    let order = Order::PowerOn(seid.clone());
    (order, Awaited::PowerOn { seid, then })
}

pub(super) fn reset(seid: Seid, warm: bool, append: bool) -> Ordered {
    let element = seid.clone();
    let order = Order::Reset {
        seid: element,
        warm,
    };
    (order, Awaited::Reset { seid, append })
}

pub(super) fn transmit(run: Box<ApduRun>) -> Ordered {
    let order = Order::Transmit {
        seid: run.seid.clone(),
        command: run.command().clone(),
    };
    (order, Awaited::Apdu(run))
}

/// A negative status without its line.
#[derive(Debug)]
pub(super) struct Refused {
    code: StatusCode,
    text: String,
}

impl Refused {
    pub(super) fn new(class: FailureClass, number: CommandNumber, text: impl Into<String>) -> Self {
        let code = StatusCode::failure(class, number);
        let text = text.into();
        Self { code, text }
    }

    /// The answer for an element that does not exist, or that the user must not know of.
    pub(super) fn invalid_seid(number: CommandNumber) -> Self {
        LineError::invalid_seid(number).into()
    }

    pub(super) fn at(self, line: u32) -> StatusLine {
        StatusLine::new(self.code, line, self.text.into_bytes())
    }
}

impl From<LineError> for Refused {
    fn from(error: LineError) -> Self {
        let LineError { code, text } = error;
        let text = text.to_owned();
        Self { code, text }
    }
}
