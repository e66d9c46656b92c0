//! How TLS connections ended, for applications that ask afterwards.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::tls::Alert;
use serde::{Deserialize, Serialize};

use super::error::Chain;
use crate::kernel_tls::KernelTls;
use crate::stream::StreamError;

/// Connections that are remembered once they have ended; the oldest is forgotten first.
const MAX_ENDED: usize = 4_096;

/// All connections of this agent, by a number of their own.
#[derive(Default)]
pub(crate) struct Endings(Mutex<State>);

#[derive(Default)]
struct State {
    last: u64,
    connections: BTreeMap<u64, Connection>,
    ended: VecDeque<u64>,
}

struct Connection {
    /// Who asked for it.
    uid: u32,
    ending: EndedAnswer,
    /// While it stands and the agent does not carry its data: where to look.
    watched: Option<Arc<KernelTls>>,
}

/// How a TLS connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedAnswer {
    /// Its number.
    pub session: u64,
    /// In one word.
    pub how: Ending,
    /// The server's alert, by its number, if it ended the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<u8>,
    /// In words.
    pub message: String,
}

/// How a TLS connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Not at all: it stands.
    Open,
    /// In order, or as the application wished.
    Closed,
    /// The application holds the keys: what becomes of it the agent does not see.
    HandedOver,
    /// By an alert of the server that says no to the client's certificate.
    CertificateRefused,
    /// By another alert of the server.
    ServerAlert,
    /// Without close_notify, or with a broken TCP connection: data may be missing.
    CutShort,
    /// By a record that breaks the rules.
    BadRecord,
    /// With close_notify: a key has sealed as many records as it may.
    KeyUsedUp,
    /// Because the right to the card ended.
    Revoked,
}

