//! The listener and its one card, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, StatusWord};

use super::{ListenError, ViccListener};
use crate::card::transport::{CardSource, CardTransport, ChainLink, Chains, TransportError};
use crate::socket::SocketError;

const ATR: &[u8] = &[0x3B, 0x80, 0x01, 0x81];

/// A directory with a listener's socket in it.
struct Place {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("vicc.sock");
        Self { _dir: dir, path }
    }

    fn listen(&self) -> ViccListener {
        ViccListener::bind_unix(&self.path).expect("a listener")
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).expect("connected")
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn shortly() -> Instant {
    Instant::now() + Duration::from_millis(20)
}

/// Reads one message of the reader's side; `None` when it has closed.
fn receive(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn send(stream: &mut impl Write, body: &[u8]) {
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    stream.write_all(&[&length, body].concat()).expect("sent");
}

/// Answers power and ATR, and each APDU with what `answer` makes of it, until the other end goes.
fn serve<S: Read + Write + Send + 'static>(
    mut stream: S,
    mut answer: impl FnMut(&[u8], &mut S) + Send + 'static,
) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut controls = Vec::new();
        while let Some(body) = receive(&mut stream) {
            match body.as_slice() {
                [4] => send(&mut stream, ATR),
                [control] => controls.push(*control),
                apdu => answer(apdu, &mut stream),
            }
        }
        controls
    })
}

fn power_up(listener: &mut ViccListener) -> Box<dyn CardTransport> {
    listener
        .poll(soon())
        .expect("a card")
        .expect("it has connected")
}

fn command() -> CommandApdu {
    CommandApdu::new(0xA0, 0x19, 0x00, 0x00).with_le(1)
}

#[test]
fn a_card_is_powered_up_and_answers() {
    let place = Place::new();
    let mut listener = place.listen();
    assert!(listener.poll(soon()).expect("nobody").is_none());
    let card = serve(place.connect(), |apdu, stream| {
        assert_eq!(apdu, [0xA0, 0x19, 0, 0, 1]);
        // In two pieces, to be put together.
        stream.write_all(&[0, 3, 3]).expect("sent");
        stream.flush().expect("flushed");
        stream.write_all(&[0x90, 0]).expect("sent");
    });
    let mut transport = power_up(&mut listener);
    assert_eq!(transport.atr().as_bytes(), ATR);
    let response = transport.transmit(&command(), soon()).expect("a response");
    assert_eq!(
        (response.data(), response.sw),
        (&[3][..], StatusWord(0x9000))
    );
    assert_eq!(transport.check_present(), Ok(()));
    transport.cold_reset(soon()).expect("an answer to reset");
    drop(transport);
    assert_eq!(card.join().expect("ended"), [1, 0, 1], "on; off, on");
}

