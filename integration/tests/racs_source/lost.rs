//! The host with the cards dies, and comes back.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use integration::chain::{CardPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::KeyKind;
use integration::wait;

use super::{Grid, NAME, eap_card, shown};

/// A way to a server that holds the first ClientHello back.
struct Gate {
    port: u16,
    /// Says when it is there.
    reached: Receiver<()>,
    /// Lets it through.
    open: Sender<()>,
}

impl Gate {
    fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (reach, reached) = channel();
        let (open, opened) = channel();
        thread::spawn(move || -> io::Result<()> {
            let (client, _) = listener.accept()?;
            client.peek(&mut [0])?;
            reach.send(()).expect("the test waits");
            opened.recv().expect("the test lets it through");
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
            let (from, to) = (server.try_clone()?, client.try_clone()?);
            thread::spawn(move || pass(from, to));
            pass(client, server);
            Ok(())
        });
        Self {
            port,
            reached,
            open,
        }
    }
}

/// All bytes, then the end.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    // Either end may be gone: that is the end.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

fn killed_in_a_handshake(card: CardPlan, identity: &str) {
    let mut grid = Grid::start(card.clone());
    let mut chain = grid.guests(card, identity, "published", GuestPlan::new("far"));
    let credential = grid.pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&grid.pki, &ServerPlan::new(&credential));
    chain.guest("far").converse(&server, NAME);
    let other = OpensslServer::start(&grid.pki, &ServerPlan::new(&credential));
    let gate = Gate::before(other.port());
    let far = chain.guest("far");
    let failed = thread::scope(|scope| {
        let session = scope.spawn(|| far.connect(gate.port, NAME));
        gate.reached.recv().expect("the handshake has begun");
        grid.chain.middleware().kill();
        gate.open.send(()).expect("the gate waits");
        session.join().expect("an answer")
    });
    assert_eq!(failed.expect_err("no card").code, "card-removed");

    let absent = wait::until("it is missed", || {
        Some(shown(&chain)).filter(|shown| shown["state"] == "absent")
    });
    let why = absent["why"].as_str().unwrap_or_default();
    assert!(why.contains(&grid.host()), "at once: {absent}");
    chain.guest("near").converse(&other, NAME);
    wait::until("card show says which host is down", || {
        let shown = shown(&chain);
        let why = shown["why"].as_str()?;
        (why.contains(&grid.host()) && why.contains("check host and port")).then_some(())
    });

    grid.chain.restart_after_kill();
    chain.wait_card("present");
    chain.guest("far").converse(&server, NAME);
    chain.middleware().expect_running();
    assert_eq!(grid.chain.pin_tries("se-00"), 3);
}

#[test]
fn an_eap_tls_handshake_fails_with_its_host_and_the_next_does_not() {
    killed_in_a_handshake(eap_card(), "far");
}

#[test]
fn a_piv_handshake_fails_with_its_host_and_the_next_does_not() {
    killed_in_a_handshake(CardPlan::piv("se-00").identity("9a", KeyKind::P256), "9a");
}
