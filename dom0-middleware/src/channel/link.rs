//! One connection of a guest: frames in, messages out, neither without bound.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proto::agent::{AgentMessage, Dom0Message, FrameReader, encode_frame};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use zeroize::Zeroizing;

use crate::broker::BadInput;

/// The most bytes that may wait for a guest that does not read: a few handshakes' worth.
const MAX_QUEUED_BYTES: usize = 4 << 20;

/// How long what was sent before the end may take to go out.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// How often an ending connection is looked at.
const CLOSE_TICK: Duration = Duration::from_millis(5);

/// Most frames that are written together.
const FRAMES_AT_ONCE: usize = 8;

/// The length in front of a message, in bytes.
const FRAME_HEADER: usize = 4;

/// Bytes read at a time.
const READ_LEN: usize = 16 << 10;

/// What comes from a guest.
pub type Inbound = Result<AgentMessage, BadInput>;

/// The connection itself: run it on a task of its own.
#[derive(Debug)]
pub struct Link {
    outbox: Outbox,
    max_frame: usize,
}

/// What waits to be written.
#[derive(Debug)]
struct Outbox {
    frames: UnboundedReceiver<Frame>,
    queued: Arc<Queued>,
}

/// One message, ready to be written.
#[derive(Debug)]
struct Frame {
    bytes: Zeroizing<Vec<u8>>,
    has_keys: bool,
}

/// How much waits to be written.
#[derive(Debug, Default)]
struct Queued {
    bytes: AtomicUsize,
    /// Frames that hold the keys of a session.
    keys: AtomicUsize,
}

/// Sends to one guest. Dropping it ends the connection once everything is out.
#[derive(Debug)]
pub struct LinkHandle {
    frames: Option<UnboundedSender<Frame>>,
    queued: Arc<Queued>,
    task: Option<AbortHandle>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEnd {
    /// We ended it.
    Closed,
    /// The guest did, or it broke.
    Lost,
}

impl Link {
    /// A connection whose stream is yet to be had; frames longer than `max_frame` bytes are
    /// refused.
    #[must_use]
    pub fn new(max_frame: usize) -> (Self, LinkHandle) {
        let (sender, frames) = unbounded_channel();
        let queued = Arc::new(Queued::default());
        let handle = LinkHandle {
            frames: Some(sender),
            queued: Arc::clone(&queued),
            task: None,
        };
        let link = Self {
            outbox: Outbox { frames, queued },
            max_frame,
        };
        (link, handle)
    }

    /// The connection carries something else than messages.
    #[must_use]
    pub fn into_last_words(self) -> LastWords {
        LastWords(self.outbox)
    }

    /// Runs the connection over `stream` to its end. What was sent before goes out first.
    /// Everything that comes goes to `take`, in order; while `take` waits nothing more is read.
    pub async fn run<S, F>(self, stream: S, take: impl Fn(Inbound) -> F + Send) -> LinkEnd
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        F: Future<Output = ()> + Send,
    {
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            end = write_all(writer, self.outbox) => end,
            () = read_all(reader, self.max_frame, take) => LinkEnd::Lost,
        }
    }
}

/// What dom0 has to say on a connection that carries no messages: why it ends.
#[derive(Debug)]
pub struct LastWords(Outbox);

impl LastWords {
    /// The next message; `None` once the connection is ended from here.
    pub async fn next(&mut self) -> Option<Dom0Message> {
        loop {
            let frame = self.0.frames.recv().await?;
            self.0.queued.remove(&frame);
            let body = frame.bytes.get(FRAME_HEADER..).unwrap_or_default();
            // Our own message, so there is no other case.
            if let Ok(message) = Dom0Message::decode(body) {
                return Some(message);
            }
        }
    }
}

/// Writes until the handle is dropped.
async fn write_all(mut writer: impl AsyncWrite + Unpin, mut outbox: Outbox) -> LinkEnd {
    let mut frames = Vec::new();
    while outbox.frames.recv_many(&mut frames, FRAMES_AT_ONCE).await > 0 {
        let written = write_frames(&mut writer, &frames).await;
        frames
            .drain(..)
            .for_each(|frame| outbox.queued.remove(&frame));
        if written.is_err() {
            return LinkEnd::Lost;
        }
    }
    // The guest learns of the end by reading it; whether it does is its own affair.
    let _ = writer.shutdown().await;
    LinkEnd::Closed
}

/// Writes all of them, those that are short together: the guest is woken once.
async fn write_frames(writer: &mut (impl AsyncWrite + Unpin), frames: &[Frame]) -> io::Result<()> {
    match frames {
        [frame] => writer.write_all(&frame.bytes).await?,
        frames => {
            let length = frames.iter().map(|frame| frame.bytes.len()).sum();
            let mut together = Zeroizing::new(Vec::with_capacity(length));
            for frame in frames {
                together.extend_from_slice(&frame.bytes);
            }
            writer.write_all(&together).await?;
        }
    }
    // TLS keeps records that the guest does not take yet.
    writer.flush().await
}

