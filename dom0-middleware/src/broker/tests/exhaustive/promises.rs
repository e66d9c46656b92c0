//! What must be true of everything the broker does.

use proto::agent::Dom0Message;
use proto::id::SessionId;

use super::world::{Engine, Fate, Order, SESSIONS, World};
use crate::broker::card::UseStep;
use crate::broker::session::{SessionKey, Stage};
use crate::broker::tests::bench::{Seen, card};
use crate::broker::{ConnId, EngineCommand};
use crate::card::{Door, UseId, WorkerCommand};

impl World {
    /// Looks at everything done since the last look, and at the state it was left in.
    pub(super) fn check(&mut self) {
        let mut withdrawn = None;
        for seen in std::mem::take(&mut self.bench.seen) {
            match seen {
                Seen::Told(conn, Dom0Message::Revoked { .. }) => {
                    assert_eq!(
                        withdrawn,
                        Some(conn),
                        "keys may leave after the right has ended"
                    );
                }
                Seen::Told(conn, message) => self.on_told(conn, &message),
                Seen::Delivered(conn, session) => self.on_delivered(conn, session),
                Seen::Closed(conn) => {
                    let guest = self.guest_of(conn);
                    assert!(self.guests[guest].connected, "closed twice");
                    self.lose(guest);
                }
                Seen::Ordered(command) => self.on_ordered(&command),
                Seen::Withdrawn(conn) => withdrawn = Some(conn),
                Seen::Engine(conn, session, command) => self.on_engine(conn, session, &command),
                Seen::Audited(_)
                | Seen::Unresumable(_)
                | Seen::Lent(..)
                | Seen::NotLent(..)
                | Seen::AdmittedToRacs(..) => {}
            }
        }
        self.check_state();
        self.check_engines();
    }

    /// A guest hears of a session as long as it is open, and is refused at most once.
    fn on_told(&mut self, conn: ConnId, message: &Dom0Message) {
        let guest = self.guest_of(conn);
        assert!(self.guests[guest].connected, "told to nobody: {message:?}");
        let (session, ends) = match message {
            Dom0Message::Queued(queued) => (queued.session, false),
            Dom0Message::ClientRecords(data) => (data.session, false),
            Dom0Message::Refused(refused) => match refused.session {
                Some(session) => (session, true),
                None => return,
            },
            _ => return,
        };
        let number = self.number(conn, session);
        assert_eq!(self.fates[number], Fate::Open, "{message:?}");
        if ends {
            self.fates[number] = Fate::Refused;
        }
    }

    /// Keys go to who waits for them, has the right to them, and whose card made them.
    fn on_delivered(&mut self, conn: ConnId, session: SessionId) {
        let guest = self.guests[self.guest_of(conn)];
        assert!(guest.connected, "keys for nobody");
        assert!(guest.entitled, "keys for one without a right");
        assert!(self.is_identified, "keys without a fresh judgement");
        let number = self.number(conn, session);
        assert_eq!(
            self.fates[number],
            Fate::Open,
            "keys for a session that is over"
        );
        match self.door {
            Door::EapTls => assert!(self.started[number], "keys that no card made"),
            Door::Piv => assert_eq!(self.engines[number], Engine::Over, "keys of no engine"),
        }
        let order = self.order.filter(|order| order.session == number);
        if let Some(order) = order.filter(|_| self.door == Door::EapTls) {
            assert_eq!(
                order.outcome,
                Some(true),
                "keys before the card has made them"
            );
            assert!(!order.cancelled, "keys of a cancelled use");
        }
        self.fates[number] = Fate::Established;
    }

    fn on_ordered(&mut self, command: &WorkerCommand) {
        match command {
            WorkerCommand::Start(job) => {
                assert_eq!(self.door, Door::EapTls);
                let number = number_of(&job.server_name);
                self.on_use(job.use_id, number);
            }
            WorkerCommand::Sign(job) => {
                let wants = |engine: &Engine| *engine == Engine::Wants;
                let mut wanting = (0..SESSIONS.len()).filter(|n| wants(&self.engines[*n]));
                // The broker names no session: it is the one that has the card.
                let card = self.bench.broker.cards.get(&card());
                let running = card.and_then(|card| card.running.as_ref());
                let key = running
                    .and_then(|running| running.key)
                    .expect("for somebody");
                let number = self.number(key.conn, key.session);
                assert!(wanting.any(|other| other == number), "nobody wants it");
                self.on_use(job.use_id, number);
            }
            WorkerCommand::ServerRecords { use_id, .. } => {
                let order = self.order.expect("a use to bring records to");
                assert_eq!(order.id, *use_id, "records for another use");
                assert!(order.spoke, "the server spoke before the client did");
                assert!(!order.cancelled, "records for a cancelled use");
            }
            WorkerCommand::Cancel { use_id } => {
                // It may cross the report of its outcome, and then means nothing.
                let order = self.order.as_mut().expect("a use to cancel");
                assert_eq!(order.id, *use_id, "another use is cancelled");
                assert!(!order.cancelled, "cancelled twice");
                order.cancelled = true;
                self.has_cancelled = true;
            }
            _ => {}
        }
    }

