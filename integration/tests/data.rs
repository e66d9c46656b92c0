//! Data of all sizes, however the server's bytes come.

use std::io::Write;
use std::net::Shutdown;
use std::thread;

use domu_agent::client::was_cut_short;
use integration::chain::{Chain, ChainPlan, Session};
use integration::meddler::{Delivery, Meddler};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};

const NAME: &str = "www.example";

/// A chain and a server that fits it.
fn start() -> (Chain, OpensslServer) {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let credential = pki.server(NAME, KeyKind::Rsa2048);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    (chain, server)
}

/// Sends `length` bytes in both directions at the same time, and compares.
fn exchange(session: &mut Session, server: &OpensslServer, length: usize) {
    let data = payload(length);
    let mut to_server = session.stream.try_clone().expect("a socket");
    thread::scope(|scope| {
        scope.spawn(|| to_server.write_all(&data).expect("the agent takes it"));
        scope.spawn(|| server.send(&data));
        assert!(session.read(length) == data, "{length} bytes to the guest");
        assert!(
            server.receive(length) == data,
            "{length} bytes to the server"
        );
    });
}

#[test]
fn data_of_any_size_arrives_whole_both_ways() {
    let (chain, server) = start();
    for length in [0, 1, 16_383, 16_384, 16_385, 10 << 20] {
        let mut session = chain
            .guest("web01")
            .connect(server.port(), NAME)
            .expect("a session");
        exchange(&mut session, &server, length);
        assert!(!was_cut_short(&session.stream));
        session.stream.shutdown(Shutdown::Write).expect("it stands");
        assert!(session.read_to_end().is_empty(), "{length}");
    }
    assert_eq!(server.unreceived(), 0);
}

#[test]
fn many_pieces_in_one_session_arrive_in_order() {
    let (chain, server) = start();
    let mut session = chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect("a session");
    for length in [1, 2, 20_000, 3, 0, 16_384, 70_000] {
        exchange(&mut session, &server, length);
    }
    session.close();
}

#[test]
fn a_server_that_sends_one_byte_at_a_time_is_understood() {
    let (chain, server) = start();
    let meddler = Meddler::start(server.port(), Delivery::ByteByByte);
    for resumed in [false, true] {
        let mut session = chain
            .guest("web01")
            .connect(meddler.port(), NAME)
            .expect("a session");
        assert_eq!(session.established.abbreviated, resumed);
        exchange(&mut session, &server, 3_000);
        session.close();
    }
}

#[test]
fn data_behind_the_last_flight_is_not_lost() {
    // With all of the first record, with a part of it, and with its first byte.
    for of_data in [usize::MAX, 7, 1] {
        let (chain, server) = start();
        let delivery = Delivery::LastFlightWithData { of_data };
        let meddler = Meddler::start(server.port(), delivery);
        thread::scope(|scope| {
            scope.spawn(|| {
                // It is complete for the server; its last flight waits for data to go along.
                assert!(!server.report(0).reused);
                server.send(&payload(5_000));
            });
            let session = chain.guest("web01").connect(meddler.port(), NAME);
            let mut session = session.expect("a session");
            assert_eq!(session.read(5_000), payload(5_000), "{of_data}");
            exchange(&mut session, &server, 100);
            session.close();
        });
    }
}

#[test]
fn a_connection_cut_in_the_handshake_fails_and_the_next_works() {
    let (chain, server) = start();
    let guest = chain.guest("web01");
    for count in [0, 3, 100, 1_000] {
        let meddler = Meddler::start(server.port(), Delivery::CutAfter(count));
        let error = guest.connect(meddler.port(), NAME).expect_err("cut");
        assert_eq!(error.code, "handshake-failed", "{count}: {error}");
    }
    assert_eq!(server.reports(), []);
    let session = guest
        .connect(server.port(), NAME)
        .expect("the card is free again");
    assert!(!session.established.abbreviated);
}

#[test]
fn data_that_was_cut_short_does_not_look_complete() {
    let (chain, server) = start();
    let meddler = Meddler::start(server.port(), Delivery::CutAfter(20_000));
    let mut session = chain
        .guest("web01")
        .connect(meddler.port(), NAME)
        .expect("a session");
    server.send(&payload(100_000));
    let got = session.read_to_end();
    assert!(payload(100_000).starts_with(&got) && got.len() < 20_000);
    assert!(was_cut_short(&session.stream));
}
