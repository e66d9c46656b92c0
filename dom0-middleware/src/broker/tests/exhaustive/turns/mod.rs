//! One guest with a card that is its own, for handshakes and for raw APDUs: in every order.
//!
//! Its agent has two sessions; two of its connections speak RACS and want the card three times.

mod next;
mod promises;
mod world;

use self::world::TurnsWorld;
use super::search::search;
use super::step::Answer;

/// Which events a search is about, besides those of every use of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// Connections end.
    Leaving,
    /// The card leaves and comes back, and so does maintenance.
    Card,
    /// The right ends, and nobody knows who is behind the domid.
    Rights,
    /// Timers go off.
    Time,
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// A session is opened.
    Open(usize),
    /// The guest gives it up.
    Close(usize),
    /// A connection wants the card.
    Want(usize),
    /// One of the questions who is behind the domid is answered.
    Read(usize, Answer),
    Worker(Work),
    /// A connection that speaks RACS ends.
    Leave(usize),
    /// The agent's connection ends.
    AgentLeaves,
    CardGone,
    CardBack,
    Maintenance(bool),
    Unbind,
    Revoke,
    DomainEnded,
    Timer,
}

/// What the worker does with the use that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// The handshake has its keys.
    Establish,
    /// It has none; or the card did not come up for who was to borrow it.
    Fail,
    /// It has the card back from who had it.
    Return,
    /// It is at rest.
    Free,
}

/// What a search has seen, so that no test passes because nothing happened.
#[derive(Debug, Default)]
struct Seen {
    states: usize,
    established: usize,
    lent: usize,
    not_lent: usize,
    recalled: usize,
}

fn search_turns(about: About, beginning: &[Turn], depth: usize) -> Seen {
    let mut seen = Seen::default();
    seen.states = search(about, beginning, depth, |world: &TurnsWorld| {
        seen.established += usize::from(world.has_established());
        seen.lent += usize::from(world.is_lent());
        seen.not_lent += usize::from(world.has_not_lent());
        seen.recalled += usize::from(world.is_recalled());
    });
    println!("{about:?}, {depth} events: {seen:?}");
    let all = [seen.established, seen.lent, seen.not_lent];
    assert!(!all.contains(&0), "not everything happened: {seen:?}");
    seen
}

/// A session has the card, the other one waits for it, and so does a wish.
const CROWDED: [Turn; 7] = [
    Turn::Open(0),
    Turn::Read(0, Answer::True),
    Turn::Read(0, Answer::True),
    Turn::Open(1),
    Turn::Read(0, Answer::True),
    Turn::Want(0),
    Turn::Read(0, Answer::True),
];

/// The card is lent, and a session waits for it.
const LENT: [Turn; 4] = [
    Turn::Want(0),
    Turn::Read(0, Answer::True),
    Turn::Open(0),
    Turn::Read(0, Answer::True),
];

#[test]
fn turns_of_a_guest_in_any_order() {
    search_turns(About::Leaving, &[], 5);
    search_turns(About::Leaving, &CROWDED, 5);
    let seen = search_turns(About::Leaving, &LENT, 5);
    assert_ne!(seen.recalled, 0, "nobody lost the card");
}

#[test]
fn turns_on_a_card_that_comes_and_goes_in_any_order() {
    search_turns(About::Card, &CROWDED, 5);
    search_turns(About::Card, &LENT, 5);
}

#[test]
fn turns_of_a_guest_whose_right_ends_in_any_order() {
    search_turns(About::Rights, &CROWDED, 5);
    search_turns(About::Rights, &LENT, 5);
}

#[test]
fn turns_that_nobody_ends_in_any_order() {
    search_turns(About::Time, &CROWDED, 5);
    search_turns(About::Time, &LENT, 5);
}
