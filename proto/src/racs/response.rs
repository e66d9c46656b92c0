//! Bytes to responses.

use super::line::{LineReader, LineTooLong};
use super::status::StatusLine;
use super::token::{Label, tokens};

/// The longest response, in bytes from BEGIN to END. Published servers stop at 8,192.
pub const MAX_RESPONSE: usize = 65_536;

/// What a server answered to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The request's label, if it had one.
    pub label: Option<Label>,
    /// The status lines, one at least; the last one negative if the batch was broken off.
    pub lines: Vec<StatusLine>,
}

impl Response {
    /// The status that broke the batch off, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<&StatusLine> {
        self.lines.iter().find(|line| !line.code.success)
    }
}

/// Reads responses from a server's bytes, however these are cut.
///
/// LF alone, spaces around, BEGIN with a space and no label: what published servers write is
/// understood. What a server can make it hold is bounded by [`MAX_RESPONSE`] and what was pushed
/// since [`ResponseReader::next_response`] gave none.
///
/// Source: specs/racs.md §3, §14, §15.
pub struct ResponseReader {
    lines: LineReader,
    begun: Option<Begun>,
    failed: Option<ResponseError>,
}

struct Begun {
    response: Response,
    room: usize,
}

impl ResponseReader {
    /// A reader at the beginning of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lines: LineReader::new(MAX_RESPONSE),
            begun: None,
            failed: None,
        }
    }

    /// Takes the next bytes from the server.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.lines.push(bytes);
        }
    }

    /// The next response; `None` if it is not complete.
    ///
    /// # Errors
    /// A [`ResponseError`], now and ever after: the connection is of no use any more.
    pub fn next_response(&mut self) -> Result<Option<Response>, ResponseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read().inspect_err(|error| self.failed = Some(*error))
    }

    /// Whether nothing is under way: what came was whole responses.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.begun.is_none() && self.lines.is_empty()
    }

    fn read(&mut self) -> Result<Option<Response>, ResponseError> {
        while let Some(line) = self.lines.next_line()? {
            let Some(begun) = &mut self.begun else {
                self.begun = Some(begin(line)?);
                continue;
            };
            let rest = begun.room.checked_sub(line.len().saturating_add(1));
            begun.room = rest.ok_or(ResponseError::TooLong)?;
            if line.trim_ascii() != b"END" {
                let status = StatusLine::parse(line).ok_or(ResponseError::StatusLine)?;
                begun.response.lines.push(status);
                if begun.response.lines.len() > MAX_STATUS_LINES {
                    return Err(ResponseError::TooManyLines);
                }
                continue;
            }
            if begun.response.lines.is_empty() {
                return Err(ResponseError::Empty);
            }
            return Ok(self.begun.take().map(|begun| begun.response));
        }
        Ok(None)
    }
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new()
    }
}

fn begin(line: &[u8]) -> Result<Begun, ResponseError> {
    let mut tokens = tokens(line.trim_ascii());
    if tokens.next() != Some(b"BEGIN") {
        return Err(ResponseError::NotBegin);
    }
    let label = tokens.next().map(Label::try_from).transpose();
    let label = label.map_err(|_| ResponseError::Label)?;
    if tokens.next().is_some() {
        return Err(ResponseError::Label);
    }
    let lines = Vec::new();
    Ok(Begun {
        response: Response { label, lines },
        room: MAX_RESPONSE,
    })
}

/// Why a server's bytes are no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// A line without end.
    #[error("the RACS server sent {0}")]
    Line(#[from] LineTooLong),
    /// The first line is another one.
    #[error("the RACS server's answer does not start with BEGIN")]
    NotBegin,
    /// What follows BEGIN is no label.
    #[error("the RACS server's answer has no label but something else behind BEGIN")]
    Label,
    /// A line that is neither a status line nor END.
    #[error("the RACS server's answer has a line that is no status line")]
    StatusLine,
    /// END right behind BEGIN.
    #[error("the RACS server's answer has no status line")]
    Empty,
    /// Too many bytes.
    #[error("the RACS server's answer has more than {MAX_RESPONSE} bytes")]
    TooLong,
    /// Too many lines.
    #[error("the RACS server's answer has more than {MAX_STATUS_LINES} status lines")]
    TooManyLines,
}

