//! Sessions that are resumed, and those that must not be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

use super::bench::{
    Failure, Key, LAST_YEAR, Pki, SERVER_NAME, Server, SoftCard, VERSIONS, handshake, request,
};
use crate::card::{SessionError, TrustError};
use crate::engine::{EngineRequest, Engines};

/// One domain's engines, and the server they go to.
struct World {
    engines: Engines,
    server: Server,
    card: SoftCard,
}

impl World {
    fn new(version: ProtocolVersion) -> Self {
        Self {
            engines: Engines::new(),
            server: Server::new(version),
            card: SoftCard::new(Key::P256),
        }
    }

    /// Whether a handshake is resumed; the tickets of TLS 1.3 are taken.
    fn resumes(&self, wish: EngineRequest) -> bool {
        self.try_resume(wish).expect("success")
    }

    fn try_resume(&self, wish: EngineRequest) -> Result<bool, Failure> {
        let asked = self.card.asked().len();
        let is_kept = wish.resume;
        let done = handshake(&self.engines, wish, self.server.connect(), &self.card)?;
        let abbreviated = done.session.abbreviated;
        assert_eq!(done.session.peer_certificates, [Pki::get().server_der()]);
        assert_eq!(self.card.asked().len() - asked, usize::from(!abbreviated));
        if done.tickets.is_some() {
            assert!(is_kept);
            done.take_tickets();
        } else {
            done.carry();
        }
        Ok(abbreviated)
    }
}

#[test]
fn the_same_domain_resumes_without_a_signature() {
    for version in VERSIONS {
        let world = World::new(version);
        let resumed: Vec<bool> = (0..4).map(|_| world.resumes(request(Key::P256))).collect();
        assert_eq!(resumed, [false, true, true, true], "{version}");
    }
}

#[test]
fn without_its_tickets_tls13_is_never_resumed() {
    let world = World::new(ProtocolVersion::TLS1_3);
    for _ in 0..3 {
        let link = world.server.connect();
        let done = handshake(&world.engines, request(Key::P256), link, &world.card);
        assert!(!done.expect("success").session.abbreviated);
    }
}

#[test]
fn nobody_else_resumes_it() {
    type Change = fn(&mut EngineRequest);
    let others: [(&str, Change); 7] = [
        ("domain", |wish| {
            wish.domain = DomainUuid::from_bytes([8; 16])
        }),
        ("card", |wish| wish.seid = "se-01".parse().expect("a SEID")),
        ("identity", |wish| {
            wish.identity = "9c".parse().expect("a name")
        }),
        ("server name", |wish| {
            wish.server_name = "other.example.org".to_owned()
        }),
        ("trust", |wish| wish.trust = with_a_pin()),
        ("certificate", |wish| {
            wish.certificates.push(Pki::get().server_der().to_vec())
        }),
        ("resume", |wish| wish.resume = false),
    ];
    for version in VERSIONS {
        for (name, change) in others {
            let world = World::new(version);
            assert!(!world.resumes(request(Key::P256)));
            let mut other = request(Key::P256);
            change(&mut other);
            assert!(!world.resumes(other), "{version}: another {name}");
        }
    }
}

