//! Every order of events in a small world: two guests, three sessions, one card.
//!
//! `random` and `racs_random` sample long runs; here short ones are complete. The search goes breadth first
//! over all events that can happen next, and takes states that differ in nothing for one. A broker holds
//! keys and cannot be copied, so each state is reached again from the beginning.
//!
//! | Module | Holds |
//! |---|---|
//! | `search` | the search, of whatever world |
//! | `step` | what can happen |
//! | `world` | the guests, the worker and the card as the broker sees them |
//! | `next` | what can happen next, and how everything comes to its end |
//! | `promises` | what must be true of everything the broker does |
//! | `turns` | another world: one guest with a card of its own, for handshakes and raw APDUs |

mod next;
mod promises;
mod search;
mod step;
mod turns;
mod world;

use self::step::{Alphabet, Answer, EngineWork, Setting, Step};
use self::world::World;
use crate::card::Door;

/// What a search has seen, so that no test passes because nothing happened.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    states: usize,
    established: usize,
    refused: usize,
    cancelled: usize,
    stuck: usize,
}

/// Goes through everything that can happen in `depth` events after `beginning`.
fn search(alphabet: Alphabet, beginning: &[Step], depth: usize) -> Seen {
    let door = Door::EapTls;
    search_in(Setting { alphabet, door }, beginning, depth)
}

/// The same with a card that only signs.
fn search_signing(alphabet: Alphabet, beginning: &[Step], depth: usize) -> Seen {
    let door = Door::Piv;
    search_in(Setting { alphabet, door }, beginning, depth)
}

fn search_in(setting: Setting, beginning: &[Step], depth: usize) -> Seen {
    let mut seen = Seen::default();
    let look = |world: &World| seen.count(world);
    seen.states = search::search(setting, beginning, depth, look);
    let events = beginning.len();
    println!("{setting:?}, {depth} events after {events}: {seen:?}");
    seen
}

/// One session has the card, two wait for it.
const CROWDED: [Step; 7] = [
    Step::Open(0),
    Step::Read(0, Answer::True),
    Step::Read(0, Answer::True),
    Step::Open(1),
    Step::Read(0, Answer::True),
    Step::Open(2),
    Step::Read(0, Answer::True),
];

/// One session has the card for its signature, the others have said their ClientHello.
const SIGNING: [Step; 11] = [
    Step::Open(0),
    Step::Read(0, Answer::True),
    Step::Engine(0, EngineWork::Speak),
    Step::Engine(0, EngineWork::WantSignature),
    Step::Read(0, Answer::True),
    Step::Open(1),
    Step::Read(0, Answer::True),
    Step::Engine(1, EngineWork::Speak),
    Step::Open(2),
    Step::Read(0, Answer::True),
    Step::Engine(2, EngineWork::Speak),
];

impl Seen {
    fn count(&mut self, world: &World) {
        self.established += usize::from(world.has_established());
        self.refused += usize::from(world.has_refused());
        self.cancelled += usize::from(world.is_cancelled());
        self.stuck += usize::from(world.is_stuck());
    }

    #[track_caller]
    fn expect_all_but_stuck(&self) {
        let all = [self.established, self.refused, self.cancelled];
        assert!(!all.contains(&0), "not everything happened: {self:?}");
    }
}

#[test]
fn guests_and_a_worker_in_any_order() {
    search(Alphabet::Plain, &[], 7).expect_all_but_stuck();
}

#[test]
fn guests_who_wait_for_each_other_in_any_order() {
    search(Alphabet::Plain, &CROWDED, 6).expect_all_but_stuck();
}

#[test]
fn a_card_that_comes_and_goes_in_any_order() {
    search(Alphabet::Card, &[], 6).expect_all_but_stuck();
}

#[test]
fn a_card_that_leaves_those_who_wait_in_any_order() {
    search(Alphabet::Card, &CROWDED, 5).expect_all_but_stuck();
}

#[test]
fn rights_that_end_in_any_order() {
    search(Alphabet::Rights, &[], 6).expect_all_but_stuck();
}

#[test]
fn rights_of_one_who_has_the_card_that_end_in_any_order() {
    search(Alphabet::Rights, &CROWDED, 5).expect_all_but_stuck();
}

#[test]
fn time_that_runs_out_in_any_order() {
    search(Alphabet::Time, &[], 7).expect_all_but_stuck();
}

#[test]
fn time_that_runs_out_for_those_who_wait_in_any_order() {
    let seen = search(Alphabet::Time, &CROWDED, 6);
    seen.expect_all_but_stuck();
    assert_ne!(seen.stuck, 0, "no worker hung");
}

#[test]
fn signatures_in_any_order() {
    search_signing(Alphabet::Plain, &[], 7).expect_all_but_stuck();
    search_signing(Alphabet::Plain, &SIGNING, 4).expect_all_but_stuck();
}

#[test]
fn a_signing_card_that_comes_and_goes_in_any_order() {
    search_signing(Alphabet::Card, &[], 6).expect_all_but_stuck();
    search_signing(Alphabet::Card, &SIGNING, 4).expect_all_but_stuck();
}

#[test]
fn rights_that_end_around_signatures_in_any_order() {
    search_signing(Alphabet::Rights, &[], 6).expect_all_but_stuck();
    search_signing(Alphabet::Rights, &SIGNING, 4).expect_all_but_stuck();
}

#[test]
fn time_that_runs_out_around_signatures_in_any_order() {
    search_signing(Alphabet::Time, &[], 7).expect_all_but_stuck();
    search_signing(Alphabet::Time, &SIGNING, 4).expect_all_but_stuck();
}