/// Reads until the end, or until something comes after which nothing can be understood.
async fn read_all<F: Future<Output = ()>>(
    mut reader: impl AsyncRead + Unpin,
    max_frame: usize,
    take: impl Fn(Inbound) -> F,
) {
    let mut frames = FrameReader::new();
    let mut bytes = Zeroizing::new(vec![0; READ_LEN]);
    loop {
        let read = match reader.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        frames.push(bytes.get(..read).unwrap_or_default());
        loop {
            let inbound = match frames.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) if frame.len() > max_frame => Err(BadInput::TooLong {
                    max: max_frame,
                    got: frame.len(),
                }),
                Ok(Some(frame)) => AgentMessage::decode(&frame).map_err(BadInput::from),
                Err(error) => {
                    take(Err(error.into())).await;
                    // No frame can be found any more: the broker ends the connection.
                    return std::future::pending().await;
                }
            };
            take(inbound).await;
        }
    }
}

impl Queued {
    /// Counts a frame; says how many bytes there are now.
    fn add(&self, frame: &Frame) -> usize {
        let keys = usize::from(frame.has_keys);
        self.keys.fetch_add(keys, Ordering::AcqRel);
        let length = frame.bytes.len();
        let before = self.bytes.fetch_add(length, Ordering::AcqRel);
        before.saturating_add(length)
    }

    fn remove(&self, frame: &Frame) {
        let keys = usize::from(frame.has_keys);
        self.keys.fetch_sub(keys, Ordering::AcqRel);
        self.bytes.fetch_sub(frame.bytes.len(), Ordering::AcqRel);
    }
}

impl LinkHandle {
    /// Names the task that runs the connection, so that it can be ended from here.
    pub fn run_by(&mut self, task: AbortHandle) {
        self.task = Some(task);
    }

    /// Puts a message on its way; never waits.
    ///
    /// # Errors
    /// [`SendError`] when the guest does not read, or the connection has ended: it is of no more
    /// use.
    pub fn send(&self, message: &Dom0Message) -> Result<(), SendError> {
        let body = message.encode();
        let frame = encode_frame(&body).map_err(|_| SendError::TooLong { got: body.len() })?;
        let frame = Frame {
            bytes: frame,
            has_keys: matches!(message, Dom0Message::Established(_)),
        };
        if self.queued.add(&frame) > MAX_QUEUED_BYTES {
            return Err(SendError::NotRead);
        }
        match &self.frames {
            Some(frames) => frames.send(frame).map_err(|_| SendError::Ended),
            None => Err(SendError::Ended),
        }
    }

    /// Whether keys given to [`Self::send`] may still be here.
    #[must_use]
    pub fn has_unsent_keys(&self) -> bool {
        self.queued.keys.load(Ordering::Acquire) > 0
    }

