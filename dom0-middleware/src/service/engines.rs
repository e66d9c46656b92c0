//! Handshakes that the service makes itself.
//!
//! rustls waits for the card in the middle of a step; a handshake that waits for its server has no
//! thread. Each thread that has to be woken costs the guest time. So the first words, which need no
//! card, and all that follows the signature are computed where the broker's own task runs; a step
//! that may ask the card, or meet a chain of certificates that takes long to check, has a thread to
//! itself. No more of them wait for cards than the queues of the cards have room for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::id::SessionId;
use rustls::SignatureScheme;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::sleep;
use tracing::debug;

use super::inbox::Inbox;
use crate::broker::{ConnId, EngineCommand, EngineReport, Event, SignWish, Unresumable};
use crate::card::{SessionError, SignatureNews, SignatureSlot};
use crate::engine::{Engine, EngineRequest, EngineStep, Engines, SignDoor, TicketTaker};

/// The most bytes of a server that are looked at in place once the card has signed: its Finished, with
/// tickets. Who sends more has a thread for it, and keeps nobody waiting.
const INLINE: usize = 16 << 10;

/// How long after a handshake its tickets are taken: servers send them at once, or with new keys.
const TICKETS: Duration = Duration::from_secs(600);

/// All of them, by session.
pub(super) struct EngineTasks {
    engines: Engines,
    inbox: Inbox,
    running: BTreeMap<(ConnId, SessionId), Arc<Handshake>>,
    done: Done,
}

/// One handshake, for the step that runs and for those who bring what the next one needs.
struct Handshake {
    report: Reports,
    state: Mutex<State>,
    /// Where it comes from whether a signature is right that the step has gone on with.
    unconfirmed: Mutex<Option<Receiver<SignatureNews>>>,
}

struct State {
    /// What the server has said and no step has taken. The broker bounds how much that is.
    records: Vec<u8>,
    stage: Stage,
    /// Whether the card has signed. It does so once, so no later step waits for it.
    has_signed: bool,
}

enum Stage {
    /// A step has it.
    Running,
    /// The server must say more.
    AwaitServer(Engine),
    /// It is over; tickets are taken until the task ends.
    Tickets {
        taker: TicketTaker,
        _until: Expiry,
    },
    Over,
}

/// A task that ends with this.
struct Expiry(AbortHandle);

impl Drop for Expiry {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl EngineTasks {
    pub(super) fn new(inbox: Inbox) -> Self {
        Self {
            engines: Engines::new(),
            inbox,
            running: BTreeMap::new(),
            done: Done::default(),
        }
    }

    /// Does what the broker says to the engine of a session. One that has ended is not told.
    pub(super) fn order(&mut self, conn: ConnId, session: SessionId, command: EngineCommand) {
        let key = (conn, session);
        match (command, self.running.get(&key)) {
            (EngineCommand::Begin(request), _) => self.begin(key, *request),
            (EngineCommand::ServerRecords(data), Some(handshake)) => handshake.on_records(data),
            (EngineCommand::Ticket(message), Some(handshake)) => handshake.on_ticket(&message),
            (EngineCommand::Forget, Some(_)) => self.ended(conn, session),
            (_, None) => {}
        }
    }

    /// Keys were made for a session: only tickets can come for it, as long as it is one of the last ones.
    pub(super) fn established(&mut self, conn: ConnId, session: SessionId) {
        // Not of a connection that is no more: nobody would forget it again.
        if self.running.contains_key(&(conn, session))
            && let Some(oldest) = self.done.note(conn, session)
        {
            self.ended(conn, oldest);
        }
    }

    /// Drops what could be resumed.
    pub(super) fn forget(&self, which: &Unresumable) {
        match which {
            Unresumable::Domain(domain) => self.engines.purge_domain(*domain),
            Unresumable::Card(seid) => self.engines.purge_card(seid),
        }
    }

