//! The command line's end of the operator's door.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::message::{AdminAnswer, AdminRequest, Problem};

/// How long the service may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Asks the service behind the socket at `path`.
///
/// # Errors
/// [`AdminError`] when it does not run or says no.
pub fn ask(path: &Path, request: AdminRequest) -> Result<AdminAnswer, AdminError> {
    let lost = |source| AdminError::Unavailable {
        path: path.to_owned(),
        source,
    };
    let line = exchange(path, request).map_err(lost)?;
    match serde_json::from_str(&line) {
        Ok(AdminAnswer::Error(problem)) => Err(AdminError::Refused(problem)),
        Ok(answer) => Ok(answer),
        Err(source) => Err(AdminError::Answer(source)),
    }
}

fn exchange(path: &Path, request: AdminRequest) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    let mut json = serde_json::to_vec(&request)?;
    json.push(b'\n');
    stream.write_all(&json)?;
    let mut line = String::new();
    match BufReader::new(stream).read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
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
    #[error("{}: {}", .0.code, .0.message)]
    Refused(Problem),
    /// What it says is no answer: another version, most likely.
    #[error("answer not understood")]
    Answer(#[source] serde_json::Error),
    /// It answers something else than was asked.
    #[error("answer to another question")]
    OtherAnswer,
}
