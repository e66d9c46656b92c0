//! A card of a grid that is as it should be, and of one that is not.

mod fetching;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::racs::SeidToken;
use tempfile::TempDir;

use super::RacsSource;
use super::transport::Patience;
use crate::card::adopted::AdoptedCards;
use crate::card::eap_tls::testing::FakeCard;
use crate::card::handle::{CardRecords, spawn_worker};
use crate::card::pin::{MemoryPinLedger, PinSource};
use crate::card::transport::{
    CardSource, CardTransport, ChainLink, Chains, SourceTrouble, TransportError,
};
use crate::card::{CardProfile, CardSettings, WorkerReport};
use crate::racs::client::ServerRules;
use crate::racs::client::testing::{Pki, Reply, TinyGrid, serve, soon};

/// What a test sees of a server.
#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Seen {
    fn requests(&self) -> Vec<String> {
        let mut requests = self.requests.lock().expect("no panic under the lock");
        std::mem::take(&mut requests)
    }
}

/// A grid with one card; `spoil` may answer instead of it.
fn grid(
    pki: &Pki,
    mut card: impl FnMut(Option<&CommandApdu>) -> ResponseApdu + Send + 'static,
    mut spoil: impl FnMut(&str) -> Option<Reply> + Send + 'static,
) -> (RacsSource, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    let mut grid = TinyGrid {
        seid: "remote",
        card: move |command: Option<&CommandApdu>| card(command),
        powered: false,
    };
    let mut last = usize::MAX;
    let address = serve(pki.server(2100).both, move |number, request| {
        if number != last {
            last = number;
            shared.connections.fetch_add(1, Ordering::AcqRel);
            // The end of a session lets the card go.
            grid.powered = false;
        }
        let mut requests = shared.requests.lock().expect("no panic under the lock");
        requests.push(request.to_owned());
        drop(requests);
        spoil(request).unwrap_or_else(|| grid.answer(request))
    });
    (RacsSource::new(pki.grid(&address), remote()), seen)
}

fn remote() -> SeidToken {
    SeidToken::try_from(&b"remote"[..]).expect("a name")
}

fn echo(command: Option<&CommandApdu>) -> ResponseApdu {
    let Some(command) = command else {
        return ResponseApdu::new(Vec::new(), StatusWord(0x9000));
    };
    let sw = match command.ins {
        0x18 => StatusWord(0x6985),
        _ => StatusWord(0x9000),
    };
    ResponseApdu::new(command.data().to_vec(), sw)
}

fn command(ins: u8) -> CommandApdu {
    CommandApdu::new(0, ins, 0, 0)
        .with_data(&[ins])
        .expect("fits")
}

fn card(source: &mut RacsSource) -> Box<dyn CardTransport> {
    let card = source.poll(soon()).expect("no stranger");
    card.unwrap_or_else(|| panic!("{:?}", source.trouble()))
}

fn trouble(source: &mut RacsSource) -> String {
    assert!(source.poll(soon()).expect("no stranger").is_none());
    let trouble = source.trouble().expect("a reason");
    assert!(matches!(trouble, SourceTrouble::Grid { .. }));
    trouble.to_string()
}

#[test]
fn a_card_of_a_grid_is_powered_asked_and_reset() {
    let pki = Pki::new();
    let resets = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&resets);
    let (mut source, seen) = grid(
        &pki,
        move |command| {
            counted.fetch_add(usize::from(command.is_none()), Ordering::AcqRel);
            echo(command)
        },
        |_| None,
    );
    let mut card = card(&mut source);
    assert_eq!(source.trouble(), None);
    assert_eq!(card.atr().to_string(), "3B 84 01 52 41 43 53 86");
    let answer = card.transmit(&command(0x10), soon()).expect("an answer");
    assert_eq!(
        (answer.data(), answer.sw),
        (&[0x10][..], StatusWord(0x9000))
    );
    let answer = card.transmit(&command(0x18), soon()).expect("an answer");
    assert_eq!(answer.sw, StatusWord(0x6985));
    card.check_present().expect("there");
    assert!(!card.is_worn());
    assert_eq!(card.takes_chains(), Chains::All, "by its ATR, T=1");
    card.cold_reset(soon()).expect("reset");
    assert_eq!(resets.load(Ordering::Acquire), 2);
    assert_eq!(seen.connections.load(Ordering::Acquire), 1);
    let requests = seen.requests();
    assert!(
        requests[0].contains("\r\nPOWERON remote\r\n"),
        "POWERON first"
    );
    assert_eq!(requests.len(), 4);
}

