//! How an application learns that a connection came to nothing.

use domu_agent::client::{AppError, Ending};
use integration::chain::{Chain, Session};
use integration::payload::payload;

use crate::door::Door;

/// When it is told, and in which words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// In the answer to its request: code and message.
    Refused(String, String),
    /// At the end of a connection that stood: how it ended, and the message.
    Ended(Ending, String),
}

impl Outcome {
    /// The answer `handshake-failed`.
    pub(crate) fn handshake_failed(message: &str) -> Self {
        Self::Refused("handshake-failed".to_owned(), message.to_owned())
    }

    /// The end of a connection.
    pub(crate) fn ended(how: Ending, message: &str) -> Self {
        Self::Ended(how, message.to_owned())
    }

    /// That of a request whose connection the server does not let live: what it sends is read to
    /// its end, and is nothing.
    pub(crate) fn of(door: &Door, chain: &Chain, asked: Result<Session, AppError>) -> Self {
        let mut session = match asked {
            Ok(session) => session,
            Err(no) => return Self::Refused(no.code.into_owned(), no.message),
        };
        assert!(session.read_to_end().is_empty());
        let ended = door.guest(chain).client();
        let ended = ended.ended(session.established.session);
        let ended = ended.expect("the agent remembers");
        Self::Ended(ended.how, ended.message)
    }

    /// The same of a connection that was used.
    pub(crate) fn of_use(door: &Door, chain: &Chain, mut session: Session) -> Self {
        session.send(&payload(10));
        Self::of(door, chain, Ok(session))
    }
}
