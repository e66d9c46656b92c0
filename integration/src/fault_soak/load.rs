//! Guests that make one session after the other.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use domu_agent::client::{Client, ClientError, ConnectRequest, Ending};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::host::{DOMAINS, Profile};
use super::server::{NAME, read_line};
use super::tally::{Outcome, Tally};
use crate::chain::{Chain, request};
use crate::wait::PATIENCE;

/// What all guests share, and those who look after them.
pub(super) struct Load {
    guests: Vec<Guest>,
    /// The servers, TLS 1.2 and 1.3, and the same behind what stalls.
    ports: [u16; 2],
    stalled: [u16; 2],
    pub(super) tally: Tally,
    pub(super) is_over: AtomicBool,
}

struct Guest {
    client: Client,
    profile: Profile,
    /// Odd while its agent is killed and started again.
    generation: AtomicUsize,
    /// Since when each of its applications has had a session in progress.
    begun: [Mutex<Option<Instant>>; APPLICATIONS],
}

impl Load {
    pub(super) fn new(chain: &Chain, ports: [u16; 2], stalled: [u16; 2]) -> Self {
        let guests = DOMAINS.iter().map(|domain| Guest {
            client: chain.guest(domain.name).client().clone(),
            profile: domain.profile(),
            generation: AtomicUsize::new(0),
            begun: Default::default(),
        });
        Self {
            guests: guests.collect(),
            ports,
            stalled,
            tally: Tally::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Every application of every domain: which domain, and which of its applications.
    pub(super) fn applications() -> impl Iterator<Item = (usize, usize)> {
        (0..DOMAINS.len()).flat_map(|domain| (0..APPLICATIONS).map(move |own| (domain, own)))
    }

    /// Runs one application until all is over.
    pub(super) fn run(&self, domain: usize, application: usize, seed: u64) {
        let own = (domain * APPLICATIONS + application) as u64;
        let mut random = StdRng::seed_from_u64(seed ^ own.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut number = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            number += 1;
            let version = random.gen_range(0..2);
            let ports = match random.gen_ratio(1, 30) {
                true => &self.stalled,
                false => &self.ports,
            };
            let mut wish = self.wish(domain, ports[version]);
            wish.resume = Some(random.gen_bool(0.3));
            let name = format!("{} {application}-{number}", DOMAINS[domain].name);
            let guest = &self.guests[domain];
            *guest.begun[application].lock().expect("our own") = Some(Instant::now());
            let outcome = guest.session(wish, &name);
            *guest.begun[application].lock().expect("our own") = None;
            let is_done = matches!(outcome, Outcome::Done);
            self.tally.add(domain, outcome);
            if !is_done {
                // As a program that tries again.
                thread::park_timeout(PAUSE);
            }
        }
    }

    /// One session of a domain with a server that does not stall, of TLS 1.2 or 1.3.
    pub(super) fn once(&self, domain: usize, version: usize) -> Outcome {
        let wish = self.wish(domain, self.ports[version]);
        let name = format!("{} at-the-end", DOMAINS[domain].name);
        self.guests[domain].session(wish, &name)
    }

    fn wish(&self, domain: usize, port: u16) -> ConnectRequest {
        let mut wish = request(port, NAME);
        wish.identity = Some(DOMAINS[domain].identity.to_owned());
        wish.timeout_ms = Some(SESSION_MS);
        wish
    }

    /// A domain's agent is about to be killed, or has been started again.
    pub(super) fn turn(&self, domain: usize) {
        self.guests[domain]
            .generation
            .fetch_add(1, Ordering::SeqCst);
    }

    /// Whose session has been in progress for longer than anything may take.
    pub(super) fn stuck(&self) -> Option<&'static str> {
        let is_stuck = |guest: &Guest| {
            guest.begun.iter().any(|begun| {
                let begun = *begun.lock().expect("our own");
                begun.is_some_and(|begun| begun.elapsed() > PATIENCE)
            })
        };
        let position = self.guests.iter().position(is_stuck)?;
        Some(DOMAINS[position].name)
    }
}

impl Guest {
    fn session(&self, wish: ConnectRequest, name: &str) -> Outcome {
        let generation = self.generation.load(Ordering::SeqCst);
        let was_killed = || {
            !generation.is_multiple_of(2) || self.generation.load(Ordering::SeqCst) != generation
        };
        let (established, mut stream) = match self.client.connect(wish) {
            Ok(connected) => connected,
            Err(ClientError::Refused(error)) => {
                return match self.may_be_told(&error.code) {
                    true => Outcome::Named(error.code.into_owned()),
                    false => Outcome::Wrong(error.to_string()),
                };
            }
            Err(_) if was_killed() => return Outcome::Named(KILLED.to_owned()),
            Err(error) => return Outcome::Wrong(error.to_string()),
        };
        match converse(&mut stream, name) {
            Ok(answer) if answer == name => Outcome::Done,
            Ok(answer) => Outcome::Wrong(format!("{name:?} was answered {answer:?}")),
            // It stands, and this application gives it up.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Outcome::Named("the silence of the server".to_owned())
            }
            Err(_) => match self.ending(established.session) {
                Some(name) => Outcome::Named(name),
                None if was_killed() => Outcome::Named(KILLED.to_owned()),
                None => Outcome::Wrong(format!("{name:?} ended without a reason")),
            },
        }
    }

    /// Whether something that goes wrong here is a reason for this error.
    fn may_be_told(&self, code: &str) -> bool {
        match self.profile {
            // A card that makes the handshake itself says whom it verified, which a fault can spoil.
            Profile::EapTls => !NEVER.contains(&code),
            // Here the service has read the certificate itself, and every server is trusted.
            Profile::Piv => code != "peer-untrusted" && !NEVER.contains(&code),
        }
    }

    /// How a connection ended, as the agent says.
    fn ending(&self, session: u64) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let ended = self.client.ended(session).ok()?;
            if ended.how != Ending::Open {
                return Some(format!("{:?}", ended.how));
            }
            thread::park_timeout(PAUSE);
        }
        None
    }
}

/// Says who it is, reads the answer, and ends in order.
fn converse(stream: &mut UnixStream, name: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(format!("{name}\n").as_bytes())?;
    let answer = read_line(stream)?;
    stream.shutdown(Shutdown::Write)?;
    match stream.read(&mut [0])? {
        0 => Ok(answer),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Applications of each domain, each with a session at a time.
const APPLICATIONS: usize = 2;
/// Time for a connection to stand.
const SESSION_MS: u64 = 8_000;
/// Time for a server to answer.
const ANSWER: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(20);
const KILLED: &str = "the death of the guest";

/// Errors for which nothing that goes wrong here is a reason.
const NEVER: [&str; 11] = [
    "internal",
    "protocol",
    "policy",
    "bad-token",
    "token-expired",
    "token-revoked",
    "not-bound",
    "pin-blocked",
    "bad-request",
    "dom0-untrusted",
    "connect-failed",
];