    /// A connection is no more: nothing comes for its sessions.
    pub(super) fn forget_connection(&mut self, conn: ConnId) {
        self.running.retain(|(of, _), _| *of != conn);
        self.done.forget(conn);
    }

    /// Nothing comes for this session any more.
    pub(super) fn ended(&mut self, conn: ConnId, session: SessionId) {
        self.running.remove(&(conn, session));
    }

    /// Says the first words. Never waits.
    fn begin(&mut self, key: (ConnId, SessionId), request: EngineRequest) {
        let handshake = Arc::new(Handshake {
            report: Reports {
                key,
                inbox: self.inbox.clone(),
            },
            state: Mutex::new(State {
                records: Vec::new(),
                stage: Stage::Running,
                has_signed: false,
            }),
            unconfirmed: Mutex::default(),
        });
        self.running.insert(key, Arc::clone(&handshake));
        match self.engines.begin(request) {
            Ok((engine, hello)) => {
                handshake.report.tell_records(hello);
                handshake.state().stage = Stage::AwaitServer(engine);
            }
            Err(error) => handshake.fail(error, None),
        }
    }
}

/// The handshakes of each connection that are done, the last ones.
#[derive(Debug, Default)]
struct Done(BTreeMap<ConnId, VecDeque<SessionId>>);

/// Of so many of a connection tickets are taken. Servers send them at once, so that is as many as a guest
/// makes within a round trip or two; each may hold a server's certificates.
const MOST_DONE: usize = 64;

impl Done {
    /// Notes one; which is not among the last ones any more.
    fn note(&mut self, conn: ConnId, session: SessionId) -> Option<SessionId> {
        let done = self.0.entry(conn).or_default();
        done.push_back(session);
        match done.len() > MOST_DONE {
            true => done.pop_front(),
            false => None,
        }
    }

    fn forget(&mut self, conn: ConnId) {
        self.0.remove(&conn);
    }
}

impl Handshake {
    /// The server has said more. Never waits.
    fn on_records(self: &Arc<Self>, data: Vec<u8>) {
        let mut state = self.state();
        state.records.extend(data);
        match std::mem::replace(&mut state.stage, Stage::Running) {
            Stage::AwaitServer(engine) if state.has_signed && state.records.len() <= INLINE => {
                drop(state);
                self.go_on(engine);
            }
            Stage::AwaitServer(engine) => {
                let handshake = Arc::clone(self);
                drop(spawn_blocking(move || handshake.go_on(engine)));
            }
            stage => state.stage = stage,
        }
    }

    /// The server has sent a ticket. Never waits.
    fn on_ticket(&self, message: &[u8]) {
        let mut state = self.state();
        if let Stage::Tickets { taker, .. } = &mut state.stage
            && let Err(error) = taker.take(message)
        {
            let (conn, session) = self.report.key;
            debug!(%conn, session = session.0, %error, "no ticket");
            state.stage = Stage::Over;
        }
    }

    /// Takes what the server has said, until it must say more.
    fn go_on(self: &Arc<Self>, mut engine: Engine) {
        while let Some((waiting, records)) = self.next(engine) {
            let door = CardDoor(Arc::clone(self));
            let step = waiting.on_records(&records, Box::new(door));
            if let Err(error) = self.confirm() {
                return self.fail(error, None);
            }
            engine = match step {
                EngineStep::AwaitServer { engine, out } => {
                    self.report.tell_records(out);
                    engine
                }
                EngineStep::Established {
                    session,
                    out,
                    tickets,
                } => {
                    self.report.tell_records(out);
                    // Before anybody can bring one.
                    self.conclude(tickets);
                    return self.report.tell(EngineReport::Established(session));
                }
                EngineStep::Failed { error, alert } => return self.fail(error, alert),
            };
        }
    }

    /// Waits until the signature that the step has gone on with is known to be right: nothing that
    /// follows from one that is not leaves.
    fn confirm(&self) -> Result<(), SessionError> {
        match self.unconfirmed().take() {
            Some(news) => match wait(&news)? {
                SignatureNews::Right => Ok(()),
                SignatureNews::Made(_) => Err(SessionError::Cancelled),
            },
            None => Ok(()),
        }
    }

