//! The cards that one session holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proto::id::Seid;
use tracing::info;

use super::grid::{Element, Fault, Grid, Lent};
use crate::racs::session::{Order, Outcome, RacsRefusal};

/// Where it stands what a session holds.
pub(in crate::racs) trait Listed {
    /// It took this card.
    fn took(&self, seid: &Seid, now: Instant);

    /// It gave this card back.
    fn gave_back(&self, seid: &Seid);

    /// Waits until no other connection of the same user has this card, or until `deadline`. Whether none
    /// has it now; `false` if nobody knows.
    fn is_left_by_others_of(&self, user: &str, seid: &Seid, deadline: Instant) -> bool;
}

/// Nowhere: a guest's cards are with the other things that are known of guests.
pub(in crate::racs) struct Unlisted;

impl Listed for Unlisted {
    fn took(&self, _seid: &Seid, _now: Instant) {}

    fn gave_back(&self, _seid: &Seid) {}

    fn is_left_by_others_of(&self, _user: &str, _seid: &Seid, _deadline: Instant) -> bool {
        false
    }
}

/// Does what a session orders, with the cards in its hand. They go back when this is dropped.
pub(in crate::racs) struct Hand<'a, G: Grid, L: Listed> {
    grid: &'a G,
    user: &'a str,
    seat: &'a L,
    held: BTreeMap<Seid, Held<G::Card>>,
    /// Given back because nothing was done with them; the user was not told yet.
    lapsed: BTreeSet<Seid>,
}

struct Held<C> {
    card: C,
    last_used: Instant,
}

impl<'a, G: Grid, L: Listed> Hand<'a, G, L> {
    /// An empty one.
    pub(in crate::racs) fn new(grid: &'a G, user: &'a str, seat: &'a L) -> Self {
        Self {
            grid,
            user,
            seat,
            held: BTreeMap::new(),
            lapsed: BTreeSet::new(),
        }
    }

    /// Whether no card is in it.
    pub(in crate::racs) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Does what is ordered; takes as long as cards take.
    pub(in crate::racs) fn carry_out(&mut self, order: Order, now: Instant) -> Outcome {
        let outcome = match order {
            Order::Transmit { seid, command } => self
                .with_card(&seid, now, |card| card.transmit(&command))
                .map(Outcome::Answer),
            Order::List => self.grid.present().map(Outcome::List),
            Order::PowerOn(seid) => self.power_on(seid, now),
            Order::Shutdown(seid) => self.shutdown(&seid).map(|()| Outcome::Done),
            Order::Reset { seid, warm } => self
                .with_card(&seid, now, |card| card.reset(warm))
                .map(|()| Outcome::Done),
        };
        outcome.unwrap_or_else(Outcome::Refused)
    }

    /// Gives back what nothing was done with for `idle_lock`, and what was taken back anyway.
    pub(in crate::racs) fn let_go_of_idle(&mut self, now: Instant, idle_lock: Duration) {
        let is_over = |held: &Held<G::Card>| {
            held.card.is_recalled() || now.saturating_duration_since(held.last_used) >= idle_lock
        };
        let over = self.held.iter().filter(|(_, held)| is_over(held));
        let over: Vec<Seid> = over.map(|(seid, _)| seid.clone()).collect();
        for seid in over {
            info!(user = self.user, %seid, "a RACS user does not hold a card any more");
            self.let_go(&seid);
            self.lapsed.insert(seid);
        }
    }

    fn power_on(&mut self, seid: Seid, now: Instant) -> Result<Outcome, RacsRefusal> {
        if let Some(held) = self.held.get_mut(&seid) {
            if !held.card.is_recalled() {
                held.last_used = now;
                return Ok(Outcome::Done);
            }
            self.let_go(&seid);
        }
        self.lapsed.remove(&seid);
        let lent = match self.grid.lend(&seid, self.user) {
            // Who comes back at once may be faster than the end of the connection before.
            Err(RacsRefusal::InUse) if self.is_left_by_another(&seid) => {
                self.grid.lend(&seid, self.user)
            }
            lent => lent,
        };
        let Lent { card, bound } = lent?;
        // It may have come after a wait.
        let last_used = Instant::now();
        self.seat.took(&seid, last_used);
        self.held.insert(seid, Held { card, last_used });
        Ok(Outcome::Powered { bound })
    }

    /// Whether no other connection of this user has the card, now or in a moment.
    fn is_left_by_another(&self, seid: &Seid) -> bool {
        let deadline = Instant::now() + SAME_USER_WAIT;
        self.seat.is_left_by_others_of(self.user, seid, deadline)
    }

    /// Also for a card that nobody holds, but for no one that somebody else uses.
    fn shutdown(&mut self, seid: &Seid) -> Result<(), RacsRefusal> {
        self.lapsed.remove(seid);
        match self.held.contains_key(seid) {
            true => self.let_go(seid),
            false => self.grid.is_free(seid)?,
        }
        Ok(())
    }

    fn with_card<T>(
        &mut self,
        seid: &Seid,
        now: Instant,
        act: impl FnOnce(&mut G::Card) -> Result<T, Fault>,
    ) -> Result<T, RacsRefusal> {
        let Some(held) = self.held.get_mut(seid) else {
            return Err(match self.lapsed.remove(seid) {
                true => RacsRefusal::PoweredOff,
                false => RacsRefusal::NotHeld,
            });
        };
        held.last_used = now;
        let result = act(&mut held.card);
        result.map_err(|fault| match fault {
            Fault::Recalled => {
                self.let_go(seid);
                RacsRefusal::PoweredOff
            }
            Fault::Removed => {
                self.let_go(seid);
                RacsRefusal::Hardware(fault.to_string())
            }
            Fault::Failed(how) => RacsRefusal::Hardware(how),
        })
    }

    fn let_go(&mut self, seid: &Seid) {
        self.held.remove(seid);
        self.seat.gave_back(seid);
    }
}

impl<G: Grid, L: Listed> Drop for Hand<'_, G, L> {
    fn drop(&mut self) {
        for (seid, held) in std::mem::take(&mut self.held) {
            drop(held);
            self.seat.gave_back(&seid);
        }
    }
}

/// How long a user's other connection is waited for.
const SAME_USER_WAIT: Duration = Duration::from_millis(200);
