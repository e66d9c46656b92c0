//! A line to a command.

use super::command::{ApduCommand, Command, CommandLine, RequestLine};
use super::status::CommandNumber as Number;
use super::status::{FailureClass, StatusCode};
use super::token::{APPEND, Label, SeidToken, tokens};
use super::version::ACCEPTED_VERSIONS;
use crate::apdu::{CommandApdu, StatusWord};
use crate::hex;

impl RequestLine {
    /// Reads a line without its end.
    ///
    /// Parameters that a command does not have are not looked at, nor are options of APDU that are
    /// unknown or whose value has the wrong length: published servers do so, and clients of other
    /// drafts may send some. BEGIN with more than a label has none.
    ///
    /// # Errors
    /// A [`LineError`] with the status code that the line deserves.
    ///
    /// Source: specs/racs.md §3 to §6.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let name = tokens(line).next().unwrap_or_default();
        match name {
            b"BEGIN" => return begin(line),
            b"END" => return Ok(Self::End),
            _ => {}
        }
        let append = tokens(line).last() == Some(APPEND);
        let count = tokens(line).count().saturating_sub(usize::from(append));
        let parameters = Parameters(tokens(line).take(count).skip(1));
        // APPEND alone is no command.
        let name = if count == 0 { b"" } else { name };
        let command = parameters.command(name)?;
        Ok(Self::Command(CommandLine { command, append }))
    }
}

fn begin(line: &[u8]) -> Result<RequestLine, LineError> {
    let mut labels = tokens(line).skip(1);
    let (Some(label), None) = (labels.next(), labels.next()) else {
        return Ok(RequestLine::Begin(None));
    };
    if label.len() > Label::MAX_LEN {
        return Err(LineError {
            code: StatusCode::LABEL_TOO_LONG,
            text: "BEGIN: the label is longer than 63 characters",
        });
    }
    let malformed = "BEGIN: the label is not visible ASCII";
    let label = Label::try_from(label)
        .map_err(|_| LineError::new(FailureClass::Malformed, Number::Begin, malformed))?;
    Ok(RequestLine::Begin(Some(label)))
}

/// What follows the name of a command, APPEND left out.
struct Parameters<I>(I);

impl<'a, I: Iterator<Item = &'a [u8]>> Parameters<I> {
    fn command(mut self, name: &[u8]) -> Result<Command, LineError> {
        Ok(match name {
            b"GET-VERSION" => Command::GetVersion,
            b"SET-VERSION" => self.set_version()?,
            b"LIST" => Command::List,
            b"RESET" => Command::Reset {
                seid: self.seid(Number::Reset)?,
                warm: self.0.next() == Some(b"WARM"),
            },
            b"APDU" => Command::Apdu(self.apdu()?),
            b"SHUTDOWN" => Command::Shutdown(self.seid(Number::Shutdown)?),
            b"POWERON" => Command::PowerOn(self.seid(Number::PowerOn)?),
            b"ECHO" => self.echo()?,
            b"SEN" => Command::Sen(self.seid(Number::Sen)?),
            b"GET-SEN" => Command::GetSen(self.seid(Number::GetSen)?),
            b"QUIT" | b"XEND" => Command::Quit,
            _ => {
                let class = FailureClass::UnknownCommand;
                return Err(LineError::new(class, Number::None, "unknown command"));
            }
        })
    }

    fn next(&mut self, number: Number, missing: &'static str) -> Result<&'a [u8], LineError> {
        let token = self.0.next();
        token.ok_or_else(|| LineError::new(FailureClass::Malformed, number, missing))
    }

    fn seid(&mut self, number: Number) -> Result<SeidToken, LineError> {
        let token = self.next(number, "the SEID is missing")?;
        // As for a name that nothing has: no element is named so.
        SeidToken::try_from(token).map_err(|_| LineError::invalid_seid(number))
    }

    fn set_version(&mut self) -> Result<Command, LineError> {
        let wanted = self.next(Number::SetVersion, "the version is missing")?;
        let mut accepted = ACCEPTED_VERSIONS.into_iter();
        let version = accepted.find(|version| version.as_bytes() == wanted);
        let refused = "SET-VERSION: only 0.2 and 0.3 are spoken";
        let refused = LineError::new(FailureClass::Parameter, Number::SetVersion, refused);
        Ok(Command::SetVersion(version.ok_or(refused)?))
    }

    fn echo(&mut self) -> Result<Command, LineError> {
        let token = self.next(Number::Echo, "ECHO: the token is missing")?;
        let text = "ECHO: the token is not 1 to 63 visible ASCII characters, or is APPEND";
        let refused = LineError::new(FailureClass::Parameter, Number::Echo, text);
        let token = Label::try_from(token).ok();
        let token = token.filter(|token| token.as_str().as_bytes() != APPEND);
        Ok(Command::Echo(token.ok_or(refused)?))
    }

    fn apdu(&mut self) -> Result<ApduCommand, LineError> {
        let malformed = |text| LineError::new(FailureClass::Malformed, Number::Apdu, text);
        let missing = "APDU: SEID and APDU are both needed";
        let seid = self.next(Number::Apdu, missing)?;
        let digits = self.next(Number::Apdu, missing)?;
        let bytes = hex::decode_any_case(digits);
        let bytes =
            bytes.ok_or_else(|| malformed("APDU: not an even number of hexadecimal digits"))?;
        let command = CommandApdu::decode_any(&bytes);
        let command = command.map_err(|_| malformed("APDU: no command of ISO 7816-4"))?;
        let seid = SeidToken::try_from(seid).map_err(|_| LineError::invalid_seid(Number::Apdu))?;
        let mut apdu = ApduCommand::new(seid, command);
        for option in &mut self.0 {
            option_of(&mut apdu, option)
                .ok_or_else(|| malformed("APDU: an option is not hexadecimal"))?;
        }
        Ok(apdu)
    }
}

/// Takes an option in; `None` if its value has the right length and is not hexadecimal.
fn option_of(apdu: &mut ApduCommand, option: &[u8]) -> Option<()> {
    let value_of = |name: &[u8], digits| {
        let value = option.strip_prefix(name)?;
        (value.len() == digits).then_some(value)
    };
    if let Some(value) = value_of(b"CONTINUE=", 4) {
        apdu.continue_on = Some(StatusWord(u16::from_be_bytes(array(value)?)));
    } else if let Some(value) = value_of(b"MORE=", 2) {
        let [sw1] = array(value)?;
        apdu.more = Some(sw1);
    } else if let Some(value) = value_of(b"FETCH=", 8) {
        apdu.fetch = array(value)?;
    }
    Some(())
}

fn array<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    hex::decode_any_case(digits)?.as_slice().try_into().ok()
}

/// A line that is no command, and how that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code} {text}")]
pub struct LineError {
    /// The status.
    pub code: StatusCode,
    /// What is wrong, without anything of the line in it.
    pub text: &'static str,
}

impl LineError {
    /// What is answered for an element that does not exist, or that the user must not know of.
    #[must_use]
    pub fn invalid_seid(number: Number) -> Self {
        Self::new(FailureClass::Parameter, number, "invalid SEID")
    }

    fn new(class: FailureClass, number: Number, text: &'static str) -> Self {
        let code = StatusCode::failure(class, number);
        Self { code, text }
    }

    /// Whether nothing behind such a line is looked at: the session ends.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.code.is(FailureClass::Illegal)
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
