//! What the demo says, with the time since its start.

use std::time::{Duration, Instant};

/// Prints lines as things happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrator {
    begun: Instant,
}

impl Narrator {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
        }
    }

    /// Opens a part of the story.
    pub(crate) fn title(self, text: &str) {
        println!("\n{text}");
    }

    /// Something happened.
    pub(crate) fn say(self, text: impl std::fmt::Display) {
        println!("{:>7.3} s  {text}", self.elapsed().as_secs_f64());
    }

    /// More about it.
    pub(crate) fn detail(self, text: impl std::fmt::Display) {
        println!("           {text}");
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.begun.elapsed()
    }
}
