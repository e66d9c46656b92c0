//! The command line's end of the operator's door.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::message::{AdminAnswer, AdminRequest, Problem};
use crate::broker::CardView;

/// How long the service may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// The same when a card is opened for it: it may be in use, and it may be slow.
const CARD_TIME: Duration = Duration::from_secs(120);

/// Asks the service behind the socket at `path`.
///
/// # Errors
/// [`AdminError`] when it does not run or says no.
pub fn ask(path: &Path, request: &AdminRequest) -> Result<AdminAnswer, AdminError> {
    let time = match request {
        AdminRequest::CardAdopt { .. } | AdminRequest::CardPin { .. } => CARD_TIME,
        _ => ANSWER_TIME,
    };
    let mut answers = send(path, request, Some(time)).map_err(unavailable(path))?;
    next(path, &mut answers)?.ok_or_else(|| ended(path))
}

/// Watches cards until the service ends or `on_card` fails.
///
/// # Errors
/// [`AdminError`] when it does not run, says no or ends, or what `on_card` says.
pub fn watch<E: From<AdminError>>(
    path: &Path,
    mut on_card: impl FnMut(CardView) -> Result<(), E>,
) -> Result<(), E> {
    let request = AdminRequest::CardWatch {};
    let mut answers = send(path, &request, None).map_err(unavailable(path))?;
    while let Some(answer) = next(path, &mut answers)? {
        let AdminAnswer::CardNews(card) = answer else {
            return Err(AdminError::OtherAnswer.into());
        };
        on_card(*card)?;
    }
    Err(ended(path).into())
}

fn send(
    path: &Path,
    request: &AdminRequest,
    time: Option<Duration>,
) -> io::Result<BufReader<UnixStream>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(time)?;
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    let mut json = serde_json::to_vec(request)?;
    json.push(b'\n');
    stream.write_all(&json)?;
    Ok(BufReader::new(stream))
}

/// The next answer; `None` when the service has closed the connection.
fn next(
    path: &Path,
    answers: &mut BufReader<UnixStream>,
) -> Result<Option<AdminAnswer>, AdminError> {
    let mut line = String::new();
    let read = answers.read_line(&mut line).map_err(unavailable(path))?;
    if read == 0 {
        return Ok(None);
    }
    match serde_json::from_str(&line) {
        Ok(AdminAnswer::Error(problem)) => Err(AdminError::Refused(problem)),
        Ok(answer) => Ok(Some(answer)),
        Err(source) => Err(AdminError::Answer(source)),
    }
}

fn unavailable(path: &Path) -> impl Fn(io::Error) -> AdminError {
    move |source| AdminError::Unavailable {
        path: path.to_owned(),
        source,
    }
}

fn ended(path: &Path) -> AdminError {
    unavailable(path)(io::ErrorKind::UnexpectedEof.into())
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The service does not run, or may not be asked.
    #[error("cannot ask the service at {}; does it run, and may you open that socket?", path.display())]
    Unavailable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says no.
    #[error("{}", .0.message)]
    Refused(Problem),
    /// What it says is no answer: another version, most likely.
    #[error("answer not understood")]
    Answer(#[source] serde_json::Error),
    /// It answers something else than was asked.
    #[error("answer to another question")]
    OtherAnswer,
}