/// Each costs more memory than bytes on the wire.
const MAX_STATUS_LINES: usize = 8_192;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Response>, ResponseError> {
        let mut reader = ResponseReader::new();
        reader.push(bytes);
        drain(&mut reader)
    }

    fn drain(reader: &mut ResponseReader) -> Result<Vec<Response>, ResponseError> {
        let mut responses = Vec::new();
        while let Some(response) = reader.next_response()? {
            responses.push(response);
        }
        Ok(responses)
    }

    fn texts(response: &Response) -> Vec<String> {
        let text = |line: &StatusLine| {
            let text = String::from_utf8_lossy(line.text()).into_owned();
            format!("{} {} {text}", line.code, line.line)
        };
        response.lines.iter().map(text).collect()
    }

    #[test]
    fn responses_of_published_servers_are_understood() {
        let bytes = b"BEGIN \r\n+001 000 No error\r\nEND\r\n\
            BEGIN DonQuichotte\r\n+006 001 AA9000\r\n+006 002 BB9000 \r\nEND\r\n\
            BEGIN\n+6 1 bb9000\nEND\n\
            BEGIN c2\r\n-006 002 APDU wrong status\r\nEND\r\n";
        let read = read(bytes).expect("good");
        let labels: Vec<_> = read
            .iter()
            .map(|response| response.label.as_ref().map(Label::as_str))
            .collect();
        assert_eq!(labels, [None, Some("DonQuichotte"), None, Some("c2")]);
        let lines: Vec<_> = read.iter().map(texts).collect();
        assert_eq!(lines[0], ["+001 0 No error"]);
        assert_eq!(lines[1], ["+006 1 AA9000", "+006 2 BB9000"]);
        assert_eq!(lines[2], ["+006 1 bb9000"]);
        assert_eq!(lines[3], ["-006 2 APDU wrong status"]);
        let failed = read.iter().map(|response| response.failure().is_some());
        assert_eq!(failed.collect::<Vec<_>>(), [false, false, false, true]);
    }

    #[test]
    fn what_is_no_response_is_refused_for_ever() {
        let cases: [(&[u8], ResponseError); 8] = [
            (b"END\n", ResponseError::NotBegin),
            (b"\n", ResponseError::NotBegin),
            (b"HTTP/1.1 400 Bad Request\r\n", ResponseError::NotBegin),
            (b"BEGIN a b\n", ResponseError::Label),
            (b"BEGIN a\xFF\n", ResponseError::Label),
            (b"BEGIN\nEND\n", ResponseError::Empty),
            (b"BEGIN\n\n", ResponseError::StatusLine),
            // A published server forgets END behind -911.
            (
                b"BEGIN\n-911 001 no name\nBEGIN\n",
                ResponseError::StatusLine,
            ),
        ];
        for (bytes, error) in cases {
            let mut reader = ResponseReader::new();
            reader.push(bytes);
            assert_eq!(reader.next_response(), Err(error));
            reader.push(b"BEGIN\n+001 000\nEND\n");
            assert_eq!(reader.next_response(), Err(error));
        }
    }

    #[test]
    fn a_server_cannot_fill_our_memory() {
        let endless = read(&vec![b'x'; MAX_RESPONSE + 1]);
        assert!(matches!(endless, Err(ResponseError::Line(_))));
        let line = format!("+006 001 {}\n", "AA".repeat(1_000));
        let long = format!("BEGIN\n{}", line.repeat(33));
        assert_eq!(read(long.as_bytes()), Err(ResponseError::TooLong));
        let many = format!("BEGIN\n{}", "+0 1\n".repeat(MAX_STATUS_LINES + 1));
        assert_eq!(read(many.as_bytes()), Err(ResponseError::TooManyLines));
    }

    #[test]
    fn it_is_known_whether_something_is_under_way() {
        let mut reader = ResponseReader::default();
        assert!(reader.is_idle());
        for piece in [&b"BEG"[..], b"IN\n", b"+001 000\nEN"] {
            reader.push(piece);
            assert_eq!(reader.next_response(), Ok(None));
            assert!(!reader.is_idle());
        }
        reader.push(b"D\n");
        assert!(matches!(reader.next_response(), Ok(Some(_))));
        assert!(reader.is_idle());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn cuts_make_no_difference(
            words in prop::collection::vec(
                prop_oneof![
                    4 => Just("+006 001 9000\r\n"), 3 => Just("END\r\n"), 3 => Just("BEGIN x\r\n"),
                    1 => Just("BEGIN "), 1 => Just("\n"), 1 => Just("-7"), 1 => Just(" "),
                ],
                0..30,
            ),
            cut in 1..9usize,
        ) {
            let bytes = format!("BEGIN\r\n+001 000 \r\nEND\r\n{}", words.concat()).into_bytes();
            let mut pieces = ResponseReader::new();
            let mut got = Vec::new();
            let mut error = None;
            for piece in bytes.chunks(cut) {
                pieces.push(piece);
                loop {
                    match pieces.next_response() {
                        Ok(Some(response)) => got.push(response),
                        Ok(None) => break,
                        Err(why) => {
                            error = Some(why);
                            break;
                        }
                    }
                }
            }
            let mut whole = ResponseReader::new();
            whole.push(&bytes);
            let mut expected = Vec::new();
            let expected_error = loop {
                match whole.next_response() {
                    Ok(Some(response)) => expected.push(response),
                    Ok(None) => break None,
                    Err(why) => break Some(why),
                }
            };
            prop_assert_eq!(got, expected);
            prop_assert_eq!(error, expected_error);
        }
    }
}
