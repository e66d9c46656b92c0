//! A guest that keeps to no rule: it speaks the channel's protocol by hand.
//!
//! It connects where a guest's agent would, so dom0 takes it for that guest. What it may say is
//! in `docs/protocol.md`; everything else can be said with [`RogueGuest::send_bytes`].

use std::io::{self, Read, Write};

use proto::agent::{
    AgentMessage, Close, Dom0Message, FrameReader, Open, RefusalCode, Refused, SessionData,
    encode_frame,
};
use proto::id::SessionId;

use crate::channel_client::{ChannelStream, GuestDoor};

/// One connection of such a guest. It may be given keys, so it has no `Debug`.
pub struct RogueGuest {
    stream: ChannelStream,
    hello: AgentMessage,
    frames: FrameReader,
}

/// What dom0 did about something that was said.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// It refused one session, with this line for people.
    Session(SessionId, RefusalCode, String),
    /// It refused the whole connection, likewise.
    Connection(RefusalCode, String),
    /// It closed the connection.
    End,
}

impl RogueGuest {
    /// Connects and says nothing.
    ///
    /// # Panics
    /// When nobody listens at `door`.
    #[must_use]
    pub fn connect(door: &GuestDoor) -> Self {
        Self {
            stream: door.connect(),
            hello: door.hello(),
            frames: FrameReader::new(),
        }
    }

    /// Goes on over a stream that stands, with the `hello` of `door`.
    #[must_use]
    pub fn over(stream: ChannelStream, door: &GuestDoor) -> Self {
        Self {
            stream,
            hello: door.hello(),
            frames: FrameReader::new(),
        }
    }

    /// What it speaks over.
    pub fn stream(&mut self) -> &mut ChannelStream {
        &mut self.stream
    }

    /// Connects, and is admitted.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn admitted(door: &GuestDoor) -> Self {
        let mut guest = Self::connect(door);
        guest.expect_welcome();
        guest
    }

    /// Says `hello`, and is admitted.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect_welcome(&mut self) {
        self.say_hello();
        let welcome = self.receive();
        let is_welcome = matches!(welcome, Some(Dom0Message::Welcome(_)));
        assert!(is_welcome, "not welcome: {welcome:?}");
    }

    /// Says a good `hello`, with the token of its door.
    ///
    /// # Panics
    /// When dom0 does not take it.
    pub fn say_hello(&mut self) {
        let hello = self.hello.clone();
        self.send(&hello);
    }

    /// Says something that is a message.
    ///
    /// # Panics
    /// When dom0 does not take it, or it is too long for a frame.
    pub fn send(&mut self, message: &AgentMessage) {
        let frame = encode_frame(&message.encode()).expect("short enough");
        self.send_bytes(&frame).expect("dom0 reads");
    }

    /// Says anything.
    ///
    /// # Errors
    /// When dom0 has closed the connection, or does not read for long.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The next message; `None` at the end.
    ///
    /// # Panics
    /// When nothing comes, or something that is no message.
    pub fn receive(&mut self) -> Option<Dom0Message> {
        let mut bytes = [0; 16 << 10];
        loop {
            if let Some(frame) = self.frames.next_frame().expect("dom0 sends frames") {
                return Some(Dom0Message::decode(&frame).expect("dom0 sends messages"));
            }
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(n) => self.frames.push(bytes.get(..n).unwrap_or_default()),
                // What it had not read when it closed is reported like this.
                Err(error) if END.contains(&error.kind()) => return None,
                Err(error) => panic!("dom0 says nothing: {error}"),
            }
        }
    }

    /// Waits for the next no or the end; all else is skipped.
    ///
    /// # Panics
    /// As [`Self::receive`].
    pub fn answer(&mut self) -> Answer {
        loop {
            match self.receive() {
                None => return Answer::End,
                Some(Dom0Message::Refused(refused)) => return refused.into(),
                Some(_) => {}
            }
        }
    }

    /// Opens a session and waits for the card's first bytes for the server, which are given back.
    /// From then on the card waits for this guest.
    ///
    /// # Panics
    /// When that is refused.
    pub fn start_handshake(&mut self, session: u32, server_name: &str) -> Vec<u8> {
        self.send(&open(session, server_name));
        loop {
            match self.receive() {
                Some(Dom0Message::ClientRecords(records)) => return records.data,
                Some(Dom0Message::Queued(_) | Dom0Message::Ping) => {}
                other => panic!("no ClientHello: {other:?}"),
            }
        }
    }

    /// Answers nothing more and reads nothing more, but stays connected as long as the value lives.
    #[must_use]
    pub fn into_silence(self) -> ChannelStream {
        self.stream
    }
}

/// How a connection may end that dom0 had not read to its end.
const END: [io::ErrorKind; 2] = [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof];

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        match refused.session {
            Some(session) => Self::Session(session, refused.code, refused.message),
            None => Self::Connection(refused.code, refused.message),
        }
    }
}

/// A good `open` without wishes.
#[must_use]
pub fn open(session: u32, server_name: &str) -> AgentMessage {
    AgentMessage::Open(Open {
        session: SessionId(session),
        server_name: server_name.to_owned(),
        identity: None,
        alpn: Vec::new(),
        min_version: None,
        max_version: None,
        resume: None,
        role: None,
    })
}

/// Bytes as if the server had sent them.
#[must_use]
pub fn server_records(session: u32, data: &[u8]) -> AgentMessage {
    AgentMessage::ServerRecords(SessionData {
        session: SessionId(session),
        data: data.to_vec(),
    })
}

/// The end of a session.
#[must_use]
pub fn close(session: u32) -> AgentMessage {
    AgentMessage::Close(Close {
        session: SessionId(session),
        alert: None,
    })
}