#[test]
fn a_chain_is_one_request_and_stops_where_it_must() {
    let pki = Pki::new();
    let (mut source, seen) = grid(&pki, echo, |_| None);
    let mut card = card(&mut source);
    seen.requests();
    let link = |ins, must_succeed| ChainLink {
        command: command(ins),
        must_succeed,
        fetch: None,
    };
    let good = [link(0x10, true), link(0x18, false), link(0x12, false)];
    let done = card.transmit_all(&good, Duration::from_secs(5));
    assert_eq!(done.error, None);
    let words: Vec<u16> = done.responses.iter().map(|answer| answer.sw.0).collect();
    assert_eq!(words, [0x9000, 0x6985, 0x9000]);
    // What must be 9000 has no other answer; the others come as they are.
    let data: Vec<&[u8]> = done.responses.iter().map(ResponseApdu::data).collect();
    assert_eq!(data, [&[][..], &[0x18], &[0x12]]);
    assert_eq!(seen.requests().len(), 1);
    assert_ne!(card.takes_chains(), Chains::None);

    let bad = [link(0x10, true), link(0x18, true), link(0x12, false)];
    let done = card.transmit_all(&bad, Duration::from_secs(5));
    assert_eq!(done.responses.len(), 1);
    assert_eq!(done.error, Some(TransportError::StatusUnseen));
    assert_eq!(
        card.takes_chains(),
        Chains::None,
        "one after the other from now on"
    );
    let answer = card.transmit(&command(0x18), soon()).expect("an answer");
    assert_eq!(answer.sw, StatusWord(0x6985));

    let long: Vec<_> = (0..100).map(|_| link(0x10, false)).collect();
    seen.requests();
    let done = card.transmit_all(&long, Duration::from_secs(5));
    assert_eq!((done.responses.len(), done.error), (100, None));
    assert_eq!(seen.requests().len(), 8, "thirteen answers at a time");

    drop(card);
    source.grid.rules.batches = false;
    source.forget_wait();
    let told = self::card(&mut source).takes_chains();
    assert_eq!(told, Chains::None, "as it was told");
}

#[test]
fn a_card_that_is_not_to_be_had_is_asked_for_again() {
    let pki = Pki::new();
    let mut held = 2;
    let (mut source, seen) = grid(&pki, echo, move |request| {
        let label = request.split_ascii_whitespace().nth(1)?;
        held = usize::checked_sub(held, 1)?;
        let said = format!("BEGIN {label}\r\n-708 001 SEID remote In Use\r\nEND\r\n");
        Some(Reply::Say(said.into_bytes()))
    });
    let said = trouble(&mut source);
    for words in [
        "racs element remote",
        "grid 127.0.0.1:",
        "-708",
        "another session holds",
    ] {
        assert!(said.contains(words), "{said}");
    }
    // Not at once.
    assert!(source.poll(soon()).expect("no stranger").is_none());
    assert_eq!(seen.requests().len(), 1);
    source.forget_wait();
    trouble(&mut source);
    source.forget_wait();
    card(&mut source);
    assert_eq!(seen.connections.load(Ordering::Acquire), 1);
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let pki = Pki::new();
    let mut nobody = RacsSource::new(pki.grid("127.0.0.1:1"), remote());
    let said = trouble(&mut nobody);
    assert!(
        said.contains("cannot connect") && said.contains("check host and port"),
        "{said}"
    );
    let (source, _) = grid(&pki, echo, |_| None);
    let wrong = SeidToken::try_from(&b"other"[..]).expect("a name");
    let mut other = RacsSource::new(source.grid.clone(), wrong);
    let said = trouble(&mut other);
    assert!(
        said.contains("-408") && said.contains("grid list"),
        "{said}"
    );
    // The server has one connection at a time.
    drop(other);
    let others = Pki::new();
    let mut stranger = RacsSource::new(source.grid, remote());
    stranger.grid.files = others.files();
    let said = trouble(&mut stranger);
    assert!(said.contains("server's certificate"), "{said}");
}