impl Endings {
    /// One more connection, which a user has asked for.
    pub(crate) fn begin(&self, uid: u32) -> Standing<'_> {
        let mut state = self.lock();
        state.last += 1;
        let session = state.last;
        let ending = EndedAnswer::new(session, Ending::Open, "the connection stands");
        let connection = Connection {
            uid,
            ending,
            watched: None,
        };
        state.connections.insert(session, connection);
        let ending = EndedAnswer::new(session, Ending::Closed, "the application left");
        Standing {
            endings: self,
            ending,
        }
    }

    fn end(&self, ending: EndedAnswer) {
        let mut state = self.lock();
        let session = ending.session;
        let Some(connection) = state.connections.get_mut(&session) else {
            return;
        };
        connection.ending = ending;
        connection.watched = None;
        state.ended.push_back(session);
        if state.ended.len() > MAX_ENDED
            && let Some(oldest) = state.ended.pop_front()
        {
            state.connections.remove(&oldest);
        }
    }

    /// How a connection ended that this user had asked for.
    pub(crate) fn of(&self, session: u64, uid: u32) -> Option<EndedAnswer> {
        let (ending, watched) = {
            let state = self.lock();
            let connection = state.connections.get(&session)?;
            if connection.uid != uid {
                return None;
            }
            (connection.ending.clone(), connection.watched.clone())
        };
        // Not under the lock: the kernel may have a record to open.
        let sight = watched.and_then(|connection| connection.look());
        Some(match sight {
            Some(sight) => EndedAnswer::of_stream(session, &sight.as_result()),
            None => ending,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that stands; dropped, it has ended.
pub(crate) struct Standing<'e> {
    endings: &'e Endings,
    ending: EndedAnswer,
}

impl Standing<'_> {
    /// Its number.
    pub(crate) fn session(&self) -> u64 {
        self.ending.session
    }

    /// The agent does not carry its data; who asks how it ended has this looked at.
    pub(crate) fn watch(&self, connection: &Arc<KernelTls>) {
        let mut state = self.endings.lock();
        if let Some(standing) = state.connections.get_mut(&self.session()) {
            standing.watched = Some(Arc::clone(connection));
        }
    }

    /// It ends as a stream did.
    pub(crate) fn end_as(mut self, result: &Result<(), StreamError>) {
        self.ending = EndedAnswer::of_stream(self.session(), result);
    }

    /// Its keys are the application's.
    pub(crate) fn hand_over(mut self) {
        let message = "the application has the keys; the agent does not see the end";
        self.ending = EndedAnswer::new(self.session(), Ending::HandedOver, message);
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.endings.end(self.ending.clone());
    }
}

impl EndedAnswer {
    fn new(session: u64, how: Ending, message: impl ToString) -> Self {
        Self {
            session,
            how,
            alert: None,
            message: message.to_string(),
        }
    }

    /// What the end of a stream means.
    fn of_stream(session: u64, result: &Result<(), StreamError>) -> Self {
        let Err(error) = result else {
            return Self::new(session, Ending::Closed, "closed in order");
        };
        match error {
            StreamError::Alert(alert) => Self::of_alert(session, *alert),
            StreamError::Truncated | StreamError::Server(_) => {
                Self::new(session, Ending::CutShort, Chain(error))
            }
            StreamError::Record(_) | StreamError::NotTls(_) => {
                Self::new(session, Ending::BadRecord, Chain(error))
            }
            StreamError::KeyUsedUp => Self::new(session, Ending::KeyUsedUp, error),
            StreamError::App(_) => Self::new(session, Ending::Closed, "the application left"),
            StreamError::Revoked(_) => Self::new(session, Ending::Revoked, error),
        }
    }

    fn of_alert(session: u64, alert: Alert) -> Self {
        let description = alert.description;
        let ending = match description.refuses_certificate() {
            true => Self::new(
                session,
                Ending::CertificateRefused,
                format_args!("the server refused the client certificate: {description}"),
            ),
            false => Self::new(
                session,
                Ending::ServerAlert,
                format_args!("the server ended the connection: {description}"),
            ),
        };
        Self {
            alert: Some(description.0),
            ..ending
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::agent::RefusalCode;
    use proto::tls::{AlertDescription, RecordError};

    use super::*;

    #[test]
    fn who_asked_for_it_learns_how_it_ended() {
        let endings = Endings::default();
        let standing = endings.begin(7);
        let session = standing.session();
        assert_eq!(endings.of(session, 7).map(|e| e.how), Some(Ending::Open));
        let alert = Alert::fatal(AlertDescription::UNKNOWN_CA);
        standing.end_as(&Err(StreamError::Alert(alert)));
        let ending = endings.of(session, 7).expect("remembered");
        assert_eq!(ending.how, Ending::CertificateRefused);
        assert_eq!(ending.alert, Some(48));
        let message = "the server refused the client certificate: unknown_ca";
        assert_eq!(ending.message, message);
        assert_eq!(endings.of(session, 8), None, "another user's");
        assert_eq!(endings.of(session + 1, 7), None);
    }

    #[test]
    fn other_ends_have_their_word() {
        let how = |error| EndedAnswer::of_stream(1, &Err(error)).how;
        let alert = Alert::fatal(AlertDescription::INTERNAL_ERROR);
        assert_eq!(how(StreamError::Alert(alert)), Ending::ServerAlert);
        assert_eq!(how(StreamError::Truncated), Ending::CutShort);
        assert_eq!(how(RecordError::Decrypt.into()), Ending::BadRecord);
        assert_eq!(how(RecordError::LimitReached.into()), Ending::KeyUsedUp);
        let line = serde_json::to_string(&Ending::KeyUsedUp).expect("a word");
        assert_eq!(line, "\"key-used-up\"");
        let revoked = StreamError::Revoked(RefusalCode::NotBound);
        assert_eq!(how(revoked), Ending::Revoked);
        assert_eq!(EndedAnswer::of_stream(1, &Ok(())).how, Ending::Closed);
    }

    #[test]
    fn only_ended_ones_are_forgotten_and_the_oldest_first() {
        let endings = Endings::default();
        let standing = endings.begin(7);
        let first = endings.begin(7).session();
        for _ in 0..MAX_ENDED {
            endings.begin(7).hand_over();
        }
        assert!(endings.of(standing.session(), 7).is_some());
        assert!(endings.of(first, 7).is_none());
        assert!(endings.of(first + 1, 7).is_some());
    }
}
