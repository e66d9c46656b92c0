//! The session: lines in, steps out.

use std::collections::BTreeMap;
use std::fmt;

use proto::id::Seid;
use proto::racs::{
    CommandLine, CommandNumber, FailureClass, Label, LineError, LineReader, MAX_LINE, RequestLine,
    StatusCode, StatusLine,
};
use zeroize::Zeroizing;

use super::buffer::{Full, ResponseBuffer, broken_off};
use super::commands::{Asked, Awaited, Ordered, Terms};
use super::order::{Order, Outcome};
use super::outcomes::{Came, on_outcome};
use super::rights::Rights;

/// One user's connection, from TLS handshake to its end.
pub struct RacsSession {
    rights: Rights,
    /// What the session holds, and whether it is a card that guests use.
    held: BTreeMap<Seid, bool>,
    lines: LineReader,
    state: State,
    /// What is to be told before anything else is read.
    response: Option<Zeroizing<Vec<u8>>>,
    order: Option<Order>,
    /// QUIT was there: END is the end of the session too.
    quits: bool,
    /// APDUs that the user may not send.
    apdus_refused: u64,
}

/// What is to be done now.
#[derive(PartialEq, Eq)]
pub enum Step {
    /// Read from the connection and [`RacsSession::take`] it. While an order is under way: wait for
    /// its outcome instead.
    NeedBytes,
    /// Write these bytes, in one write; a whole response, 64 KiB at most.
    Respond(Zeroizing<Vec<u8>>),
    /// Do this, and give its outcome to [`RacsSession::on_outcome`].
    Do(Order),
    /// Close the connection and let all elements go.
    Close,
}

/// A response may hold a card's answers: it is shown by its length.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedBytes => f.write_str("NeedBytes"),
            Self::Respond(response) => write!(f, "Respond({} bytes)", response.len()),
            Self::Do(order) => f.debug_tuple("Do").field(order).finish(),
            Self::Close => f.write_str("Close"),
        }
    }
}

/// What the session waits for.
enum State {
    ExpectBegin,
    ExpectCommand(Request),
    ExpectOutcome(Request, Awaited),
    /// The request was broken off and answered; its rest is not looked at.
    ExpectEnd,
    Closed,
}

/// The request being read.
struct Request {
    label: Option<Label>,
    /// The line read last, BEGIN being 0.
    line: u32,
    response: ResponseBuffer,
}

impl RacsSession {
    /// A session of a user with these rights, at its beginning.
    #[must_use]
    pub fn new(rights: Rights) -> Self {
        Self {
            rights,
            held: BTreeMap::new(),
            lines: LineReader::new(MAX_LINE),
            state: State::ExpectBegin,
            response: None,
            order: None,
            quits: false,
            apdus_refused: 0,
        }
    }

    /// The user's rights have changed: what is ordered from now on is judged by these. Whoever
    /// drives the session takes away elements that are not the user's any more.
    pub fn set_rights(&mut self, rights: Rights) {
        self.rights = rights;
    }

    /// How many APDU commands were refused because the user may not send them.
    #[must_use]
    pub fn apdus_refused(&self) -> u64 {
        self.apdus_refused
    }

