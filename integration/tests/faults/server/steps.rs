//! Silence, and records that do not belong there, at each step of a handshake.

use std::thread;
use std::time::{Duration, Instant};

use domu_agent::client::Ending;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::meddler::{Delivery, Meddler, RecordEdit, record};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};

use super::page::{LIMITS, Outcome, blames_the_server, fetch, page_server};
use crate::NAME;
use crate::world::World;

/// Records of a server until the handshake is over, in TLS 1.2 and in TLS 1.3.
const RECORDS: [usize; 2] = [8, 7];

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
