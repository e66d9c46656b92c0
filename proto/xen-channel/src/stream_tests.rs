//! The stream against a peer that is slow, gone, or hostile.

use std::ffi::c_int;
use std::io;
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::closing::Closing;
use crate::fake::{FakePeer, FakeRing, RING, connected};
use crate::ring::{MAX_RING, RingFault};
use crate::stream::Stream;

/// Far more than any of this takes: who waits so long waits for ever.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test to its end, with a deadline.
fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let done = tokio::time::timeout(DEADLINE, test);
        done.await.expect("nobody waits for ever")
    })
}

#[test]
fn what_the_peer_writes_is_read_and_the_end_is_seen_behind_it() {
    run(async {
        let (mut stream, peer) = connected();
        let mut bytes = [0; 4];
        let reading = async {
            let read = stream.read(&mut bytes).await.expect("open");
            assert_eq!(&bytes[..read], b"abc");
        };
        let writing = async {
            tokio::task::yield_now().await;
            assert_eq!(peer.write(b"abc"), 3);
        };
        tokio::join!(reading, writing);
        peer.write(b"last");
        peer.close();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("a clean end");
        assert_eq!(rest, b"last");
        let error = stream.write(b"x").await.expect_err("it has gone");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn shutdown_waits_until_the_peer_has_read_everything_or_has_gone() {
    run(async {
        for leaves in [false, true] {
            let (mut stream, peer) = connected();
            stream.write_all(b"farewell").await.expect("room");
            let soon = tokio::time::timeout(Duration::from_millis(20), stream.shutdown());
            soon.await.expect_err("it has read nothing");
            let reading = async {
                tokio::task::yield_now().await;
                peer.read(5);
                tokio::task::yield_now().await;
                match leaves {
                    true => peer.close(),
                    false => drop(peer.read(3)),
                }
            };
            let (shut, ()) = tokio::join!(stream.shutdown(), reading);
            shut.expect("as it should be");
        }
    });
}

#[test]
fn a_sign_that_one_half_takes_is_not_lost_for_the_other() {
    run(async {
        let (stream, peer) = connected();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let reading = tokio::spawn(async move {
            let mut bytes = [0; 64];
            let read = reader.read(&mut bytes).await.expect("open");
            bytes[..read].to_vec()
        });
        let writing = tokio::spawn(async move { writer.write_all(&[7; 3 * RING]).await });
        let mut got = 0;
        while got < 3 * RING {
            tokio::task::yield_now().await;
            got += peer.read(5).len();
        }
        writing.await.expect("no panic").expect("all was written");
        peer.write(b"x");
        assert_eq!(reading.await.expect("no panic"), b"x");
    });
}

#[test]
fn dropping_closes_and_gives_the_keepsake_back_afterwards() {
    run(async {
        let (stream, peer) = connected();
        drop(stream);
        while !peer.shared().is_closed {
            tokio::task::yield_now().await;
        }
        let (keepsake, given_back) = oneshot::channel::<()>();
        drop(Closing::new((), Box::new(keepsake)));
        given_back.await.expect_err("dropped");
    });
    // Without a runtime too.
    let (keepsake, mut given_back) = oneshot::channel::<()>();
    drop(Closing::new((), Box::new(keepsake)));
    given_back.try_recv().expect_err("dropped");
}

#[test]
fn a_server_waits_for_its_client() {
    run(async {
        let (mut stream, peer) = connected();
        peer.shared().open = 2;
        let come = std::future::poll_fn(|context| stream.poll_come(context));
        let coming = async {
            tokio::task::yield_now().await;
            peer.sign();
            tokio::task::yield_now().await;
            peer.shared().open = 1;
            peer.sign();
        };
        let (come, ()) = tokio::join!(come, coming);
        come.expect("it came");
    });
}

/// One answer to each of the ways of asking.
fn told(lie: c_int, ask: impl AsyncFnOnce(&mut Stream<FakeRing>) -> io::Result<()>) -> io::Error {
    run(async {
        let (mut stream, peer) = connected();
        peer.write(b"some");
        peer.shared().lies.push_back(lie);
        let error = ask(&mut stream).await.expect_err("that cannot be");
        // From then on the ring is not asked any more.
        let again = stream.read(&mut [0; 4]).await.expect_err("it has ended");
        assert_eq!(error.to_string(), again.to_string());
        error
    })
}

#[test]
fn answers_that_cannot_be_end_the_stream() {
    let too_long = c_int::try_from(MAX_RING + 1).expect("small");
    for lie in [-1, c_int::MIN, too_long, c_int::MAX] {
        let reading = told(lie, async |s| s.read(&mut [0; 4]).await.map(drop));
        let writing = told(lie, async |s| s.write(&[0; 4]).await.map(drop));
        let shutting = told(lie, async |s| s.shutdown().await);
        for error in [reading, writing, shutting] {
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(error.to_string(), RingFault::Impossible(lie).to_string());
        }
    }
}

#[test]
fn more_than_was_asked_for_and_failures_end_the_stream() {
    for (lie, fault) in [
        (5, RingFault::TooMany { asked: 4, got: 5 }),
        (c_int::MIN, RingFault::Failed),
    ] {
        run(async {
            let (mut stream, peer) = connected();
            peer.write(b"some");
            // The first answer, to how much there is, is true.
            peer.shared().lies.extend([4, lie]);
            let error = stream.read(&mut [0; 9]).await.expect_err("it cannot be");
            assert_eq!(error.to_string(), fault.to_string());
        });
    }
}

/// What a peer does.
#[derive(Debug, Clone)]
enum Act {
    Write(Vec<u8>),
    Read(usize),
    Sign,
    Lie(c_int),
    Open(c_int),
    Rest,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Act::Write),
        4 => (0_usize..40).prop_map(Act::Read),
        2 => Just(Act::Sign),
        1 => prop_oneof![any::<c_int>(), -2..40].prop_map(Act::Lie),
        1 => (0..4).prop_map(Act::Open),
        3 => Just(Act::Rest),
    ];
    prop::collection::vec(act, 0..60)
}

async fn act(peer: &FakePeer, acts: Vec<Act>) {
    for act in acts {
        match act {
            Act::Write(bytes) => drop(peer.write(&bytes)),
            Act::Read(max) => drop(peer.read(max)),
            Act::Sign => peer.sign(),
            Act::Lie(lie) => peer.shared().lies.push_back(lie),
            Act::Open(open) => peer.shared().open = open,
            Act::Rest => tokio::task::yield_now().await,
        }
    }
    peer.close();
    // Whoever still waits for room is told of the end by the next look.
    peer.shared().lies.clear();
    peer.sign();
}

proptest! {
    /// Whatever it tells and does: no panic, no byte beyond a buffer, and with its end ours comes.
    #[test]
    fn a_hostile_peer_ends_its_own_stream(acts in acts()) {
        run(async {
            let (stream, peer) = connected();
            let (mut reader, mut writer) = tokio::io::split(stream);
            let reading = async {
                let mut bytes = [0; 11];
                while let Ok(read @ 1..) = reader.read(&mut bytes).await {
                    assert!(read <= bytes.len());
                }
            };
            let writing = async {
                while writer.write(&[5; 9]).await.is_ok() {}
            };
            tokio::join!(reading, writing, act(&peer, acts));
        });
    }

    /// An honest peer gets what was sent, and we what it sent, however it is cut.
    #[test]
    fn nothing_is_lost_between_honest_ends(
        sent in prop::collection::vec(any::<u8>(), 0..300),
        answered in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(1_usize..20, 1..8),
    ) {
        run(async {
            let (stream, peer) = connected();
            let (mut reader, mut writer) = tokio::io::split(stream);
            let peering = async {
                let (mut got, mut written) = (Vec::new(), 0);
                for cut in cuts.iter().cycle() {
                    got.extend(peer.read(*cut));
                    let end = answered.len().min(written + cut);
                    written += peer.write(&answered[written..end]);
                    if got.len() == sent.len() && written == answered.len() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                peer.close();
                got
            };
            let writing = async { writer.write_all(&sent).await.expect("all goes out") };
            let reading = async {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).await.expect("a clean end");
                bytes
            };
            let (got, (), read) = tokio::join!(peering, writing, reading);
            assert_eq!(got, sent);
            assert_eq!(read, answered);
        });
    }
}
