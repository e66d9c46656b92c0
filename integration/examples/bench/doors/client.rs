//! What makes handshakes, whoever has the key.

use std::time::{Duration, Instant};

use crate::figures::Times;

/// How many handshakes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Count(usize),
    /// As many as this time is enough for.
    For(Duration),
}

/// Makes handshakes of one kind, one after the other, each from the TCP connection to its end.
pub(super) trait Client: Send {
    /// Gets ready: makes one handshake that does not count, which leaves something to resume.
    fn prepare(&mut self);

    /// Makes some.
    fn work(&mut self, work: Work) -> Times;
}

/// Does `one` as often as `work` says. It may say that what it made does not count.
pub(super) fn repeat(work: Work, mut one: impl FnMut() -> Option<Duration>) -> Times {
    let (begun, mut made) = (Instant::now(), 0);
    let mut times = Times::default();
    let mut is_over = || {
        made += 1;
        match work {
            Work::Count(count) => made > count,
            Work::For(time) => begun.elapsed() >= time,
        }
    };
    while !is_over() {
        if let Some(time) = one() {
            times.add(time);
        }
    }
    times
}
