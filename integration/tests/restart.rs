//! What goes on, and what must not, when a program or a card goes away.

use std::thread;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::wait;

use KeyKind::P256;

const NAME: &str = "www.example";

#[test]
fn a_restarted_middleware_resumes_nothing_and_running_sessions_go_on() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(P256));
    let credential = pki.server(NAME, P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    let other = OpensslServer::start(&pki, &ServerPlan::new(&credential));

    let guest = chain.guest("web01");
    guest
        .connect(server.port(), NAME)
        .expect("a session")
        .close();
    let session = guest.connect(server.port(), NAME).expect("a session");
    assert!(session.established.abbreviated);
    session.close();
    let mut running = guest.connect(other.port(), NAME).expect("a session");

    chain.restart_middleware();
    running.send(&payload(1_000));
    assert_eq!(other.receive(1_000), payload(1_000));
    running.close();

    let guest = chain.guest("web01");
    let session = wait::until("the guest has its card again", || {
        guest.connect(server.port(), NAME).ok()
    });
    assert!(
        !session.established.abbreviated,
        "the record of the session died"
    );
    assert!(!server.report(2).reused);
    session.close();

    let events: Vec<_> = chain
        .audit()
        .into_iter()
        .map(|record| record["event"].clone())
        .collect();
    let position = |event: &str| events.iter().position(|found| found == event);
    let stopped = position("service-stopped").expect("it stopped in order");
    assert_eq!(
        events.get(stopped + 1..=stopped + 2),
        Some(["checkpoint".into(), "service-started".into()].as_slice()),
        "one chain goes on"
    );
}

#[test]
fn a_restarted_agent_is_admitted_again() {
    let (mut chain, server) = Chain::start_with_server(&ChainPlan::single(P256), NAME);
    chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect("a session")
        .close();
    chain.restart_agent("web01");
    chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect("a session")
        .close();
}

#[test]
fn a_card_that_fails_costs_one_session_and_disturbs_no_other_card() {
    let pki = Pki::new();
    let credential = pki.server(NAME, P256);
    thread::scope(|scope| {
        for (fault, code) in [
            ("removed@40", "card-removed"),
            ("reset@40", "card-failed"),
            ("garbage@40", "card-failed"),
            ("truncated@40", "card-failed"),
            ("wrong-sw@40", "card-failed"),
            ("mute@40", "card-failed"),
            ("slow@40", "card-failed"),
        ] {
            let (pki, credential) = (&pki, &credential);
            scope.spawn(move || fail_once(pki, credential, fault, code));
        }
    });
}

fn fail_once(pki: &Pki, credential: &integration::pki::Credential, fault: &str, code: &str) {
    let faulty = CardPlan::new("se-00")
        .identity("web-a", P256)
        .options(&["--fault", fault]);
    let plan = ChainPlan::new()
        // Long enough for a busy machine: a card that is late with VERIFY is not asked again.
        .limit("apdu_ms", 5_000)
        .card(faulty)
        .card(CardPlan::new("se-01").identity("web-b", P256))
        .guest(GuestPlan::new("guest-a").bound("se-00", "web-a"))
        .guest(GuestPlan::new("guest-b").bound("se-01", "web-b"));
    let chain = Chain::start(pki, &plan);
    let server = OpensslServer::start(pki, &ServerPlan::new(credential));
    let connect = |guest: &str| {
        let mut wish = request(server.port(), NAME);
        wish.resume = Some(false);
        chain.guest(guest).ask(wish)
    };

    // Opening the card takes fewer commands than forty, ten sessions take more.
    let mut errors = (0..10).filter_map(|_| match connect("guest-a") {
        Ok(session) => {
            session.close();
            None
        }
        Err(error) => Some(error),
    });
    let error = errors
        .next()
        .unwrap_or_else(|| panic!("{fault} did not happen"));
    assert_eq!(error.code, code, "{fault}: {error}");
    connect("guest-b").expect("its card is well").close();

    let session = wait::until("the card is back", || connect("guest-a").ok());
    session.close();
    for _ in 0..3 {
        connect("guest-a").expect("it was only once").close();
    }
}
