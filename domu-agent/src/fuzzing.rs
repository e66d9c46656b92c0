//! Doors for fuzz targets to what reads hostile bytes and is private.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proto::agent::Dom0Message;
use proto::tls::RecordLayer;

pub use crate::app::fuzzing::destination;
use crate::app::fuzzing::{Line, LineReader};
use crate::dom0::SessionMessage;
pub use crate::dom0::fuzzing::dom0_link;
use crate::handshake::{HandshakeRelay, Step};
use crate::stream::StreamRelay;

/// Reads what an application has written, to its end.
pub fn request_lines(mut input: &[u8]) {
    let all = input;
    let mut reader = LineReader::default();
    let mut read = 0;
    loop {
        match at_once(reader.next(&mut input)).expect("memory") {
            Line::Whole(line) => {
                assert_eq!(all.get(read..read + line.len()), Some(line.as_slice()));
                read += line.len() + 1;
                crate::app::fuzzing::request(&line);
            }
            Line::TooLong | Line::End => return,
        }
    }
}

/// What one of the two around a handshake says.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// The server's bytes.
    Server(&'a [u8]),
    /// The server says nothing more.
    ServerClosed,
    /// A message of dom0, without its frame.
    Dom0(&'a [u8]),
}

/// Carries a handshake between the two, and the stream that follows.
pub fn handshake_relay<'a>(said: impl Iterator<Item = Said<'a>>) {
    let mut relay = HandshakeRelay::new(MAX_BYTES);
    let mut server = Vec::new();
    for said in said {
        let message = match said {
            Said::Server(bytes) => {
                server.extend_from_slice(bytes);
                if relay.on_server_bytes(bytes).is_err() {
                    return;
                }
                continue;
            }
            Said::ServerClosed => {
                if relay.on_server_closed().is_err() {
                    return;
                }
                continue;
            }
            Said::Dom0(body) => match Dom0Message::decode(body) {
                Ok(Dom0Message::Queued(queued)) => SessionMessage::Queued(queued),
                Ok(Dom0Message::ClientRecords(data)) => SessionMessage::ClientRecords(data.data),
                Ok(Dom0Message::Established(message)) => SessionMessage::Established(message),
                Ok(Dom0Message::Refused(refused)) => SessionMessage::Refused(refused),
                _ => continue,
            },
        };
        match relay.on_dom0(message) {
            Ok(Step::Established(handover)) => {
                let consumed = usize::try_from(handover.message.consumed).expect("checked");
                assert_eq!(server.get(consumed..), Some(handover.surplus.as_slice()));
                if let Ok(layer) = RecordLayer::new(handover.message.into_keys()) {
                    stream(layer, &handover.surplus);
                }
                return;
            }
            Ok(Step::Refused(_)) | Err(_) => return,
            Ok(Step::SendToServer(_) | Step::Wait(_)) => {}
        }
    }
}

fn stream(layer: RecordLayer, surplus: &[u8]) {
    let mut stream = StreamRelay::new(layer, surplus);
    if stream.wants_app_bytes() {
        stream.on_app_bytes(b"GET /");
    }
    stream.on_app_end();
}

/// Runs what never has to wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

/// Most bytes of one handshake each way.
const MAX_BYTES: u64 = 3_000;
