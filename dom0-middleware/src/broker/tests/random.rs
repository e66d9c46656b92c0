//! Whatever guests, workers and time do, in any order: the promises hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proto::agent::Dom0Message;
use proto::id::DomId;

use super::bench::{A, B, Bench, Seen, card, known, uuid};
use crate::broker::{ConnId, Event, Holder, LeaseId};
use crate::card::{
    CardError, LoanEnd, SessionError, TransportError, UseId, WorkerCommand, WorkerReport,
};
use crate::mapping::{DomainFact, ReadFault};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Connect(bool),
    Disconnect(usize),
    Open(usize),
    Close(usize, usize),
    Records(usize, usize, usize),
    Domain(bool, u8),
    DomainEnded(bool),
    Reads(bool),
    Worker(WorkerStep),
    CardGone,
    CardBack,
    Unbind(bool),
    Revoke(bool),
    Maintenance(bool),
    /// Somebody wants the card for raw APDUs.
    Want,
    /// Who has it gives it back.
    GiveBack,
    Pass(u64),
}

/// What the worker of a running use does next.
#[derive(Debug, Clone, Copy)]
enum WorkerStep {
    Speak,
    Establish,
    Fail,
    Free,
}

fn step() -> impl Strategy<Value = Step> {
    let worker = prop_oneof![
        Just(WorkerStep::Speak),
        Just(WorkerStep::Establish),
        Just(WorkerStep::Fail),
        Just(WorkerStep::Free),
    ];
    prop_oneof![
        2 => any::<bool>().prop_map(Step::Connect),
        1 => (0..6usize).prop_map(Step::Disconnect),
        6 => (0..6usize).prop_map(Step::Open),
        2 => (0..6usize, 0..9usize).prop_map(|(conn, n)| Step::Close(conn, n)),
        2 => (0..6usize, 0..9usize, 1..100_000usize).prop_map(|(c, n, l)| Step::Records(c, n, l)),
        1 => (any::<bool>(), 0..4u8).prop_map(|(who, fact)| Step::Domain(who, fact)),
        1 => (0..8u8).prop_map(|n| match n {
            0 | 1 => Step::DomainEnded(n == 0),
            _ => Step::Pass(1),
        }),
        1 => any::<bool>().prop_map(Step::Reads),
        8 => worker.prop_map(Step::Worker),
        1 => Just(Step::CardGone),
        2 => Just(Step::CardBack),
        1 => (0..20u8).prop_map(|n| match n {
            0 => Step::Unbind(true),
            1 => Step::Revoke(true),
            _ => Step::Pass(1),
        }),
        1 => any::<bool>().prop_map(Step::Maintenance),
        1 => Just(Step::Want),
        1 => Just(Step::GiveBack),
        2 => (1..40_000u64).prop_map(Step::Pass),
    ]
}

/// How far a session is, as its guest sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    /// The guest closed it: no keys may come any more.
    GivenUp,
    Ended,
}

/// What the outside knows, and what it holds the broker to.
#[derive(Default)]
struct Model {
    connections: Vec<ConnId>,
    domids: BTreeMap<ConnId, DomId>,
    sessions: BTreeMap<(ConnId, u32), Fate>,
    next_session: u32,
    /// The use the worker has, and whether it has reported its outcome.
    running: Option<(UseId, bool)>,
    unbound: BTreeSet<DomId>,
    /// The use for which the worker has lent the card.
    lent: Option<UseId>,
    in_maintenance: bool,
    /// Whose bindings were taken away.
    bindings_gone: BTreeSet<DomId>,
}