/// The CA's trust and a pin of another server besides.
fn with_a_pin() -> Arc<crate::card::Trust> {
    let pins = [(SERVER_NAME.to_owned(), sha256(Pki::get().server_der()))];
    let trust = crate::card::Trust::load(&[], pins.into());
    Arc::new(trust.expect("a pin"))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

#[test]
fn another_trust_ends_the_sessions_of_the_first() {
    for version in VERSIONS {
        let world = World::new(version);
        assert!(!world.resumes(request(Key::P256)));
        let mut other = request(Key::P256);
        other.trust = with_a_pin();
        assert!(!world.resumes(other));
        assert!(!world.resumes(request(Key::P256)), "{version}");
    }
}

#[test]
fn what_was_not_to_be_resumed_is_not_kept() {
    for version in VERSIONS {
        let world = World::new(version);
        let mut once = request(Key::P256);
        once.resume = false;
        assert!(!world.resumes(once));
        assert!(!world.resumes(request(Key::P256)), "{version}");
        assert!(world.resumes(request(Key::P256)), "{version}");
    }
}

#[test]
fn a_purge_ends_what_it_names_and_nothing_else() {
    type Purge = fn(&Engines, &EngineRequest);
    let purges: [Purge; 4] = [
        |engines, wish| engines.purge(&wish.seid, &wish.identity, wish.domain),
        |engines, wish| engines.purge_binding(&wish.seid, wish.domain),
        |engines, wish| engines.purge_domain(wish.domain),
        |engines, wish| engines.purge_card(&wish.seid),
    ];
    for version in VERSIONS {
        for (number, purge) in purges.into_iter().enumerate() {
            let world = World::new(version);
            let mut other = request(Key::P256);
            other.domain = DomainUuid::from_bytes([8; 16]);
            other.seid = "se-01".parse().expect("a SEID");
            other.identity = "9c".parse().expect("a name");
            for wish in [request(Key::P256), other.clone()] {
                assert!(!world.resumes(wish));
            }
            purge(&world.engines, &request(Key::P256));
            assert!(
                !world.resumes(request(Key::P256)),
                "{version}, purge {number}"
            );
            assert!(world.resumes(other), "{version}, purge {number}");
        }
    }
}

#[test]
fn a_ticket_that_comes_after_a_purge_is_of_no_use() {
    let world = World::new(ProtocolVersion::TLS1_3);
    let link = world.server.connect();
    let done = handshake(&world.engines, request(Key::P256), link, &world.card).expect("success");
    world.engines.purge_domain(request(Key::P256).domain);
    done.take_tickets();
    assert!(!world.resumes(request(Key::P256)));
}

#[test]
fn only_tickets_are_taken_and_only_some() {
    let world = World::new(ProtocolVersion::TLS1_3);
    let link = world.server.connect();
    let done = handshake(&world.engines, request(Key::P256), link, &world.card).expect("success");
    let mut carried = done.carry();
    let mut taker = carried.taker.take().expect("TLS 1.3");
    let ticket = carried.tickets.first().expect("rustls sends two").to_vec();
    for cut in 0..ticket.len() {
        assert!(taker.take(&ticket[..cut]).is_err(), "{cut}");
    }
    assert!(taker.take(&[&ticket[..], &[0]].concat()).is_err());
    let mut finished = ticket.clone();
    finished[0] = 20;
    assert!(taker.take(&finished).is_err());
    let long = [vec![4, 0, 0xFF, 0xFF], vec![0; 0xFFFF]].concat();
    assert!(matches!(
        taker.take(&long),
        Err(SessionError::TooManyBytes { .. })
    ));
    for _ in 0..100 {
        taker.take(&ticket).expect("a ticket, kept or not");
    }
    assert_eq!(format!("{taker:?}"), "TicketTaker(0 left)");
}

#[test]
fn a_ticket_of_many_bytes_is_neither_kept_nor_an_error() {
    const KEPT: usize = 4 << 10;
    for (length, is_kept) in [(KEPT, true), (KEPT + 1, false)] {
        let world = World::new(ProtocolVersion::TLS1_3);
        let link = world.server.connect();
        let done = handshake(&world.engines, request(Key::P256), link, &world.card);
        let mut carried = done.expect("success").carry();
        let mut taker = carried.taker.take().expect("TLS 1.3");
        taker.take(&made_up_ticket(length)).expect("a ticket");
        let left = if is_kept { 3 } else { 4 };
        assert_eq!(format!("{taker:?}"), format!("TicketTaker({left} left)"));
    }
}

/// A NewSessionTicket message of that length, header included (RFC 8446 §4.6.1).
fn made_up_ticket(length: usize) -> Vec<u8> {
    let bytes = |length: usize, count: usize| {
        let length = u32::try_from(length).expect("short").to_be_bytes();
        length[4 - count..].to_vec()
    };
    // Lifetime, age_add, an empty nonce; behind the ticket no extensions.
    let ticket = length - 4 - 4 - 4 - 1 - 2 - 2;
    let body = [
        bytes(3_600, 4),
        bytes(7, 4),
        vec![0],
        bytes(ticket, 2),
        vec![0x5A; ticket],
        bytes(0, 2),
    ]
    .concat();
    [vec![4], bytes(body.len(), 3), body].concat()
}

/// A clock that is set by hand.
#[derive(Debug, Default)]
struct SetClock(AtomicU64);

impl TimeProvider for SetClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

#[test]
fn a_session_does_not_outlive_the_certificate_it_stands_on() {
    let end: crate::time::UnixTime = format!("{LAST_YEAR}-01-01T00:00:00Z")
        .parse()
        .expect("a time");
    for version in VERSIONS {
        let clock = Arc::new(SetClock::default());
        clock.0.store(end.as_secs() - 60, Ordering::Relaxed);
        let world = World {
            engines: Engines::with_clock(Arc::clone(&clock) as Arc<_>),
            ..World::new(version)
        };
        let resumed: Vec<bool> = (0..2).map(|_| world.resumes(request(Key::P256))).collect();
        assert_eq!(resumed, [false, true], "{version}");
        clock.0.store(end.as_secs() + 60, Ordering::Relaxed);
        let late = || {
            world
                .try_resume(request(Key::P256))
                .expect_err("too late")
                .error
        };
        // Resumed, and refused before any key is out; then a full handshake, refused as well.
        for kind in ["resumed", "full"] {
            let error = late();
            let expired = SessionError::PeerUntrusted(TrustError::Expired {
                not_after: end.as_secs(),
            });
            assert_eq!(error, expired, "{version}, {kind}");
        }
        assert_eq!(world.card.asked().len(), 1);
        // As long as the certificate was good, the server's session was, too.
        clock.0.store(end.as_secs() - 30, Ordering::Relaxed);
        assert!(!world.resumes(request(Key::P256)), "{version}: forgotten");
    }
}

#[test]
fn a_handshake_of_many_bytes_is_not_kept() {
    for version in VERSIONS {
        let world = World {
            server: Server::with_a_long_certificate(version),
            ..World::new(version)
        };
        for _ in 0..2 {
            let link = world.server.connect();
            let done = handshake(&world.engines, request(Key::P256), link, &world.card);
            let done = done.expect("success");
            assert!(
                !done.session.abbreviated && done.tickets.is_none(),
                "{version}"
            );
            done.carry();
        }
    }
}
