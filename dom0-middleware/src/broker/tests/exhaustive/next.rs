//! What can happen next, and how everything comes to its end.

use super::search::{ENOUGH, SmallWorld};
use super::step::{Alphabet, Answer, Change, EngineWork, Step, Work};
use super::world::{Engine, Fate, Order, SESSIONS, World};
use crate::card::Door;

impl World {
    /// Everything that can happen next.
    pub(super) fn next_steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, (guest, session)) in SESSIONS.into_iter().enumerate() {
            let before = SESSIONS[..number]
                .iter()
                .position(|s| *s == (guest, session - 1));
            let in_turn = before.is_none_or(|before| self.fates[before] != Fate::Unopened);
            match self.fates[number] {
                Fate::Unopened if in_turn && self.guests[guest].connected => {
                    steps.push(Step::Open(number));
                }
                Fate::Open => {
                    steps.push(Step::Close(number));
                    if self.alphabet == Alphabet::Plain {
                        steps.push(Step::Records(number));
                    }
                }
                _ => {}
            }
        }
        for read in 0..self.bench.open_reads.len() {
            steps.push(Step::Read(read, Answer::True));
            if self.alphabet == Alphabet::Rights {
                steps.push(Step::Read(read, Answer::Unreadable));
            }
        }
        steps.extend(self.works().into_iter().map(Step::Worker));
        steps.extend(self.engine_works());
        let more: Vec<Step> = match self.alphabet {
            Alphabet::Plain => (0..2).map(Step::Disconnect).collect(),
            Alphabet::Card => self.changes().into_iter().map(Step::Card).collect(),
            Alphabet::Rights => {
                vec![Step::Unbind(0), Step::Revoke(0), Step::DomainEnded(0)]
            }
            Alphabet::Time => vec![Step::Timer],
        };
        steps.extend(more.into_iter().filter(|step| self.is_possible(*step)));
        steps
    }

    fn is_possible(&self, step: Step) -> bool {
        match step {
            Step::Disconnect(guest) => self.guests[guest].connected,
            Step::Unbind(guest) | Step::Revoke(guest) => self.guests[guest].entitled,
            Step::DomainEnded(guest) => self.guests[guest].alive,
            Step::Timer => self.next_timer().is_some(),
            _ => true,
        }
    }

    pub(super) fn works(&self) -> Vec<Work> {
        match self.order {
            None => vec![],
            Some(Order {
                outcome: Some(_), ..
            }) => vec![Work::Free],
            Some(_) if !self.card_is_present => vec![Work::Fail],
            Some(_) if self.door == Door::Piv => vec![Work::Establish, Work::Fail],
            Some(Order { spoke: false, .. }) => vec![Work::Speak, Work::Establish, Work::Fail],
            Some(_) => vec![Work::Establish, Work::Fail],
        }
    }

    /// What engines can do. A resumed handshake ends without a signature; a full one has one.
    fn engine_works(&self) -> Vec<Step> {
        let works = |engine: Engine| match engine {
            Engine::None | Engine::Wants | Engine::Over => vec![],
            Engine::Begun => vec![EngineWork::Speak, EngineWork::Fail],
            Engine::Spoke => vec![
                EngineWork::Establish,
                EngineWork::WantSignature,
                EngineWork::Fail,
            ],
            Engine::Signed => vec![EngineWork::Establish, EngineWork::Fail],
        };
        let of = |(number, engine): (usize, &Engine)| {
            let works = works(*engine).into_iter();
            works.map(move |work| Step::Engine(number, work))
        };
        self.engines.iter().enumerate().flat_map(of).collect()
    }

    fn changes(&self) -> Vec<Change> {
        match (self.card_is_present, self.order) {
            (
                true,
                Some(Order {
                    spoke: false,
                    outcome: None,
                    ..
                }),
            ) => {
                vec![Change::Gone, Change::GoneUnseen, Change::Unusable]
            }
            (true, _) => vec![Change::Gone, Change::Unusable],
            (false, None) => vec![Change::Back],
            (false, Some(_)) => vec![],
        }
    }

    /// Everybody does what must be done, in any order: answers, reports.
    pub(super) fn end_with_everybody(mut self) {
        for _ in 0..ENOUGH {
            if !self.bench.open_reads.is_empty() {
                self.take(Step::Read(0, Answer::True));
            } else if let Some(work) = self.works().into_iter().find(|work| *work != Work::Speak) {
                self.take(Step::Worker(work));
            } else if let Some(step) = self.engine_works().first().copied() {
                self.take(step);
            } else {
                return self.expect_all_over();
            }
        }
        panic!("it never comes to an end");
    }

    #[track_caller]
    pub(super) fn expect_no_more(&self) {
        let lost = self.fates.iter().position(|fate| *fate == Fate::Open);
        assert_eq!(lost, None, "a session that nobody ends");
    }
}
