//! What goes out, and what an answer means. No socket, no clock.

use proto::racs::{
    Command, CommandNumber, FailureClass, Label, Request, RequestTooLong, Response, ResponseError,
    ResponseReader, StatusCode, StatusLine,
};
use thiserror::Error;
use zeroize::Zeroizing;

/// One connection's requests and answers: one request at a time, and its answer.
///
/// Each request has a label of its own, so that the answer to another one is not taken for its own.
pub(super) struct Conversation {
    reader: ResponseReader,
    awaited: Option<Awaited>,
    asked: u64,
}

/// What was asked and is not answered.
struct Awaited {
    label: Label,
    /// The lines whose status comes back if all goes well: number and command.
    lines: Vec<(u32, CommandNumber)>,
    /// How many commands there were.
    count: u32,
}

/// What a server said to a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All was done: a status line for each command with APPEND, and for the last one.
    Done(Vec<StatusLine>),
    /// It stopped at a command.
    Stopped {
        /// What came back of the commands before it: all with APPEND, or, from published servers,
        /// nothing.
        before: Vec<StatusLine>,
        /// What it said.
        status: StatusLine,
    },
}

impl Conversation {
    pub(super) fn new() -> Self {
        Self {
            reader: ResponseReader::new(),
            awaited: None,
            asked: 0,
        }
    }

    /// Begins a request: its bytes, which go out in one write.
    ///
    /// # Errors
    /// [`RequestTooLong`]; nothing is awaited then.
    pub(super) fn ask(
        &mut self,
        mut request: Request,
    ) -> Result<Zeroizing<Vec<u8>>, RequestTooLong> {
        self.asked = self.asked.wrapping_add(1);
        let label = Label::try_from(format!("t{}", self.asked).as_bytes());
        let label = label.expect("a few letters and digits");
        request.label = Some(label.clone());
        let bytes = request.encode()?;
        let numbered = (1..).zip(&request.lines);
        let count = u32::try_from(request.lines.len()).unwrap_or(u32::MAX);
        let lines = numbered
            .filter(|(number, line)| line.append || *number == count)
            .map(|(number, line)| (number, line.command.number()));
        self.awaited = Some(Awaited {
            label,
            lines: match count {
                0 => vec![(0, CommandNumber::Begin)],
                _ => lines.collect(),
            },
            count,
        });
        Ok(bytes)
    }

    /// Takes bytes of the server.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    /// The answer to what was asked, once it is complete.
    ///
    /// # Errors
    /// [`ConversationFault`]: the connection is of no use any more.
    pub(super) fn answer(&mut self) -> Result<Option<Answer>, ConversationFault> {
        let Some(response) = self.reader.next_response()? else {
            return Ok(None);
        };
        let awaited = self.awaited.take().ok_or(ConversationFault::NotAsked)?;
        if !self.reader.is_idle() {
            return Err(ConversationFault::NotAsked);
        }
        awaited.judge(response).map(Some)
    }
}

impl Awaited {
    fn judge(self, response: Response) -> Result<Answer, ConversationFault> {
        let Response { label, mut lines } = response;
        let stopped = lines.pop_if(|line| !line.code.success);
        // A line outside of a request is answered without a label.
        if label.is_some_and(|label| label != self.label) || lines.iter().any(is_negative) {
            return Err(ConversationFault::OtherAnswer);
        }
        let fits = |(line, (number, command)): (&StatusLine, &(u32, CommandNumber))| {
            line.line == *number && line.code == StatusCode::success(*command)
        };
        let Some(status) = stopped else {
            let all = lines.len() == self.lines.len();
            return match all && lines.iter().zip(&self.lines).all(fits) {
                true => Ok(Answer::Done(lines)),
                false => Err(ConversationFault::OtherLines),
            };
        };
        let came_before = lines.iter().all(|line| line.line < status.line);
        let as_asked = lines.len() <= self.lines.len() && lines.iter().zip(&self.lines).all(fits);
        match came_before && as_asked && status.line <= self.count {
            true => Ok(Answer::Stopped {
                before: lines,
                status,
            }),
            false => Err(ConversationFault::OtherLines),
        }
    }
}

fn is_negative(line: &StatusLine) -> bool {
    !line.code.success
}

/// Whether published servers end the session behind this status.
pub(super) fn ends_session(code: StatusCode) -> bool {
    code.is(FailureClass::Illegal)
        || code == StatusCode::failure(FailureClass::System, CommandNumber::None)
}

/// The element that line `line` of a request is about.
pub(super) fn seid_of(request: &Request, line: u32) -> Option<String> {
    let at = usize::try_from(line).ok()?.checked_sub(1)?;
    let seid = match &request.lines.get(at)?.command {
        Command::Reset { seid, .. } => seid,
        Command::Apdu(apdu) => &apdu.seid,
        Command::Shutdown(seid) | Command::PowerOn(seid) => seid,
        Command::Sen(seid) | Command::GetSen(seid) => seid,
        Command::GetVersion
        | Command::SetVersion(_)
        | Command::List
        | Command::Echo(_)
        | Command::Quit => return None,
    };
    Some(seid.to_string())
}

