//! Commands to a grid and their answers.

use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::hex;
use proto::racs::{
    ApduCommand, Command, CommandLine, CommandNumber, FailureClass, Request, SeidToken, StatusCode,
    StatusLine, apdu_answer, list_answer,
};

use super::address::GridAddress;
use super::batch::next_batch;
use super::conversation::{Answer, Conversation, ends_session, seid_of};
use super::error::{GridError, GridProblem};
use super::files::GridFiles;
use super::rules::ServerRules;
use super::wire::Wire;

/// A grid that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Where it is.
    pub address: GridAddress,
    /// The name its certificate has; also said to it (SNI), unless it is an address.
    pub server_name: String,
    /// Who we are, and which server is believed.
    pub files: GridFiles,
    /// What it has room for.
    pub rules: ServerRules,
}

impl Grid {
    /// Connects, the handshake of TLS included, by `deadline`.
    ///
    /// # Errors
    /// [`GridError`].
    pub fn connect(&self, deadline: Instant) -> Result<Session, GridError> {
        let connected = self.open(deadline);
        let wire = connected.map_err(|problem| self.error(problem))?;
        let now = Instant::now();
        Ok(Session {
            address: self.address.clone(),
            rules: self.rules,
            wire,
            conversation: Conversation::new(),
            begun: now,
            used: now,
            over: false,
        })
    }

    fn open(&self, deadline: Instant) -> Result<Wire, GridProblem> {
        let config = self.files.client_config(&self.server_name)?;
        Wire::connect(&self.address, &self.server_name, config, deadline)
    }

    pub(crate) fn error(&self, problem: GridProblem) -> GridError {
        let address = self.address.clone();
        GridError { address, problem }
    }
}

/// One connection to a grid. It holds what was powered on until it is dropped.
///
/// Every method returns by its deadline. After an error other than [`GridProblem::Refused`] the session
/// is over, and says so at once ever after.
pub struct Session {
    address: GridAddress,
    rules: ServerRules,
    wire: Wire,
    conversation: Conversation,
    begun: Instant,
    used: Instant,
    over: bool,
}

/// An APDU of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    /// The command.
    pub command: CommandApdu,
    /// The batch stops unless the card answers with this.
    pub expected: Option<StatusWord>,
    /// Whether the card's answer is wanted. That of the last one always comes.
    pub answered: bool,
    /// CLA INS P1 P2 of what the server is to fetch the rest of the answer with, while the card says
    /// 9Fxx. One that does not do so gives 9Fxx back.
    pub fetch: Option<[u8; 4]>,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub struct Played {
    /// One for each APDU that went to the card and had the status it should have, in order; `None` where
    /// the answer was not wanted, or the server has dropped it because of what came after.
    pub answers: Vec<Option<ResponseApdu>>,
    /// Why not all of them went there.
    pub stop: Option<Stop>,
}

/// A card's status that was not the expected one.
#[derive(Debug, PartialEq, Eq)]
pub struct Stop {
    /// The card's answer; `None` if the server says only that it was another one.
    pub answer: Option<ResponseApdu>,
    /// Its status word, if the server says it.
    pub sw: Option<StatusWord>,
}

impl Session {
    /// The elements that we may use.
    ///
    /// # Errors
    /// [`GridError`].
    pub fn list(&mut self, deadline: Instant) -> Result<Vec<SeidToken>, GridError> {
        let line = self.single(Command::List, deadline)?;
        list_answer(&line).map_err(|error| self.end(error.into()))
    }

    /// Powers an element and holds it; nothing happens to one that we hold. Returns what the server
    /// says of it.
    ///
    /// # Errors
    /// [`GridError`].
    pub fn power_on(
        &mut self,
        seid: &SeidToken,
        deadline: Instant,
    ) -> Result<StatusLine, GridError> {
        self.single(Command::PowerOn(seid.clone()), deadline)
    }

