//! Many domains and one card: whose turn it is, and what those who wait are told.
//!
//! Nothing is asserted on times but what was promised; that nobody is held up is read off the order
//! of the records in the audit.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};
use integration::wait;
use rustls::version::TLS12;

const NAME: &str = "www.example";
/// Domains on the card.
const DOMAINS: usize = 16;

fn name(number: usize) -> String {
    format!("guest-{number:02}")
}

/// What makes the handshake: the card, or the service with a signature of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    EapTls,
    Piv,
}

impl Door {
    const BOTH: [Self; 2] = [Self::EapTls, Self::Piv];

    fn card(self) -> CardPlan {
        match self {
            Self::EapTls => CardPlan::new("se-00"),
            Self::Piv => CardPlan::piv("se-00"),
        }
    }

    /// The identity of a domain; those of a PIV card are its slots.
    fn identity(self, number: usize) -> String {
        match self {
            Self::EapTls => name(number),
            Self::Piv => match ["9a", "9c", "9d", "9e"].get(number) {
                Some(slot) => (*slot).to_owned(),
                // The retired ones.
                None => format!("{:02x}", 0x82 + number - 4),
            },
        }
    }

    /// How much faster than the papers' cards its cards are to be, for times that are alike: a signature
    /// takes a third of a handshake.
    fn timing(self, times: usize) -> String {
        match self {
            Self::EapTls => format!("paper/{times}"),
            Self::Piv => format!("paper/{}", times.div_ceil(3)),
        }
    }
}

/// A card of all domains, at that speed.
fn plan(door: Door, domains: usize, timing: &str) -> ChainPlan {
    let mut card = door.card().options(&["--timing", timing]);
    let mut plan = ChainPlan::new();
    for number in 0..domains {
        let (name, identity) = (name(number), door.identity(number));
        card = card.identity(&identity, KeyKind::P256);
        let guest = GuestPlan::new(&name).bound("se-00", &identity);
        plan = plan.guest(guest.logging("domu_agent=debug"));
    }
    plan.card(card)
}

fn server(pki: &Pki) -> TlsServer {
    TlsServer::start(pki, &pki.server(NAME, KeyKind::P256), &TLS12, echo)
}

fn run(chain: &Chain, guest: usize, port: u16) {
    let mut wish = request(port, NAME);
    wish.resume = Some(false);
    let session = chain.guest(&name(guest)).ask(wish);
    session.expect("a session").close();
}

/// A session in the audit, by the service's own clock.
#[derive(Debug)]
struct Made {
    name: String,
    /// When it began to wait for the card, and when it had its keys, in microseconds.
    asked: i64,
    done: i64,
}

/// All sessions in the audit, in the order in which they were made.
fn made(chain: &Chain) -> Vec<Made> {
    let records = chain.audited("session-established");
    let made = |record: &serde_json::Value| {
        let micros = |key: &str| record[key].as_i64().expect("a number");
        let done = micros_of_month(record["time"].as_str().expect("a time"));
        Made {
            name: record["name"].as_str().expect("text").to_owned(),
            asked: done - micros("card_us") - micros("wait_us"),
            done,
        }
    };
    records.iter().map(made).collect()
}

/// `2026-11-21T04:07:09.123Z`. No test goes on over the end of a month.
fn micros_of_month(time: &str) -> i64 {
    let number = |from: usize, to: usize| -> i64 { time[from..to].parse().expect("digits") };
    let hours = number(8, 10) * 24 + number(11, 13);
    let seconds = (hours * 60 + number(14, 16)) * 60 + number(17, 19);
    (seconds * 1_000 + number(20, 23)) * 1_000
}

#[test]
fn fifteen_who_ask_now_and_then_get_their_turns_beside_one_who_floods() {
    for door in Door::BOTH {
        get_their_turns_beside_one_who_floods(door);
    }
}

fn get_their_turns_beside_one_who_floods(door: Door) {
    const LOUD: usize = 0;
    let pki = Pki::new();
    // Slow enough that the machine counts for little: turns go by time, not by number.
    let chain = Chain::start(&pki, &plan(door, DOMAINS, &door.timing(20)));
    let port = server(&pki).port();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    run(&chain, LOUD, port);
                }
            });
        }
        wait::until("the flood has begun", || {
            (made(&chain).len() > 4).then_some(())
        });
        let quiet: Vec<_> = (1..DOMAINS)
            .map(|guest| {
                let chain = &chain;
                scope.spawn(move || (0..3).for_each(|_| run(chain, guest, port)))
            })
            .collect();
        let quiet: Vec<_> = quiet
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        is_over.store(true, Ordering::Relaxed);
        quiet.into_iter().for_each(|quiet| quiet.expect("served"));
    });
    let all = made(&chain);
    let quiet: Vec<&Made> = all.iter().filter(|made| made.name != name(LOUD)).collect();
    assert_eq!(quiet.len(), 3 * (DOMAINS - 1));
    for session in quiet {
        // One that runs already, one in its round, one that ends in the same millisecond.
        for (other, count) in turns_meanwhile(&all, session) {
            let name = &session.name;
            assert!(
                count <= 3,
                "{door:?}: {other} had {count} turns while {name} waited"
            );
        }
    }
}

