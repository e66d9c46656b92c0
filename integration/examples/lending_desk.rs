//! The middleware with somebody in its process who borrows cards, driven through a socket.
//!
//! The tests in `tests/lending` start it in the place of the middleware, as which it serves. Beside the
//! configuration it listens at `desk.sock`; each connection there is a borrower, who says line by line
//! what to do with the desk where cards are given out, and gets a line back:
//!
//! | Line | Answer |
//! |---|---|
//! | `list` | `SEID:PRESENT`, one for each card |
//! | `acquire SEID` | its answer to reset, or `no: ` and why |
//! | `apdu HEX` | the response with its status word, or `no: ` and why |
//! | `return` | `ok` |
//!
//! ```text
//! lending_desk dom0-middleware serve --config FILE
//! ```

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use dom0_middleware::broker::Holder;
use dom0_middleware::card::LentCard;
use dom0_middleware::config::Config;
use dom0_middleware::service::{self, CardDesk};
use proto::apdu::CommandApdu;
use proto::hex;

fn main() {
    // Whom it stands in for and that one's other arguments are of no interest.
    let config = env::args_os().next_back().map(PathBuf::from);
    let config = config.expect("the middleware's command line");
    let socket = config.with_file_name("desk.sock");
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