impl Model {
    /// Looks at everything the broker did.
    fn check(&mut self, bench: &mut Bench) {
        for seen in bench.seen.drain(..) {
            match seen {
                Seen::Told(conn, Dom0Message::Refused(refused)) => {
                    if let Some(session) = refused.session {
                        let fate = self.sessions.get_mut(&(conn, session.0));
                        if let Some(fate) = fate {
                            assert_ne!(*fate, Fate::Ended, "{conn} {session} refused twice");
                            *fate = Fate::Ended;
                        }
                    }
                }
                Seen::Delivered(conn, session) => {
                    let fate = self.sessions.insert((conn, session.0), Fate::Ended);
                    assert_eq!(fate, Some(Fate::Open), "{conn} {session}: keys");
                    assert!(
                        !self.unbound.contains(&self.domids[&conn]),
                        "keys after unbind"
                    );
                    assert!(self.connections.contains(&conn), "keys for nobody");
                }
                Seen::Closed(conn) => self.drop_connection(conn),
                Seen::Ordered(WorkerCommand::Start(job)) => {
                    assert_eq!((self.running, self.lent), (None, None), "two uses at once");
                    self.running = Some((job.use_id, false));
                }
                Seen::Lent(_, _, use_id) => {
                    assert_eq!((self.running, self.lent), (None, None), "two uses at once");
                    let is_guests = self.bindings_gone.len() < 2 && !self.in_maintenance;
                    assert!(!is_guests, "lent, and a guest's");
                    self.lent = Some(use_id);
                }
                _ => {}
            }
        }
        let snapshot = bench.broker.snapshot();
        assert!(snapshot.cards[0].waiting <= 64);
        self.check_timers(bench);
    }

    /// A timer may be due, as when a card is wanted that a guest has held for a while; once it has
    /// gone off, none is.
    fn check_timers(&mut self, bench: &mut Bench) {
        let is_due = |bench: &Bench| {
            let next = bench.broker.next_timeout();
            next.is_some_and(|at| at <= bench.now.monotonic)
        };
        if is_due(bench) {
            bench.pass(Duration::ZERO);
            assert!(!is_due(bench), "a timer that does not move on");
            self.check(bench);
        }
    }

    fn drop_connection(&mut self, conn: ConnId) {
        self.connections.retain(|known| *known != conn);
        for ((of, _), fate) in &mut self.sessions {
            if *of == conn && *fate == Fate::Open {
                *fate = Fate::GivenUp;
            }
        }
    }

