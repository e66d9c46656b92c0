//! One connection to dom0: its bytes, and those who wait for its messages.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use proto::agent::{Hello, IdentityInfo, RefusalCode, Welcome};
use proto::id::SessionId;
use tokio::sync::{mpsc, oneshot, watch};

use super::error::{Dom0Error, LinkError};
use super::handle::{Closed, Command, Opened, SessionGuard, SessionKey};
use super::link::{Link, LinkEvent, SessionMessage};
use super::wire::Wire;

/// Messages that wait for one session; it is ended when there are more.
const MAX_MESSAGES: usize = 64;

/// One connection and those who wait for its messages.
pub(super) struct Connection {
    number: u64,
    closes: mpsc::UnboundedSender<Closed>,
    wire: Wire,
    link: Link,
    welcome: Option<Welcome>,
    sessions: HashMap<SessionId, mpsc::Sender<Result<SessionMessage, Dom0Error>>>,
    identities: Vec<oneshot::Sender<Result<Vec<IdentityInfo>, LinkError>>>,
    /// Sessions in their handshake or established, to be told when their right ends.
    revoked: HashMap<SessionId, Revocation>,
}

/// Becomes a code when the right to a session ends.
pub(super) type Revocation = watch::Sender<Option<RefusalCode>>;

impl Connection {
    /// Sessions say on `closes` when they are dropped.
    pub(super) fn new(
        number: u64,
        wire: Wire,
        link: Link,
        closes: mpsc::UnboundedSender<Closed>,
    ) -> Self {
        Self {
            number,
            closes,
            wire,
            link,
            welcome: None,
            sessions: HashMap::new(),
            identities: Vec::new(),
            revoked: HashMap::new(),
        }
    }

    /// Whether dom0 has admitted the agent.
    pub(super) const fn is_welcome(&self) -> bool {
        self.welcome.is_some()
    }

    /// Bytes that wait to be sent.
    pub(super) const fn backlog(&self) -> usize {
        self.link.backlog()
    }

    /// When [`Self::on_deadline`] must be called if nothing comes before.
    pub(super) fn deadline(&self) -> Instant {
        self.link.deadline()
    }

    /// Time has passed.
    pub(super) fn on_deadline(&mut self, now: Instant) -> Result<(), LinkError> {
        self.link.on_deadline(now)
    }

    /// What has come, to be given to [`Self::on_event`].
    pub(super) fn next_event(&mut self) -> Option<LinkEvent> {
        self.link.next_event()
    }

    /// Waits until [`Self::transfer`] can do something.
    pub(super) async fn ready(&mut self) -> io::Result<()> {
        self.wire.ready(&self.link).await
    }

    /// Moves what can be moved in either direction.
    pub(super) fn transfer(&mut self, buffer: &mut [u8], now: Instant) -> Result<(), LinkError> {
        self.wire.write(&mut self.link)?;
        self.wire.read(&mut self.link, buffer, now)
    }

    /// Shows another token.
    pub(super) fn hello(&mut self, hello: Hello) {
        self.link.hello(hello);
    }

    /// Hands an event to those who wait for it.
    pub(super) fn on_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Welcome(welcome) => self.welcome = Some(welcome),
            LinkEvent::Identities(list) => {
                for answer in self.identities.drain(..) {
                    let _gone = answer.send(Ok(list.clone()));
                }
            }
            LinkEvent::Session(session, message) => self.deliver(session, message),
            LinkEvent::Revoked(code) => self.on_revoked(code),
            LinkEvent::Refused(_) => {}
            LinkEvent::SessionRevoked(session, code) => {
                tracing::warn!(session = session.0, %code, "dom0 ended a connection");
                if let Some(revoked) = self.revoked.remove(&session) {
                    revoked.send_replace(Some(code));
                }
            }
        }
    }

    fn deliver(&mut self, session: SessionId, message: Result<SessionMessage, Dom0Error>) {
        let Some(messages) = self.sessions.get(&session) else {
            return;
        };
        let is_last = !matches!(
            message,
            Ok(SessionMessage::Queued(_) | SessionMessage::ClientRecords(_))
        );
        if messages.try_send(message).is_err() {
            // It is gone, or far behind: the receiver finds its channel closed.
            self.link.close(session, None);
            self.sessions.remove(&session);
        } else if is_last {
            self.sessions.remove(&session);
        }
    }

    /// Ends all handshakes, and all TLS connections that were made here.
    fn on_revoked(&mut self, code: RefusalCode) {
        tracing::warn!(%code, "dom0 ended the right to the card");
        for (_, messages) in self.sessions.drain() {
            let _gone = messages.try_send(Err(Dom0Error::Revoked(code)));
        }
        for (_, revoked) in self.revoked.drain() {
            revoked.send_replace(Some(code));
        }
    }

    /// Does what a session or a request asks.
    ///
    /// # Errors
    /// [`LinkError`] when the connection must end.
    pub(super) fn on_command(&mut self, command: Command) -> Result<(), LinkError> {
        match command {
            Command::Open { wish, answer } => {
                let Some(welcome) = &self.welcome else {
                    let _gone = answer.send(Err(LinkError::BeforeWelcome));
                    return Ok(());
                };
                let limits = welcome.limits;
                let session = match self.link.open(wish) {
                    Ok(session) => session,
                    Err(error) => {
                        let _gone = answer.send(Err(error.clone()));
                        return Err(error);
                    }
                };
                let (sender, messages) = mpsc::channel(MAX_MESSAGES);
                let key = SessionKey {
                    connection: self.number,
                    session,
                };
                let closes = self.closes.clone();
                let (revoke, revoked) = watch::channel(None);
                self.revoked.insert(session, revoke);
                let opened = Opened {
                    guard: SessionGuard {
                        key,
                        alert: None,
                        closes,
                    },
                    limits,
                    messages,
                    revoked,
                };
                self.sessions.insert(session, sender);
                // If nobody waits any more, dropping the guard closes the session.
                let _gone = answer.send(Ok(opened));
            }
            Command::Identities { answer } => {
                if self.identities.is_empty() {
                    self.link.ask_identities();
                }
                self.identities.push(answer);
            }
            Command::ServerRecords { key, data } if key.connection == self.number => {
                self.link.server_records(key.session, data);
            }
            Command::PostHandshake { key, message } if key.connection == self.number => {
                self.link.post_handshake(key.session, message.to_vec());
            }
            Command::ServerRecords { .. } | Command::PostHandshake { .. } => {}
        }
        Ok(())
    }

    /// A session was dropped.
    pub(super) fn on_close(&mut self, closed: &Closed) {
        let key = closed.key;
        if key.connection == self.number {
            self.sessions.remove(&key.session);
            self.revoked.remove(&key.session);
            self.link.close(key.session, closed.alert);
        }
    }

    /// Tells all who wait why it ends, once its events were taken. What stands goes on: gives back who must
    /// hear of it when the right ends after all.
    pub(super) fn end(self, error: &LinkError) -> Vec<Revocation> {
        for messages in self.sessions.into_values() {
            let _gone = messages.try_send(Err(error.clone().into()));
        }
        for answer in self.identities {
            let _gone = answer.send(Err(error.clone()));
        }
        let revocations = self.revoked.into_values();
        revocations.filter(|revoked| !revoked.is_closed()).collect()
    }
}
