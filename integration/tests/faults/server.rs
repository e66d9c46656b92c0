//! A server, or a network before it, that breaks the rules of TLS.

use std::io::{Read, Write};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use domu_agent::client::{AppError, Ending};
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::meddler::{Delivery, Meddler, RecordEdit, record};
use integration::openssl::{Mode, OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki, VALID};
use integration::tls_server::{Connection, TlsServer};
use integration::wait;
use rustls::version::TLS13;

use crate::NAME;
use crate::world::World;

const LIMITS: [(&str, u64); 2] = [("peer_wait_ms", 1_000), ("peer_wait_alone_ms", 1_000)];

/// So many bytes of a server are the handshake and the first data behind it.
const BYTES: usize = 4_000;
/// Records of a server until the handshake is over, in TLS 1.2 and in TLS 1.3.
const RECORDS: [usize; 2] = [8, 7];

/// What came of one connection through a meddler.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// No handshake.
    Refused(AppError),
    /// A handshake, and then an end that is not in order.
    Ended(Ending, String),
    /// All as if nothing had been done to the bytes.
    Unharmed,
}

fn page_server(world: &World, is_tls13: bool) -> OpensslServer {
    let plan = ServerPlan::new(&world.credential).mode(Mode::Page);
    let plan = if is_tls13 { plan.tls13() } else { plan };
    OpensslServer::start(&world.pki, &plan)
}

/// Asks for a page through a meddler.
fn fetch(world: &World, server: &OpensslServer, delivery: &Delivery) -> Outcome {
    let meddler = Meddler::start(server.port(), delivery.clone());
    let mut wish = request(meddler.port(), NAME);
    wish.resume = Some(false);
    let mut session = match world.rogue().ask(wish) {
        Ok(session) => session,
        Err(error) => return Outcome::Refused(error),
    };
    // Either may fail when the agent has given the connection up.
    let _ = session.stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
    let mut page = Vec::new();
    let _ = session.stream.read_to_end(&mut page);
    drop(session.stream);
    let number = session.established.session;
    let ended = wait::until("the agent has seen the end", || {
        let ended = world.rogue().client().ended(number).expect("it remembers");
        (ended.how != Ending::Open).then_some(ended)
    });
    match ended.how {
        Ending::Closed => {
            assert!(page.ends_with(PAGE_END), "{delivery:?}");
            Outcome::Unharmed
        }
        how => Outcome::Ended(how, ended.message),
    }
}

/// The last words of a page of `openssl s_server -www`.
const PAGE_END: &[u8] = b"</pre></BODY></HTML>\r\n\r\n";

/// Whether an application is told that the server is to blame, and not its card or its host.
fn blames_the_server(no: &AppError) -> bool {
    matches!(
        &*no.code,
        "handshake-failed" | "peer-untrusted" | "timeout" | "limit"
    )
}

#[test]
fn a_bit_that_is_flipped_never_goes_unnoticed_in_tls12() {
    flip_bits(false);
}

#[test]
fn a_bit_that_is_flipped_never_goes_unnoticed_in_tls13() {
    flip_bits(true);
}

fn flip_bits(is_tls13: bool) {
    let world = World::start(&LIMITS, &[]);
    let server = page_server(&world, is_tls13);
    for (offset, bit) in (0..BYTES).step_by(29).zip((0..8).cycle()) {
        let what = format!("bit {bit} of byte {offset}");
        let outcome = fetch(&world, &server, &Delivery::FlippedBit { offset, bit });
        match outcome {
            Outcome::Refused(no) => assert!(blames_the_server(&no), "{what}: {no}"),
            Outcome::Ended(Ending::BadRecord | Ending::CutShort, _) => {}
            other => panic!("{what}: {other:?}"),
        }
        world.exchange("rogue", &what);
    }
    world.exchange("neighbour", "flipped bits");
    world.finish();
}

#[test]
fn a_connection_that_is_cut_anywhere_is_told_from_one_that_ends() {
    let world = World::start(&LIMITS, &[]);
    for is_tls13 in [false, true] {
        let server = page_server(&world, is_tls13);
        for count in (0..BYTES).step_by(97) {
            let what = format!("cut after {count} bytes, TLS 1.3 {is_tls13}");
            match fetch(&world, &server, &Delivery::CutAfter(count)) {
                Outcome::Refused(no) => assert_eq!(no.code, "handshake-failed", "{what}: {no}"),
                Outcome::Ended(Ending::CutShort, _) => {}
                other => panic!("{what}: {other:?}"),
            }
            world.exchange("rogue", &what);
        }
    }
    world.finish();
}

