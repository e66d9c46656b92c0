//! A program in a guest that speaks RACS to the guest's own card, through `domu-agent racs`.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::chain::Chain;
use crate::process::Process;
use crate::racs_lines::RacsLines;
use crate::wait::PATIENCE;

/// What the program has: requests in, responses out.
pub type RacsGuest = RacsLines<ToCommand>;

/// The program's way to the agent's command.
#[derive(Debug)]
pub struct ToCommand {
    stream: UnixStream,
    /// The command that serves it alone.
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
        Self::over(ToCommand::new(stream, Some(process)))
    }

    /// Connects to a command that listens at `socket`.
    ///
    /// # Errors
    /// When nobody listens.
    ///
    /// # Panics
    /// Never: the time limits are not zero.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        Ok(Self::over(ToCommand::new(stream, None)))
    }

    /// Says that nothing more comes.
    ///
    /// # Panics
    /// When the command has ended.
    pub fn end_input(&mut self) {
        let stream = &self.stream.stream;
        stream.shutdown(Shutdown::Write).expect("open");
    }

    /// Waits until the command has ended; its exit code and what it said on stderr.
    ///
    /// # Panics
    /// When it does not end, or there is none.
    #[must_use]
    pub fn ended(&mut self) -> (Option<i32>, String) {
        let process = self.stream.process();
        let status = process.await_end();
        (status.code(), process.log())
    }

    /// Kills the command.
    ///
    /// # Panics
    /// When there is none.
    pub fn kill(&mut self) {
        self.stream.process().kill();
    }
}

impl ToCommand {
    fn new(stream: UnixStream, process: Option<Process>) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        Self { stream, process }
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a command of its own")
    }
}

impl Read for ToCommand {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for ToCommand {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