    /// Ends the connection once everything is out, or when that takes too long.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn close(mut self) {
        drop(self.frames.take());
        if let Some(task) = self.task.take() {
            tokio::spawn(async move {
                tokio::time::sleep(CLOSE_TIME).await;
                task.abort();
            });
        }
    }

    /// Ends the connection once everything is out, or when that takes too long, and waits for it.
    pub async fn closed(mut self) {
        drop(self.frames.take());
        let Some(task) = self.task.take() else {
            return;
        };
        let deadline = tokio::time::Instant::now() + CLOSE_TIME;
        while !task.is_finished() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(CLOSE_TICK).await;
        }
        task.abort();
    }

    /// Ends the connection at once.
    pub fn cut(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Why a message does not reach a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// The guest leaves too much unread.
    #[error("the guest does not read")]
    NotRead,
    /// The connection has ended.
    #[error("the connection has ended")]
    Ended,
    /// Our own message is longer than a frame: a bug.
    #[error("message of {got} bytes fits no frame")]
    TooLong {
        /// Its bytes.
        got: usize,
    },
}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use proto::agent::{EstablishedFlags, EstablishedMessage};
    use proto::id::SessionId;
    use proto::tls::{CipherSuite, Established, KeyBlock, ProtocolVersion, SessionKeys};
    use tokio::io::duplex;

    use super::*;

    fn started(
        max_frame: usize,
    ) -> (
        tokio::io::DuplexStream,
        LinkHandle,
        UnboundedReceiver<Inbound>,
        tokio::task::JoinHandle<LinkEnd>,
    ) {
        let (guest, stream) = duplex(1 << 10);
        let (link, mut handle) = Link::new(max_frame);
        let (sender, receiver) = unbounded_channel();
        let task = tokio::spawn(link.run(stream, move |inbound| {
            let sent = sender.send(inbound);
            async move { sent.expect("the test still listens") }
        }));
        handle.run_by(task.abort_handle());
        (guest, handle, receiver, task)
    }

    fn frame(message: &AgentMessage) -> Vec<u8> {
        encode_frame(&message.encode()).expect("short").to_vec()
    }

    #[tokio::test]
    async fn messages_come_in_order_however_they_are_cut() {
        let (mut guest, _handle, mut inbound, _task) = started(65_536);
        let bytes = [frame(&AgentMessage::Ping), frame(&AgentMessage::Identities)].concat();
        for byte in bytes {
            guest.write_all(&[byte]).await.expect("read");
        }
        let first = inbound.recv().await.expect("open");
        assert!(matches!(first, Ok(AgentMessage::Ping)));
        let second = inbound.recv().await.expect("open");
        assert!(matches!(second, Ok(AgentMessage::Identities)));
    }

    #[tokio::test]
    async fn what_is_no_frame_is_told_once_and_ends_the_reading() {
        let (mut guest, handle, mut inbound, task) = started(65_536);
        guest.write_all(&[0xFF; 64]).await.expect("read");
        let told = inbound.recv().await.expect("open");
        assert!(matches!(told, Err(BadInput::Frame(_))));
        guest
            .write_all(&frame(&AgentMessage::Ping))
            .await
            .expect("room");
        handle.close();
        assert_eq!(task.await.expect("no panic"), LinkEnd::Closed);
        assert!(inbound.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_frame_beyond_the_limit_in_force_is_refused() {
        let (mut guest, _handle, mut inbound, _task) = started(8);
        guest
            .write_all(&frame(&AgentMessage::Identities))
            .await
            .expect("read");
        let told = inbound.recv().await.expect("open");
        assert!(matches!(told, Err(BadInput::TooLong { max: 8, .. })));
    }

    #[tokio::test]
    async fn what_was_sent_goes_out_before_the_end() {
        let (mut guest, handle, _inbound, task) = started(65_536);
        handle.send(&Dom0Message::Ping).expect("room");
        handle.send(&Dom0Message::Pong).expect("room");
        handle.close();
        let mut bytes = Vec::new();
        guest.read_to_end(&mut bytes).await.expect("ends");
        let mut frames = FrameReader::new();
        frames.push(&bytes);
        for _ in 0..2 {
            let frame = frames.next_frame().expect("frames").expect("whole");
            assert!(Dom0Message::decode(&frame).is_ok());
        }
        assert_eq!(task.await.expect("no panic"), LinkEnd::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_does_not_read_cannot_keep_its_connection_open() {
        let (_guest, handle, _inbound, task) = started(65_536);
        let mut sent = 0;
        while handle.send(&Dom0Message::Ping) != Err(SendError::NotRead) {
            sent += 1;
            assert!(sent < MAX_QUEUED_BYTES, "there is a bound");
        }
        handle.close();
        assert!(task.await.expect_err("ended for it").is_cancelled());
    }

    fn keys() -> Dom0Message {
        let keys = SessionKeys::KeyBlock(KeyBlock::new(vec![7; 40]));
        Dom0Message::Established(Box::new(EstablishedMessage {
            session: SessionId(1),
            keys: Established {
                version: ProtocolVersion::TLS1_2,
                cipher_suite: CipherSuite(0xC02F),
                keys,
                client_sequence: 1,
                server_sequence: 1,
                client_explicit_nonce: Some([1; 8]),
            },
            flags: EstablishedFlags {
                abbreviated: false,
                extended_master_secret: true,
                encrypt_then_mac: false,
            },
            consumed: 1,
            alpn: None,
            peer_certificates: vec![vec![0; 4 << 10]],
            card_ms: 1,
            wait_ms: 1,
        }))
    }

    #[tokio::test]
    async fn keys_that_a_guest_leaves_unread_are_known_to_be_here() {
        let (mut guest, handle, _inbound, task) = started(65_536);
        handle.send(&Dom0Message::Ping).expect("room");
        assert!(!handle.has_unsent_keys());
        handle.send(&keys()).expect("room");
        assert!(handle.has_unsent_keys(), "more than the stream takes");
        let mut bytes = vec![0; 64 << 10];
        while handle.has_unsent_keys() {
            let read = guest.read(&mut bytes).await.expect("open");
            assert_ne!(read, 0, "open");
        }
        handle.send(&keys()).expect("room");
        handle.cut();
        assert!(task.await.expect_err("cut").is_cancelled());
        let mut rest = Vec::new();
        let read = guest.read_to_end(&mut rest).await.expect("ends");
        assert!(read < 2 << 10, "no more than was under way");
    }

    #[tokio::test]
    async fn a_guest_that_leaves_is_noticed() {
        let (guest, _handle, _inbound, task) = started(65_536);
        drop(guest);
        assert_eq!(task.await.expect("no panic"), LinkEnd::Lost);
    }
}
