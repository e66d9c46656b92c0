//! The requests of one application.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::allow::{Caller, Denied};
use super::answer::Answer;
use super::error::AppError;
use super::line::{Line, LineReader, MAX_LINE};
use super::plan::Plan;
use super::request::{ConnectRequest, Request};
use super::session;
use super::state::AppState;
use crate::fd_passing;

/// How long an application may keep its connection without a request.
const IDLE: Duration = Duration::from_secs(60);

/// Answers requests until the application ends, or one becomes a TLS connection that has ended.
pub(super) async fn serve(stream: UnixStream, state: &AppState) {
    if let Err(error) = try_serve(stream, state).await {
        tracing::debug!(%error, "application");
    }
}

async fn try_serve(mut stream: UnixStream, state: &AppState) -> io::Result<()> {
    let caller = Caller::of(&stream, &state.allow).await?;
    let mut lines = LineReader::default();
    loop {
        let line = match timeout(IDLE, lines.next(&mut stream)).await {
            Ok(line) => line?,
            Err(_idle) => return Ok(()),
        };
        let answer = match line {
            Line::End => return Ok(()),
            Line::TooLong => {
                let error = AppError::bad_request(format!("line of more than {MAX_LINE} bytes"));
                return write(&mut stream, &Answer::Error(error)).await;
            }
            Line::Whole(line) => match Request::parse(&line) {
                Ok(Request::Connect(request)) => match permit(*request, &caller, state) {
                    Ok(plan) => {
                        let early = lines.into_rest();
                        return session::run(stream, caller.uid, early, plan, state).await;
                    }
                    Err(error) => {
                        state.counters.failed();
                        // What follows may be plaintext: it must not be read as a request.
                        return write(&mut stream, &Answer::Error(error)).await;
                    }
                },
                Ok(Request::Identities) => identities(&caller, state).await,
                Ok(Request::Ended(session)) => match state.allow.rights(&caller) {
                    Ok(_) => ended(session, &caller, state),
                    Err(denied) => Answer::Error(deny(denied, &caller)),
                },
                Ok(Request::Status) => match state.allow.rights(&caller) {
                    Ok(_) => Answer::Status(state.status()),
                    Err(denied) => Answer::Error(deny(denied, &caller)),
                },
                Err(error) => Answer::Error(error),
            },
        };
        write(&mut stream, &answer).await?;
    }
}

/// What is to be done, if the caller may have it done.
fn permit(request: ConnectRequest, caller: &Caller, state: &AppState) -> Result<Plan, AppError> {
    let plan = Plan::try_from(request)?;
    let rights = state.allow.rights(caller);
    let permitted = rights.and_then(|rights| plan.permit(&rights));
    permitted.map_err(|denied| deny(denied, caller))
}

/// The identities that the caller may use.
async fn identities(caller: &Caller, state: &AppState) -> Answer {
    let rights = match state.allow.rights(caller) {
        Ok(rights) => rights,
        Err(denied) => return Answer::Error(deny(denied, caller)),
    };
    match state.dom0.identities().await {
        Ok(mut list) => {
            list.retain(|identity| rights.may_see(identity.name.as_str()));
            Answer::Identities(list.into_iter().map(Into::into).collect())
        }
        Err(error) => Answer::Error(error.into()),
    }
}

/// How a connection of the caller ended.
fn ended(session: u64, caller: &Caller, state: &AppState) -> Answer {
    match state.endings.of(session, caller.uid) {
        Some(ended) => Answer::Ended(ended),
        None => Answer::Error(AppError::bad_request(format!(
            "no session {session} of yours, or it ended too long ago"
        ))),
    }
}

/// Tells the log who was told no.
fn deny(denied: Denied, caller: &Caller) -> AppError {
    let Caller { uid, gid, pid, .. } = caller;
    tracing::warn!(uid, gid, pid, "{denied}");
    denied.into()
}

/// Sends one line.
pub(super) async fn write(stream: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    stream.write_all(answer.to_line().as_bytes()).await
}

/// Sends one line; `fd` comes along with its first byte.
pub(super) async fn write_with_fd(
    stream: &mut UnixStream,
    line: &[u8],
    fd: BorrowedFd<'_>,
) -> io::Result<()> {
    let first = || fd_passing::send(&*stream, line, fd);
    let sent = stream.async_io(Interest::WRITABLE, first).await?;
    stream.write_all(line.get(sent..).unwrap_or_default()).await
}
