//! The server with its cards, each way.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use integration::binaries;
use integration::chain::{Chain, ChainPlan};
use integration::pcscd::Pcscd;
use integration::pki::Pki;
use integration::process::Process;
use integration::racs_user::{ALL, RacsDesk, address, user_of};
use integration::wait;
use tempfile::TempDir;

use super::alone::{Alone, by_pcscd, by_vicc};
use super::load::USER;
use super::{CARDS, Way, card};

/// A server that has its cards.
pub(super) struct Place {
    address: SocketAddr,
    alone: Option<Alone>,
    /// What runs and what it needs, to the end.
    _parts: (Option<Chain>, Option<Pcscd>, Option<Process>, TempDir),
}

impl Place {
    pub(super) fn start(way: Way, pki: &Pki, desk: &RacsDesk) -> Self {
        match way {
            Way::InProcess => in_process(desk),
            Way::Vicc => vicc(pki, desk),
            Way::Pcscd => pcscd(pki, desk),
        }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What one APDU takes without the server, where there is such a thing.
    pub(super) fn alone(&self) -> Option<&Alone> {
        self.alone.as_ref()
    }
}

fn in_process(desk: &RacsDesk) -> Place {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = desk.server_files();
    let program = binaries::example("dom0-middleware", "racs_grid");
    let mut command = std::process::Command::new(program.get_program());
    command
        .args([&files.certificate, &files.key, &files.client_ca])
        .args([USER, &CARDS.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut process = Process::start("racs_grid", &mut command, folder.path());
    let mut port = String::new();
    let said = process.stdout().expect("a pipe");
    BufReader::new(said).read_line(&mut port).expect("its port");
    let port = port.trim().parse().expect("a number");
    Place {
        address: (Ipv4Addr::LOCALHOST, port).into(),
        alone: None,
        _parts: (None, None, Some(process), folder),
    }
}

fn vicc(pki: &Pki, desk: &RacsDesk) -> Place {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = |number: usize| folder.path().join(format!("{number}.sock"));
    let sources = sources(|number| format!("kind = \"vicc\"\nsocket = {:?}", socket(number)));
    let chain = Chain::start(pki, &plan(desk, &sources));
    for number in 0..CARDS {
        card::into_socket(&socket(number));
    }
    wait_listed(&chain, desk);
    Place {
        address: address(&chain),
        alone: Some(by_vicc()),
        _parts: (Some(chain), None, None, folder),
    }
}

fn pcscd(pki: &Pki, desk: &RacsDesk) -> Place {
    let (pcscd, ports) = Pcscd::start_with_readers(CARDS);
    for port in ports {
        card::into_port(port);
    }
    let names = pcscd.wait_cards(CARDS);
    // Before the service has it.
    let alone = by_pcscd(&pcscd, &names[0]);
    let sources = sources(|number| format!("kind = \"pcsc\"\nreader = \"{}\"", names[number]));
    let chain = Chain::start(pki, &plan(desk, &sources).in_reader(&pcscd));
    wait_listed(&chain, desk);
    let folder = tempfile::tempdir().expect("a temporary folder");
    Place {
        address: address(&chain),
        alone: Some(alone),
        _parts: (Some(chain), Some(pcscd), None, folder),
    }
}

/// Tables of the configuration, one for each card.
fn sources(of: impl Fn(usize) -> String) -> String {
    (0..CARDS).fold(String::new(), |mut text, number| {
        let source = of(number);
        let _ = writeln!(text, "[[card_source]]\n{source}\nseid = \"se-{number:02}\"");
        text
    })
}

fn plan(desk: &RacsDesk, sources: &str) -> ChainPlan {
    let seids: Vec<String> = (0..CARDS).map(|number| format!("se-{number:02}")).collect();
    let cards: Vec<(&str, &str)> = seids.iter().map(|seid| (seid.as_str(), ALL)).collect();
    let users = user_of(USER, &cards);
    let config = desk.config("", &[&users]);
    ChainPlan::new().more_config(&format!("{sources}{config}"))
}

/// Waits until all cards are to be had.
fn wait_listed(chain: &Chain, desk: &RacsDesk) {
    let mut user = desk.user(chain, USER);
    wait::until("the cards are there", || {
        let listed = user.say("LIST");
        (listed.split_whitespace().count() == CARDS + 2).then_some(())
    });
    user.leave();
}
