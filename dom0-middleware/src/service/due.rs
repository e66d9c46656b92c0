//! When something is due by itself, without asking everybody after each event.

use std::time::{Duration, Instant};

/// How long after an event it is asked anew what is due. Less than any time limit there is, and more
/// than the time between events where many come.
const GRAIN: Duration = Duration::from_millis(10);

/// What is known of the next deadline. To find it, all connections and cards are looked at, which
/// takes longer than most events.
#[derive(Debug)]
pub(super) struct Due {
    /// The deadline as it was found.
    next: Option<Instant>,
    /// When to find it anew: since then there were events.
    again: Option<Instant>,
}

impl Default for Due {
    /// Nothing is known yet.
    fn default() -> Self {
        Self {
            next: None,
            again: Some(Instant::now()),
        }
    }
}

impl Due {
    /// When to look at what is due.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.next.into_iter().chain(self.again).min()
    }

    /// Something happened, at this time, which may have brought a deadline.
    pub(super) fn may_have_changed(&mut self, now: impl FnOnce() -> Instant) {
        if self.again.is_none() {
            self.again = Some(now() + GRAIN);
        }
    }

    /// Takes the deadline as it is now; whether it is reached.
    pub(super) fn is_reached(&mut self, now: Instant, next: Option<Instant>) -> bool {
        self.next = next;
        self.again = None;
        next.is_some_and(|next| next <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_any_number_of_events_it_is_asked_once() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut due = Due::default();
        assert!(due.look_at().is_some(), "nothing is known");
        assert!(!due.is_reached(at(0), Some(at(1_000))));
        assert_eq!(due.look_at(), Some(at(1_000)));
        due.may_have_changed(|| at(100));
        due.may_have_changed(|| at(105));
        assert_eq!(due.look_at(), Some(at(110)));
        assert!(!due.is_reached(at(110), Some(at(350))));
        assert_eq!(due.look_at(), Some(at(350)));
        // A deadline that was known is not put off by events.
        due.may_have_changed(|| at(345));
        assert_eq!(due.look_at(), Some(at(350)));
        assert!(due.is_reached(at(350), Some(at(350))));
        assert!(!due.is_reached(at(350), None));
        assert_eq!(due.look_at(), None);
    }
}
