//! Data each way, however it comes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::thread;

use domu_agent::client::PlaintextSocket;
use integration::chain::request;
use integration::meddler::{Delivery, Meddler};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};

use crate::{NAME, SUITES, chain, connect};

const LENGTH: usize = 3 << 20;

/// Data both ways at the same time.
fn exchange(socket: &mut PlaintextSocket, server: &OpensslServer, length: usize) {
    let data = payload(length);
    let writer = socket.as_fd().try_clone_to_owned().expect("a descriptor");
    let mut writer = TcpStream::from(writer);
    thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&data).expect("it stands"));
        scope.spawn(|| server.send(&data));
        let mut read = vec![0; length];
        socket.read_exact(&mut read).expect("the server sends");
        assert!(read == data, "{length} bytes to the guest");
        assert!(
            server.receive(length) == data,
            "{length} bytes to the server"
        );
    });
}

#[test]
fn each_cipher_carries_data_both_ways_at_once() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let status = chain.guest("web01").client().status().expect("it runs");
    let credential = pki.server(NAME, KeyKind::P256);
    for (cipher, suite) in SUITES {
        if !status.kernel_tls.ciphers.iter().any(|has| has == cipher) {
            println!("not tried, this kernel has no {cipher}");
            continue;
        }
        let plan = ServerPlan::new(&credential).cipher(suite);
        let server = OpensslServer::start(&pki, &plan);
        for abbreviated in [false, true] {
            let mut socket = connect(&chain, server.port());
            assert_eq!(socket.established.abbreviated, abbreviated, "{suite}");
            for length in [1, 16_384, 16_385, LENGTH] {
                exchange(&mut socket, &server, length);
            }
            socket.finish().expect("it stands");
            assert_eq!(socket.read(&mut [0]).expect("an end in order"), 0);
        }
    }
}

#[test]
fn what_the_server_says_at_once_is_not_lost() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    for delivery in [
        Delivery::LastFlightWithData { of_data: 3 },
        Delivery::LastFlightWithData { of_data: 16_000 },
        Delivery::ByteByByte,
    ] {
        // Each with a server of its own: one that still has its last client gives it what is for
        // the next.
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
        let meddler = Meddler::start(server.port(), delivery.clone());
        let client = chain.guest("web01").client();
        let mut wish = request(meddler.port(), NAME);
        wish.resume = Some(false);
        let data = payload(5_000);
        thread::scope(|scope| {
            scope.spawn(|| server.send(&data));
            let mut socket = client.connect_plaintext(wish).expect("a socket");
            assert!(socket.is_kernel_tls(), "{delivery:?}");
            let mut read = vec![0; data.len()];
            socket.read_exact(&mut read).expect("the server sends");
            assert!(read == data, "{delivery:?}");
            exchange(&mut socket, &server, 2_000);
        });
    }
}
