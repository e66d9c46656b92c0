//! A batch of commands to bytes.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::command::{ApduCommand, Command, CommandLine};
use super::line::extend_wiped;
use super::token::{Label, SeidToken};
use crate::hex;

/// The longest request, in bytes: one TLS record. Published servers misread lines that are cut in
/// two records.
pub const MAX_REQUEST: usize = 16_384;

/// A batch of commands, as a client sends it.
///
/// No line of it has more than nine tokens, which is what published servers have room for; of full
/// answers of cards (256 bytes) those have room for 13 in a response.
///
/// Source: specs/racs.md §3, §9, §15.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Its name, echoed in the response.
    pub label: Option<Label>,
    /// Its commands; without any, the server answers `+001`.
    pub lines: Vec<CommandLine>,
}

impl Request {
    /// A request of these commands, without a label.
    pub fn new(lines: impl IntoIterator<Item = impl Into<CommandLine>>) -> Self {
        Self {
            label: None,
            lines: lines.into_iter().map(Into::into).collect(),
        }
    }

    /// Its bytes, to be sent in one write.
    ///
    /// # Errors
    /// [`RequestTooLong`] for more than [`MAX_REQUEST`] bytes.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, RequestTooLong> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(256));
        extend_wiped(&mut bytes, b"BEGIN");
        if let Some(label) = &self.label {
            parameter(&mut bytes, label.as_str());
        }
        extend_wiped(&mut bytes, b"\r\n");
        for line in &self.lines {
            encode_line(&mut bytes, line);
            if bytes.len() > MAX_REQUEST {
                break;
            }
        }
        extend_wiped(&mut bytes, b"END\r\n");
        match bytes.len() {
            0..=MAX_REQUEST => Ok(bytes),
            _ => Err(RequestTooLong),
        }
    }
}

/// A request of more bytes than [`MAX_REQUEST`]: it must be made into several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request of more than {MAX_REQUEST} bytes")]
pub struct RequestTooLong;

fn encode_line(bytes: &mut Zeroizing<Vec<u8>>, line: &CommandLine) {
    let with_seid = |bytes: &mut _, name: &str, seid: &SeidToken| {
        extend_wiped(bytes, name.as_bytes());
        parameter(bytes, seid.as_str());
    };
    match &line.command {
        Command::GetVersion => extend_wiped(bytes, b"GET-VERSION"),
        Command::SetVersion(version) => {
            extend_wiped(bytes, b"SET-VERSION");
            parameter(bytes, version);
        }
        Command::List => extend_wiped(bytes, b"LIST"),
        Command::Reset { seid, warm } => {
            with_seid(bytes, "RESET", seid);
            if *warm {
                parameter(bytes, "WARM");
            }
        }
        Command::Apdu(apdu) => {
            with_seid(bytes, "APDU", &apdu.seid);
            encode_apdu(bytes, apdu);
        }
        Command::Shutdown(seid) => with_seid(bytes, "SHUTDOWN", seid),
        Command::PowerOn(seid) => with_seid(bytes, "POWERON", seid),
        Command::Echo(token) => {
            extend_wiped(bytes, b"ECHO");
            parameter(bytes, token.as_str());
        }
        Command::Sen(seid) => with_seid(bytes, "SEN", seid),
        Command::GetSen(seid) => with_seid(bytes, "GET-SEN", seid),
        Command::Quit => extend_wiped(bytes, b"QUIT"),
    }
    if line.append {
        parameter(bytes, "APPEND");
    }
    extend_wiped(bytes, b"\r\n");
}

fn encode_apdu(bytes: &mut Zeroizing<Vec<u8>>, apdu: &ApduCommand) {
    extend_wiped(bytes, b" ");
    extend_wiped(bytes, &hex::encode_upper(&apdu.command.encode()));
    let mut options = String::new();
    // A String takes whatever is written.
    if let Some(sw) = apdu.continue_on {
        let _ = write!(options, " CONTINUE={:04X}", sw.0);
    }
    if let Some(sw1) = apdu.more {
        let _ = write!(options, " MORE={sw1:02X}");
    }
    if apdu.fetch != ApduCommand::GET_RESPONSE {
        let _ = write!(options, " FETCH={:08X}", u32::from_be_bytes(apdu.fetch));
    }
    extend_wiped(bytes, options.as_bytes());
}

fn parameter(bytes: &mut Zeroizing<Vec<u8>>, parameter: &str) {
    extend_wiped(bytes, b" ");
    extend_wiped(bytes, parameter.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apdu::{CommandApdu, StatusWord};

    fn seid() -> SeidToken {
        SeidToken::try_from(&b"se-00"[..]).expect("a name")
    }

    #[test]
    fn a_request_is_lines_between_begin_and_end() {
        let apdu = ApduCommand {
            continue_on: Some(StatusWord(0x9000)),
            more: Some(0x9F),
            fetch: [0xA0, 0x12, 0, 0],
            ..ApduCommand::new(seid(), CommandApdu::new(0xA0, 0x19, 0, 0).with_le(256))
        };
        let command = Command::Apdu(apdu);
        let request = Request {
            label: Label::try_from(&b"job7"[..]).ok(),
            lines: vec![
                Command::PowerOn(seid()).into(),
                CommandLine {
                    command,
                    append: true,
                },
            ],
        };
        assert_eq!(
            request.encode().expect("short").as_slice(),
            b"BEGIN job7\r\nPOWERON se-00\r\n\
              APDU se-00 A019000000 CONTINUE=9000 MORE=9F FETCH=A0120000 APPEND\r\nEND\r\n"
        );
        let empty = Request::default().encode().expect("short");
        assert_eq!(empty.as_slice(), b"BEGIN\r\nEND\r\n");
    }

    #[test]
    fn a_request_fits_one_record() {
        let data = [0xAA; 255];
        let command = CommandApdu::new(0, 0x10, 0, 0)
            .with_data(&data)
            .expect("fits");
        let line = Command::Apdu(ApduCommand::new(seid(), command));
        let of = |lines: usize| Request::new(vec![line.clone(); lines]).encode();
        assert!(of(30).is_ok_and(|bytes| bytes.len() <= MAX_REQUEST));
        assert_eq!(of(31), Err(RequestTooLong));
        assert_eq!(of(1_000), Err(RequestTooLong));
    }
}
