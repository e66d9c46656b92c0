//! The middleware with somebody in its process who borrows cards, driven through a socket.
//!
//! The test's own program is started once more in the place of the middleware, as which it serves; a
//! thread in it has the desk where cards are given out, and does what the test says, line by line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use dom0_middleware::broker::Holder;
use dom0_middleware::card::LentCard;
use dom0_middleware::config::Config;
use dom0_middleware::service::{self, CardDesk};
use integration::chain::{Chain, ChainPlan};
use integration::wait;
use proto::apdu::CommandApdu;
use proto::hex;

/// Names the configuration to the program that serves.
const CONFIG: &str = "TESSERA_LENDING_CONFIG";

/// The socket, beside the configuration.
const SOCKET: &str = "desk.sock";

/// The same plan, with the desk.
pub(super) fn with_desk(plan: ChainPlan) -> ChainPlan {
    let program = std::env::current_exe().expect("a test's program");
    let program = program.to_string_lossy().into_owned();
    // What the middleware would be started by: its program, serve, --config, FILE.
    let script =
        format!("{CONFIG}=\"$4\" exec \"$0\" --exact desk::serve_with_desk --ignored --nocapture");
    plan.started_by(&["sh", "-c", &script, &program])
}

#[test]
#[ignore = "the middleware of the other tests here, which start it"]
fn serve_with_desk() {
    let Some(config) = std::env::var_os(CONFIG).map(PathBuf::from) else {
        println!("nothing to serve: {CONFIG} is not set");
        return;
    };
    let socket = config.with_file_name(SOCKET);
    let config = Config::load(&config).expect("the chain's configuration");
    service::run_with(config, |desk| {
        let listener = UnixListener::bind(socket).expect("a fresh folder");
        thread::spawn(move || {
            for borrower in listener.incoming() {
                let desk = desk.clone();
                let borrower = borrower.expect("a connection");
                thread::spawn(move || serve_borrower(&desk, &borrower));
            }
        });
    })
    .expect("serves until it is told to stop");
}

/// Does what a borrower says, until it goes away.
fn serve_borrower(desk: &CardDesk, connection: &UnixStream) {
    let mut lent = None;
    for line in BufReader::new(connection).lines() {
        let Ok(line) = line else { return };
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let said = match verb {
            "list" => list(desk),
            "acquire" => acquire(desk, rest, &mut lent),
            "apdu" => transmit(rest, &mut lent),
            "return" => {
                lent = None;
                "ok".to_owned()
            }
            other => panic!("{other}"),
        };
        let mut connection = connection;
        if writeln!(connection, "{said}").is_err() {
            return;
        }
    }
}

fn list(desk: &CardDesk) -> String {
    let entries = desk.list().into_iter();
    let entries = entries.map(|entry| format!("{}:{}", entry.seid, entry.present));
    entries.collect::<Vec<_>>().join(" ")
}

fn acquire(desk: &CardDesk, seid: &str, lent: &mut Option<LentCard>) -> String {
    let seid = seid.parse().expect("a SEID");
    match desk.acquire(&seid, Holder::RacsUser("alice".to_owned())) {
        Ok(card) => {
            let atr = card.atr().to_string();
            *lent = Some(card);
            atr
        }
        Err(why) => format!("no: {why}"),
    }
}

fn transmit(command: &str, lent: &mut Option<LentCard>) -> String {
    let command = hex::decode_any_case(command.as_bytes()).expect("hexadecimal");
    let command = CommandApdu::decode(&command).expect("an APDU");
    let Some(card) = lent else {
        return "no: not held".to_owned();
    };
    match card.transmit(&command) {
        Ok(answer) => hex::encode(&answer.encode()),
        Err(error) => format!("no: {error}"),
    }
}

/// The test's end.
pub(super) struct Borrower {
    connection: BufReader<UnixStream>,
}

impl Borrower {
    pub(super) fn of(chain: &Chain) -> Self {
        Self::connect(&chain.config_file().with_file_name(SOCKET))
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
