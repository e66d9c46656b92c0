//! The guest, the worker and the card as the broker sees them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::super::search::{self, SmallWorld};
use super::super::step::Answer;
use super::super::world::Fate;
use super::{About, Turn, Work};
use crate::broker::tests::bench::{A, Bench, known, other_card, session_with, uuid};
use crate::broker::{ConnId, Event, Holder, LeaseId};
use crate::card::{Door, LoanEnd, SessionError, TransportError, UseId, WorkerReport};
use crate::mapping::{DomainFact, ReadFault};

/// The agent's sessions.
pub(super) const SESSIONS: usize = 2;
/// The wishes there can be: which connection has each.
pub(super) const WISHES: [usize; 3] = [0, 1, 0];

/// How far a wish for the card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wish {
    Unasked,
    Asked,
    /// It was fulfilled, whatever came then.
    Lent,
    Refused,
}

/// What the worker has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Use {
    pub(super) id: UseId,
    pub(super) of: UseOf,
    /// Whether it has reported how it ended; the card has still to come to rest.
    pub(super) ended: bool,
    /// Whether it was told to end it.
    pub(super) recalled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum UseOf {
    Session(usize),
    Wish(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) conn: ConnId,
    pub(super) is_open: bool,
}

/// The broker and everything around it.
pub(super) struct TurnsWorld {
    pub(super) bench: Bench,
    pub(super) about: About,
    pub(super) agent: Line,
    pub(super) racs: [Line; 2],
    pub(super) fates: [Fate; SESSIONS],
    pub(super) wishes: [Wish; WISHES.len()],
    pub(super) in_use: Option<Use>,
    pub(super) card_is_present: bool,
    pub(super) maintenance: bool,
    pub(super) is_entitled: bool,
    pub(super) is_alive: bool,
}

impl SmallWorld for TurnsWorld {
    type Setting = About;
    type Step = Turn;

    fn after(about: About, path: &[Turn]) -> Self {
        let mut world = Self::new(about);
        for turn in path {
            world.take(*turn);
        }
        world
    }

    fn steps(&self) -> Vec<Turn> {
        self.turns()
    }

    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        search::state(&self.bench).hash(&mut hasher);
        (self.agent, self.racs, self.fates, self.wishes).hash(&mut hasher);
        (self.in_use, self.card_is_present, self.maintenance).hash(&mut hasher);
        (self.is_entitled, self.is_alive).hash(&mut hasher);
        hasher.finish()
    }

    fn bench(&self) -> &Bench {
        &self.bench
    }

    fn let_time_pass(&mut self) {
        self.take(Turn::Timer);
    }

    fn ends_well_with_everybody(self) {
        self.end_with_everybody();
    }

    fn expect_all_over(&self) {
        self.expect_no_more();
    }
}

impl TurnsWorld {
    /// The guest's connections are let in, the card is in its reader, nothing is asked for.
    fn new(about: About) -> Self {
        let mut bench = search::bench();
        bench.give_raw_card(Door::EapTls);
        let line = |conn| Line {
            conn,
            is_open: true,
        };
        let agent = line(bench.admitted(A));
        let racs = [(); 2].map(|()| line(bench.speak_racs(A).0));
        bench.seen.clear();
        bench.reads_hang = true;
        Self {
            bench,
            about,
            agent,
            racs,
            fates: [Fate::Unopened; SESSIONS],
            wishes: [Wish::Unasked; WISHES.len()],
            in_use: None,
            card_is_present: true,
            maintenance: false,
            is_entitled: true,
            is_alive: true,
        }
    }

