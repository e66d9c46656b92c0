//! Waiting for something that must happen soon.

use std::thread;
use std::time::{Duration, Instant};

/// The longest that anything on one machine may take, however busy it is.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Time between two looks.
const STEP: Duration = Duration::from_millis(5);

/// Looks until `probe` sees what it waits for.
///
/// # Panics
/// When [`PATIENCE`] is over; the message says `what` did not happen.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = probe() {
            return seen;
        }
        assert!(
            Instant::now() < deadline,
            "waited {} s in vain: {what}",
            PATIENCE.as_secs()
        );
        thread::park_timeout(STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_until_it_sees() {
        let mut looks = 0..3;
        let seen = until("the third look", || looks.next().is_none().then_some(7));
        assert_eq!(seen, 7);
    }
}
