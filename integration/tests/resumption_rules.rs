//! Where no session may be resumed although server and guest would: each rule as the server sees it.

use std::time::{Duration, Instant};

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::wait;
use proto::token::decode;

use KeyKind::P256;

const NAME: &str = "www.example";

/// A guest of one door, and a version in which sessions are resumed there.
struct Row {
    guest: &'static str,
    seid: &'static str,
    identity: &'static str,
    is_tls13: bool,
}

/// A card that makes the handshake itself resumes in TLS 1.2 alone.
const ROWS: [Row; 3] = [
    Row {
        guest: "web01",
        seid: "se-00",
        identity: "web01",
        is_tls13: false,
    },
    Row {
        guest: "web02",
        seid: "se-01",
        identity: "9a",
        is_tls13: false,
    },
    Row {
        guest: "web02",
        seid: "se-01",
        identity: "9a",
        is_tls13: true,
    },
];

/// A host with both doors, and what every server needs.
struct World {
    pki: Pki,
    chain: Chain,
}

impl World {
    /// The guests have tokens; the test binds them.
    fn start(limits: &[(&str, u64)]) -> Self {
        let pki = Pki::new();
        let mut plan = ChainPlan::new()
            .card(CardPlan::new("se-00").identity("web01", P256))
            .card(CardPlan::piv("se-01").identity("9a", P256))
            .guest(
                GuestPlan::new("web01")
                    .bound("se-00", "web01")
                    .not_yet_bound(),
            )
            .guest(GuestPlan::new("web02").bound("se-01", "9a").not_yet_bound());
        for (key, value) in limits {
            plan = plan.limit(key, *value);
        }
        let chain = Chain::start(&pki, &plan);
        Self { pki, chain }
    }

    fn admin(&self, arguments: &[&str]) {
        let output = self.chain.admin(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    fn bind(&self, row: &Row, options: &[&str]) {
        let trust = self.chain.folder().join("ca.pem");
        let trust = trust.to_str().expect("text");
        let bind = [
            "vm", "bind", row.guest, "--card", row.seid, "--trust", trust,
        ];
        let identity = ["--identity", row.identity];
        self.admin(&[&bind[..], &identity, options].concat());
        self.wait_connected(row);
    }

    fn unbind(&self, row: &Row) {
        self.admin(&["vm", "unbind", row.guest]);
    }

    fn revoke_token(&self, row: &Row) {
        let token = self.chain.door(row.guest).token;
        let (_, claims) = decode(&token).expect("it was issued");
        let cti = claims.cti.iter().map(|byte| format!("{byte:02x}"));
        self.admin(&["token", "revoke", &cti.collect::<String>()]);
        self.chain.issue_tokens();
        self.wait_connected(row);
    }

    fn wait_connected(&self, row: &Row) {
        let client = self.chain.guest(row.guest).client();
        wait::until("the guest is let in", || {
            let identities = client.identities().ok()?;
            (!identities.is_empty()).then_some(())
        });
    }

    /// A server that resumes whatever it is asked to.
    fn server(&self, row: &Row) -> Server<'_> {
        let credential = self.pki.server(NAME, P256);
        let plan = ServerPlan::new(&credential);
        let plan = match row.is_tls13 {
            true => plan.tls13(),
            false => plan,
        };
        Server {
            openssl: OpensslServer::start(&self.pki, &plan),
            chain: &self.chain,
            guest: row.guest,
            made: 0,
        }
    }
}

/// A server, and who connects to it.
struct Server<'w> {
    openssl: OpensslServer,
    chain: &'w Chain,
    guest: &'static str,
    made: usize,
}

impl Server<'_> {
    /// One connection; whether the server has resumed a session.
    fn has_resumed(&mut self, wish_to_resume: Option<bool>) -> bool {
        let mut wish = request(self.openssl.port(), NAME);
        wish.resume = wish_to_resume;
        let session = self.chain.guest(self.guest).ask(wish);
        let mut session = session.unwrap_or_else(|no| panic!("{}: {no}", self.guest));
        // The server's tickets of TLS 1.3 come before its data.
        self.openssl.send(&payload(10));
        assert_eq!(session.read(10), payload(10));
        let says = session.established.abbreviated;
        session.close();
        let report = self.openssl.report(self.made);
        self.made += 1;
        assert_eq!(report.reused, says, "{}", self.guest);
        report.reused
    }

    /// Connects until a session is resumed: tickets take their way through the guest.
    fn resume(&mut self) {
        wait::until("a session that is resumed", || {
            self.has_resumed(None).then_some(())
        });
    }
}

#[test]
fn a_card_that_must_be_present_each_time_makes_every_handshake_in_full() {
    let world = World::start(&[]);
    for row in &ROWS {
        world.bind(row, &["--no-resume"]);
        let mut server = world.server(row);
        for wish in [None, None, Some(true), None] {
            assert!(!server.has_resumed(wish), "{}", row.guest);
        }
        world.unbind(row);
        // The same server resumes where the binding lets it.
        world.bind(row, &[]);
        server.resume();
        // Nothing that was made before is left when the rule comes back.
        world.unbind(row);
        world.bind(row, &["--no-resume"]);
        assert!(!server.has_resumed(None), "{}", row.guest);
        world.unbind(row);
    }
}

#[test]
fn after_the_time_for_resumption_the_next_handshake_is_full() {
    const LIMIT: Duration = Duration::from_secs(3);
    let limit = u64::try_from(LIMIT.as_millis()).expect("small");
    for row in &ROWS {
        // Time runs from a card's first handshake on.
        let world = World::start(&[("resume_for_ms", limit)]);
        world.bind(row, &[]);
        let mut server = world.server(row);
        let before = Instant::now();
        assert!(!server.has_resumed(None));
        let after = Instant::now();
        server.resume();
        wait::until("a full handshake", || {
            let begun = Instant::now();
            let has_resumed = server.has_resumed(None);
            assert!(!has_resumed || begun < after + LIMIT, "{}", row.guest);
            let is_late = Instant::now() >= before + LIMIT;
            // Tickets of TLS 1.3 may still be on their way, which makes a full one before its time.
            let is_possible = has_resumed || is_late || row.is_tls13;
            assert!(is_possible, "{}: too early", row.guest);
            (!has_resumed && is_late).then_some(())
        });
        // From then on anew.
        server.resume();
    }
}

#[test]
fn what_was_made_under_a_right_that_ended_is_not_resumed_under_the_next() {
    type End = fn(&World, &Row);
    let ends: [(&str, End); 2] = [
        ("token revoke", |world, row| world.revoke_token(row)),
        ("vm unbind", |world, row| {
            world.unbind(row);
            world.bind(row, &[]);
        }),
    ];
    let world = World::start(&[]);
    for row in &ROWS {
        world.bind(row, &[]);
        let mut server = world.server(row);
        for (command, end) in ends {
            server.resume();
            end(&world, row);
            assert!(!server.has_resumed(None), "{}: {command}", row.guest);
        }
        world.unbind(row);
    }
}
