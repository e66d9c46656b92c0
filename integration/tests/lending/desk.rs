//! A borrower of cards in the process of the middleware: the example program `lending_desk`, seen from
//! the test.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use integration::chain::{Chain, ChainPlan};
use integration::{binaries, wait};
use proto::apdu::CommandApdu;
use proto::hex;

/// The same plan, with the desk.
pub(super) fn with_desk(plan: ChainPlan) -> ChainPlan {
    let program = binaries::example("integration", "lending_desk");
    plan.started_by(&[program.get_program().to_string_lossy()])
}

/// The test's end of one borrower.
pub(super) struct Borrower {
    connection: BufReader<UnixStream>,
}

impl Borrower {
    pub(super) fn of(chain: &Chain) -> Self {
        Self::connect(&chain.config_file().with_file_name("desk.sock"))
    }

    fn connect(socket: &Path) -> Self {
        let connection = wait::until("the desk", || UnixStream::connect(socket).ok());
        let patience = Some(wait::PATIENCE);
        connection.set_read_timeout(patience).expect("not zero");
        Self {
            connection: BufReader::new(connection),
        }
    }

    /// Says one line and waits for the answer.
    pub(super) fn say(&mut self, line: &str) -> String {
        writeln!(self.connection.get_mut(), "{line}").expect("it listens");
        let mut said = String::new();
        self.connection.read_line(&mut said).expect("it answers");
        assert!(said.ends_with('\n'), "{line}: the service is gone: {said}");
        said.trim_end().to_owned()
    }

    /// The answer to an APDU.
    pub(super) fn transmit(&mut self, command: &CommandApdu) -> (Vec<u8>, u16) {
        let said = self.say(&format!("apdu {}", hex::encode(&command.encode())));
        let answer = hex::decode_any_case(said.as_bytes());
        let answer = answer.unwrap_or_else(|| panic!("{command:?}: {said}"));
        let (data, sw) = answer.split_last_chunk::<2>().expect("a status word");
        (data.to_vec(), u16::from_be_bytes(*sw))
    }
}