    /// Resets an element, which keeps its power if `warm`. Returns what the server says of it.
    ///
    /// # Errors
    /// [`GridError`].
    pub fn reset(
        &mut self,
        seid: &SeidToken,
        warm: bool,
        deadline: Instant,
    ) -> Result<StatusLine, GridError> {
        let seid = seid.clone();
        self.single(Command::Reset { seid, warm }, deadline)
    }

    /// Sends one APDU; what the card answers comes back, whatever its status.
    ///
    /// # Errors
    /// [`GridError`].
    pub fn apdu(
        &mut self,
        seid: &SeidToken,
        command: CommandApdu,
        deadline: Instant,
    ) -> Result<ResponseApdu, GridError> {
        let line = self.single(Command::Apdu(sent(seid, command, None)), deadline)?;
        apdu_answer(&line).map_err(|error| self.end(error.into()))
    }

    /// How many of `script` one request takes, `most` at most.
    #[must_use]
    pub fn room_for(&self, seid: &SeidToken, script: &[Scripted], most: usize) -> usize {
        // The status lines of the others never come together.
        let answered = script.iter().any(|apdu| apdu.answered);
        let full_answers = match answered {
            true => self.rules.full_answers,
            false => usize::MAX,
        };
        let commands = script.iter().map(|apdu| &apdu.command);
        next_batch(seid, commands, full_answers, most)
    }

    /// Sends APDUs in one request, as many as [`Self::room_for`] says there is room for.
    ///
    /// # Errors
    /// [`GridError`] when the server refuses one or fails. A card's status that is not the expected one
    /// is no error: [`Played::stop`].
    pub fn play(
        &mut self,
        seid: &SeidToken,
        script: &[Scripted],
        deadline: Instant,
    ) -> Result<Played, GridError> {
        let last = script.len();
        let lines = (1..).zip(script).map(|(number, apdu)| CommandLine {
            command: Command::Apdu(ApduCommand {
                // The last one's status comes back, so it is compared here.
                continue_on: apdu.expected.filter(|_| number != last),
                ..sent(seid, apdu.command.clone(), apdu.fetch)
            }),
            append: apdu.answered && number != last,
        });
        let request = Request::new(lines);
        let (lines, status) = match self.ask(&request, deadline)? {
            Answer::Done(lines) => (lines, None),
            Answer::Stopped { before, status } if is_other_status(&status, &request) => {
                (before, Some(status))
            }
            Answer::Stopped { status, .. } => return Err(self.refused(&request, status)),
        };
        let done = match &status {
            None => last,
            Some(status) => usize::try_from(status.line).unwrap_or(0).saturating_sub(1),
        };
        let mut lines = lines.into_iter().peekable();
        let mut answers: Vec<Option<ResponseApdu>> = Vec::with_capacity(done);
        for number in (1_u32..).take(done) {
            let line = lines.next_if(|line| line.line == number);
            let answer = line.map(|line| apdu_answer(&line)).transpose();
            answers.push(answer.map_err(|error| self.end(error.into()))?);
        }
        let mut stop = status.map(|status| Stop {
            answer: None,
            sw: status_word(&status),
        });
        // The last one's status was not compared by the server.
        if stop.is_none()
            && let (Some(apdu), Some(Some(answer))) = (script.last(), answers.last())
            && apdu.expected.is_some_and(|expected| answer.sw != expected)
        {
            let answer = answers.pop().flatten();
            let sw = answer.as_ref().map(|answer| answer.sw);
            stop = Some(Stop { answer, sw });
        }
        Ok(Played { answers, stop })
    }

    /// Whether the connection is still there, as far as can be seen without waiting.
    pub fn is_open(&mut self) -> bool {
        if !self.over && !self.wire.is_quiet() {
            self.over = true;
        }
        !self.over
    }

