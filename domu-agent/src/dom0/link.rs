//! One connection to dom0 without its socket.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use proto::agent::{
    AgentMessage, Close, Dom0Message, EstablishedMessage, FrameReader, Hello, IdentityInfo,
    MessageError, Open, PROTOCOL_VERSION, Queued, RefusalCode, Refused, SessionData, Welcome,
    encode_frame,
};
use proto::id::SessionId;
use proto::tls::AlertDescription;
use zeroize::Zeroizing;

use super::error::{Dom0Error, LinkError};

/// Time for dom0 to answer `hello`.
pub(super) const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence after which dom0 is asked for a sign of life.
pub(super) const SILENCE: Duration = Duration::from_secs(60);
/// Time for that sign.
pub(super) const PONG_TIMEOUT: Duration = Duration::from_secs(20);

/// One connection. Feed bytes and time, send what [`Self::to_send`] holds, act on the events.
pub(super) struct Link {
    frames: FrameReader,
    outbox: VecDeque<Zeroizing<Vec<u8>>>,
    /// Bytes of the first frame of `outbox` that are out.
    sent: usize,
    backlog: usize,
    events: VecDeque<LinkEvent>,
    awaiting: Awaiting,
    last_heard: Instant,
    /// What dom0 refused, if that was the last it said.
    last_words: Option<Refused>,
    next_session: Option<u32>,
    sessions: HashMap<SessionId, Stage>,
}

/// What must come by a deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Welcome { since: Instant },
    Anything,
    Pong { since: Instant },
}

/// How far a session is. dom0 remembers it until it is refused or closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Handshake,
    Established,
}

/// What the connection gave.
pub(super) enum LinkEvent {
    /// dom0 admits the agent, or has taken its new token.
    Welcome(Welcome),
    /// A message for one session; after an error there is no more.
    Session(SessionId, Result<SessionMessage, Dom0Error>),
    /// The answer to a question for identities.
    Identities(Vec<IdentityInfo>),
    /// The right to the card has ended.
    Revoked(RefusalCode),
    /// dom0 did not take a new token, or is about to close the connection and says why.
    Refused(Refused),
    /// The right to one session that stands has ended.
    SessionRevoked(SessionId, RefusalCode),
}

/// What dom0 says to one session.
#[derive(Debug)]
pub(crate) enum SessionMessage {
    /// The handshake waits for the card.
    Queued(Queued),
    /// Bytes for the server.
    ClientRecords(Vec<u8>),
    /// The handshake is complete.
    Established(Box<EstablishedMessage>),
    /// No.
    Refused(Refused),
}

/// What a session asks for: an `open` without its number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) server_name: String,
    pub(crate) identity: Option<String>,
    pub(crate) alpn: Vec<String>,
    pub(crate) min_version: Option<u16>,
    pub(crate) max_version: Option<u16>,
    pub(crate) resume: Option<bool>,
}

impl Link {
    /// A new connection, with `hello` to send.
    pub(super) fn new(hello: Hello, now: Instant) -> Self {
        let mut link = Self {
            frames: FrameReader::new(),
            outbox: VecDeque::new(),
            sent: 0,
            backlog: 0,
            events: VecDeque::new(),
            awaiting: Awaiting::Welcome { since: now },
            last_heard: now,
            last_words: None,
            next_session: Some(1),
            sessions: HashMap::new(),
        };
        link.send(&AgentMessage::Hello(hello));
        link
    }

    /// Shows another token. What stands goes on, whatever dom0 says to it.
    pub(super) fn hello(&mut self, hello: Hello) {
        self.send(&AgentMessage::Hello(hello));
    }

    /// Why the connection ended, when dom0 has closed it.
    pub(super) fn ended(&self) -> LinkError {
        let said = self.last_words.clone();
        said.map_or(LinkError::Closed, LinkError::Refused)
    }