#[test]
fn a_server_that_falls_silent_at_any_step_costs_its_own_session_only() {
    /// A guest for each step, and one more that has nothing to do with them.
    const STEPS: usize = 8;
    let pki = Pki::new();
    let name = |step: usize| format!("guest-{step}");
    let mut plan = LIMITS
        .iter()
        .fold(ChainPlan::new(), |plan, (limit, value)| {
            plan.limit(limit, *value)
        });
    for step in 0..=STEPS {
        let (seid, name) = (format!("se-{step}"), name(step));
        plan = plan
            .card(CardPlan::new(&seid).identity(&name, KeyKind::P256))
            .guest(GuestPlan::new(&name).bound(&seid, &name));
    }
    let chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, KeyKind::P256);
    for (is_tls13, records) in [false, true].into_iter().zip(RECORDS) {
        let server = || {
            let plan = ServerPlan::new(&credential);
            OpensslServer::start(&pki, &if is_tls13 { plan.tls13() } else { plan })
        };
        thread::scope(|scope| {
            for step in 0..records {
                let guest = chain.guest(&name(step));
                scope.spawn(move || {
                    let server = server();
                    let stall = Delivery::Records(RecordEdit::StallBefore(step));
                    let meddler = Meddler::start(server.port(), stall);
                    let no = guest.connect(meddler.port(), NAME).expect_err("silence");
                    assert_eq!(no.code, "timeout", "step {step}: {no}");
                    drop(meddler);
                    guest
                        .connect(server.port(), NAME)
                        .expect("the card is free")
                        .close();
                });
            }
            let other = server();
            for _ in 0..20 {
                let session = chain.guest(&name(STEPS)).connect(other.port(), NAME);
                session.expect("a server of its own").close();
            }
        });
    }
    assert!(!chain.audit().is_empty());
}

#[test]
fn records_that_do_not_belong_there_end_the_handshake_at_any_step() {
    let world = World::start(&LIMITS, &[]);
    for (is_tls13, records) in [false, true].into_iter().zip(RECORDS) {
        let server = page_server(&world, is_tls13);
        for step in 0..records {
            for edit in edits(step) {
                let what = format!("{edit:?}, TLS 1.3 {is_tls13}");
                let what = what.get(..100).unwrap_or(&what);
                let began = Instant::now();
                let delivery = Delivery::Records(edit.clone());
                let outcome = world.beside(what, || fetch(&world, &server, &delivery));
                match outcome {
                    Outcome::Refused(no) => assert!(blames_the_server(&no), "{what}: {no}"),
                    // A ChangeCipherSpec of TLS 1.3 means nothing (RFC 8446 §5).
                    Outcome::Unharmed if is_tls13 && is_about_ccs(&edit) => {}
                    // Behind the last record of the handshake.
                    Outcome::Ended(Ending::BadRecord, _) if step + 1 == records => {}
                    other => panic!("{what}: {other:?}"),
                }
                assert!(
                    began.elapsed() < Duration::from_secs(20),
                    "{what}: it takes too long"
                );
            }
        }
    }
    world.finish();
}

fn edits(step: usize) -> Vec<RecordEdit> {
    let insert = |bytes: Vec<u8>| RecordEdit::Insert {
        before: step,
        bytes,
    };
    vec![
        RecordEdit::Repeat(step),
        RecordEdit::Exchange(step),
        RecordEdit::LeaveOut(step),
        insert(record(ALERT, &[FATAL, HANDSHAKE_FAILURE])),
        insert(record(ALERT, &[WARNING, USER_CANCELED])),
        insert(b"HTTP/1.0 500 Internal Server Error\r\n\r\n".to_vec()),
        insert(vec![0xA5; 300]),
        insert(record(HANDSHAKE, &[HELLO_REQUEST, 0, 0, 0])),
        insert(record(HANDSHAKE, &[]).repeat(64)),
        insert(record(APPLICATION_DATA, &[]).repeat(64)),
        insert(record(APPLICATION_DATA, &[1; 100])),
        insert(record(HEARTBEAT, &[1; 100])),
        insert(record(CHANGE_CIPHER_SPEC, &[1])),
    ]
}