#[test]
fn a_lost_connection_is_a_card_that_left() {
    let pki = Pki::new();
    let mut cut = false;
    let (mut source, _) = grid(&pki, echo, move |request| {
        let now = request.contains("APDU remote 0011") && !cut;
        cut |= now;
        now.then_some(Reply::Close)
    });
    let mut first = card(&mut source);
    let lost = first.transmit(&command(0x11), soon());
    assert_eq!(lost, Err(TransportError::Removed));
    assert_eq!(first.check_present(), Err(TransportError::Removed));
    drop(first);
    let why = source.trouble().expect("before it looks again").to_string();
    assert!(
        why.contains("waiting for an answer: the server closed"),
        "{why}"
    );
    source.forget_wait();
    let mut second = card(&mut source);
    assert_eq!(source.trouble(), None);
    assert!(second.transmit(&command(0x11), soon()).is_ok());
}

#[test]
fn refusals_and_silence_are_told_apart_from_a_card_that_left() {
    let pki = Pki::new();
    let (mut source, _) = grid(&pki, echo, |request| {
        let label = request.split_ascii_whitespace().nth(1)?;
        let status = match request {
            _ if request.contains("APDU remote 0020") => "-606 001 not allowed",
            _ if request.contains("APDU remote 0021") => "-806 001 the card does not answer",
            _ if request.contains("APDU remote 0022") => return Some(Reply::Nothing),
            _ => return None,
        };
        let said = format!("BEGIN {label}\r\n{status}\r\nEND\r\n");
        Some(Reply::Say(said.into_bytes()))
    });
    let mut card = card(&mut source);
    let forbidden = card.transmit(&command(0x20), soon());
    assert!(
        matches!(&forbidden, Err(TransportError::Refused(why)) if why.contains("-606")),
        "{forbidden:?}"
    );
    assert!(card.transmit(&command(0x10), soon()).is_ok());
    assert_eq!(
        card.transmit(&command(0x21), soon()),
        Err(TransportError::Removed)
    );
    let short = Instant::now() + Duration::from_millis(50);
    assert_eq!(
        card.transmit(&command(0x22), short),
        Err(TransportError::TimedOut)
    );
    // What it owes is on that connection; the next one is a new one.
    assert!(card.transmit(&command(0x10), soon()).is_err());
    card.cold_reset(soon()).expect("connected anew");
    assert!(card.transmit(&command(0x10), soon()).is_ok());
}

#[test]
fn a_held_card_is_kept_and_its_loss_is_noticed() {
    let pki = Pki::new();
    let (mut source, seen) = grid(&pki, echo, |_| None);
    source.patience = Patience {
        keepalive: Duration::ZERO,
        lost: Duration::from_secs(60),
    };
    let mut card_there = card(&mut source);
    seen.requests();
    card_there.check_present().expect("held");
    assert_eq!(seen.requests().len(), 1);
    drop(card_there);

    // A server that lets go says POWERON did something.
    let (mut source, _) = grid(&pki, echo, |request| {
        let label = request.split_ascii_whitespace().nth(1)?;
        let said = format!("BEGIN {label}\r\n+008 001 SEID has been powered on\r\nEND\r\n");
        Some(Reply::Say(said.into_bytes()))
    });
    source.patience = Patience {
        keepalive: Duration::ZERO,
        lost: Duration::from_secs(60),
    };
    assert_eq!(
        card(&mut source).check_present(),
        Err(TransportError::Removed)
    );
    let why = source.trouble().expect("a reason").to_string();
    assert!(why.contains("does not hold the element"), "{why}");

    let (mut source, _) = grid(&pki, echo, |_| None);
    source.patience = Patience {
        keepalive: Duration::from_secs(60),
        lost: Duration::ZERO,
    };
    let lost = card(&mut source).transmit(&command(0x10), soon());
    assert_eq!(lost, Err(TransportError::Reset));
}