/// How many turns each other domain had while this session waited.
fn turns_meanwhile(all: &[Made], session: &Made) -> BTreeMap<String, usize> {
    let mut turns = BTreeMap::new();
    let meanwhile = |other: &&Made| (session.asked..session.done).contains(&other.done);
    for other in all.iter().filter(meanwhile) {
        *turns.entry(other.name.clone()).or_default() += 1;
    }
    turns
}

#[test]
fn who_holds_handshakes_open_holds_nobody_up_for_longer_than_one_wait() {
    for door in Door::BOTH {
        holds_nobody_up_for_longer_than_one_wait(door);
    }
}

fn holds_nobody_up_for_longer_than_one_wait(door: Door) {
    const HOLDER: usize = 0;
    let pki = Pki::new();
    let plan = plan(door, 4, "none")
        .limit("peer_wait_ms", 1_000)
        .limit("peer_wait_alone_ms", 1_000)
        // Where no card waits for the server, that is all the time there is.
        .limit("handshake_ms", 5_000);
    let chain = Chain::start(&pki, &plan);
    let port = server(&pki).port();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let silent_port = silent.local_addr().expect("bound").port();
    thread::scope(|scope| {
        let held: Vec<_> = (0..4)
            .map(|_| {
                let chain = &chain;
                scope.spawn(move || {
                    let refused = chain.guest(&name(HOLDER)).connect(silent_port, NAME);
                    refused.expect_err("the server says nothing").code
                })
            })
            .collect();
        let kept: Vec<TcpStream> = held
            .iter()
            .map(|_| silent.accept().expect("the agent").0)
            .collect();
        let others: Vec<_> = (1..4)
            .map(|guest| {
                let chain = &chain;
                scope.spawn(move || (0..3).for_each(|_| run(chain, guest, port)))
            })
            .collect();
        others
            .into_iter()
            .for_each(|other| other.join().expect("served"));
        for held in held {
            assert_eq!(held.join().expect("an answer"), "timeout");
        }
        drop(kept);
    });
    assert_eq!(made(&chain).len(), 9, "{door:?}");
    // It has lost nothing but these.
    run(&chain, HOLDER, port);
}

#[test]
fn guests_that_die_in_the_queue_leave_their_places() {
    for door in Door::BOTH {
        leave_their_places(door);
    }
}

fn leave_their_places(door: Door) {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan(door, 8, &door.timing(4)));
    let port = server(&pki).port();
    // They wait until the agent is gone: the answer is nobody's.
    let clients: Vec<_> = (0..8)
        .map(|guest| chain.guest(&name(guest)).client().clone())
        .collect();
    let waiting: Vec<_> = clients
        .into_iter()
        .map(|client| thread::spawn(move || client.connect(request(port, NAME)).is_ok()))
        .collect();
    wait::until("seven wait for the card", || {
        (state(&chain, "waiting") == 7).then_some(())
    });
    for guest in 4..8 {
        chain.kill_agent(&name(guest));
    }
    let served = waiting
        .into_iter()
        .map(|guest| guest.join().expect("no panic"));
    let served: Vec<bool> = served.collect();
    assert!(
        served[..4].iter().all(|served| *served),
        "{door:?}: {served:?}"
    );
    wait::until("nobody waits any more", || {
        (state(&chain, "waiting") == 0 && state(&chain, "running") == 0).then_some(())
    });
    // The card has worked for one of the dead at most: the one that it had begun with.
    let made = made(&chain);
    assert!((4..=5).contains(&made.len()), "{door:?}: {made:?}");
}

fn state(chain: &Chain, key: &str) -> u64 {
    let output = chain.admin(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    status[key].as_u64().expect("a number")
}

#[test]
fn those_who_wait_are_told_their_place_and_how_long() {
    for door in Door::BOTH {
        are_told_their_place_and_how_long(door);
    }
}

fn are_told_their_place_and_how_long(door: Door) {
    const WAITING: usize = 8;
    let pki = Pki::new();
    let chain = Chain::start(&pki, &plan(door, 1 + WAITING, &door.timing(4)));
    let port = server(&pki).port();
    // The service learns how long this card takes.
    (0..2).for_each(|_| run(&chain, WAITING, port));
    chain.wait_card("present");
    let begin = Barrier::new(WAITING);
    thread::scope(|scope| {
        for guest in 0..WAITING {
            let (chain, begin) = (&chain, &begin);
            scope.spawn(move || {
                begin.wait();
                run(chain, guest, port);
            });
        }
    });
    let mut places = Vec::new();
    for guest in 0..WAITING {
        let log = chain.guest(&name(guest)).log();
        let number = |line: &str, key: &str| -> Option<u64> {
            let (_, rest) = line.split_once(&format!("{key}="))?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        let told = log
            .lines()
            .find(|line| line.contains("waiting for the card"));
        let Some(told) = told else { continue };
        let (place, expected) = (number(told, "place"), number(told, "expected_ms"));
        let (place, expected) = (place.expect("a place"), expected.expect("a time"));
        let last = log
            .lines()
            .rfind(|line| line.contains("wait_ms="))
            .expect("established");
        let waited = number(last, "wait_ms").expect("a time");
        assert!(
            waited <= 2 * expected && expected <= 2 * waited,
            "{door:?} {guest}: place {place}, told {expected} ms, waited {waited} ms"
        );
        places.push(place);
    }
    places.sort_unstable();
    // They come one by one, each behind all before it; the first has its turn at once.
    let expected: Vec<u64> = (1..WAITING as u64).collect();
    assert_eq!(places, expected, "{door:?}");
}