    /// How long it has lived at `now`.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    /// How long nothing was asked of it at `now`.
    #[must_use]
    pub fn idle(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.used)
    }

    fn single(&mut self, command: Command, deadline: Instant) -> Result<StatusLine, GridError> {
        let request = Request::new([command]);
        match self.ask(&request, deadline)? {
            Answer::Done(lines) => {
                let line = lines.into_iter().next();
                let missing = GridProblem::Closed { doing: ENDED };
                line.ok_or_else(|| self.end(missing))
            }
            Answer::Stopped { status, .. } => Err(self.refused(&request, status)),
        }
    }

    fn ask(&mut self, request: &Request, deadline: Instant) -> Result<Answer, GridError> {
        if self.over {
            return Err(self.end(GridProblem::Closed { doing: ENDED }));
        }
        let Ok(bytes) = self.conversation.ask(request.clone()) else {
            // Nothing was sent.
            let (address, problem) = (self.address.clone(), GridProblem::TooLong);
            return Err(GridError { address, problem });
        };
        let answer = self.exchange(&bytes, deadline);
        self.used = Instant::now();
        answer.map_err(|problem| self.end(problem))
    }

    fn exchange(&mut self, bytes: &[u8], deadline: Instant) -> Result<Answer, GridProblem> {
        self.wire.send(bytes, deadline)?;
        loop {
            if let Some(answer) = self.conversation.answer()? {
                return Ok(answer);
            }
            let came = self.wire.receive(deadline)?;
            self.conversation.push(came);
        }
    }

    fn refused(&mut self, request: &Request, status: StatusLine) -> GridError {
        self.over |= ends_session(status.code);
        GridError {
            address: self.address.clone(),
            problem: GridProblem::Refused {
                seid: seid_of(request, status.line),
                line: status.line,
                code: status.code,
                text: status.text_for_people(),
            },
        }
    }

    fn end(&mut self, problem: GridProblem) -> GridError {
        self.over = true;
        let address = self.address.clone();
        GridError { address, problem }
    }
}

/// An APDU as it is sent. The rest of a PIV card's signature is fetched by the server, which spares a
/// round trip, and so is what `fetch` fetches; of longer answers published servers end the session.
fn sent(seid: &SeidToken, command: CommandApdu, fetch: Option<[u8; 4]>) -> ApduCommand {
    let is_signature = (command.cla, command.ins) == (0x00, GENERAL_AUTHENTICATE);
    let mut sent = ApduCommand::new(seid.clone(), command);
    if let Some(fetch) = fetch {
        sent.more = Some(MORE_IN_EAP_TLS);
        sent.fetch = fetch;
    } else if is_signature {
        sent.more = Some(MORE_DATA);
    }
    sent
}

/// Whether it is what CONTINUE makes of another status word: `-006` of a line that has it.
fn is_other_status(status: &StatusLine, request: &Request) -> bool {
    let at = usize::try_from(status.line).ok();
    let line = at.and_then(|at| request.lines.get(at.checked_sub(1)?));
    let compared = line.is_some_and(
        |line| matches!(&line.command, Command::Apdu(apdu) if apdu.continue_on.is_some()),
    );
    compared && status.code == StatusCode::failure(FailureClass::Execution, CommandNumber::Apdu)
}

/// The status word in the text of `-006`. Published servers do not say it.
fn status_word(status: &StatusLine) -> Option<StatusWord> {
    let mut words = status.text().split(|byte| !byte.is_ascii_alphanumeric());
    words.find_map(|word| {
        let bytes = hex::decode_any_case(word)?;
        let [high, low] = bytes.as_slice().try_into().ok()?;
        // 6xxx or 9xxx, as no word of a language begins.
        let is_status = matches!(high, 0x60..=0x6F | 0x90..=0x9F);
        is_status.then(|| StatusWord(u16::from_be_bytes([high, low])))
    })
}

/// INS of GENERAL AUTHENTICATE (NIST SP 800-73-4 Part 2 §3.2.4).
const GENERAL_AUTHENTICATE: u8 = 0x87;
/// SW1 of a response of which more can be fetched (ISO/IEC 7816-4 §5.6).
const MORE_DATA: u8 = 0x61;
/// The same of EAP-TLS cards (specs/eap-tls-card.md §2).
const MORE_IN_EAP_TLS: u8 = 0x9F;
const ENDED: &str = "the session has ended";

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