    /// Whether no request is under way: nothing is owed to the client.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::ExpectBegin) && self.lines.is_empty()
    }

    /// Takes bytes from the client, however the stream was cut. To be called when
    /// [`RacsSession::next_step`] says [`Step::NeedBytes`], with at most what one read gives: that
    /// is kept until it is needed.
    pub fn take(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Closed) {
            self.lines.push(bytes);
        }
    }

    /// What is to be done now.
    #[must_use]
    pub fn next_step(&mut self) -> Step {
        loop {
            if let Some(order) = self.order.take() {
                return Step::Do(order);
            }
            if let Some(response) = self.response.take() {
                return Step::Respond(response);
            }
            match &self.state {
                State::Closed => return Step::Close,
                State::ExpectOutcome(..) => return Step::NeedBytes,
                State::ExpectBegin | State::ExpectCommand(_) | State::ExpectEnd => {}
            }
            match self.lines.next_line() {
                Ok(None) => return Step::NeedBytes,
                Ok(Some(line)) => {
                    let line = RequestLine::parse(line);
                    self.on_line(line);
                }
                Err(_) => self.on_endless_line(),
            }
        }
    }

    /// Takes what came of the last [`Step::Do`]. Without one under way it is not looked at.
    pub fn on_outcome(&mut self, outcome: Outcome) {
        let (request, awaited) = match std::mem::replace(&mut self.state, State::Closed) {
            State::ExpectOutcome(request, awaited) => (request, awaited),
            other => {
                self.state = other;
                return;
            }
        };
        let number = awaited.number();
        match on_outcome(awaited, outcome, &self.rights, &mut self.held) {
            Ok(Came::Ordered(ordered)) => self.order(request, ordered),
            Ok(Came::Text(text, append)) => self.succeed(request, number, append, text),
            Err(refused) => {
                let status = refused.at(request.line);
                self.break_off(request.label, &status);
            }
        }
    }

    fn on_line(&mut self, line: Result<RequestLine, LineError>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::ExpectBegin => self.on_first_line(line),
            State::ExpectCommand(request) => self.on_line_of(request, line),
            State::ExpectEnd => match line {
                Ok(RequestLine::End) => self.end_request(),
                _ => self.state = State::ExpectEnd,
            },
            // Not read from there.
            other @ (State::ExpectOutcome(..) | State::Closed) => self.state = other,
        }
    }

    fn on_first_line(&mut self, line: Result<RequestLine, LineError>) {
        match line {
            Ok(RequestLine::Begin(label)) => {
                let response = ResponseBuffer::begin(label.as_ref());
                self.state = State::ExpectCommand(Request {
                    label,
                    line: 0,
                    response,
                });
            }
            Err(error) if is_of_begin(error) => {
                let status = StatusLine::new(error.code, 0, error.text.as_bytes().to_vec());
                self.break_off(None, &status);
            }
            _ => self.break_off(None, &illegal(CommandNumber::None, 0, "waiting for BEGIN")),
        }
    }

    fn on_line_of(&mut self, mut request: Request, line: Result<RequestLine, LineError>) {
        if line == Ok(RequestLine::End) {
            self.response = Some(request.response.finish());
            return self.end_request();
        }
        request.line = request.line.saturating_add(1);
        let number = request.line;
        let status = match line {
            Ok(RequestLine::Command(line)) => return self.on_command(request, line),
            Err(error) if !is_of_begin(error) => {
                StatusLine::new(error.code, number, error.text.as_bytes().to_vec())
            }
            _ => illegal(CommandNumber::Begin, number, "BEGIN inside a request"),
        };
        self.break_off(request.label, &status);
    }

    fn on_command(&mut self, request: Request, line: CommandLine) {
        let (number, append) = (line.command.number(), line.append);
        let terms = Terms {
            rights: &self.rights,
            held: &self.held,
        };
        match terms.ask(line) {
            Ok(Asked::Ordered(ordered)) => self.order(request, ordered),
            Ok(Asked::Answered(text)) => {
                self.succeed(request, number, append, text.into_bytes().into());
            }
            Ok(Asked::Quit(text)) => {
                self.quits = true;
                self.succeed(request, number, append, text.into_bytes().into());
            }
            Err(refused) => {
                let status = refused.at(request.line);
                self.break_off(request.label, &status);
            }
        }
    }

    fn order(&mut self, request: Request, (order, awaited): Ordered) {
        self.order = Some(order);
        self.state = State::ExpectOutcome(request, awaited);
    }

    fn succeed(
        &mut self,
        mut request: Request,
        number: CommandNumber,
        append: bool,
        text: Zeroizing<Vec<u8>>,
    ) {
        let status = StatusLine::new(StatusCode::success(number), request.line, text);
        match request.response.add(&status, append) {
            Ok(()) => self.state = State::ExpectCommand(request),
            Err(Full) => {
                let status = Full::status(number, request.line);
                self.break_off(request.label, &status);
            }
        }
    }

    fn on_endless_line(&mut self) {
        let text = "a line without end";
        match std::mem::replace(&mut self.state, State::Closed) {
            State::ExpectCommand(request) => {
                let line = request.line.saturating_add(1);
                self.break_off(request.label, &illegal(CommandNumber::None, line, text));
            }
            State::ExpectBegin => self.break_off(None, &illegal(CommandNumber::None, 0, text)),
            // That request was answered.
            State::ExpectEnd | State::ExpectOutcome(..) | State::Closed => {}
        }
    }

    /// Answers at once with this status alone. The rest of the request is skipped; after a fatal
    /// error nothing is read any more.
    fn break_off(&mut self, label: Option<Label>, status: &StatusLine) {
        if status.code == StatusCode::failure(FailureClass::Unauthorised, CommandNumber::Apdu) {
            self.apdus_refused = self.apdus_refused.saturating_add(1);
        }
        self.response = Some(broken_off(label.as_ref(), status));
        self.state = match status.code.is(FailureClass::Illegal) {
            true => State::Closed,
            false => State::ExpectEnd,
        };
    }

    fn end_request(&mut self) {
        self.state = match self.quits {
            true => State::Closed,
            false => State::ExpectBegin,
        };
    }
}

/// Whether the line was BEGIN with a label that is none.
fn is_of_begin(error: LineError) -> bool {
    let begin = CommandNumber::Begin as u8;
    error.code == StatusCode::LABEL_TOO_LONG || error.code.command == begin
}

fn illegal(number: CommandNumber, line: u32, text: &str) -> StatusLine {
    let code = StatusCode::failure(FailureClass::Illegal, number);
    StatusLine::new(code, line, text.as_bytes().to_vec())
}
