//! RACS by hand: requests out, responses in, over whatever stream they go.

use std::io::{self, ErrorKind, Read, Write};

/// One connection of a user or a guest.
#[derive(Debug)]
pub struct RacsLines<S> {
    pub(crate) stream: S,
    /// What came behind the last response.
    ahead: Vec<u8>,
}

impl<S: Read + Write> RacsLines<S> {
    pub(crate) fn over(stream: S) -> Self {
        let ahead = Vec::new();
        Self { stream, ahead }
    }

    /// Sends bytes as they are, in one write.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The next response.
    ///
    /// # Errors
    /// When the connection ends before.
    ///
    /// # Panics
    /// When it is not ASCII.
    pub fn response(&mut self) -> io::Result<String> {
        let mut looked_at = 0;
        loop {
            let new = self.ahead.get(looked_at..).unwrap_or_default();
            if let Some(at) = new.windows(END.len()).position(|bytes| bytes == END) {
                let rest = self.ahead.split_off(looked_at + at + END.len());
                let response = std::mem::replace(&mut self.ahead, rest);
                return Ok(String::from_utf8(response).expect("ASCII"));
            }
            looked_at = self.ahead.len().saturating_sub(END.len());
            let mut buffer = [0; 16 << 10];
            match self.stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                length => self.ahead.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// The status lines of the response to a request of these lines.
    ///
    /// # Panics
    /// When there is no response.
    pub fn ask(&mut self, lines: &[&str]) -> Vec<String> {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("BEGIN\r\n{lines}END\r\n");
        self.send(request.as_bytes()).expect("it listens");
        let response = self.response().expect("a response");
        let lines: Vec<&str> = response.split_terminator("\r\n").collect();
        let ["BEGIN", status @ .., "END"] = lines.as_slice() else {
            panic!("no response: {response}");
        };
        status.iter().map(|line| (*line).to_owned()).collect()
    }

    /// The only status line for a request of one line.
    ///
    /// # Panics
    /// As [`Self::ask`].
    pub fn say(&mut self, line: &str) -> String {
        let mut status = self.ask(&[line]);
        assert_eq!(status.len(), 1, "{status:?}");
        status.remove(0)
    }

    /// Its code and line number.
    ///
    /// # Panics
    /// As [`Self::ask`].
    pub fn code(&mut self, line: &str) -> String {
        self.say(line).chars().take("+001 001".len()).collect()
    }

    /// The card's answer to an APDU, in hexadecimal.
    ///
    /// # Panics
    /// When there is none.
    pub fn apdu(&mut self, seid: &str, apdu: &str) -> String {
        let said = self.say(&format!("APDU {seid} {apdu}"));
        let answer = said.strip_prefix("+006 001 ");
        answer
            .unwrap_or_else(|| panic!("{apdu}: {said}"))
            .to_owned()
    }

    /// All that is still said until the end.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.ahead);
        self.stream.read_to_end(&mut rest).expect("it ends");
        String::from_utf8(rest).expect("ASCII")
    }
}

/// How a response ends.
const END: &[u8] = b"END\r\n";