    /// The card is given to a session.
    fn on_use(&mut self, use_id: UseId, number: usize) {
        assert_eq!(self.order, None, "two uses at once");
        assert!(self.is_identified, "a use without a fresh judgement");
        assert!(self.card_is_present, "a use of no card");
        assert_eq!(self.fates[number], Fate::Open, "a use for nobody");
        let guest = self.guests[SESSIONS[number].0];
        assert!(guest.entitled, "a use without a right");
        assert!(!self.started[number], "run twice");
        self.started[number] = true;
        self.order = Some(Order {
            id: use_id,
            session: number,
            spoke: false,
            outcome: None,
            cancelled: false,
        });
    }

    /// An engine runs as long as its session does, and is told when that is over.
    fn on_engine(&mut self, conn: ConnId, session: SessionId, command: &EngineCommand) {
        let number = self.number(conn, session);
        let engine = &mut self.engines[number];
        match command {
            EngineCommand::Begin(request) => {
                assert_eq!(*engine, Engine::None, "begun twice");
                assert!(self.is_identified, "begun without a fresh judgement");
                assert_eq!(number_of(&request.server_name), number);
                assert!(self.guests[SESSIONS[number].0].entitled);
                *engine = Engine::Begun;
            }
            EngineCommand::ServerRecords(_) => {
                assert!(
                    !matches!(*engine, Engine::None | Engine::Begun),
                    "{engine:?}"
                );
            }
            EngineCommand::Forget => *engine = Engine::None,
            EngineCommand::Ticket(_) => panic!("nobody has sent one"),
        }
    }

    /// What the broker remembers is what the world knows.
    fn check_state(&self) {
        let broker = &self.bench.broker;
        let card = broker.cards.get(&card()).expect("the card");
        let mut waiting = 0;
        for ((guest, session), fate) in SESSIONS.into_iter().zip(self.fates) {
            let key = SessionKey {
                conn: self.guests[guest].conn,
                session: SessionId(session),
            };
            let session = broker.sessions.get(&key);
            let is_open = fate == Fate::Open;
            assert_eq!(session.is_some(), is_open, "{key:?}: {fate:?}");
            let stage = session.map(|session| &session.stage);
            waiting += usize::from(matches!(stage, Some(Stage::ExpectCard { .. })));
        }
        assert_eq!(
            card.queue.len(),
            waiting,
            "who waits has a place, and nobody else"
        );
        assert!(
            !card.is_free() || waiting == 0,
            "a free card and somebody who waits for it"
        );

        let running = card.running.as_ref();
        let known = running.filter(|running| running.step != UseStep::ExpectJudgement);
        assert_eq!(
            known.map(|running| running.id),
            self.order.map(|order| order.id)
        );
        if let Some(order) = self.order
            && order.outcome.is_none()
            && self.fates[order.session] != Fate::Open
        {
            assert!(order.cancelled, "a card works for nobody");
        }
    }

    /// Whose session is over, its engine is too.
    fn check_engines(&self) {
        for (fate, engine) in self.fates.iter().zip(self.engines) {
            let runs = !matches!(engine, Engine::None | Engine::Over);
            assert!(!runs || *fate == Fate::Open, "{fate:?}: {engine:?}");
        }
    }

    fn guest_of(&self, conn: ConnId) -> usize {
        let found = self.guests.iter().position(|guest| guest.conn == conn);
        found.expect("one of ours")
    }

    fn number(&self, conn: ConnId, session: SessionId) -> usize {
        let name = (self.guest_of(conn), session.0);
        let found = SESSIONS.iter().position(|known| *known == name);
        found.expect("one of ours")
    }
}

/// The session of a server.
fn number_of(server_name: &str) -> usize {
    let is_its = |number: &usize| server_name == format!("s{number}.example");
    (0..SESSIONS.len()).find(is_its).expect("one of ours")
}
