//! A xenstored whose answers are not answers: nothing crashes, hangs, or is let in.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use integration::xenstored::Xenstored;
use tempfile::TempDir;

use crate::{Host, card};

/// What is done to each answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// Nothing.
    None,
    /// The connection ends instead.
    Close,
    /// It has a type that nobody knows.
    UnknownType,
    /// It answers another kind of request.
    OtherType,
    /// It answers a request that nobody made.
    OtherRequest,
    /// It is an error without a name.
    NamelessError,
    /// It says that much more follows than does.
    Longer,
    /// It is cut in the middle of its header.
    Cut,
    /// It has no data.
    Empty,
    /// It comes behind ten thousand events of watches that nobody set.
    Flood,
}

const LIES: [Lie; 9] = [
    Lie::Close,
    Lie::UnknownType,
    Lie::OtherType,
    Lie::OtherRequest,
    Lie::NamelessError,
    Lie::Longer,
    Lie::Cut,
    Lie::Empty,
    Lie::Flood,
];

/// Stands between the service and its xenstored.
pub(crate) struct Liar {
    lie: Arc<Mutex<Lie>>,
    folder: TempDir,
}

impl Liar {
    pub(crate) fn start(xenstored: &Xenstored) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("free");
        let lie = Arc::new(Mutex::new(Lie::None));
        let (real, current) = (xenstored.socket(), Arc::clone(&lie));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(daemon) = UnixStream::connect(&real) {
                    relay(client, daemon, &current);
                }
            }
        });
        Self { lie, folder }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn tell(&self, lie: Lie) {
        *self.lie.lock().unwrap_or_else(PoisonError::into_inner) = lie;
    }
}

/// Carries both directions; threads end with the connection.
fn relay(client: UnixStream, daemon: UnixStream, lie: &Arc<Mutex<Lie>>) {
    let clones = (client.try_clone(), daemon.try_clone());
    let (Ok(mut from_client), Ok(mut to_daemon)) = clones else {
        return;
    };
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_daemon);
        let _ = to_daemon.shutdown(std::net::Shutdown::Both);
    });
    let lie = Arc::clone(lie);
    thread::spawn(move || {
        let _ = answers(&client, &daemon, &lie);
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
}

fn answers(mut client: &UnixStream, mut daemon: &UnixStream, lie: &Mutex<Lie>) -> io::Result<()> {
    loop {
        let mut header = [[0; 4]; 4];
        daemon.read_exact(header.as_flattened_mut())?;
        let [kind, request, _, length] = header.map(u32::from_ne_bytes);
        let mut data = vec![0; usize::try_from(length).expect("64 bits")];
        daemon.read_exact(&mut data)?;
        let message = |kind: u32, request: u32, length: u32, data: &[u8]| {
            let header = [kind, request, 0, length].map(u32::to_ne_bytes);
            [header.as_flattened(), data].concat()
        };
        let lie = *lie.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match lie {
            Lie::None => message(kind, request, length, &data),
            Lie::Close => return Ok(()),
            Lie::UnknownType => message(4_711, request, length, &data),
            Lie::OtherType => message(13, request, length, &data),
            Lie::OtherRequest => message(kind, request ^ 0x8000_0001, length, &data),
            Lie::NamelessError => message(16, request, 0, &[]),
            Lie::Longer => message(kind, request, length + (1 << 20), &data),
            Lie::Cut => message(kind, request, length, &data)[..7].to_vec(),
            Lie::Empty => message(kind, request, 0, &[]),
            Lie::Flood => {
                let event = b"@introduceDomain\x007e55e2a0-0000-4000-8000-000000000001\0";
                let event = message(15, 0, 54, event);
                [event.repeat(10_000), message(kind, request, length, &data)].concat()
            }
        };
        client.write_all(&bytes)?;
    }
}

#[test]
fn answers_that_are_none_are_refusals_and_the_truth_is_believed_again() {
    let xenstored = Xenstored::start();
    let liar = Liar::start(&xenstored);
    let mut host = Host::at(xenstored, Some(liar.socket()), card(&[]), 500);
    host.connect_soon("web01").close();
    for lie in LIES {
        liar.tell(lie);
        for _ in 0..2 {
            match host.connect("web01") {
                // It is in time all the same.
                Ok(session) if lie == Lie::Flood => session.close(),
                Ok(_) => panic!("{lie:?}: let in"),
                Err(error) => assert_eq!(error.code, "internal", "{lie:?}: {error}"),
            }
        }
        host.chain.middleware().expect_running();
        liar.tell(Lie::None);
        host.connect_soon("web01").close();
    }
}