    /// Lets it happen and looks at what the broker makes of it.
    pub(super) fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Open(number) => {
                self.fates[number] = Fate::Open;
                let name = format!("s{number}.example");
                let change = |open: &mut proto::agent::Open| open.server_name = name;
                self.bench
                    .open_with(self.agent.conn, session(number), change);
            }
            Turn::Close(number) => {
                self.fates[number] = Fate::GivenUp;
                self.bench.close(self.agent.conn, session(number));
            }
            Turn::Want(number) => {
                self.wishes[number] = Wish::Asked;
                let conn = self.racs[WISHES[number]].conn;
                self.bench.handle(Event::LeaseWanted {
                    lease: lease(number),
                    seid: other_card(),
                    holder: Holder::Guest {
                        conn,
                        domain: uuid(A),
                    },
                });
            }
            Turn::Read(read, answer) => {
                let (read, domid) = self.bench.open_reads.remove(read);
                let domain = match answer {
                    Answer::Unreadable => DomainFact::Unreadable(ReadFault::Late),
                    Answer::True if self.is_alive => known(domid),
                    Answer::True => DomainFact::Gone,
                };
                self.bench.handle(Event::DomainRead { read, domain });
            }
            Turn::Worker(work) => self.work(work),
            Turn::Leave(which) => {
                self.racs[which].is_open = false;
                let conn = self.racs[which].conn;
                self.bench.handle(Event::Disconnected { conn });
            }
            Turn::AgentLeaves => {
                self.lose_agent();
                let conn = self.agent.conn;
                self.bench.handle(Event::Disconnected { conn });
            }
            Turn::CardGone => self.remove_card(),
            Turn::CardBack => {
                self.card_is_present = true;
                self.bench.plug_raw_card_in(Door::EapTls);
            }
            Turn::Maintenance(on) => {
                self.maintenance = on;
                let seid = other_card();
                self.bench.handle(Event::MaintenanceSet { seid, on });
            }
            Turn::Unbind => {
                self.is_entitled = false;
                let binding = self.bench.raw_binding();
                self.bench.handle(Event::Unbound { binding });
            }
            Turn::Revoke => {
                self.is_entitled = false;
                let cti = self.bench.tokens[&A].cti;
                self.bench.handle(Event::TokenRevoked { cti });
            }
            Turn::DomainEnded => {
                self.is_entitled = false;
                self.is_alive = false;
                self.bench.handle(Event::DomainEnded {
                    domid: A,
                    domain: uuid(A),
                    successor: None,
                });
            }
            Turn::Timer => {
                let left = self.next_timer().expect("one that goes off");
                self.bench.pass(left);
            }
        }
        self.check();
    }

    fn work(&mut self, work: Work) {
        let in_use = self.in_use.as_mut().expect("a use");
        let Use {
            id: use_id,
            of,
            recalled,
            ..
        } = *in_use;
        in_use.ended = true;
        let report = match (work, of) {
            (Work::Establish, _) => WorkerReport::Established {
                use_id,
                session: Box::new(session_with(1)),
            },
            (Work::Fail, UseOf::Session(_)) => WorkerReport::Failed {
                use_id,
                error: match recalled {
                    true => SessionError::Cancelled,
                    false => SessionError::NoCard,
                },
                alert: None,
            },
            (Work::Fail | Work::Return, _) => {
                let end = match (work, self.card_is_present, recalled) {
                    (Work::Fail, ..) => LoanEnd::NotLent,
                    (_, false, _) => LoanEnd::Removed,
                    (_, true, true) => LoanEnd::Recalled,
                    (_, true, false) => LoanEnd::Returned,
                };
                let apdus = u64::from(work == Work::Return);
                WorkerReport::LoanEnded { use_id, apdus, end }
            }
            (Work::Free, _) => {
                self.in_use = None;
                let card_time = Duration::ZERO;
                WorkerReport::Free { use_id, card_time }
            }
        };
        self.bench.report_of(&other_card(), report);
    }

    /// The worker ends what it does with the card before it says that it is gone.
    fn remove_card(&mut self) {
        self.card_is_present = false;
        if let Some(Use {
            of, ended: false, ..
        }) = self.in_use
        {
            self.work(match of {
                UseOf::Session(_) => Work::Fail,
                UseOf::Wish(_) => Work::Return,
            });
            self.check();
        }
        let why = TransportError::Removed.into();
        self.bench
            .report_of(&other_card(), WorkerReport::Gone { why });
    }

    /// The agent cannot be reached any more: nobody will hear of its sessions.
    pub(super) fn lose_agent(&mut self) {
        self.agent.is_open = false;
        for fate in &mut self.fates {
            if *fate == Fate::Open {
                *fate = Fate::GivenUp;
            }
        }
    }

    pub(super) fn has_established(&self) -> bool {
        self.fates.contains(&Fate::Established)
    }

    pub(super) fn is_lent(&self) -> bool {
        self.in_use
            .is_some_and(|of| matches!(of.of, UseOf::Wish(_)))
    }

    pub(super) fn has_not_lent(&self) -> bool {
        self.wishes.contains(&Wish::Refused)
    }

    pub(super) fn is_recalled(&self) -> bool {
        self.is_lent() && self.in_use.is_some_and(|of| of.recalled)
    }
}

/// The number that the agent gives a session.
pub(super) fn session(number: usize) -> u32 {
    u32::try_from(number).expect("small") + 1
}

pub(super) fn lease(number: usize) -> LeaseId {
    LeaseId(number as u64)
}
