//! Handshakes and raw APDUs of one guest on its card, in any order: one use at a time, and each wish is
//! answered once.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proto::agent::{AgentMessage, Dom0Message};

use super::bench::{A, Bench, Seen, other_card, session_with, uuid};
use crate::broker::{ConnId, Event, Holder, LeaseId};
use crate::card::{Door, LoanEnd, TransportError, UseId, WorkerCommand, WorkerReport};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Open,
    Want(usize),
    GiveBack,
    Establish,
    Fail,
    Reconnect(usize),
    Maintenance(bool),
    Rebind,
    CardGone,
    CardBack,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Open),
        6 => (0..2usize).prop_map(Step::Want),
        5 => Just(Step::GiveBack),
        4 => Just(Step::Establish),
        2 => Just(Step::Fail),
        2 => (0..2usize).prop_map(Step::Reconnect),
        1 => any::<bool>().prop_map(Step::Maintenance),
        1 => Just(Step::Rebind),
        1 => Just(Step::CardGone),
        2 => Just(Step::CardBack),
        3 => (1..12_000u64).prop_map(Step::Pass),
    ]
}

/// What is known from outside.
struct World {
    bench: Bench,
    messages: ConnId,
    racs: [ConnId; 2],
    sessions: u32,
    leases: u64,
    /// Wishes that were not answered.
    wishes: BTreeMap<u64, ConnId>,
    lent: Option<UseId>,
    running: Option<UseId>,
}

impl World {
    fn new() -> Self {
        let mut bench = Bench::with_raw_card(Door::EapTls);
        let messages = bench.admitted(A);
        let racs = [bench.speak_racs(A).0, bench.speak_racs(A).0];
        bench.seen.clear();
        Self {
            bench,
            messages,
            racs,
            sessions: 0,
            leases: 0,
            wishes: BTreeMap::new(),
            lent: None,
            running: None,
        }
    }

    fn report(&mut self, report: WorkerReport) {
        self.bench.report_of(&other_card(), report);
        self.look();
    }

    /// The worker has the card again.
    fn free(&mut self, use_id: UseId) {
        self.lent.take_if(|lent| *lent == use_id);
        self.running.take_if(|running| *running == use_id);
        let card_time = Duration::ZERO;
        self.report(WorkerReport::Free { use_id, card_time });
    }

    fn look(&mut self) {
        for seen in std::mem::take(&mut self.bench.seen) {
            match seen {
                Seen::Ordered(WorkerCommand::Start(job)) => {
                    assert_eq!((self.lent, self.running), (None, None), "two uses");
                    self.running = Some(job.use_id);
                }
                Seen::Lent(lease, seid, use_id) => {
                    assert_eq!(seid, other_card());
                    assert_eq!((self.lent, self.running), (None, None), "two uses");
                    let conn = self.wishes.remove(&lease.0).expect("one answer to a wish");
                    assert!(self.racs.contains(&conn), "lent to one that has left");
                    self.lent = Some(use_id);
                }
                Seen::NotLent(lease, _) => {
                    self.wishes.remove(&lease.0).expect("one answer to a wish");
                }
                Seen::Told(conn, Dom0Message::Ping) => self.bench.say(conn, AgentMessage::Pong),
                Seen::Closed(conn) if conn == self.messages => panic!("the agent is shut out"),
                _ => {}
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Open => {
                self.sessions += 1;
                self.bench.open(self.messages, self.sessions);
            }
            Step::Want(which) => {
                let conn = self.racs[which];
                self.leases += 1;
                self.wishes.insert(self.leases, conn);
                let domain = uuid(A);
                self.bench.handle(Event::LeaseWanted {
                    lease: LeaseId(self.leases),
                    seid: other_card(),
                    holder: Holder::Guest { conn, domain },
                });
            }
            Step::GiveBack => {
                if let Some(use_id) = self.lent {
                    let (apdus, end) = (1, LoanEnd::Returned);
                    self.report(WorkerReport::LoanEnded { use_id, apdus, end });
                    self.free(use_id);
                }
            }
            Step::Establish => {
                if let Some(use_id) = self.running {
                    let session = Box::new(session_with(1));
                    self.report(WorkerReport::Established { use_id, session });
                    self.free(use_id);
                }
            }
            Step::Fail => {
                if let Some(use_id) = self.running {
                    let error = crate::card::SessionError::CardRemoved;
                    let alert = None;
                    self.report(WorkerReport::Failed {
                        use_id,
                        error,
                        alert,
                    });
                    self.free(use_id);
                }
            }
            Step::Reconnect(which) => {
                let conn = self.racs[which];
                self.bench.handle(Event::Disconnected { conn });
                self.look();
                self.speak(which);
            }
            Step::Maintenance(on) => {
                let seid = other_card();
                self.bench.handle(Event::MaintenanceSet { seid, on });
            }
            Step::Rebind => {
                let binding = self.bench.raw_binding();
                self.bench.handle(Event::Unbound { binding });
                self.look();
                self.bench.bind_raw("00000000 00000000");
                self.look();
                self.speak(0);
                self.speak(1);
            }
            Step::CardGone => {
                let why = TransportError::Removed.into();
                self.report(WorkerReport::Gone { why });
            }
            Step::CardBack => self.bench.plug_raw_card_in(Door::EapTls),
            Step::Pass(millis) => self.bench.pass(Duration::from_millis(millis)),
        }
        self.look();
    }

    fn speak(&mut self, which: usize) {
        let conn = self.bench.connect(A);
        self.bench.racs_hello(conn, A);
        self.racs[which] = conn;
        self.look();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_card_has_one_use_at_a_time_and_no_wish_is_forgotten(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        // When all is quiet again, nobody waits for anything.
        for step in [Step::CardBack, Step::Maintenance(false)] {
            world.take(&step);
        }
        for _ in 0..400 {
            world.take(&Step::Establish);
            world.take(&Step::GiveBack);
            world.take(&Step::Pass(250));
        }
        prop_assert!(world.wishes.is_empty(), "{:?}", world.wishes);
        prop_assert_eq!((world.lent, world.running), (None, None));
        prop_assert_eq!(world.bench.broker.snapshot().waiting, 0);
        // And the card is there for both.
        world.take(&Step::Want(0));
        prop_assert!(world.lent.is_some());
        world.take(&Step::GiveBack);
        world.take(&Step::Open);
        prop_assert!(world.running.is_some());
    }
}
