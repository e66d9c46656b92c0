//! 100 MB each way with a checksum, and how fast: kernel TLS, `sendfile`, the relay. In one run, so
//! that the figures can be compared; what they are on one machine says nothing of another.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use domu_agent::client::{ConnectRequest, PlaintextSocket, Via};
use integration::chain::request;
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{Connection, TlsServer};
use rustix::pipe::SpliceFlags;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};

use crate::{NAME, chain};

const MEGABYTES: usize = 100;
const CHUNK: usize = 1 << 18;
const LENGTH: usize = MEGABYTES << 20;
const HASH: usize = 32;

/// Reads [`LENGTH`] bytes, answers with their hash, sends as many of its own and their hash.
fn serve(tls: &mut Connection) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut hash = Sha256::new();
    for _ in 0..LENGTH / CHUNK {
        tls.read_exact(&mut chunk)?;
        hash.update(&chunk);
    }
    tls.write_all(&hash.finalize())?;
    tls.flush()?;
    let data = payload(CHUNK);
    for _ in 0..LENGTH / CHUNK {
        tls.write_all(&data)?;
    }
    tls.flush()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Write,
    SendFile,
    /// Through a Unix socket that another thread empties into the connection, without the data
    /// entering the process: the sending half of a relay that leaves the records to the kernel.
    Splice,
}

#[test]
fn a_hundred_megabytes_each_way_arrive_whole_by_each_way() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let mut file = tempfile::tempfile().expect("a file");
    let data = payload(CHUNK);
    let mut expected = Sha256::new();
    for _ in 0..LENGTH / CHUNK {
        file.write_all(&data).expect("room");
        expected.update(&data);
    }
    let expected: [u8; HASH] = expected.finalize().into();
    let mut sent_file = (0.0, 0.0);
    for (what, version, via, how) in [
        ("TLS 1.2, kernel, write", &TLS12, None, How::Write),
        ("TLS 1.2, kernel, sendfile", &TLS12, None, How::SendFile),
        (
            "TLS 1.2, kernel, relayed by splice",
            &TLS12,
            None,
            How::Splice,
        ),
        (
            "TLS 1.2, relay, write",
            &TLS12,
            Some(Via::Relay),
            How::Write,
        ),
        (
            "TLS 1.2, relay, sendfile",
            &TLS12,
            Some(Via::Relay),
            How::SendFile,
        ),
        ("TLS 1.3, relay, write", &TLS13, None, How::Write),
    ] {
        let version: &'static SupportedProtocolVersion = version;
        let server = TlsServer::start(&pki, &credential, version, serve);
        let wish = ConnectRequest {
            via,
            ..request(server.port(), NAME)
        };
        let socket = chain.guest("web01").client().connect_plaintext(wish);
        let mut socket = socket.expect("a socket");
        let is_kernel = via.is_none() && version.version == TLS12.version;
        assert_eq!(socket.is_kernel_tls(), is_kernel, "{what}");
        let begun = Instant::now();
        send(&mut socket, &mut file, &data, how);
        let mut hash = [0; HASH];
        socket.read_exact(&mut hash).expect("the server's hash");
        assert!(hash == expected, "{what}: other data arrived");
        let sent = speed(begun);
        let begun = Instant::now();
        receive(&mut socket, &expected, what);
        let received = speed(begun);
        println!("{what}: {sent:.0} MB/s to the server, {received:.0} MB/s from it");
        match (how, is_kernel) {
            (How::SendFile, true) => sent_file.0 = sent,
            (How::SendFile, false) => sent_file.1 = sent,
            (How::Write | How::Splice, _) => {}
        }
    }
    let (kernel, relay) = sent_file;
    println!("sendfile: kernel {kernel:.0} MB/s, relay {relay:.0} MB/s");
}

fn send(socket: &mut PlaintextSocket, file: &mut File, data: &[u8], how: How) {
    match how {
        How::Write => {
            for _ in 0..LENGTH / CHUNK {
                socket.write_all(data).expect("it stands");
            }
        }
        How::Splice => splice(socket, data),
        How::SendFile => {
            file.rewind().expect("a file");
            let mut left = LENGTH;
            while left > 0 {
                match rustix::fs::sendfile(&*socket, &*file, None, left).expect("it stands") {
                    0 => panic!("the file ends {left} bytes early"),
                    n => left -= n,
                }
            }
        }
    }
}

fn splice(socket: &PlaintextSocket, data: &[u8]) {
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let (out, into) = rustix::pipe::pipe().expect("a pipe");
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..LENGTH / CHUNK {
                ours.write_all(data).expect("it is emptied");
            }
        });
        let mut left = LENGTH;
        while left > 0 {
            let flags = SpliceFlags::MOVE | SpliceFlags::MORE;
            let moved = rustix::pipe::splice(&theirs, None, &into, None, CHUNK, flags);
            let mut waiting = moved.expect("a socket");
            left -= waiting;
            while waiting > 0 {
                let flags = if left > 0 { flags } else { SpliceFlags::MOVE };
                let moved = rustix::pipe::splice(&out, None, socket, None, waiting, flags);
                waiting -= moved.expect("it stands");
            }
        }
    });
}

fn receive(socket: &mut PlaintextSocket, expected: &[u8; HASH], what: &str) {
    let mut chunk = vec![0; CHUNK];
    let mut hash = Sha256::new();
    let mut left = LENGTH;
    while left > 0 {
        let n = socket.read(&mut chunk).expect("the server sends");
        assert!(n > 0, "{what}: {left} bytes are missing");
        hash.update(chunk.get(..n).expect("read"));
        left -= n;
    }
    let hash: [u8; HASH] = hash.finalize().into();
    assert!(hash == *expected, "{what}: other data arrived");
    assert_eq!(socket.read(&mut chunk).expect("an end in order"), 0);
}

fn speed(begun: Instant) -> f64 {
    LENGTH as f64 / 1e6 / begun.elapsed().as_secs_f64()
}
