//! A program in a guest that speaks RACS to the guest's own card, through `domu-agent racs`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::chain::Chain;
use crate::process::Process;
use crate::wait::PATIENCE;

/// What the program has: requests in, responses out.
#[derive(Debug)]
pub struct RacsGuest {
    stream: UnixStream,
    /// The agent's command that serves it alone.
    process: Option<Process>,
}

impl RacsGuest {
    /// Starts the command in a guest of the chain, with the configuration of its agent.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(chain: &Chain, guest: &str) -> Self {
        let (stream, theirs) = UnixStream::pair().expect("descriptors");
        let output: OwnedFd = theirs.try_clone().expect("descriptors").into();
        let mut command = chain.guest(guest).command();
        command.args(["racs", "--config"]);
        command.arg(chain.agent_config(guest));
        command.stdin(OwnedFd::from(theirs)).stdout(output);
        let name = format!("domu-agent-racs-{guest}");
        let process = Process::start(&name, &mut command, chain.folder());
        // The command holds the other end, which must go with it.
        drop(command);
        Self::over(stream, Some(process))
    }

    /// Connects to a command that listens at `socket`.
    ///
    /// # Errors
    /// When nobody listens.
    ///
    /// # Panics
    /// Never: the time limits are not zero.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        Ok(Self::over(UnixStream::connect(socket)?, None))
    }

    fn over(stream: UnixStream, process: Option<Process>) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        Self { stream, process }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the command has ended.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more comes.
    ///
    /// # Panics
    /// When the command has ended.
    pub fn end_input(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("open");
    }

    /// The next response.
    ///
    /// # Errors
    /// When there is none.
    ///
    /// # Panics
    /// When it is not ASCII.
    pub fn response(&mut self) -> io::Result<String> {
        let mut response = Vec::new();
        while !response.ends_with(b"END\r\n") {
            let mut buffer = [0; 1];
            match self.stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                _ => response.extend_from_slice(&buffer),
            }
        }
        Ok(String::from_utf8(response).expect("ASCII"))
    }

    /// The only status line for a request of one line.
    ///
    /// # Panics
    /// When there is no response of one status line.
    pub fn say(&mut self, line: &str) -> String {
        let request = format!("BEGIN\r\n{line}\r\nEND\r\n");
        self.send(request.as_bytes()).expect("it listens");
        let response = self.response().expect("a response");
        let lines: Vec<&str> = response.split_terminator("\r\n").collect();
        let ["BEGIN", status, "END"] = lines.as_slice() else {
            panic!("no response of one line: {response}");
        };
        (*status).to_owned()
    }

    /// Its code and line number.
    ///
    /// # Panics
    /// As [`Self::say`].
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
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("it ends");
        String::from_utf8(rest).expect("ASCII")
    }

    /// Waits until the command has ended; its exit code and what it said on stderr.
    ///
    /// # Panics
    /// When it does not end, or there is none.
    #[must_use]
    pub fn ended(&mut self) -> (Option<i32>, String) {
        let process = self.process.as_mut().expect("a command of its own");
        let status = process.await_end();
        (status.code(), process.log())
    }

    /// Kills the command.
    ///
    /// # Panics
    /// When there is none.
    pub fn kill(&mut self) {
        self.process.as_mut().expect("a command of its own").kill();
    }
}