    fn apply(&mut self, bench: &mut Bench, step: Step) {
        let who = |first| if first { A } else { B };
        match step {
            Step::Connect(first) => {
                let domid = who(first);
                let conn = bench.connect(domid);
                self.connections.push(conn);
                self.domids.insert(conn, domid);
                self.check(bench);
                if self.connections.contains(&conn) {
                    bench.hello(conn);
                }
            }
            Step::Disconnect(n) => {
                if let Some(&conn) = self.connections.get(n) {
                    self.drop_connection(conn);
                    bench.handle(Event::Disconnected { conn });
                }
            }
            Step::Open(n) => {
                if let Some(&conn) = self.connections.get(n) {
                    self.next_session += 1;
                    self.sessions.insert((conn, self.next_session), Fate::Open);
                    bench.open(conn, self.next_session);
                }
            }
            Step::Close(n, back) => {
                if let Some((conn, session)) = self.recent(n, back) {
                    let fate = self.sessions.get_mut(&(conn, session));
                    if let Some(fate @ Fate::Open) = fate {
                        *fate = Fate::GivenUp;
                    }
                    bench.close(conn, session);
                }
            }
            Step::Records(n, back, length) => {
                if let Some((conn, session)) = self.recent(n, back) {
                    bench.records(conn, session, length);
                }
            }
            Step::Domain(first, fact) => {
                let domid = who(first);
                let fact = match fact {
                    0 => DomainFact::Gone,
                    1 => DomainFact::Unreadable(ReadFault::Late),
                    _ => known(domid),
                };
                bench.domains.insert(domid, fact);
            }
            Step::DomainEnded(first) => {
                let domid = who(first);
                bench.domains.insert(domid, DomainFact::Gone);
                bench.handle(Event::DomainEnded {
                    domid,
                    domain: uuid(domid),
                    successor: None,
                });
                self.check(bench);
                let stays = |conn| self.domids[conn] == domid;
                assert!(!self.connections.iter().any(stays), "a channel of nobody");
            }
            Step::Reads(hang) => {
                bench.reads_hang = hang;
                if !hang {
                    bench.answer_reads();
                }
            }
            Step::Worker(step) => self.work(bench, step),
            Step::CardGone => {
                if let Some((use_id, false)) = self.running {
                    bench.fail(use_id, SessionError::CardRemoved);
                    self.running = Some((use_id, true));
                }
                let why = CardError::Transport(TransportError::Removed);
                bench.report(WorkerReport::Gone { why });
            }
            Step::CardBack => bench.plug_in(),
            Step::Unbind(first) => {
                let domid = who(first);
                self.unbound.insert(domid);
                self.bindings_gone.insert(domid);
                let binding = Bench::binding_of(domid);
                bench.handle(Event::Unbound { binding });
            }
            Step::Revoke(first) => {
                let domid = who(first);
                self.unbound.insert(domid);
                let cti = bench.tokens[&domid].cti;
                bench.handle(Event::TokenRevoked { cti });
            }
            Step::Maintenance(on) => {
                self.in_maintenance = on;
                let seid = card();
                bench.handle(Event::MaintenanceSet { seid, on });
            }
            Step::Want => bench.handle(Event::LeaseWanted {
                lease: LeaseId(0),
                seid: card(),
                holder: Holder::RacsUser("alice".to_owned()),
            }),
            Step::GiveBack => self.give_back(bench),
            Step::Pass(millis) => bench.pass(Duration::from_millis(millis)),
        }
    }

    fn give_back(&mut self, bench: &mut Bench) {
        if let Some(use_id) = self.lent.take() {
            let end = LoanEnd::Returned;
            bench.report(WorkerReport::LoanEnded {
                use_id,
                apdus: 1,
                end,
            });
            bench.free(use_id);
        }
    }

    fn recent(&self, n: usize, back: usize) -> Option<(ConnId, u32)> {
        let conn = *self.connections.get(n)?;
        let mut of_conn = self.sessions.keys().filter(|(of, _)| *of == conn).rev();
        of_conn.nth(back).copied()
    }

    fn work(&mut self, bench: &mut Bench, step: WorkerStep) {
        let Some((use_id, reported)) = self.running else {
            return;
        };
        match step {
            WorkerStep::Speak if !reported => bench.say_client_hello(use_id),
            WorkerStep::Establish if !reported => {
                self.running = Some((use_id, true));
                bench.establish(use_id);
            }
            WorkerStep::Fail if !reported => {
                self.running = Some((use_id, true));
                bench.fail(use_id, SessionError::Cancelled);
            }
            WorkerStep::Free if reported => {
                self.running = None;
                bench.free(use_id);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn promises_hold_in_any_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut bench = Bench::with_card();
        let mut model = Model::default();
        for step in steps {
            model.apply(&mut bench, step);
            model.check(&mut bench);
        }
        // In the end everybody hears what became of its session.
        bench.reads_hang = false;
        bench.answer_reads();
        model.check(&mut bench);
        model.give_back(&mut bench);
        model.check(&mut bench);
        for _ in 0..200 {
            model.work(&mut bench, WorkerStep::Fail);
            model.check(&mut bench);
            model.work(&mut bench, WorkerStep::Free);
            model.check(&mut bench);
        }
        let is_left = |((conn, _), fate): (&(ConnId, u32), &Fate)| {
            *fate == Fate::Open && model.connections.contains(conn)
        };
        let left: Vec<_> = model.sessions.iter().filter(|entry| is_left((entry.0, entry.1))).collect();
        prop_assert!(left.is_empty(), "never ended: {left:?}");
    }
}
