//! What must be true of everything the broker does with a card of which a guest takes turns.

use proto::agent::Dom0Message;
use proto::id::SessionId;

use super::super::world::Fate;
use super::world::{SESSIONS, TurnsWorld, Use, UseOf, WISHES, Wish, lease, session};
use crate::broker::session::{SessionKey, Stage};
use crate::broker::tests::bench::{Seen, other_card};
use crate::broker::{ConnId, LeaseId};
use crate::card::{UseId, WorkerCommand};

impl TurnsWorld {
    /// Looks at everything done since the last look, and at the state it was left in.
    pub(super) fn check(&mut self) {
        for seen in std::mem::take(&mut self.bench.seen) {
            match seen {
                Seen::Told(conn, message) => self.on_told(conn, &message),
                Seen::Delivered(_, session) => self.on_delivered(session),
                Seen::Closed(conn) if conn == self.agent.conn => self.lose_agent(),
                Seen::Closed(conn) => {
                    let mut lines = self.racs.iter_mut();
                    let line = lines.find(|line| line.conn == conn).expect("one of ours");
                    assert!(line.is_open, "closed twice");
                    line.is_open = false;
                }
                Seen::Ordered(command) => self.on_ordered(&command),
                Seen::Lent(lease, seid, use_id) => {
                    assert_eq!(seid, other_card());
                    self.on_lent(lease, use_id);
                }
                Seen::NotLent(lease, _) => {
                    self.answer(lease, Wish::Refused);
                }
                Seen::Withdrawn(_)
                | Seen::Engine(..)
                | Seen::Audited(_)
                | Seen::Unresumable(_)
                | Seen::AdmittedToRacs(..) => {}
            }
        }
        self.check_uses();
        self.check_waiting();
    }

    fn on_told(&mut self, conn: ConnId, message: &Dom0Message) {
        if let Dom0Message::Refused(refused) = message
            && let Some(session) = refused.session
        {
            assert_eq!(conn, self.agent.conn);
            self.end_session(session, Fate::Refused);
        }
    }

    /// Keys go to who waits for them, has the right to them, and whose card made them.
    fn on_delivered(&mut self, session: SessionId) {
        assert!(self.is_entitled, "keys for one without a right");
        self.end_session(session, Fate::Established);
    }

    fn end_session(&mut self, session: SessionId, fate: Fate) {
        let number = (0..SESSIONS).find(|number| self::session(*number) == session.0);
        let number = number.expect("one of ours");
        assert_eq!(self.fates[number], Fate::Open, "ended twice");
        self.fates[number] = fate;
    }

    fn on_ordered(&mut self, command: &WorkerCommand) {
        match command {
            WorkerCommand::Start(job) => {
                let is_its = |number: &usize| job.server_name == format!("s{number}.example");
                let number = (0..SESSIONS).find(is_its).expect("one of ours");
                assert_eq!(self.fates[number], Fate::Open, "a use for nobody");
                self.begin(job.use_id, UseOf::Session(number));
            }
            WorkerCommand::Cancel { use_id } => self.end_use(*use_id, false),
            WorkerCommand::Recall { use_id } => self.end_use(*use_id, true),
            _ => {}
        }
    }

    fn on_lent(&mut self, lease: LeaseId, use_id: UseId) {
        let number = self.answer(lease, Wish::Lent);
        assert!(
            self.racs[WISHES[number]].is_open,
            "lent to one that has left"
        );
        assert!(!self.maintenance, "lent to a guest in maintenance");
        self.begin(use_id, UseOf::Wish(number));
    }

    /// Each wish has one answer.
    fn answer(&mut self, lease: LeaseId, answer: Wish) -> usize {
        let number = (0..WISHES.len()).find(|number| self::lease(*number) == lease);
        let number = number.expect("one of ours");
        assert_eq!(self.wishes[number], Wish::Asked, "answered twice");
        self.wishes[number] = answer;
        number
    }

    fn begin(&mut self, id: UseId, of: UseOf) {
        assert_eq!(self.in_use, None, "two uses at once");
        assert!(self.card_is_present, "a use of no card");
        assert!(self.is_entitled, "a use without a right");
        self.in_use = Some(Use {
            id,
            of,
            ended: false,
            recalled: false,
        });
    }

    fn end_use(&mut self, use_id: UseId, is_loan: bool) {
        // It may cross the report of its outcome, and then means nothing.
        let in_use = self.in_use.as_mut().expect("a use to end");
        assert_eq!(in_use.id, use_id, "another use is ended");
        assert_eq!(matches!(in_use.of, UseOf::Wish(_)), is_loan);
        assert!(!in_use.recalled, "ended twice");
        in_use.recalled = true;
    }

    /// Whoever has the card may have it, or was told to let go of it.
    fn check_uses(&self) {
        let broker = &self.bench.broker;
        let card = broker.cards.get(&other_card()).expect("the card");
        let lent = card.lease.as_ref().map(|lease| lease.use_id);
        let borrowed = self.in_use.filter(|of| matches!(of.of, UseOf::Wish(_)));
        assert_eq!(lent, borrowed.map(|of| of.id), "who has it is known");
        assert!(lent.is_none() || card.running.is_none(), "two uses at once");
        let Some(Use {
            of,
            ended: false,
            recalled: false,
            ..
        }) = self.in_use
        else {
            return;
        };
        match of {
            UseOf::Session(number) => {
                assert_eq!(self.fates[number], Fate::Open, "a card works for nobody");
            }
            UseOf::Wish(number) => {
                assert!(self.racs[WISHES[number]].is_open, "lent to nobody");
                assert!(self.is_entitled, "lent to one whose right has ended");
                assert!(!self.maintenance, "lent to a guest in maintenance");
            }
        }
    }

    /// Who waits is known to the broker, and nobody waits for a card that nobody has.
    fn check_waiting(&self) {
        let broker = &self.bench.broker;
        let asked = |number: &usize| self.wishes[*number] == Wish::Asked;
        let asked: Vec<LeaseId> = (0..WISHES.len()).filter(asked).map(lease).collect();
        let known: Vec<LeaseId> = broker.guest_wishes.keys().copied().collect();
        assert_eq!(known, asked);
        let mut waiting = 0;
        for (number, fate) in self.fates.into_iter().enumerate() {
            let key = SessionKey {
                conn: self.agent.conn,
                session: SessionId(session(number)),
            };
            let session = broker.sessions.get(&key);
            assert_eq!(session.is_some(), fate == Fate::Open, "{key:?}: {fate:?}");
            let stage = session.map(|session| &session.stage);
            waiting += usize::from(matches!(stage, Some(Stage::ExpectCard { .. })));
        }
        let card = broker.cards.get(&other_card()).expect("the card");
        assert_eq!(card.queue.len(), waiting, "who waits has a place");
        assert!(
            !card.is_free() || waiting == 0 || !asked.is_empty(),
            "a free card and somebody who waits for it"
        );
    }
}
