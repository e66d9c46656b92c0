//! The task that owns the connection to dom0.

use std::collections::VecDeque;
use std::sync::Arc;

use proto::agent::{Hello, RefusalCode, Refused, Welcome};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until};
use zeroize::Zeroizing;

use super::backoff::Backoff;
use super::channel::Channel;
use super::connection::{Connection, Revocation};
use super::error::LinkError;
use super::handle::{Closed, Command, LinkStatus};
use super::link::{Link, LinkEvent};
use super::token_watch::{LOOK, TokenWatch};

/// No command is taken while this many bytes wait to be sent to dom0.
const MAX_BACKLOG: usize = 1 << 20;
/// Bytes read at once.
const READ_SIZE: usize = 16_384;

/// The state of the task.
pub(super) struct Actor {
    channel: Channel,
    commands: mpsc::Receiver<Command>,
    closes: mpsc::UnboundedReceiver<Closed>,
    /// Given to each session, which says there when it is dropped.
    close_sender: mpsc::UnboundedSender<Closed>,
    status: watch::Sender<LinkStatus>,
    /// Counts connections, so that sessions of earlier ones are recognised.
    connection: u64,
    /// Commands that came while there was no connection.
    waiting: VecDeque<Command>,
    token: TokenWatch,
    look: Interval,
    /// When to show the same token again, after the right ended.
    ask_again: Option<Instant>,
    patience: Backoff,
    /// Those of TLS connections that were made over earlier connections.
    standing: Vec<Revocation>,
}

impl Actor {
    pub(super) fn new(
        channel: Channel,
        commands: mpsc::Receiver<Command>,
        status: watch::Sender<LinkStatus>,
    ) -> Self {
        let (close_sender, closes) = mpsc::unbounded_channel();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            token: channel.token_watch(),
            look,
            channel,
            commands,
            closes,
            close_sender,
            status,
            connection: 0,
            waiting: VecDeque::new(),
            ask_again: None,
            patience: Backoff::new(),
            standing: Vec::new(),
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
        let hello = self.hello().await?;
        let (wire, pin) = self.channel.connect().await?;
        self.status.send_modify(|status| status.pin = pin);
        let link = Link::new(hello, Instant::now().into_std());
        self.connection += 1;
        let closes = self.close_sender.clone();
        Ok(Connection::new(self.connection, wire, link, closes))
    }

    /// What to say first, with the token as it is now.
    async fn hello(&mut self) -> Result<Hello, LinkError> {
        let token = self.token.read().await;
        token
            .map(Channel::hello)
            .map_err(|error| LinkError::Token(Arc::new(error)))
    }

    /// Serves a connection to its end.
    async fn serve(&mut self, mut connection: Connection, backoff: &mut Backoff) -> LinkError {
        let mut buffer = Zeroizing::new(vec![0; READ_SIZE]);
        loop {
            self.take_events(&mut connection, backoff);
            if connection.is_welcome() {
                while let Some(command) = self.waiting.pop_front() {
                    if let Err(error) = connection.on_command(command) {
                        return self.on_end(connection, backoff, error);
                    }
                }
            }
            let takes_commands = connection.is_welcome() && connection.backlog() < MAX_BACKLOG;
            let deadline = connection.deadline().into();
            let step = tokio::select! {
                ready = connection.ready() => match ready {
                    Ok(()) => connection.transfer(&mut buffer, Instant::now().into_std()),
                    Err(error) => Err(LinkError::Channel(Arc::new(error))),
                },
                command = self.commands.recv(), if takes_commands => match command {
                    Some(command) => connection.on_command(command),
                    None => Err(LinkError::Stopping),
                },
                Some(closed) = self.closes.recv() => {
                    connection.on_close(&closed);
                    Ok(())
                }
                _ = self.look.tick(), if connection.is_welcome() => {
                    self.show_token(&mut connection).await;
                    Ok(())
                }
                () = self.token.changed(), if connection.is_welcome() => {
                    self.show_token(&mut connection).await;
                    Ok(())
                }
                () = sleep_until(deadline) => connection.on_deadline(Instant::now().into_std()),
            };
            if let Err(error) = step {
                return self.on_end(connection, backoff, error);
            }
        }
    }

