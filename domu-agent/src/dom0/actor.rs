//! The task that owns the connection to dom0.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use proto::agent::{IdentityInfo, RefusalCode, Welcome};
use proto::id::SessionId;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use zeroize::Zeroizing;

use super::backoff::Backoff;
use super::channel::Channel;
use super::error::{Dom0Error, LinkError};
use super::handle::{Command, LinkStatus, Opened, SessionGuard, SessionKey};
use super::link::{Link, LinkEvent, SessionMessage};

/// Messages that wait for one session; it is ended when there are more.
const MAX_MESSAGES: usize = 64;
/// No command is taken while this many bytes wait to be sent to dom0.
const MAX_BACKLOG: usize = 1 << 20;
/// Bytes read at once.
const READ_SIZE: usize = 16_384;

/// The state of the task.
pub(super) struct Actor {
    channel: Channel,
    commands: mpsc::Receiver<Command>,
    closes: mpsc::UnboundedReceiver<SessionKey>,
    /// Given to each session; see [`SessionGuard`].
    close_sender: mpsc::UnboundedSender<SessionKey>,
    status: watch::Sender<LinkStatus>,
    /// Counts connections, so that sessions of earlier ones are recognised.
    connection: u64,
    /// Commands that came while there was no connection.
    waiting: VecDeque<Command>,
}

/// One connection and those who wait for its messages.
struct Connection {
    number: u64,
    closes: mpsc::UnboundedSender<SessionKey>,
    stream: UnixStream,
    link: Link,
    welcome: Option<Welcome>,
    sessions: HashMap<SessionId, mpsc::Sender<Result<SessionMessage, Dom0Error>>>,
    identities: Vec<oneshot::Sender<Result<Vec<IdentityInfo>, LinkError>>>,
    revoked: watch::Sender<Option<RefusalCode>>,
}

impl Actor {
    pub(super) fn new(
        channel: Channel,
        commands: mpsc::Receiver<Command>,
        status: watch::Sender<LinkStatus>,
    ) -> Self {
        let (close_sender, closes) = mpsc::unbounded_channel();
        Self {
            channel,
            commands,
            closes,
            close_sender,
            status,
            connection: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Connects, serves, and connects again, until nobody needs it.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let error = match self.connect().await {
                Ok(connection) => match self.serve(connection, &mut backoff).await {
                    LinkError::Stopping => return,
                    error => error,
                },
                Err(error) => error,
            };
            self.on_disconnected(error);
            if self.rest(&mut backoff).await.is_none() {
                return;
            }
        }
    }

    async fn connect(&mut self) -> Result<Connection, LinkError> {
        let hello = self.channel.hello()?;
        let stream = self.channel.connect().await?;
        self.connection += 1;
        Ok(Connection {
            number: self.connection,
            closes: self.close_sender.clone(),
            stream,
            link: Link::new(hello, Instant::now().into_std()),
            welcome: None,
            sessions: HashMap::new(),
            identities: Vec::new(),
            revoked: watch::Sender::new(None),
        })
    }

    /// Serves a connection to its end.
    async fn serve(&mut self, mut connection: Connection, backoff: &mut Backoff) -> LinkError {
        let mut buffer = Zeroizing::new(vec![0; READ_SIZE]);
        loop {
            while let Some(event) = connection.link.next_event() {
                if let LinkEvent::Welcome(welcome) = &event {
                    backoff.reset();
                    self.on_welcome(welcome.clone());
                }
                connection.on_event(event);
            }
            if connection.welcome.is_some() {
                while let Some(command) = self.waiting.pop_front() {
                    if let Err(error) = connection.on_command(command) {
                        return connection.end(error);
                    }
                }
            }
            let takes_commands =
                connection.welcome.is_some() && connection.link.backlog() < MAX_BACKLOG;
            let deadline = connection.link.deadline().into();
            let step = tokio::select! {
                ready = connection.ready() => match ready {
                    Ok(()) => connection.transfer(&mut buffer),
                    Err(error) => Err(LinkError::Channel(Arc::new(error))),
                },
                command = self.commands.recv(), if takes_commands => match command {
                    Some(command) => connection.on_command(command),
                    None => Err(LinkError::Stopping),
                },
                Some(key) = self.closes.recv() => {
                    connection.on_close(key);
                    Ok(())
                }
                () = sleep_until(deadline) => {
                    connection.link.on_deadline(Instant::now().into_std())
                }
            };
            if let Err(error) = step {
                // What came before the end still counts.
                while let Some(event) = connection.link.next_event() {
                    connection.on_event(event);
                }
                return connection.end(error);
            }
        }
    }

