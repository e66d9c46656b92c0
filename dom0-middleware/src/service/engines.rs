//! Handshakes that the service makes itself, each a task of its own.
//!
//! rustls waits for the card in the middle of a step, so steps run on threads that may block; a
//! handshake that waits for its server has none. No more of them wait for cards than the queues of
//! the cards have room for.

use std::collections::BTreeMap;
use std::sync::mpsc::{self as blocking, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::id::SessionId;
use rustls::SignatureScheme;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::debug;

use super::inbox::Inbox;
use crate::broker::{ConnId, EngineCommand, EngineReport, Event, SignWish, Unresumable};
use crate::card::SessionError;
use crate::engine::{Engine, EngineRequest, EngineStep, Engines, SignDoor, TicketTaker};

/// How long after a handshake its tickets are taken: servers send them at once, or with new keys.
const TICKETS: Duration = Duration::from_secs(600);

/// All of them, by session.
pub(super) struct EngineTasks {
    engines: Engines,
    inbox: Inbox,
    running: BTreeMap<(ConnId, SessionId), Running>,
}

/// The way to one. When it is dropped the task ends, and what waits for a signature fails.
struct Running {
    messages: UnboundedSender<Message>,
    signatures: Sender<Vec<u8>>,
}

/// What a task is told. The broker bounds how much: what a handshake may have, and its tickets.
enum Message {
    Records(Vec<u8>),
    Ticket(Vec<u8>),
}

impl EngineTasks {
    pub(super) fn new(inbox: Inbox) -> Self {
        Self {
            engines: Engines::new(),
            inbox,
            running: BTreeMap::new(),
        }
    }

    /// Does what the broker says to the engine of a session.
    pub(super) fn order(&mut self, conn: ConnId, session: SessionId, command: EngineCommand) {
        let key = (conn, session);
        let running = self.running.get(&key);
        let tell = |message| {
            if let Some(running) = running {
                // It ends before it is told only when it has reported that.
                let _ = running.messages.send(message);
            }
        };
        match command {
            EngineCommand::Begin(request) => self.begin(key, *request),
            EngineCommand::ServerRecords(data) => tell(Message::Records(data)),
            EngineCommand::Ticket(data) => tell(Message::Ticket(data)),
            EngineCommand::Signature(signature) => {
                if let Some(running) = running {
                    let _ = running.signatures.send(signature);
                }
            }
            EngineCommand::Forget => {
                self.running.remove(&key);
            }
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
    }

    /// A task has ended.
    pub(super) fn ended(&mut self, conn: ConnId, session: SessionId) {
        self.running.remove(&(conn, session));
    }

    fn begin(&mut self, key: (ConnId, SessionId), request: EngineRequest) {
        let (messages, inlet) = mpsc::unbounded_channel();
        let (signatures, signed) = blocking::channel();
        self.running.insert(
            key,
            Running {
                messages,
                signatures,
            },
        );
        let task = EngineTask {
            report: Reports {
                key,
                inbox: self.inbox.clone(),
            },
            messages: inlet,
        };
        let engines = self.engines.clone();
        tokio::spawn(async move {
            let report = task.report.clone();
            task.run(engines, request, Arc::new(Mutex::new(signed)))
                .await;
            report.inbox.tell_of_engine_end(report.key);
        });
    }
}

/// What one task speaks to the broker through; never waits.
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

/// One handshake.
struct EngineTask {
    report: Reports,
    messages: UnboundedReceiver<Message>,
}

impl EngineTask {
    async fn run(
        mut self,
        engines: Engines,
        request: EngineRequest,
        signed: Arc<Mutex<Receiver<Vec<u8>>>>,
    ) {
        let begun = spawn_blocking(move || engines.begin(request)).await;
        let (engine, hello) = match begun {
            Ok(Ok(begun)) => begun,
            Ok(Err(error)) => return self.report.tell_failure(error, None),
            Err(_) => return self.report.tell_failure(SessionError::Stopped, None),
        };
        self.report.tell_records(hello);
        if let Some(tickets) = self.shake_hands(engine, signed).await {
            self.take_tickets(tickets).await;
        }
    }

    /// From ClientHello to the keys; gives what takes the tickets, if they are of use.
    async fn shake_hands(
        &mut self,
        mut engine: Engine,
        signed: Arc<Mutex<Receiver<Vec<u8>>>>,
    ) -> Option<TicketTaker> {
        loop {
            let records = self.records().await?;
            let door = CardDoor {
                report: self.report.clone(),
                signed: Arc::clone(&signed),
            };
            let step = spawn_blocking(move || engine.on_records(&records, Box::new(door)));
            let Ok(step) = step.await else {
                self.report.tell_failure(SessionError::Stopped, None);
                return None;
            };
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
                    self.report.tell(EngineReport::Established(session));
                    return tickets;
                }
                EngineStep::Failed { error, alert } => {
                    self.report.tell_failure(error, alert);
                    return None;
                }
            };
        }
    }

    /// All that came from the server; nothing when the session is over.
    async fn records(&mut self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        while all.is_empty() {
            if let Message::Records(records) = self.messages.recv().await? {
                all = records;
            }
        }
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Records(records) = message {
                all.extend(records);
            }
        }
        Some(all)
    }

    async fn take_tickets(&mut self, mut tickets: TicketTaker) {
        while let Ok(Some(message)) = timeout(TICKETS, self.messages.recv()).await {
            if let Message::Ticket(ticket) = message
                && let Err(error) = tickets.take(&ticket)
            {
                let (conn, session) = self.report.key;
                debug!(%conn, session = session.0, %error, "no ticket");
                return;
            }
        }
    }
}

/// The way of one step to the card: through the broker, which sees to it that it is its turn.
struct CardDoor {
    report: Reports,
    signed: Arc<Mutex<Receiver<Vec<u8>>>>,
}

impl SignDoor for CardDoor {
    fn sign(&mut self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        // One step at a time: nobody else has it.
        let signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        self.report.tell(EngineReport::WantsSignature(SignWish {
            scheme,
            message: message.to_vec(),
        }));
        // The broker refuses the session and drops the sender when there will be none.
        signed.recv().map_err(|_| SessionError::Cancelled)
    }
}
