//! What the rest of the agent sees of dom0.

use proto::agent::{IdentityInfo, RefusalCode, Refused, Welcome, WelcomeLimits};
use proto::id::SessionId;
use proto::tls::AlertDescription;
use tokio::sync::{mpsc, oneshot, watch};
use zeroize::Zeroizing;

use super::actor::Actor;
use super::channel::Channel;
use super::error::{Dom0Error, LinkError};
use super::link::{SessionMessage, Wish};
use super::tls::HvPin;
use super::token_watch::TokenPlace;

/// Commands that wait for the task; more make their senders wait.
const MAX_COMMANDS: usize = 64;

/// Which session on which connection. A number means nothing on a later connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionKey {
    pub(super) connection: u64,
    pub(super) session: SessionId,
}

/// What the task is asked to do.
pub(super) enum Command {
    Open {
        wish: Wish,
        answer: oneshot::Sender<Result<Opened, LinkError>>,
    },
    Identities {
        answer: oneshot::Sender<Result<Vec<IdentityInfo>, LinkError>>,
    },
    ServerRecords {
        key: SessionKey,
        data: Vec<u8>,
    },
    PostHandshake {
        key: SessionKey,
        message: Zeroizing<Vec<u8>>,
    },
}

/// A session that dom0 was asked for.
pub(super) struct Opened {
    pub(super) guard: SessionGuard,
    pub(super) limits: WelcomeLimits,
    pub(super) messages: mpsc::Receiver<Result<SessionMessage, Dom0Error>>,
    pub(super) revoked: watch::Receiver<Option<RefusalCode>>,
}

/// A session that was dropped.
pub(super) struct Closed {
    pub(super) key: SessionKey,
    /// The alert by which the server ended it.
    pub(super) alert: Option<AlertDescription>,
}

/// Tells the task when a session is dropped, wherever that happens.
pub(super) struct SessionGuard {
    pub(super) key: SessionKey,
    pub(super) alert: Option<AlertDescription>,
    pub(super) closes: mpsc::UnboundedSender<Closed>,
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        // Without a task there is no connection on which dom0 could still know the session.
        let _stopped = self.closes.send(Closed {
            key: self.key,
            alert: self.alert,
        });
    }
}

/// How the connection is doing.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinkStatus {
    /// Whether the channel has TLS.
    pub(crate) is_secure: bool,
    /// Where the token is.
    pub(crate) token_place: Option<TokenPlace>,
    /// Who vouches for dom0; none while there is no connection with TLS.
    pub(crate) pin: Option<HvPin>,
    /// The code with which dom0 ended the right that the connection was made with; none once
    /// another token is taken.
    pub(crate) revoked: Option<RefusalCode>,
    /// The last no of dom0 to a token.
    pub(crate) last_refusal: Option<Refused>,
    /// What dom0 said when it admitted the agent; none while there is no connection.
    pub(crate) welcome: Option<Welcome>,
    /// Why the last connection or attempt ended.
    pub(crate) last_error: Option<LinkError>,
}

/// The connection to dom0, for everyone who needs it. The task behind it ends with the last of
/// these and of their sessions.
#[derive(Clone)]
pub(crate) struct Dom0 {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<LinkStatus>,
}

impl Dom0 {
    /// Starts the task that connects, and connects again.
    pub(crate) fn start(channel: Channel) -> Self {
        let (commands, command_receiver) = mpsc::channel(MAX_COMMANDS);
        let (status_sender, status) = watch::channel(LinkStatus {
            is_secure: channel.is_secure(),
            token_place: Some(channel.token_place().clone()),
            ..LinkStatus::default()
        });
        tokio::spawn(Actor::new(channel, command_receiver, status_sender).run());
        Self { commands, status }
    }

    /// Asks for a handshake. Without a connection one attempt is waited for.
    pub(crate) async fn open(&self, wish: Wish) -> Result<Session, LinkError> {
        let (answer, answered) = oneshot::channel();
        self.command(Command::Open { wish, answer }).await?;
        let opened = answered.await.map_err(|_| LinkError::Stopping)??;
        Ok(Session {
            opened,
            commands: self.commands.clone(),
        })
    }

    /// Asks what the guest may use.
    pub(crate) async fn identities(&self) -> Result<Vec<IdentityInfo>, LinkError> {
        let (answer, answered) = oneshot::channel();
        self.command(Command::Identities { answer }).await?;
        answered.await.map_err(|_| LinkError::Stopping)?
    }

    /// How the connection is doing.
    pub(crate) fn status(&self) -> LinkStatus {
        self.status.borrow().clone()
    }

    #[cfg(test)]
    pub(crate) async fn wait_until(&mut self, is: impl FnMut(&LinkStatus) -> bool) -> LinkStatus {
        self.status
            .wait_for(is)
            .await
            .expect("the task runs")
            .clone()
    }

    async fn command(&self, command: Command) -> Result<(), LinkError> {
        let sent = self.commands.send(command).await;
        sent.map_err(|_| LinkError::Stopping)
    }
}

/// One session of dom0. Dropping it tells dom0 that it is over, whatever state it is in.
pub(crate) struct Session {
    opened: Opened,
    commands: mpsc::Sender<Command>,
}

impl Session {
    /// The limits that dom0 has set.
    pub(crate) const fn limits(&self) -> WelcomeLimits {
        self.opened.limits
    }

    /// Becomes a code when the right to the card ends.
    pub(crate) fn revoked(&self) -> watch::Receiver<Option<RefusalCode>> {
        self.opened.revoked.clone()
    }

    /// What dom0 says next. Can be cancelled.
    pub(crate) async fn next(&mut self) -> Result<SessionMessage, Dom0Error> {
        let message = self.opened.messages.recv().await;
        message.unwrap_or(Err(Dom0Error::Flooded))
    }

    /// Passes whole records of the server on.
    pub(crate) async fn server_records(&self, data: Vec<u8>) -> Result<(), LinkError> {
        let key = self.opened.guard.key;
        let sent = self
            .commands
            .send(Command::ServerRecords { key, data })
            .await;
        sent.map_err(|_| LinkError::Stopping)
    }

    /// The server has ended the connection by an alert, which dom0 should know of.
    pub(crate) fn ended_by(&mut self, alert: AlertDescription) {
        self.opened.guard.alert = Some(alert);
    }

    /// Passes a ticket on; it is dropped when dom0 cannot keep up.
    pub(crate) fn post_handshake(&self, message: Zeroizing<Vec<u8>>) {
        let key = self.opened.guard.key;
        let command = Command::PostHandshake { key, message };
        if self.commands.try_send(command).is_err() {
            tracing::debug!("ticket dropped");
        }
    }
}

/// Waits until the right ends; for ever if nobody is left who could say so.
pub(crate) async fn revocation(revoked: &mut watch::Receiver<Option<RefusalCode>>) -> RefusalCode {
    let code = match revoked.wait_for(Option::is_some).await {
        Ok(code) => *code,
        Err(_closed) => None,
    };
    match code {
        Some(code) => code,
        None => std::future::pending().await,
    }
}