#[test]
fn the_socket_is_for_its_owner_alone_and_goes_with_the_listener() {
    let place = Place::new();
    let listener = place.listen();
    let mode = std::fs::metadata(&place.path)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(listener);
    assert!(!place.path.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else() {
    let place = Place::new();
    let stale = std::os::unix::net::UnixListener::bind(&place.path).expect("bound");
    drop(stale);
    assert!(place.path.exists(), "left behind");
    let listener = place.listen();
    assert!(matches!(
        ViccListener::bind_unix(&place.path),
        Err(ListenError::Socket(SocketError::Occupied(_)))
    ));
    drop(listener);

    std::fs::write(&place.path, "precious").expect("written");
    assert!(matches!(
        ViccListener::bind_unix(&place.path),
        Err(ListenError::Socket(SocketError::Occupied(_)))
    ));
    assert_eq!(
        std::fs::read(&place.path).expect("still there"),
        b"precious"
    );
}

#[test]
fn tcp_is_for_loopback_only() {
    let outside: SocketAddr = "0.0.0.0:0".parse().expect("an address");
    assert!(matches!(
        ViccListener::bind_loopback(outside),
        Err(ListenError::NotLoopback(_))
    ));
    let inside: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let mut listener = ViccListener::bind_loopback(inside).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let card = serve(
        TcpStream::connect(address).expect("connected"),
        |_, stream| {
            send(stream, &[0x90, 0]);
        },
    );
    let mut transport = power_up(&mut listener);
    assert!(transport.transmit(&command(), soon()).is_ok());
    drop(transport);
    card.join().expect("ended");
}

#[test]
fn a_second_connection_is_turned_away() {
    let place = Place::new();
    let mut listener = place.listen();
    let card = serve(place.connect(), |_, stream| send(stream, &[0x90, 0]));
    let mut transport = power_up(&mut listener);
    let mut second = place.connect();
    let third = place.connect();
    assert_eq!(listener.refuse_surplus(), 2);
    assert_eq!(listener.refuse_surplus(), 0);
    assert_eq!(
        second.read(&mut [0; 8]).expect("an end"),
        0,
        "closed without a word"
    );
    assert!(
        transport.transmit(&command(), soon()).is_ok(),
        "the first is served"
    );
    drop((transport, third));
    card.join().expect("ended");
}

#[test]
fn a_card_that_leaves_is_seen_to_leave_and_may_come_back() {
    let place = Place::new();
    let mut listener = place.listen();
    let card = serve(place.connect(), |_, stream| {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    let mut transport = power_up(&mut listener);
    assert_eq!(
        transport.transmit(&command(), soon()).map(|_| ()),
        Err(TransportError::Removed)
    );
    card.join().expect("ended");
    assert_eq!(transport.check_present(), Err(TransportError::Removed));
    let card = serve(place.connect(), |_, stream| send(stream, &[0x90, 0]));
    let mut transport = power_up(&mut listener);
    assert!(transport.transmit(&command(), soon()).is_ok());
    drop(transport);
    card.join().expect("ended");
}

#[test]
fn something_that_is_no_card_is_let_go() {
    let place = Place::new();
    let mut listener = place.listen();
    let silent = place.connect();
    assert!(matches!(
        listener.poll(shortly()),
        Err(TransportError::TimedOut)
    ));
    drop(silent);

    let mut other = place.connect();
    other.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    assert!(matches!(
        listener.poll(soon()),
        Err(TransportError::Garbled(_))
    ));

    let mut other = place.connect();
    send(&mut other, &[0x00, 0x01]);
    assert!(matches!(
        listener.poll(soon()),
        Err(TransportError::Garbled(_))
    ));
}

#[test]
fn an_answer_that_is_no_response_is_garbled() {
    for body in [&[][..], &[0x90]] {
        let place = Place::new();
        let mut listener = place.listen();
        let card = serve(place.connect(), move |_, stream| send(stream, body));
        let mut transport = power_up(&mut listener);
        assert!(matches!(
            transport.transmit(&command(), soon()),
            Err(TransportError::Garbled(_))
        ));
        drop(transport);
        card.join().expect("ended");
    }
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_one() {
    let place = Place::new();
    let mut listener = place.listen();
    // The first answer comes when the card is asked for its ATR again: late, and in order.
    let mut held: Option<Vec<u8>> = Some(vec![0xAA, 0x90, 0]);
    let mut stream = place.connect();
    let card = thread::spawn(move || {
        let mut atrs = 0;
        while let Some(body) = receive(&mut stream) {
            match body.as_slice() {
                [4] => {
                    atrs += 1;
                    if atrs == 2
                        && let Some(late) = held.take()
                    {
                        send(&mut stream, &late);
                    }
                    send(&mut stream, ATR);
                }
                [_] => {}
                _ if held.is_some() => {}
                _ => send(&mut stream, &[0xBB, 0x90, 0]),
            }
        }
    });
    let mut transport = power_up(&mut listener);
    assert_eq!(
        transport.transmit(&command(), shortly()).map(|_| ()),
        Err(TransportError::TimedOut)
    );
    transport.cold_reset(soon()).expect("an answer to reset");
    let response = transport.transmit(&command(), soon()).expect("a response");
    assert_eq!(response.data(), [0xBB]);
    drop(transport);
    card.join().expect("ended");
}

fn link(p2: u8, must_succeed: bool) -> ChainLink {
    ChainLink {
        command: CommandApdu::new(0xA0, 0x19, 0x00, p2).with_le(1),
        must_succeed,
        fetch: None,
    }
}

#[test]
fn commands_that_do_not_depend_on_each_other_are_sent_before_they_are_answered() {
    let place = Place::new();
    let mut listener = place.listen();
    // Says nothing until it has three; no to the second.
    let mut had = Vec::new();
    let card = serve(place.connect(), move |apdu, stream| {
        had.push(apdu[3]);
        if had.len() == 3 {
            for p2 in had.drain(..) {
                let sw1 = if p2 == 2 { 0x69 } else { 0x90 };
                send(stream, &[p2, sw1, 0x00]);
            }
        }
    });
    let mut transport = power_up(&mut listener);
    assert_eq!(transport.takes_chains(), Chains::Independent);
    let chain = [link(1, false), link(2, false), link(3, false)];
    let done = transport.transmit_all(&chain, Duration::from_secs(10));
    assert_eq!(done.error, None);
    let said = done.responses.iter().map(|answer| answer.data()[0]);
    assert_eq!(said.collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(done.responses[1].sw, StatusWord(0x6900));
    drop(transport);
    card.join().expect("ended");
}

#[test]
fn nothing_is_sent_behind_a_command_that_had_to_succeed_and_did_not() {
    let place = Place::new();
    let mut listener = place.listen();
    let (seen, had) = std::sync::mpsc::channel();
    let card = serve(place.connect(), move |apdu, stream| {
        seen.send(apdu[3]).expect("somebody counts");
        let sw1 = if apdu[3] == 2 { 0x69 } else { 0x90 };
        send(stream, &[sw1, 0x00]);
    });
    let mut transport = power_up(&mut listener);
    let chain = [link(1, true), link(2, true), link(3, false)];
    let done = transport.transmit_all(&chain, Duration::from_secs(10));
    assert_eq!((done.responses.len(), done.error), (2, None));
    let many: Vec<ChainLink> = (10..20).map(|p2| link(p2, false)).collect();
    let done = transport.transmit_all(&many, Duration::from_secs(10));
    assert_eq!((done.responses.len(), done.error), (10, None));
    drop(transport);
    card.join().expect("ended");
    let all = [1, 2].into_iter().chain(10..20);
    assert!(had.into_iter().eq(all));
}

#[test]
fn answers_that_never_come_to_a_chain_are_owed_at_the_reset() {
    let place = Place::new();
    let mut listener = place.listen();
    let mut stream = place.connect();
    let card = thread::spawn(move || {
        let (mut owed, mut is_late) = (0, true);
        while let Some(body) = receive(&mut stream) {
            match body.as_slice() {
                [4] => {
                    // Late, and in order.
                    for _ in 0..std::mem::take(&mut owed) {
                        is_late = false;
                        send(&mut stream, &[0xAA, 0x90, 0]);
                    }
                    send(&mut stream, ATR);
                }
                [_] => {}
                _ if is_late => owed += 1,
                _ => send(&mut stream, &[0xBB, 0x90, 0]),
            }
        }
    });
    let mut transport = power_up(&mut listener);
    let chain = [link(1, false), link(2, false)];
    let done = transport.transmit_all(&chain, Duration::from_millis(20));
    assert_eq!(done.error, Some(TransportError::TimedOut));
    transport.cold_reset(soon()).expect("an answer to reset");
    let response = transport.transmit(&command(), soon()).expect("a response");
    assert_eq!(response.data(), [0xBB]);
    drop(transport);
    card.join().expect("ended");
}

#[test]
fn a_mute_card_ends_by_its_deadline() {
    let place = Place::new();
    let mut listener = place.listen();
    let card = serve(place.connect(), |_, _| {});
    let mut transport = power_up(&mut listener);
    assert_eq!(
        transport.transmit(&command(), shortly()).map(|_| ()),
        Err(TransportError::TimedOut)
    );
    // It still answers to reset: nothing was owed but what never comes.
    assert!(transport.cold_reset(soon()).is_ok());
    drop(transport);
    card.join().expect("ended");
}
