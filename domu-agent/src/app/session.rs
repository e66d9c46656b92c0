//! One `connect`, from the request to the end of the TLS connection.

use std::io;
use std::time::Duration;

use proto::agent::RefusalCode;
use proto::tls::RecordLayer;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{Answer, EstablishedAnswer};
use super::connection::write;
use super::error::{AppError, Chain};
use super::plan::Plan;
use super::state::AppState;
use crate::dom0::{Dom0, Session};
use crate::handshake::{Handover, HandshakeRelay, Step};
use crate::presence::EarlyData;
use crate::stream::{Ends, StreamError, StreamRelay, pump};

/// Bytes of the server read at once during the handshake.
const READ_SIZE: usize = 16_384;
/// Time to give the server the alert of a refused handshake.
const ALERT_TIME: Duration = Duration::from_secs(1);

/// A TLS connection that stands.
struct Connected {
    server: TcpStream,
    session: Session,
    handover: Box<Handover>,
}

/// Serves the request; the application learns of every end but its own.
pub(super) async fn run(
    mut app: UnixStream,
    early: Vec<u8>,
    plan: Plan,
    state: &AppState,
) -> io::Result<()> {
    let started = Instant::now();
    let mut early = EarlyData {
        bytes: early,
        ended: false,
    };
    let connected = {
        let _counted = state.counters.handshake();
        let connected = async {
            let deadline = started + plan.timeout.unwrap_or(state.timeout);
            let connected = timeout_at(deadline, connect(&plan, &state.dom0)).await;
            let timed_out = || AppError::refused(RefusalCode::Timeout, "it took too long");
            let connected = connected.unwrap_or_else(|_| Err(timed_out()))?;
            Ok::<_, AppError>(connected)
        };
        tokio::select! {
            connected = connected => connected,
            () = early.read_until_left(&app) => {
                tracing::debug!("the application left during the handshake");
                state.counters.failed();
                return Ok(());
            }
        }
    };
    match connected {
        Ok(connected) => {
            let _counted = state.counters.running();
            connected.serve(app, &early, &plan, started).await
        }
        Err(error) => {
            state.counters.failed();
            tracing::info!(%error, "no connection");
            write(&mut app, &Answer::Error(error)).await
        }
    }
}

impl Connected {
    /// Carries plaintext until both directions have ended.
    async fn serve(
        self,
        mut app: UnixStream,
        early: &EarlyData,
        plan: &Plan,
        started: Instant,
    ) -> io::Result<()> {
        let Handover { message, surplus } = *self.handover;
        let total = started.elapsed().as_millis();
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let answer = EstablishedAnswer::new(&message, &plan.server_name, total);
        let layer = match RecordLayer::new(message.into_keys()) {
            Ok(layer) => layer,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "keys from dom0");
                let error = AppError::refused(RefusalCode::Protocol, "unusable keys from dom0");
                return write(&mut app, &Answer::Error(error)).await;
            }
        };
        tracing::info!(
            destination = %plan.destination,
            version = answer.version,
            cipher_suite = answer.cipher_suite,
            card_ms = answer.card_ms,
            wait_ms = answer.wait_ms,
            "established"
        );
        write(&mut app, &Answer::Established(answer)).await?;

        let mut relay = StreamRelay::new(layer, &surplus);
        relay.on_app_bytes(&early.bytes);
        let ends = Ends {
            app,
            server: self.server,
            revoked: self.session.revoked(),
        };
        let session = self.session;
        match pump(relay, ends, |ticket| session.post_handshake(ticket)).await {
            Ok(()) => tracing::debug!(destination = %plan.destination, "closed"),
            Err(error @ StreamError::App(_)) => {
                tracing::debug!(destination = %plan.destination, error = %Chain(&error), "ended");
            }
            Err(error) => {
                tracing::warn!(destination = %plan.destination, error = %Chain(&error), "ended");
            }
        }
        Ok(())
    }
}

/// Makes the TCP connection and runs the handshake over it. Dropping this at any time ends both.
async fn connect(plan: &Plan, dom0: &Dom0) -> Result<Connected, AppError> {
    let destination = (plan.destination.host(), plan.destination.port());
    let failed =
        |error: io::Error| AppError::connect_failed(format!("{}: {error}", plan.destination));
    let server = TcpStream::connect(destination).await.map_err(failed)?;
    server.set_nodelay(true).map_err(failed)?;
    let session = dom0.open(plan.wish()).await?;
    shake_hands(server, session).await
}

async fn shake_hands(mut server: TcpStream, mut session: Session) -> Result<Connected, AppError> {
    let broken = |error: io::Error| {
        let text = format!("connection to the server: {error}");
        AppError::refused(RefusalCode::HandshakeFailed, text)
    };
    let mut relay = HandshakeRelay::new(session.limits().handshake_bytes);
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let message = tokio::select! {
            message = session.next() => message?,
            ready = server.readable(), if relay.wants_server_bytes() => {
                ready.map_err(broken)?;
                match server.try_read(&mut buffer) {
                    Ok(0) => relay.on_server_closed()?,
                    Ok(n) => {
                        let bytes = buffer.get(..n).unwrap_or_default();
                        for record in relay.on_server_bytes(bytes)? {
                            session.server_records(record).await?;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // It may come after an alert that dom0 is about to explain.
                    Err(error) => relay.on_server_closed().map_err(|_| broken(error))?,
                }
                continue;
            }
        };
        match relay.on_dom0(message)? {
            Step::SendToServer(bytes) => server.write_all(&bytes).await.map_err(broken)?,
            Step::Wait(queued) => {
                tracing::debug!(queued.place, queued.expected_ms, "waiting for the card");
            }
            Step::Established(handover) => {
                return Ok(Connected {
                    server,
                    session,
                    handover,
                });
            }
            Step::Refused(refused) => {
                let alert = refused.alert.unwrap_or_default();
                let sent = timeout(ALERT_TIME, server.write_all(&alert)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    tracing::debug!("the server did not take the alert");
                }
                return Err(AppError::refused(refused.code, refused.message));
            }
        }
    }
}