/// An answer that is none to what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConversationFault {
    /// Bytes that are no response.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// An answer without a question, or something behind an answer.
    #[error("the RACS server sent more than was asked for")]
    NotAsked,
    /// The answer to another request.
    #[error("the RACS server answered another request")]
    OtherAnswer,
    /// Status lines of other commands than were sent.
    #[error("the RACS server's status lines are not those of the commands")]
    OtherLines,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::apdu::CommandApdu;
    use proto::racs::{ApduCommand, CommandLine, SeidToken};

    use super::*;

    fn seid() -> SeidToken {
        SeidToken::try_from(&b"se-00"[..]).expect("a name")
    }

    fn apdu(append: bool) -> CommandLine {
        let command = CommandApdu::new(0, 0x10, 0, 0);
        let command = Command::Apdu(ApduCommand::new(seid(), command));
        CommandLine { command, append }
    }

    /// Asks for two APDUs, the first one's answer included, and takes `said`.
    fn judged(said: &str) -> Result<Option<Answer>, ConversationFault> {
        let mut conversation = Conversation::new();
        let lines = [Command::PowerOn(seid()).into(), apdu(true), apdu(false)];
        let bytes = conversation.ask(Request::new(lines)).expect("short");
        assert!(bytes.starts_with(b"BEGIN t1\r\nPOWERON se-00\r\nAPDU "));
        conversation.push(said.as_bytes());
        conversation.answer()
    }

    #[test]
    fn all_that_was_asked_for_comes_back() {
        let good = judged("BEGIN t1\r\n+006 002 9000\r\n+006 003 6A82\r\nEND\r\n");
        let Ok(Some(Answer::Done(lines))) = good else {
            panic!("{good:?}");
        };
        assert_eq!(lines.len(), 2);
        assert_eq!(judged("BEGIN t1\r\n+006 002 9000\r\n"), Ok(None));
    }

    #[test]
    fn an_error_may_come_with_or_without_what_was_before_it() {
        for before in ["", "+006 002 9000\r\n"] {
            let said = format!("BEGIN t1\r\n{before}-706 003 in use\r\nEND\r\n");
            let Ok(Some(Answer::Stopped {
                before: kept,
                status,
            })) = judged(&said)
            else {
                panic!("{said}");
            };
            assert_eq!(kept.is_empty(), before.is_empty());
            assert_eq!(
                (status.code.to_string(), status.line),
                ("-706".to_owned(), 3)
            );
        }
        // Where no request was seen, no label comes back.
        let fatal = judged("BEGIN\r\n-300 000 waiting for BEGIN\r\nEND\r\n");
        assert!(
            matches!(fatal, Ok(Some(Answer::Stopped { .. }))),
            "{fatal:?}"
        );
    }

    #[test]
    fn an_answer_to_something_else_is_refused() {
        use ConversationFault::{NotAsked, OtherAnswer, OtherLines};
        for (said, fault) in [
            (
                "BEGIN t2\r\n+006 002 9000\r\n+006 003 9000\r\nEND\r\n",
                OtherAnswer,
            ),
            (
                "BEGIN t1\r\n-706 002 a\r\n-706 003 b\r\nEND\r\n",
                OtherAnswer,
            ),
            ("BEGIN t1\r\n+006 003 9000\r\nEND\r\n", OtherLines),
            (
                "BEGIN t1\r\n+006 003 9000\r\n+006 002 9000\r\nEND\r\n",
                OtherLines,
            ),
            (
                "BEGIN t1\r\n+006 002 9000\r\n+005 003 9000\r\nEND\r\n",
                OtherLines,
            ),
            (
                "BEGIN t1\r\n+008 001 on\r\n+006 002 9000\r\n+006 003 9000\r\nEND\r\n",
                OtherLines,
            ),
            ("BEGIN t1\r\n-706 004 x\r\nEND\r\n", OtherLines),
            (
                "BEGIN t1\r\n+006 003 9000\r\n-706 002 x\r\nEND\r\n",
                OtherLines,
            ),
            ("BEGIN t1\r\n-706 003 x\r\nEND\r\nBEGIN", NotAsked),
        ] {
            assert_eq!(judged(said), Err(fault), "{said}");
        }
        let mut conversation = Conversation::new();
        conversation.push(b"BEGIN\r\n+001 000\r\nEND\r\n");
        assert_eq!(conversation.answer(), Err(NotAsked));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whatever_comes_the_answer_is_to_the_request_or_refused(
            appended in prop::collection::vec(any::<bool>(), 0..6),
            lines in prop::collection::vec((any::<bool>(), 0..10_u8, 0..8_u32), 1..8),
            label in prop_oneof![Just("t1"), Just(""), Just("x")],
            cut in 1..9_usize,
        ) {
            let mut conversation = Conversation::new();
            let request = Request::new(appended.iter().map(|append| apdu(*append)));
            conversation.ask(request).expect("short");
            let mut said = format!("BEGIN {label}\r\n");
            for (good, class, line) in &lines {
                said += &match good {
                    true => format!("+006 {line:03} 9000\r\n"),
                    false => format!("-{class}06 {line:03} no\r\n"),
                };
            }
            said += "END\r\n";
            let mut got = Ok(None);
            for piece in said.as_bytes().chunks(cut) {
                prop_assert_eq!(&got, &Ok(None));
                conversation.push(piece);
                got = conversation.answer();
            }
            let last = appended.len();
            let wanted = (1..=last).filter(|n| *n == last || appended[n - 1]);
            match got {
                Ok(Some(Answer::Done(lines))) => {
                    let came: Vec<_> = lines.iter().map(|line| line.line as usize).collect();
                    prop_assert_eq!(came, wanted.collect::<Vec<_>>());
                }
                Ok(Some(Answer::Stopped { before, status })) => {
                    prop_assert!(!status.code.success && status.line as usize <= last);
                    let came: Vec<_> = before.iter().map(|line| line.line as usize).collect();
                    let wanted: Vec<_> = wanted.take(came.len()).collect();
                    prop_assert_eq!(came, wanted);
                }
                Ok(None) => prop_assert!(false, "complete and not seen"),
                Err(_) => {}
            }
        }
    }
}
