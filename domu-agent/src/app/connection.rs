//! The requests of one application.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::answer::Answer;
use super::error::AppError;
use super::line::{Line, LineReader, MAX_LINE};
use super::request::Request;
use super::session;
use super::state::AppState;

/// How long an application may keep its connection without a request.
const IDLE: Duration = Duration::from_secs(60);

/// Answers requests until the application ends, or one becomes a TLS connection that has ended.
pub(super) async fn serve(stream: UnixStream, state: &AppState) {
    if let Err(error) = try_serve(stream, state).await {
        tracing::debug!(%error, "application");
    }
}

async fn try_serve(mut stream: UnixStream, state: &AppState) -> io::Result<()> {
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
                Ok(Request::Connect(request)) => {
                    let early = lines.into_rest();
                    return session::run(stream, early, *request, state).await;
                }
                Ok(Request::Identities) => match state.dom0.identities().await {
                    Ok(list) => Answer::Identities(list.into_iter().map(Into::into).collect()),
                    Err(error) => Answer::Error(error.into()),
                },
                Ok(Request::Status) => Answer::Status(state.status()),
                Err(error) => Answer::Error(error),
            },
        };
        write(&mut stream, &answer).await?;
    }
}

/// Sends one line.
pub(super) async fn write(stream: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    stream.write_all(answer.to_line().as_bytes()).await
}