/// In TLS 1.3 it is the second record of a server.
fn is_about_ccs(edit: &RecordEdit) -> bool {
    match edit {
        RecordEdit::Repeat(step) | RecordEdit::Exchange(step) | RecordEdit::LeaveOut(step) => {
            *step == 1
        }
        RecordEdit::Insert { bytes, .. } => bytes.first() == Some(&CHANGE_CIPHER_SPEC),
        _ => false,
    }
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// RFC 6520, which nobody asked for.
const HEARTBEAT: u8 = 24;
const HELLO_REQUEST: u8 = 0;
const WARNING: u8 = 1;
const FATAL: u8 = 2;
const HANDSHAKE_FAILURE: u8 = 40;
const USER_CANCELED: u8 = 90;

#[test]
fn messages_in_many_records_are_as_good_as_in_one() {
    let world = World::start(&LIMITS, &[]);
    for is_tls13 in [false, true] {
        let server = page_server(&world, is_tls13);
        for length in [1, 7, 100] {
            let delivery = Delivery::Records(RecordEdit::Fragments(length));
            assert_eq!(
                fetch(&world, &server, &delivery),
                Outcome::Unharmed,
                "{length}"
            );
        }
    }
    world.finish();
}

#[test]
fn a_certificate_chain_of_300_kib_is_refused() {
    let world = World::start(&LIMITS, &[]);
    let names: Vec<String> = (0..700)
        .map(|n| format!("name-{n:04}.example.org"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = world.pki.ca.server(&names, KeyKind::P256, VALID);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = long.write(folder.path(), "long").certificate;
    let pem = fs::read_to_string(&file).expect("written");
    let chain = pem.repeat((300 << 10) / long.certificate.len() + 1);
    fs::write(&file, chain).expect("written");
    for is_tls13 in [false, true] {
        let plan = ServerPlan::new(&world.credential);
        let plan = if is_tls13 { plan.tls13() } else { plan };
        let plan = plan
            .option("-cert_chain")
            .option(file.to_str().expect("UTF-8"));
        let server = OpensslServer::start(&world.pki, &plan);
        let no = world.beside("300 KiB", || world.rogue().connect(server.port(), NAME));
        let no = no.expect_err("far beyond the limit");
        // In TLS 1.3 only the card can read it, which may have enough sooner.
        let is_named = no.code == "limit" || is_tls13 && no.code == "handshake-failed";
        assert!(is_named, "TLS 1.3 {is_tls13}: {no}");
    }
    world.finish();
}

#[test]
fn a_server_may_update_its_keys_with_its_data_and_not_without_end() {
    /// How often without data; 32 are taken.
    const STORM: usize = 100;
    let world = World::start(&LIMITS, &[]);
    let storming = TlsServer::start(&world.pki, &world.credential, &TLS13, |connection| {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        for _ in 0..STORM {
            refresh(connection)?;
            connection.write_all(&byte)?;
        }
        connection.read_exact(&mut byte)?;
        for _ in 0..STORM {
            refresh(connection)?;
        }
        connection.write_all(&byte)
    });
    let mut session = world
        .rogue()
        .connect(storming.port(), NAME)
        .expect("a session");
    session.send(b"x");
    assert_eq!(session.read(STORM), [b'x'; STORM]);
    session.send(b"y");
    let mut data = Vec::new();
    // It may be reset.
    let _ = session.stream.read_to_end(&mut data);
    assert!(data.is_empty(), "what comes behind the storm is not read");
    let ended = world.rogue().client().ended(session.established.session);
    let ended = ended.expect("the agent remembers");
    assert_eq!(ended.how, Ending::BadRecord, "{}", ended.message);
    assert!(ended.message.contains("KeyUpdates"), "{}", ended.message);
    world.exchange("rogue", "a storm of KeyUpdates");
    world.finish();
}

fn refresh(connection: &mut Connection) -> io::Result<()> {
    connection
        .conn
        .refresh_traffic_keys()
        .map_err(io::Error::other)
}