    fn unconfirmed(&self) -> MutexGuard<'_, Option<Receiver<SignatureNews>>> {
        let unconfirmed = self.unconfirmed.lock();
        unconfirmed.unwrap_or_else(PoisonError::into_inner)
    }

    /// What the engine is to take; puts it aside when there is nothing.
    fn next(&self, engine: Engine) -> Option<(Engine, Vec<u8>)> {
        let mut state = self.state();
        if state.records.is_empty() {
            state.stage = Stage::AwaitServer(engine);
            return None;
        }
        Some((engine, std::mem::take(&mut state.records)))
    }

    fn conclude(&self, tickets: Option<TicketTaker>) {
        let Some(taker) = tickets else {
            self.state().stage = Stage::Over;
            return self.report.inbox.tell_of_engine_end(self.report.key);
        };
        let report = self.report.clone();
        let expiry = tokio::spawn(async move {
            sleep(TICKETS).await;
            report.inbox.tell_of_engine_end(report.key);
        });
        let _until = Expiry(expiry.abort_handle());
        self.state().stage = Stage::Tickets { taker, _until };
    }

    fn fail(&self, error: SessionError, alert: Option<Vec<u8>>) {
        self.state().stage = Stage::Over;
        self.report.tell_failure(error, alert);
        self.report.inbox.tell_of_engine_end(self.report.key);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one of them speaks to the broker through; never waits.
#[derive(Clone)]
struct Reports {
    key: (ConnId, SessionId),
    inbox: Inbox,
}

impl Reports {
    fn tell(&self, report: EngineReport) {
        let (conn, session) = self.key;
        self.inbox.tell_of_engine(Event::Engine {
            conn,
            session,
            report,
        });
    }

    fn tell_records(&self, records: Vec<u8>) {
        if !records.is_empty() {
            self.tell(EngineReport::ClientRecords(records));
        }
    }

    fn tell_failure(&self, error: SessionError, alert: Option<Vec<u8>>) {
        let (conn, session) = self.key;
        debug!(%conn, session = session.0, %error, "handshake failed");
        self.tell(EngineReport::Failed { error, alert });
    }
}

/// Waits for what becomes of a signature, until the broker or the card's worker has dropped the other
/// end at the latest.
fn wait(news: &Receiver<SignatureNews>) -> Result<SignatureNews, SessionError> {
    news.recv().map_err(|_| SessionError::Cancelled)
}

/// The way of one step to the card: through the broker, which sees to it that it is its turn. The
/// signature comes back from the card's worker.
struct CardDoor(Arc<Handshake>);

impl SignDoor for CardDoor {
    fn sign(&mut self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        if std::mem::replace(&mut self.0.state().has_signed, true) {
            return Err(SessionError::Cancelled);
        }
        let (slot, news) = SignatureSlot::new();
        self.0.report.tell(EngineReport::WantsSignature(SignWish {
            scheme,
            message: message.to_vec(),
            slot,
        }));
        match wait(&news)? {
            SignatureNews::Made(signature) => {
                *self.0.unconfirmed() = Some(news);
                Ok(signature)
            }
            SignatureNews::Right => Err(SessionError::Cancelled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_sessions_a_guest_makes_tickets_are_taken_of_the_last_ones() {
        let (guest, other) = (ConnId(1), ConnId(2));
        let mut done = Done::default();
        for number in 0..1_000_u32 {
            let oldest = number.checked_sub(64).map(SessionId);
            assert_eq!(done.note(guest, SessionId(number)), oldest);
        }
        assert_eq!(done.note(other, SessionId(0)), None);
        assert_eq!(done.0[&guest].len(), 64);
        done.forget(guest);
        assert_eq!(done.note(guest, SessionId(0)), None);
    }
}
