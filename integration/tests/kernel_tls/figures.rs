//! Much data each way with a checksum, and how fast: kernel TLS, `sendfile`, the relay. All figures
//! are of one run, so that they can be compared; on another machine they are others.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use domu_agent::client::{ConnectRequest, PlaintextSocket, Via};
use integration::chain::{Chain, request};
use integration::payload::payload;
use integration::pki::{Credential, KeyKind, Pki};
use integration::tls_server::{Connection, TlsServer};
use rustix::pipe::SpliceFlags;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};

use crate::{NAME, chain};

const CHUNK: usize = 1 << 18;
const HASH: usize = 32;

/// How the application sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Write,
    SendFile,
    /// Through a Unix socket that another thread empties into the connection, without the data
    /// entering the process: the sending half of a relay that leaves the records to the kernel.
    Splice,
}

/// One way to carry data.
#[derive(Debug, Clone, Copy)]
struct Way {
    version: &'static SupportedProtocolVersion,
    via: Option<Via>,
    how: How,
}

const KERNEL: Way = Way {
    version: &TLS12,
    via: None,
    how: How::Write,
};
const RELAY: Way = Way {
    via: Some(Via::Relay),
    ..KERNEL
};

#[test]
fn a_hundred_megabytes_each_way_arrive_whole() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let transfer = Transfer::new(100);
    for (name, way) in [("kernel", KERNEL), ("relay", RELAY)] {
        let (sent, received) = transfer.run(&chain, &pki, &credential, way);
        println!("100 MiB, {name}: {sent:.1} MB/s to the server, {received:.1} MB/s from it");
    }
}

#[test]
fn each_way_has_its_speed() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let transfer = Transfer::new(16);
    let [write, send_file, splice] = [How::Write, How::SendFile, How::Splice];
    let tls13 = Way {
        version: &TLS13,
        ..KERNEL
    };
    for (name, way) in [
        ("TLS 1.2 kernel write", KERNEL),
        (
            "TLS 1.2 kernel sendfile",
            Way {
                how: send_file,
                ..KERNEL
            },
        ),
        (
            "TLS 1.2 kernel spliced by a relay",
            Way {
                how: splice,
                ..KERNEL
            },
        ),
        ("TLS 1.2 relay write", RELAY),
        (
            "TLS 1.2 relay sendfile",
            Way {
                how: send_file,
                ..RELAY
            },
        ),
        (
            "TLS 1.3 relay write",
            Way {
                how: write,
                ..tls13
            },
        ),
    ] {
        let (sent, received) = transfer.run(&chain, &pki, &credential, way);
        println!("figure: {name},{sent:.1},{received:.1} MB/s to the server and from it");
    }
}

/// As many bytes each way.
struct Transfer {
    length: usize,
    data: Vec<u8>,
    hash: [u8; HASH],
}

impl Transfer {
    fn new(mebibytes: usize) -> Self {
        let length = mebibytes << 20;
        let data = payload(CHUNK);
        let mut hash = Sha256::new();
        for _ in 0..length / CHUNK {
            hash.update(&data);
        }
        Self {
            length,
            data,
            hash: hash.finalize().into(),
        }
    }

    /// Megabytes a second to the server and from it, until the last of them was checked.
    fn run(&self, chain: &Chain, pki: &Pki, server: &Credential, way: Way) -> (f64, f64) {
        let length = self.length;
        let server = TlsServer::start(pki, server, way.version, move |tls| serve(tls, length));
        let wish = ConnectRequest {
            via: way.via,
            ..request(server.port(), NAME)
        };
        let socket = chain.guest("web01").client().connect_plaintext(wish);
        let mut socket = socket.expect("a socket");
        let is_kernel = way.via.is_none() && way.version.version == TLS12.version;
        assert_eq!(socket.is_kernel_tls(), is_kernel, "{way:?}");
        let mut file = self.file();
        let begun = Instant::now();
        match way.how {
            How::Write => self.write(&mut socket),
            How::SendFile => self.send_file(&socket, &mut file),
            How::Splice => self.splice(&socket),
        }
        let mut hash = [0; HASH];
        socket.read_exact(&mut hash).expect("the server's hash");
        assert!(hash == self.hash, "{way:?}: other data arrived");
        let sent = self.speed(begun);
        let begun = Instant::now();
        assert!(
            self.receive(&mut socket) == self.hash,
            "{way:?}: other data"
        );
        (sent, self.speed(begun))
    }

    fn file(&self) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        self.write(&mut file);
        file.rewind().expect("a file");
        file
    }

    fn write(&self, to: &mut impl Write) {
        for _ in 0..self.length / CHUNK {
            to.write_all(&self.data).expect("it stands");
        }
    }

    fn send_file(&self, socket: &PlaintextSocket, file: &mut File) {
        let mut left = self.length;
        while left > 0 {
            match rustix::fs::sendfile(socket, &*file, None, left).expect("it stands") {
                0 => panic!("the file ends {left} bytes early"),
                n => left -= n,
            }
        }
    }

    fn splice(&self, socket: &PlaintextSocket) {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        let (out, into) = rustix::pipe::pipe().expect("a pipe");
        thread::scope(|scope| {
            scope.spawn(move || self.write(&mut ours));
            let mut left = self.length;
            while left > 0 {
                let flags = SpliceFlags::MOVE;
                let moved = rustix::pipe::splice(&theirs, None, &into, None, CHUNK, flags);
                let mut waiting = moved.expect("a socket");
                left -= waiting;
                while waiting > 0 {
                    let moved = rustix::pipe::splice(&out, None, socket, None, waiting, flags);
                    waiting -= moved.expect("it stands");
                }
            }
        });
    }

    fn receive(&self, socket: &mut PlaintextSocket) -> [u8; HASH] {
        let mut chunk = vec![0; CHUNK];
        let mut hash = Sha256::new();
        let mut left = self.length;
        while left > 0 {
            let n = socket.read(&mut chunk).expect("the server sends");
            assert!(n > 0, "{left} bytes are missing");
            hash.update(chunk.get(..n).expect("read"));
            left -= n;
        }
        assert_eq!(socket.read(&mut chunk).expect("an end in order"), 0);
        hash.finalize().into()
    }

    fn speed(&self, begun: Instant) -> f64 {
        self.length as f64 / 1e6 / begun.elapsed().as_secs_f64()
    }
}

/// Reads `length` bytes, answers with their hash, and sends as many of its own.
fn serve(tls: &mut Connection, length: usize) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut hash = Sha256::new();
    for _ in 0..length / CHUNK {
        tls.read_exact(&mut chunk)?;
        hash.update(&chunk);
    }
    tls.write_all(&hash.finalize())?;
    tls.flush()?;
    let data = payload(CHUNK);
    for _ in 0..length / CHUNK {
        tls.write_all(&data)?;
    }
    tls.flush()
}
