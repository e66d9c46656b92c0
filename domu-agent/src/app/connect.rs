//! From a checked request to a TLS connection that stands.

use std::io;
use std::time::Duration;

use proto::agent::RefusalCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::answer::EstablishedAnswer;
use super::destination::Destination;
use super::error::AppError;
use super::plan::Plan;
use super::state::AppState;
use crate::dom0::{Dom0Error, LinkError, Session};
use crate::handshake::{Handover, HandshakeError, HandshakeRelay, Step};

/// Bytes of the server read at once during the handshake.
const READ_SIZE: usize = 16_384;
/// Time to give the server the alert of a refused handshake.
const ALERT_TIME: Duration = Duration::from_secs(1);

/// A TLS connection that stands.
pub(super) struct Connected {
    /// Where to; for the log.
    pub(super) destination: Destination,
    /// The TCP connection.
    pub(super) server: TcpStream,
    /// Says when the right to the card ends. Dropping it tells dom0 that the session is over.
    pub(super) session: Session,
    /// The keys, and what the server has sent already.
    pub(super) handover: Box<Handover>,
    /// How many records a key may seal, if that is less than its algorithm lets it.
    pub(super) records_per_key: Option<u64>,
}

impl Connected {
    /// What the application is told in every mode.
    pub(super) fn answer(&self, session: u64, plan: &Plan, started: Instant) -> EstablishedAnswer {
        let total = started.elapsed().as_millis();
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let message = &self.handover.message;
        let answer = EstablishedAnswer::new(session, message, &plan.server_name, total);
        tracing::info!(
            destination = %self.destination,
            mode = %plan.mode,
            version = answer.version,
            cipher_suite = answer.cipher_suite,
            card_ms = answer.card_ms,
            wait_ms = answer.wait_ms,
            "established"
        );
        answer
    }
}

/// Makes the TCP connection and runs the handshake over it; once more when dom0 says that another
/// card can be had at once. Dropping this at any time ends both.
pub(super) async fn connect(plan: &Plan, state: &AppState) -> Result<Connected, AppError> {
    match try_connect(plan, state).await {
        Err(Failure::OtherCard(error)) => {
            tracing::info!(%error, "trying again with another card");
            try_connect(plan, state).await.map_err(AppError::from)
        }
        tried => tried.map_err(AppError::from),
    }
}

/// Why there is no connection.
enum Failure {
    /// The card of the handshake failed, and there is another one.
    OtherCard(AppError),
    /// Trying again would not help, or not now.
    Final(AppError),
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::Final(error)
    }
}

impl From<Dom0Error> for Failure {
    fn from(error: Dom0Error) -> Self {
        Self::Final(error.into())
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        Self::Final(error.into())
    }
}

impl From<HandshakeError> for Failure {
    fn from(error: HandshakeError) -> Self {
        Self::Final(error.into())
    }
}

impl From<Failure> for AppError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::OtherCard(error) | Failure::Final(error) => error,
        }
    }
}

async fn try_connect(plan: &Plan, state: &AppState) -> Result<Connected, Failure> {
    let destination = (plan.destination.host(), plan.destination.port());
    let failed =
        |error: io::Error| AppError::connect_failed(format!("{}: {error}", plan.destination));
    let mut server = TcpStream::connect(destination).await.map_err(failed)?;
    server.set_nodelay(true).map_err(failed)?;
    let mut session = state.dom0.open(plan.wish()).await?;
    let handover = shake_hands(&mut server, &mut session).await?;
    Ok(Connected {
        destination: plan.destination.clone(),
        server,
        session,
        handover,
        records_per_key: state.records_per_key,
    })
}

async fn shake_hands(
    server: &mut TcpStream,
    session: &mut Session,
) -> Result<Box<Handover>, Failure> {
    let mut relay = HandshakeRelay::new(session.limits().handshake_bytes);
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let message = tokio::select! {
            message = session.next() => message?,
            ready = server.readable(), if relay.wants_server_bytes() => {
                ready.map_err(broken)?;
                let records = read_records(server, &mut relay, &mut buffer)?;
                if !records.is_empty() {
                    session.server_records(records).await?;
                }
                continue;
            }
        };
        match relay.on_dom0(message)? {
            Step::SendToServer(bytes) => server.write_all(&bytes).await.map_err(broken)?,
            Step::Wait(queued) => {
                tracing::debug!(queued.place, queued.expected_ms, "waiting for the card");
            }
            Step::Established(handover) => return Ok(handover),
            Step::Refused(refused) => {
                let alert = refused.alert.unwrap_or_default();
                let sent = timeout(ALERT_TIME, server.write_all(&alert)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    tracing::debug!("the server did not take the alert");
                }
                let error = AppError::refused(refused.code, refused.message);
                return Err(match refused.retry_after_ms {
                    Some(0) => Failure::OtherCard(error),
                    _ => Failure::Final(error),
                });
            }
        }
    }
}

/// The whole records among what the server has sent, at most some [`READ_SIZE`] bytes at once.
fn read_records(
    server: &TcpStream,
    relay: &mut HandshakeRelay,
    buffer: &mut [u8],
) -> Result<Vec<u8>, AppError> {
    let mut records = Vec::new();
    while relay.wants_server_bytes() && records.len() < READ_SIZE {
        // Never beyond the handshake: what comes after it may be for the kernel.
        let wanted = relay.wanted_server_bytes().clamp(1, READ_SIZE);
        match server.try_read(buffer.get_mut(..wanted).unwrap_or_default()) {
            // What it has said comes first.
            Ok(0) if !records.is_empty() => break,
            Ok(0) => relay.on_server_closed()?,
            Ok(n) => records.extend(relay.on_server_bytes(buffer.get(..n).unwrap_or_default())?),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // It may come after an alert that dom0 is about to explain.
            Err(error) => relay.on_server_closed().map_err(|_| broken(error))?,
        }
    }
    Ok(records)
}

fn broken(error: io::Error) -> AppError {
    let text = format!("connection to the server: {error}");
    AppError::refused(RefusalCode::HandshakeFailed, text)
}
