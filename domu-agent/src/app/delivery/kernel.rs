//! The TCP connection itself: the kernel seals and opens the records.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::RefusalCode;
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::given::Given;
use super::relay;
use crate::app::answer::{Answer, EstablishedAnswer};
use crate::app::connect::Connected;
use crate::app::connection::{write, write_with_fd};
use crate::app::endings::Standing;
use crate::app::error::AppError;
use crate::dom0::revocation;
use crate::kernel_tls::{AttachError, KernelSupport, KernelTls, Obstacle, choose};
use crate::presence;
use crate::stream::StreamError;

/// What `via` says of a socket that the kernel serves.
const KERNEL: &str = "ktls";
/// How long a close_notify may wait for a server that does not read.
const LINGER: Duration = Duration::from_secs(5);
/// How often it is tried meanwhile.
const RETRY: Duration = Duration::from_millis(50);

/// Mode `socket`: the application gets the TCP connection with the keys in the kernel if that can
/// be, and else one end of a relay. Returns when the connection is over as far as the agent is
/// concerned.
pub(in crate::app) async fn socket(
    connected: Connected,
    standing: Standing<'_>,
    mut app: UnixStream,
    answer: EstablishedAnswer,
    permitted: Result<(), Obstacle>,
    support: &KernelSupport,
) -> io::Result<()> {
    match attach(&connected, permitted, support) {
        Ok(true) => kernel(connected, standing, app, answer).await,
        Ok(false) => relay::socket(connected, standing, app, answer).await,
        Err(error) => write(&mut app, &Answer::Error(error)).await,
    }
}

/// Whether the kernel has taken over.
fn attach(
    connected: &Connected,
    permitted: Result<(), Obstacle>,
    support: &KernelSupport,
) -> Result<bool, AppError> {
    let destination = &connected.destination;
    let (keys, surplus) = (
        &connected.handover.message.keys,
        &connected.handover.surplus,
    );
    let keys = match choose(permitted, support, keys, surplus) {
        Ok(keys) => keys,
        Err(obstacle) => {
            tracing::debug!(%destination, %obstacle, "relay");
            return Ok(false);
        }
    };
    match KernelTls::attach(&connected.server, &keys) {
        Ok(()) => Ok(true),
        Err(error @ AttachError::Unchanged { .. }) => {
            // The server may have ended its direction already: then TCP_ULP is refused.
            tracing::info!(%destination, %error, "relay");
            Ok(false)
        }
        Err(error @ AttachError::HalfWay(_)) => {
            tracing::error!(%destination, %error, "kernel TLS");
            let text = "the kernel took the keys of one direction only";
            Err(AppError::refused(RefusalCode::Internal, text))
        }
    }
}

/// Hands the connection over. The socket of the request is its lease: while it is open the agent
/// shuts the connection down when the right to the card ends; when the application ends it, the
/// agent says close_notify and lets go.
async fn kernel(
    connected: Connected,
    standing: Standing<'_>,
    mut app: UnixStream,
    answer: EstablishedAnswer,
) -> io::Result<()> {
    let (given, handover) = match Given::take(connected) {
        Ok(given) => given,
        Err(error) => return write(&mut app, &Answer::Error(error)).await,
    };
    drop(handover);
    let Given {
        destination,
        server,
        mut session,
        mut revoked,
    } = given;
    let connection = Arc::new(KernelTls::new(server));
    standing.watch(&connection);
    let answer = EstablishedAnswer {
        via: Some(KERNEL.to_owned()),
        ..answer
    };
    let line = Answer::Established(answer).to_line();
    let leased = async {
        write_with_fd(&mut app, line.as_bytes(), connection.as_fd()).await?;
        presence::silent(&app).await;
        close(&connection).await;
        presence::left(&app).await;
        Ok(())
    };
    tokio::select! {
        biased;
        code = revocation(&mut revoked) => {
            tracing::warn!(%destination, %code, "the right to the card has ended");
            connection.shut_down(Shutdown::Both);
            standing.end_as(&Err(StreamError::Revoked(code)));
            Ok(())
        }
        leased = leased => {
            if let Some(sight) = connection.look() {
                let result = sight.as_result();
                if let Err(StreamError::Alert(alert)) = &result {
                    session.ended_by(alert.description);
                }
                standing.end_as(&result);
            }
            tracing::debug!(%destination, "closed");
            leased
        }
    }
}

/// Says close_notify as far as the server reads, and ends the sending direction of TCP.
async fn close(connection: &Arc<KernelTls>) {
    let closed = async {
        loop {
            let connection = Arc::clone(connection);
            // Another thread may be within a call that sends.
            match spawn_blocking(move || connection.try_close()).await {
                Ok(Err(_would_block)) => sleep(RETRY).await,
                Ok(Ok(())) | Err(_) => return,
            }
        }
    };
    if timeout(LINGER, closed).await.is_err() {
        // It also wakes up whoever waits in such a call.
        connection.shut_down(Shutdown::Write);
    }
}