    fn on_welcome(&self, welcome: Welcome) {
        tracing::info!(domain = %welcome.domain, "connected to dom0");
        self.status.send_replace(LinkStatus {
            welcome: Some(welcome),
            last_error: None,
        });
    }

    fn on_disconnected(&mut self, error: LinkError) {
        let was = self.status.borrow().clone();
        let same = was.last_error.map(|last| last.to_string());
        if same != Some(error.to_string()) {
            tracing::warn!(%error, "no connection to dom0");
        }
        for command in self.waiting.drain(..) {
            command.refuse(&error);
        }
        while let Ok(command) = self.commands.try_recv() {
            command.refuse(&error);
        }
        self.status.send_replace(LinkStatus {
            welcome: None,
            last_error: Some(error),
        });
    }

    /// Waits before the next attempt. A request cuts the wait short: it gets an attempt of its
    /// own. Gives nothing when nobody is left.
    async fn rest(&mut self, backoff: &mut Backoff) -> Option<()> {
        let wait = sleep(backoff.next());
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut wait => return Some(()),
                command = self.commands.recv() => {
                    let command = command?;
                    if command.needs_connection() {
                        self.waiting.push_back(command);
                        return Some(());
                    }
                }
                Some(_) = self.closes.recv() => {}
            }
        }
    }
}

impl Connection {
    async fn ready(&self) -> io::Result<()> {
        let interest = match self.link.to_send() {
            [] => Interest::READABLE,
            _ => Interest::READABLE | Interest::WRITABLE,
        };
        self.stream.ready(interest).await.map(drop)
    }

    /// Moves what can be moved in either direction.
    fn transfer(&mut self, buffer: &mut [u8]) -> Result<(), LinkError> {
        let broken = |error| LinkError::Channel(Arc::new(error));
        while !self.link.to_send().is_empty() {
            match self.stream.try_write(self.link.to_send()) {
                Ok(n) => self.link.on_sent(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // dom0 may have said why it closed; reading comes to the end by itself.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(broken(error)),
            }
        }
        match self.stream.try_read(buffer) {
            Ok(0) => Err(LinkError::Closed),
            Ok(n) => {
                let now = Instant::now().into_std();
                self.link.on_bytes(buffer.get(..n).unwrap_or_default(), now)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(broken(error)),
        }
    }

    fn on_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Welcome(welcome) => self.welcome = Some(welcome),
            LinkEvent::Identities(list) => {
                for answer in self.identities.drain(..) {
                    let _gone = answer.send(Ok(list.clone()));
                }
            }
            LinkEvent::Session(session, message) => self.deliver(session, message),
            LinkEvent::Revoked(code) => self.on_revoked(code),
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
            self.link.close(session);
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
        self.revoked.send_replace(Some(code));
        self.revoked = watch::Sender::new(None);
    }

    /// # Errors
    /// [`LinkError`] when the connection must end.
    fn on_command(&mut self, command: Command) -> Result<(), LinkError> {
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
                let opened = Opened {
                    guard: SessionGuard { key, closes },
                    limits,
                    messages,
                    revoked: self.revoked.subscribe(),
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

    fn on_close(&mut self, key: SessionKey) {
        if key.connection == self.number {
            self.sessions.remove(&key.session);
            self.link.close(key.session);
        }
    }

    /// Tells all who wait why it ends.
    fn end(self, error: LinkError) -> LinkError {
        for messages in self.sessions.into_values() {
            let _gone = messages.try_send(Err(error.clone().into()));
        }
        for answer in self.identities {
            let _gone = answer.send(Err(error.clone()));
        }
        error
    }
}

impl Command {
    const fn needs_connection(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Identities { .. })
    }

    /// Answers that there is no connection.
    fn refuse(self, error: &LinkError) {
        match self {
            Self::Open { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::Identities { answer } => drop(answer.send(Err(error.clone()))),
            Self::ServerRecords { .. } | Self::PostHandshake { .. } => {}
        }
    }
}
