//! What must be true of everything the broker does.

use proto::agent::Dom0Message;
use proto::id::SessionId;

use super::world::{Fate, Order, SESSIONS, World};
use crate::broker::ConnId;
use crate::broker::card::UseStep;
use crate::broker::session::{SessionKey, Stage};
use crate::broker::tests::bench::{Seen, card};
use crate::card::WorkerCommand;

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
                Seen::Engine(..) => panic!("the card makes the handshake at this door"),
                Seen::Audited(_) | Seen::Unresumable(_) => {}
            }
        }
        self.check_state();
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
        assert!(self.started[number], "keys that no card made");
        if let Some(order) = self.order.filter(|order| order.session == number) {
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
                assert_eq!(self.order, None, "two uses at once");
                assert!(self.is_identified, "a start without a fresh judgement");
                assert!(self.card_is_present, "a start on no card");
                let number = (0..SESSIONS.len())
                    .find(|number| job.server_name == format!("s{number}.example"))
                    .expect("one of ours");
                assert_eq!(self.fates[number], Fate::Open, "a start for nobody");
                assert!(
                    self.guests[SESSIONS[number].0].entitled,
                    "a start without a right"
                );
                assert!(!self.started[number], "run twice");
                self.started[number] = true;
                self.order = Some(Order {
                    id: job.use_id,
                    session: number,
                    spoke: false,
                    outcome: None,
                    cancelled: false,
                });
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