#[test]
fn a_session_is_replaced_before_its_server_ends_it() {
    let pki = Pki::new();
    let (mut source, seen) = grid(&pki, echo, |_| None);
    source.grid.rules = ServerRules {
        session_life: Some(Duration::ZERO),
        ..ServerRules::PUBLISHED
    };
    let mut card = card(&mut source);
    assert!(card.is_worn());
    card.cold_reset(soon()).expect("connected anew");
    assert!(card.transmit(&command(0x10), soon()).is_ok());
    assert_eq!(seen.connections.load(Ordering::Acquire), 2);
}

#[test]
fn a_card_that_was_given_to_another_is_lost_long_before_the_deadline() {
    let pki = Pki::new();
    let mut taken = false;
    let (mut source, _) = grid(&pki, echo, move |request| {
        let label = request.split_ascii_whitespace().nth(1)?;
        taken |= request.contains("APDU");
        let code = match request.contains("POWERON") {
            true => "-708",
            false => "-706",
        };
        let said = format!("BEGIN {label}\r\n{code} 001 SEID remote In Use\r\nEND\r\n");
        taken.then_some(Reply::Say(said.into_bytes()))
    });
    let mut card = card(&mut source);
    let lost = card.transmit(&command(0x10), soon());
    assert_eq!(lost, Err(TransportError::Removed));
    let deadline = Instant::now() + Duration::from_secs(60);
    assert_eq!(card.cold_reset(deadline), Err(TransportError::Removed));
    assert!(Instant::now() + Duration::from_secs(30) < deadline);
}

#[test]
fn the_worker_opens_a_card_of_a_grid_like_any_other() {
    let pki = Pki::new();
    let mut fake = FakeCard::default();
    let (source, _) = grid(
        &pki,
        move |command| match command {
            Some(command) => fake.transmit(command),
            None => {
                fake.reset();
                ResponseApdu::new(Vec::new(), StatusWord(0x9000))
            }
        },
        |_| None,
    );
    let folder = TempDir::new().expect("a folder");
    let pin_file = folder.path().join("pin");
    fs::write(&pin_file, "0000").expect("written");
    fs::set_permissions(&pin_file, fs::Permissions::from_mode(0o600)).expect("set");
    let seid = "se-00".parse().expect("a SEID");
    let pin = Some(PinSource::File(pin_file));
    let settings = CardSettings::new(seid, CardProfile::eap_tls(), pin);
    let records = CardRecords {
        pins: Arc::new(MemoryPinLedger::new().expect("randomness")),
        adopted: Arc::new(AdoptedCards::in_memory()),
    };
    let (sender, reports) = mpsc::channel();
    let reporter = Box::new(move |_, report| {
        let _ = sender.send(report);
    });
    let worker = spawn_worker(settings, Box::new(source), records, reporter);
    let worker = worker.expect("a thread");
    match reports
        .recv_timeout(Duration::from_secs(20))
        .expect("a report")
    {
        WorkerReport::Present { identities, .. } => {
            let names: Vec<_> = identities.iter().map(|held| held.name.as_str()).collect();
            assert_eq!(names, ["alice", "bob"]);
        }
        other => panic!("{other:?}"),
    }
    worker.stop();
}
