//! One `connect`, from the request to the end of the TLS connection.

use std::io;

use proto::agent::RefusalCode;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::connect::{Connected, connect};
use super::connection::write;
use super::delivery;
use super::error::AppError;
use super::plan::Plan;
use super::request::Mode;
use super::state::AppState;
use crate::presence::{EarlyData, Interruption};

/// Serves the request of user `uid`; the application learns of every end but its own.
pub(super) async fn run(
    mut app: UnixStream,
    uid: u32,
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
        let deadline = started + plan.timeout.unwrap_or(state.timeout);
        tokio::select! {
            // First whether it is wanted at all.
            biased;
            interruption = wait(&mut early, &app, plan.mode) => match interruption {
                Interruption::Spoke => Err(too_early(plan.mode)),
                Interruption::Left => {
                    tracing::debug!("the application left during the handshake");
                    state.counters.failed();
                    return Ok(());
                }
            },
            connected = connect_until(deadline, &plan, state) => connected,
        }
    };
    match connected {
        Ok(connected) => {
            let _counted = state.counters.running();
            let standing = state.endings.begin(uid);
            let answer = connected.answer(standing.session(), &plan, started);
            match plan.mode {
                Mode::Stream => {
                    delivery::stream(connected, standing, app, answer, &early.bytes).await
                }
                Mode::Socket => {
                    let (permitted, kernel) = (plan.kernel_tls, &state.kernel_tls);
                    delivery::socket(connected, standing, app, answer, permitted, kernel).await
                }
                Mode::Keys => delivery::keys(connected, standing, app, answer).await,
            }
        }
        Err(error) => {
            state.counters.failed();
            tracing::info!(%error, "no connection");
            write(&mut app, &Answer::Error(error)).await
        }
    }
}

async fn connect_until(
    deadline: Instant,
    plan: &Plan,
    state: &AppState,
) -> Result<Connected, AppError> {
    let timed_out = || AppError::refused(RefusalCode::Timeout, "it took too long");
    let connected = timeout_at(deadline, connect(plan, state)).await;
    connected.unwrap_or_else(|_| Err(timed_out()))
}

/// Waits until the application gives the handshake up.
async fn wait(early: &mut EarlyData, app: &UnixStream, mode: Mode) -> Interruption {
    match mode {
        Mode::Stream => {
            early.read_until_left(app).await;
            Interruption::Left
        }
        Mode::Socket | Mode::Keys => early.wait_for_any(app).await,
    }
}

/// Only in mode `stream` do the bytes behind a request have somewhere to go.
fn too_early(mode: Mode) -> AppError {
    AppError::bad_request(format!(
        "data before the answer; in mode \"{mode}\" it has no place on this socket"
    ))
}
