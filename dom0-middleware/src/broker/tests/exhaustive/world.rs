//! The guests, the worker and the card as the broker sees them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::search::{self, SmallWorld};
use super::step::{Alphabet, Answer, Change, EngineWork, Setting, Step, Work};
use crate::broker::tests::bench::{A, B, Bench, card, known, uuid};
use crate::broker::{ConnId, EngineReport, Event};
use crate::card::{CardError, Door, SessionError, TransportError, UseId, WorkerReport};
use crate::mapping::{DomainFact, ReadFault};

/// The sessions there can be: whose, and its number.
pub(super) const SESSIONS: [(usize, u32); 3] = [(0, 1), (0, 2), (1, 1)];

/// How far a session is, as its guest knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    Unopened,
    Open,
    /// The guest is not interested any more.
    GivenUp,
    Refused,
    Established,
}

/// How far the engine of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Engine {
    /// There is none, or it was dropped.
    None,
    Begun,
    /// It waits for the server.
    Spoke,
    /// It waits for its signature.
    Wants,
    Signed,
    /// It has made its keys, or failed.
    Over,
}

/// What the worker has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Order {
    pub(super) id: UseId,
    pub(super) session: usize,
    pub(super) spoke: bool,
    /// Whether it gave keys, once it has reported.
    pub(super) outcome: Option<bool>,
    pub(super) cancelled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Guest {
    pub(super) conn: ConnId,
    pub(super) connected: bool,
    /// Whether its domain lives and has its binding.
    pub(super) entitled: bool,
    pub(super) alive: bool,
}

/// The broker and everything around it.
pub(super) struct World {
    pub(super) bench: Bench,
    pub(super) alphabet: Alphabet,
    pub(super) door: Door,
    pub(super) engines: [Engine; SESSIONS.len()],
    pub(super) guests: [Guest; 2],
    pub(super) fates: [Fate; SESSIONS.len()],
    /// Which sessions were ever given to the worker.
    pub(super) started: [bool; SESSIONS.len()],
    pub(super) order: Option<Order>,
    pub(super) has_cancelled: bool,
    pub(super) card_is_present: bool,
    /// Whether what happens now is that a domain was found to be who it was.
    pub(super) is_identified: bool,
}

impl SmallWorld for World {
    type Setting = Setting;
    type Step = Step;

    fn after(setting: Setting, path: &[Step]) -> Self {
        let mut world = Self::new(setting);
        for step in path {
            world.take(*step);
        }
        world
    }

    fn steps(&self) -> Vec<Step> {
        self.next_steps()
    }

    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        search::state(&self.bench).hash(&mut hasher);
        (self.guests, self.fates, self.engines).hash(&mut hasher);
        (self.order, self.card_is_present).hash(&mut hasher);
        hasher.finish()
    }

    fn bench(&self) -> &Bench {
        &self.bench
    }

    fn let_time_pass(&mut self) {
        self.take(Step::Timer);
    }

    fn ends_well_with_everybody(self) {
        self.end_with_everybody();
    }

    fn expect_all_over(&self) {
        self.expect_no_more();
    }
}

impl World {
    /// Both guests admitted, the card in its reader, nothing asked for.
    pub(super) fn new(setting: Setting) -> Self {
        let Setting { alphabet, door } = setting;
        let mut bench = search::bench();
        bench.plug_in_as(door);
        let guests = [A, B].map(|domid| Guest {
            conn: bench.admitted(domid),
            connected: true,
            entitled: true,
            alive: true,
        });
        bench.seen.clear();
        bench.reads_hang = true;
        Self {
            bench,
            alphabet,
            door,
            engines: [Engine::None; SESSIONS.len()],
            guests,
            fates: [Fate::Unopened; SESSIONS.len()],
            started: [false; SESSIONS.len()],
            order: None,
            has_cancelled: false,
            card_is_present: true,
            is_identified: false,
        }
    }