    /// Takes what has come.
    fn take_events(&mut self, connection: &mut Connection, backoff: &mut Backoff) {
        while let Some(event) = connection.next_event() {
            match &event {
                LinkEvent::Welcome(welcome) => {
                    backoff.reset();
                    self.on_welcome(welcome.clone());
                }
                LinkEvent::Revoked(code) => self.on_revoked(*code),
                LinkEvent::Refused(refused) => self.on_refused(refused),
                _ => {}
            }
            connection.on_event(event);
        }
    }

    fn on_welcome(&mut self, welcome: Welcome) {
        self.ask_again = None;
        tracing::info!(domain = %welcome.domain, "connected to dom0");
        self.status.send_modify(|status| {
            status.welcome = Some(welcome);
            status.revoked = None;
            status.last_refusal = None;
            status.last_error = None;
        });
    }

    /// TLS connections that were made over this one stand without it.
    fn on_end(
        &mut self,
        mut connection: Connection,
        backoff: &mut Backoff,
        error: LinkError,
    ) -> LinkError {
        // What came together with the end.
        self.take_events(&mut connection, backoff);
        self.standing.retain(|revoked| !revoked.is_closed());
        self.standing.extend(connection.end(&error));
        error
    }

    /// The right ended: with what was made over this connection, which it sees to itself, goes what
    /// was made over earlier ones.
    fn on_revoked(&mut self, code: RefusalCode) {
        for revoked in self.standing.drain(..) {
            revoked.send_replace(Some(code));
        }
        self.patience.reset();
        self.ask_again = Some(Instant::now() + self.patience.next());
        self.status
            .send_modify(|status| status.revoked = Some(code));
    }

    /// A token that is not taken changes nothing.
    fn on_refused(&self, refused: &Refused) {
        if self.status.borrow().last_refusal.as_ref() != Some(refused) {
            tracing::warn!(code = %refused.code, message = refused.message, "dom0 refused");
        }
        self.status
            .send_modify(|status| status.last_refusal = Some(refused.clone()));
    }

    /// Shows dom0 a token that was put in place since the last one. When the right has ended,
    /// the same one from time to time: the administrator may think better of it.
    async fn show_token(&mut self, connection: &mut Connection) {
        let now = Instant::now();
        let is_new = self.token.is_new();
        let is_time = self.ask_again.is_some_and(|at| now >= at);
        if !is_new && !is_time {
            return;
        }
        if is_time {
            self.ask_again = Some(now + self.patience.next());
        }
        match self.hello().await {
            Ok(hello) => {
                if is_new {
                    tracing::info!("new token");
                }
                connection.hello(hello);
            }
            Err(error) => {
                tracing::warn!(%error, "the token cannot be used");
                self.status
                    .send_modify(|status| status.last_error = Some(error));
            }
        }
    }

    fn on_disconnected(&mut self, error: LinkError) {
        let same = self
            .status
            .borrow()
            .last_error
            .as_ref()
            .map(ToString::to_string);
        if same != Some(error.to_string()) {
            tracing::warn!(%error, "no connection to dom0");
        }
        // It may have ended while dom0 could not say so.
        if let LinkError::Refused(refused) = &error
            && ends_right(refused.code)
        {
            self.on_revoked(refused.code);
        }
        for command in self.waiting.drain(..) {
            command.refuse(&error);
        }
        while let Ok(command) = self.commands.try_recv() {
            command.refuse(&error);
        }
        self.status.send_modify(|status| {
            status.welcome = None;
            status.pin = None;
            if let LinkError::Refused(refused) = &error {
                status.last_refusal = Some(refused.clone());
            }
            status.last_error = Some(error);
        });
    }

    /// Waits before the next attempt. A request cuts the wait short, it gets an attempt of its
    /// own, and so does a new token. Gives nothing when nobody is left.
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
                _ = self.look.tick() => {
                    if self.token.is_new() {
                        backoff.reset();
                        return Some(());
                    }
                }
                () = self.token.changed() => {
                    if self.token.is_new() {
                        backoff.reset();
                        return Some(());
                    }
                }
                Some(_) = self.closes.recv() => {}
            }
        }
    }
}

/// Whether a guest that is refused with this code has no right any more, whatever it had.
const fn ends_right(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::TokenRevoked | RefusalCode::TokenExpired | RefusalCode::NotBound
    )
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