    /// Takes over what dom0 has sent.
    ///
    /// # Errors
    /// [`LinkError`] when the connection must end. Events from before it remain.
    pub(super) fn on_bytes(&mut self, bytes: &[u8], now: Instant) -> Result<(), LinkError> {
        self.last_heard = now;
        if let Awaiting::Pong { .. } = self.awaiting {
            self.awaiting = Awaiting::Anything;
        }
        self.frames.push(bytes);
        while let Some(body) = self.frames.next_frame()? {
            match Dom0Message::decode(&body) {
                Ok(message) => self.on_message(message)?,
                Err(MessageError::Protocol(error)) => return Err(error.into()),
                Err(_) if self.expects_welcome() => return Err(LinkError::BeforeWelcome),
                Err(MessageError::InSession { session, error }) => {
                    self.abort(session, error.into())
                }
                Err(MessageError::UnknownType { session }) => match session {
                    Some(session) => self.abort(session, Dom0Error::UnknownType),
                    None => tracing::debug!("dom0 sent a message of an unknown type"),
                },
            }
        }
        Ok(())
    }

    /// When [`Self::on_deadline`] must be called if nothing comes before.
    pub(super) fn deadline(&self) -> Instant {
        match self.awaiting {
            Awaiting::Welcome { since } => since + WELCOME_TIMEOUT,
            Awaiting::Anything => self.last_heard + SILENCE,
            Awaiting::Pong { since } => since + PONG_TIMEOUT,
        }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// [`LinkError::Silent`] when dom0 is taken for dead.
    pub(super) fn on_deadline(&mut self, now: Instant) -> Result<(), LinkError> {
        if now < self.deadline() {
            return Ok(());
        }
        if self.awaiting != Awaiting::Anything {
            return Err(LinkError::Silent);
        }
        self.awaiting = Awaiting::Pong { since: now };
        self.send(&AgentMessage::Ping);
        Ok(())
    }

    /// What came since the last call.
    pub(super) fn next_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// Asks for a handshake and gives the number of its session.
    ///
    /// # Errors
    /// [`LinkError::SessionsUsedUp`]: a new connection has new numbers.
    pub(super) fn open(&mut self, wish: Wish) -> Result<SessionId, LinkError> {
        let number = self.next_session.ok_or(LinkError::SessionsUsedUp)?;
        self.next_session = number.checked_add(1);
        let session = SessionId(number);
        self.sessions.insert(session, Stage::Handshake);
        self.send(&AgentMessage::Open(Open {
            session,
            server_name: wish.server_name,
            identity: wish.identity,
            alpn: wish.alpn,
            min_version: wish.min_version,
            max_version: wish.max_version,
            resume: wish.resume,
            role: None,
        }));
        Ok(session)
    }

    /// Passes records of the server on, if the session is in its handshake.
    pub(super) fn server_records(&mut self, session: SessionId, data: Vec<u8>) {
        if self.sessions.get(&session) == Some(&Stage::Handshake) {
            self.send(&AgentMessage::ServerRecords(SessionData { session, data }));
        }
    }

    /// Passes a ticket on, if the session stands.
    pub(super) fn post_handshake(&mut self, session: SessionId, data: Vec<u8>) {
        if self.sessions.get(&session) == Some(&Stage::Established) {
            self.send(&AgentMessage::PostHandshake(SessionData { session, data }));
        }
    }

    /// Ends a session, if dom0 still knows it.
    pub(super) fn close(&mut self, session: SessionId, alert: Option<AlertDescription>) {
        if self.sessions.remove(&session).is_some() {
            self.send(&AgentMessage::Close(Close { session, alert }));
        }
    }

    /// Asks what the guest may use.
    pub(super) fn ask_identities(&mut self) {
        self.send(&AgentMessage::Identities);
    }

    /// The next bytes for dom0.
    pub(super) fn to_send(&self) -> &[u8] {
        let frame = self.outbox.front().map(|frame| frame.as_slice());
        frame
            .and_then(|frame| frame.get(self.sent..))
            .unwrap_or_default()
    }

    /// The first `n` bytes of [`Self::to_send`] are out.
    pub(super) fn on_sent(&mut self, n: usize) {
        self.sent += n;
        self.backlog -= n;
        if self
            .outbox
            .front()
            .is_some_and(|frame| self.sent >= frame.len())
        {
            self.outbox.pop_front();
            self.sent = 0;
        }
    }

    /// Bytes that wait to be sent.
    pub(super) const fn backlog(&self) -> usize {
        self.backlog
    }

    const fn expects_welcome(&self) -> bool {
        matches!(self.awaiting, Awaiting::Welcome { .. })
    }

    fn on_message(&mut self, message: Dom0Message) -> Result<(), LinkError> {
        self.last_words = None;
        match message {
            Dom0Message::Welcome(welcome) if welcome.version == PROTOCOL_VERSION => {
                if self.expects_welcome() {
                    self.awaiting = Awaiting::Anything;
                }
                self.events.push_back(LinkEvent::Welcome(welcome));
            }
            Dom0Message::Welcome(welcome) => return Err(LinkError::Version(welcome.version)),
            Dom0Message::Refused(refused) if refused.session.is_none() => {
                if self.expects_welcome() {
                    return Err(LinkError::Refused(refused));
                }
                // A new token that is not good changes nothing; for anything else dom0 closes.
                self.last_words = Some(refused.clone());
                self.events.push_back(LinkEvent::Refused(refused));
            }
            Dom0Message::Ping => self.send(&AgentMessage::Pong),
            Dom0Message::Pong => {}
            _ if self.expects_welcome() => return Err(LinkError::BeforeWelcome),
            Dom0Message::Identities(list) => self.events.push_back(LinkEvent::Identities(list)),
            Dom0Message::Revoked { code } => {
                self.sessions.clear();
                self.events.push_back(LinkEvent::Revoked(code));
            }
            Dom0Message::Queued(queued) => {
                self.on_session(queued.session, SessionMessage::Queued(queued));
            }
            Dom0Message::ClientRecords(SessionData { session, data }) => {
                self.on_session(session, SessionMessage::ClientRecords(data));
            }
            Dom0Message::Established(message) => {
                let session = message.session;
                self.on_session(session, SessionMessage::Established(message));
            }
            Dom0Message::Refused(refused) => {
                if let Some(session) = refused.session {
                    self.on_session(session, SessionMessage::Refused(refused));
                }
            }
        }
        Ok(())
    }

    /// A message for a session in its handshake; one that stands can only be taken back. For others
    /// it is late and of no more use.
    fn on_session(&mut self, session: SessionId, message: SessionMessage) {
        match (self.sessions.get(&session), &message) {
            (Some(Stage::Handshake), _) => {}
            (Some(Stage::Established), SessionMessage::Refused(refused)) => {
                self.sessions.remove(&session);
                let event = LinkEvent::SessionRevoked(session, refused.code);
                self.events.push_back(event);
                return;
            }
            _ => return,
        }
        match message {
            SessionMessage::Established(_) => {
                self.sessions.insert(session, Stage::Established);
            }
            SessionMessage::Refused(_) => {
                self.sessions.remove(&session);
            }
            SessionMessage::Queued(_) | SessionMessage::ClientRecords(_) => {}
        }
        self.events
            .push_back(LinkEvent::Session(session, Ok(message)));
    }

    /// Ends a session that dom0 has broken.
    fn abort(&mut self, session: SessionId, error: Dom0Error) {
        if self.sessions.get(&session) == Some(&Stage::Handshake) {
            self.close(session, None);
            self.events
                .push_back(LinkEvent::Session(session, Err(error)));
        }
    }

    fn send(&mut self, message: &AgentMessage) {
        match encode_frame(&message.encode()) {
            Ok(frame) => {
                self.backlog += frame.len();
                self.outbox.push_back(frame);
            }
            // Records and tickets are shorter than a frame, and so are all wishes.
            Err(error) => tracing::error!(%error, "message not sent"),
        }
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
