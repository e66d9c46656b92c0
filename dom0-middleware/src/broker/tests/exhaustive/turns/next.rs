//! What can happen next, and how everything comes to its end.

use super::super::search::{ENOUGH, SmallWorld};
use super::super::step::Answer;
use super::super::world::Fate;
use super::world::{SESSIONS, TurnsWorld, Use, UseOf, WISHES, Wish};
use super::{About, Turn, Work};
use crate::broker::guest_leases::LEASE_PAUSE;

impl TurnsWorld {
    pub(super) fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        for number in 0..SESSIONS {
            let in_turn = number == 0 || self.fates[number - 1] != Fate::Unopened;
            match self.fates[number] {
                Fate::Unopened if in_turn && self.agent.is_open => turns.push(Turn::Open(number)),
                Fate::Open => turns.push(Turn::Close(number)),
                _ => {}
            }
        }
        for (number, of) in WISHES.into_iter().enumerate() {
            let mut before = (0..number).filter(|other| WISHES[*other] == of);
            // A connection has one order at a time.
            let in_turn =
                before.all(|other| !matches!(self.wishes[other], Wish::Unasked | Wish::Asked));
            let is_held = matches!(self.in_use, Some(Use { of: UseOf::Wish(held), ended: false, .. })
                if WISHES[held] == of);
            let may = self.racs[of].is_open && in_turn && !is_held;
            if self.wishes[number] == Wish::Unasked && may {
                turns.push(Turn::Want(number));
            }
        }
        for read in 0..self.bench.open_reads.len() {
            turns.push(Turn::Read(read, Answer::True));
            if self.about == About::Rights {
                turns.push(Turn::Read(read, Answer::Unreadable));
            }
        }
        turns.extend(self.works().into_iter().map(Turn::Worker));
        turns.extend(match self.about {
            About::Leaving => self.departures(),
            About::Card => self.changes(),
            About::Rights if self.is_entitled => {
                vec![Turn::Unbind, Turn::Revoke, Turn::DomainEnded]
            }
            About::Time if self.next_timer().is_some() => vec![Turn::Timer],
            About::Rights | About::Time => vec![],
        });
        turns
    }

    fn departures(&self) -> Vec<Turn> {
        let open = |which: &usize| self.racs[*which].is_open;
        let leave = (0..self.racs.len()).filter(open).map(Turn::Leave);
        let agent = self.agent.is_open.then_some(Turn::AgentLeaves);
        leave.chain(agent).collect()
    }

    fn changes(&self) -> Vec<Turn> {
        let card = match (self.card_is_present, self.in_use) {
            (true, _) => Some(Turn::CardGone),
            (false, None) => Some(Turn::CardBack),
            (false, Some(_)) => None,
        };
        let maintenance = Turn::Maintenance(!self.maintenance);
        card.into_iter().chain([maintenance]).collect()
    }

    fn works(&self) -> Vec<Work> {
        match self.in_use {
            None => vec![],
            Some(Use { ended: true, .. }) => vec![Work::Free],
            Some(Use {
                of: UseOf::Session(_),
                ..
            }) => match self.card_is_present {
                true => vec![Work::Establish, Work::Fail],
                false => vec![Work::Fail],
            },
            Some(Use {
                of: UseOf::Wish(_), ..
            }) => match self.card_is_present {
                true => vec![Work::Return, Work::Fail],
                false => vec![Work::Fail],
            },
        }
    }

    /// Answers, reports, and the pause between two loans: more is not needed.
    pub(super) fn end_with_everybody(mut self) {
        for _ in 0..ENOUGH {
            let pause = self.next_timer().filter(|left| *left <= LEASE_PAUSE);
            if !self.bench.open_reads.is_empty() {
                self.take(Turn::Read(0, Answer::True));
            } else if let Some(work) = self.works().first().copied() {
                self.take(Turn::Worker(work));
            } else if pause.is_some() {
                self.take(Turn::Timer);
            } else {
                return self.expect_all_over();
            }
        }
        panic!("it never comes to an end");
    }

    #[track_caller]
    pub(super) fn expect_no_more(&self) {
        assert!(
            !self.fates.contains(&Fate::Open),
            "a session that nobody ends"
        );
        assert!(
            !self.wishes.contains(&Wish::Asked),
            "a wish without an answer"
        );
    }
}