    /// Lets it happen and looks at what the broker makes of it.
    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Open(number) => {
                self.fates[number] = Fate::Open;
                let (conn, session) = self.name(number);
                self.bench.open_with(conn, session, |open| {
                    open.server_name = format!("s{number}.example");
                });
            }
            Step::Close(number) => {
                self.fates[number] = Fate::GivenUp;
                let (conn, session) = self.name(number);
                self.bench.close(conn, session);
            }
            Step::Disconnect(guest) => {
                self.lose(guest);
                let conn = self.guests[guest].conn;
                self.bench.handle(Event::Disconnected { conn });
            }
            Step::Records(number) => {
                let (conn, session) = self.name(number);
                self.bench.records(conn, session, 10);
            }
            Step::Read(read, answer) => {
                let (read, domid) = self.bench.open_reads.remove(read);
                let guest = usize::from(domid == B);
                self.is_identified = answer == Answer::True && self.guests[guest].alive;
                let domain = match answer {
                    Answer::Unreadable => DomainFact::Unreadable(ReadFault::Late),
                    Answer::True if self.guests[guest].alive => known(domid),
                    Answer::True => DomainFact::Gone,
                };
                self.bench.handle(Event::DomainRead { read, domain });
            }
            Step::Worker(work) => self.work(work),
            Step::Engine(number, work) => self.work_of_engine(number, work),
            Step::Card(change) => self.change(change),
            Step::Unbind(guest) => {
                self.guests[guest].entitled = false;
                let binding = Bench::binding_of([A, B][guest]);
                self.bench.handle(Event::Unbound { binding });
            }
            Step::Revoke(guest) => {
                self.guests[guest].entitled = false;
                let cti = self.bench.tokens[&[A, B][guest]].cti;
                self.bench.handle(Event::TokenRevoked { cti });
            }
            Step::DomainEnded(guest) => {
                self.guests[guest].entitled = false;
                self.guests[guest].alive = false;
                let domid = [A, B][guest];
                let (domain, successor) = (uuid(domid), None);
                self.bench.handle(Event::DomainEnded {
                    domid,
                    domain,
                    successor,
                });
            }
            Step::Timer => {
                let left = self.next_timer().expect("one that goes off");
                self.bench.pass(left);
            }
        }
        self.check();
        self.is_identified = false;
    }

    fn work(&mut self, work: Work) {
        let order = self.order.as_mut().expect("a use");
        let use_id = order.id;
        match work {
            Work::Speak => {
                order.spoke = true;
                self.bench.say_client_hello(use_id);
            }
            Work::Establish => {
                order.outcome = Some(true);
                let engine = &mut self.engines[order.session];
                match self.door {
                    Door::EapTls => self.bench.establish(use_id),
                    Door::Piv => {
                        self.bench.sign(use_id);
                        // It has the signature from the worker, if it still is.
                        if *engine == Engine::Wants {
                            *engine = Engine::Signed;
                        }
                    }
                }
            }
            Work::Fail => {
                let error = match order.cancelled {
                    true => SessionError::Cancelled,
                    false => SessionError::NoCard,
                };
                self.fail(error);
            }
            Work::Free => {
                self.order = None;
                self.bench.free(use_id);
            }
        }
    }

    fn work_of_engine(&mut self, number: usize, work: EngineWork) {
        let (conn, session) = self.name(number);
        self.engines[number] = match work {
            EngineWork::Speak => Engine::Spoke,
            EngineWork::WantSignature => Engine::Wants,
            EngineWork::Establish | EngineWork::Fail => Engine::Over,
        };
        match work {
            EngineWork::Speak => self.bench.engine_says_client_hello(conn, session),
            EngineWork::WantSignature => self.bench.engine_wants_signature(conn, session, 7),
            EngineWork::Establish => self.bench.engine_establishes(conn, session),
            EngineWork::Fail => {
                let error = SessionError::Timeout {
                    limit: Duration::ZERO,
                };
                let report = EngineReport::Failed { error, alert: None };
                self.bench.engine(conn, session, report);
            }
        }
    }

    fn change(&mut self, change: Change) {
        let fails = change != Change::GoneUnseen;
        if fails && self.order.is_some_and(|order| order.outcome.is_none()) {
            self.fail(SessionError::CardRemoved);
            self.check();
        }
        let why = CardError::Transport(TransportError::Removed);
        self.card_is_present = change == Change::Back;
        match change {
            Change::Gone | Change::GoneUnseen => self.bench.report(WorkerReport::Gone { why }),
            Change::Unusable => self.bench.report(WorkerReport::Unusable { why }),
            Change::Back => self.bench.plug_in_as(self.door),
        }
    }

    fn fail(&mut self, error: SessionError) {
        let order = self.order.as_mut().expect("a use");
        order.outcome = Some(false);
        let use_id = order.id;
        self.bench.fail(use_id, error);
    }

    /// The guest cannot be reached any more: nobody will hear of its sessions.
    pub(super) fn lose(&mut self, guest: usize) {
        self.guests[guest].connected = false;
        for (fate, (of, _)) in self.fates.iter_mut().zip(SESSIONS) {
            if of == guest && *fate == Fate::Open {
                *fate = Fate::GivenUp;
            }
        }
    }

    fn name(&self, number: usize) -> (ConnId, u32) {
        let (guest, session) = SESSIONS[number];
        (self.guests[guest].conn, session)
    }

    pub(super) fn has_established(&self) -> bool {
        self.fates.contains(&Fate::Established)
    }

    pub(super) fn has_refused(&self) -> bool {
        self.fates.contains(&Fate::Refused)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.has_cancelled
    }

    pub(super) fn is_stuck(&self) -> bool {
        let card = self.bench.broker.cards.get(&card());
        let running = card.and_then(|card| card.running.as_ref());
        running.is_some_and(|running| running.stuck)
    }
}
