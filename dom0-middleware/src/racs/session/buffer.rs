//! A response being put together.

use proto::racs::{CommandNumber, FailureClass, Label, MAX_RESPONSE, StatusCode, StatusLine};
use zeroize::Zeroizing;

/// The response to the request being read: the status lines that are kept, and the last one.
///
/// It never exceeds [`MAX_RESPONSE`].
pub(super) struct ResponseBuffer {
    bytes: Zeroizing<Vec<u8>>,
    /// Where the last status line begins if it goes as soon as there is another.
    last: Option<usize>,
    /// Whether there is any status line.
    has_status: bool,
}

impl ResponseBuffer {
    /// A response without status lines.
    pub(super) fn begin(label: Option<&Label>) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(FIRST_ROOM));
        bytes.extend_from_slice(b"BEGIN");
        if let Some(label) = label {
            bytes.push(b' ');
            bytes.extend_from_slice(label.as_str().as_bytes());
        }
        bytes.extend_from_slice(EOL);
        Self {
            bytes,
            last: None,
            has_status: false,
        }
    }

    /// Adds a status line; `keep` says whether it stays when another follows.
    ///
    /// # Errors
    /// [`Full`] if there is no room for it.
    pub(super) fn add(&mut self, status: &StatusLine, keep: bool) -> Result<(), Full> {
        if let Some(start) = self.last.take() {
            self.bytes.truncate(start);
        }
        let room = MAX_RESPONSE.saturating_sub(self.bytes.len());
        if status.text().len().saturating_add(MOST_AROUND) > room {
            return Err(Full);
        }
        let start = self.bytes.len();
        status.encode_into(&mut self.bytes);
        self.last = (!keep).then_some(start);
        self.has_status = true;
        Ok(())
    }

    /// The whole response.
    pub(super) fn finish(mut self) -> Zeroizing<Vec<u8>> {
        if !self.has_status {
            let code = StatusCode::success(CommandNumber::Begin);
            StatusLine::new(code, 0, b"No error".to_vec()).encode_into(&mut self.bytes);
        }
        self.bytes.extend_from_slice(END);
        self.bytes
    }
}

/// The response that breaks a request off: this status alone.
pub(super) fn broken_off(label: Option<&Label>, status: &StatusLine) -> Zeroizing<Vec<u8>> {
    let mut buffer = ResponseBuffer::begin(label);
    status.encode_into(&mut buffer.bytes);
    buffer.has_status = true;
    buffer.finish()
}

/// There is no room for a status line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Full {
    /// The status instead of the one that has no room.
    pub(super) fn status(number: CommandNumber, line: u32) -> StatusLine {
        let code = StatusCode::failure(FailureClass::Execution, number);
        let text = "the response is full: make several requests of it";
        StatusLine::new(code, line, text.as_bytes().to_vec())
    }
}

const EOL: &[u8] = b"\r\n";
const END: &[u8] = b"END\r\n";
/// Sign, class, number, line, spaces and ends of this line and of END, or more.
const MOST_AROUND: usize = 32;
/// Most responses are one short answer.
const FIRST_ROOM: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn status(line: u32, text: &[u8]) -> StatusLine {
        StatusLine::new(
            StatusCode::success(CommandNumber::Apdu),
            line,
            text.to_vec(),
        )
    }

    #[test]
    fn kept_lines_and_the_last_one_are_there() {
        let label = Label::try_from(&b"x"[..]).ok();
        let mut buffer = ResponseBuffer::begin(label.as_ref());
        for (line, keep) in [(1, true), (2, false), (3, false), (4, true), (5, false)] {
            buffer.add(&status(line, b"9000"), keep).expect("room");
        }
        assert_eq!(
            buffer.finish().as_slice(),
            b"BEGIN x\r\n+006 001 9000\r\n+006 004 9000\r\n+006 005 9000\r\nEND\r\n"
        );
        let empty = ResponseBuffer::begin(None).finish();
        assert_eq!(empty.as_slice(), b"BEGIN\r\n+001 000 No error\r\nEND\r\n");
    }

    #[test]
    fn a_response_is_bounded() {
        let answer = vec![b'A'; 516];
        let mut buffer = ResponseBuffer::begin(None);
        let fitting = (1..).take_while(|&line| buffer.add(&status(line, &answer), true).is_ok());
        // Published servers take 13 of these.
        assert_eq!(fitting.count(), 124);
        let length = buffer.finish().len();
        assert!(length <= MAX_RESPONSE && length > MAX_RESPONSE - 1_000);

        let mut buffer = ResponseBuffer::begin(None);
        for line in 0..1_000 {
            buffer
                .add(&status(line, &answer), false)
                .expect("one at a time");
        }
        let too_long = vec![b'A'; MAX_RESPONSE];
        assert_eq!(buffer.add(&status(1, &too_long), false), Err(Full));
    }
}
