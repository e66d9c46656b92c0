//! How xenstored is doing, for an operator who asks.

use tokio::time::Instant;

/// What is known of xenstored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// How many domains lived when it answered last, dom0 included.
    pub domains: usize,
    /// What is wrong; nothing when it answers.
    pub trouble: Option<Trouble>,
}

/// Why xenstore cannot be read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when it cannot.
    pub since: Instant,
    /// Whether xenstored is there and gives no answer. Else it is looked for again.
    pub is_mute: bool,
    /// What is wrong, in words.
    pub problem: String,
}

impl Health {
    /// Nobody has answered yet.
    pub(super) fn at_start(now: Instant) -> Self {
        Self {
            domains: 0,
            trouble: Some(Trouble {
                since: now,
                is_mute: false,
                problem: "the service has just started".to_owned(),
            }),
        }
    }

    /// All is well.
    pub(super) const fn answering(domains: usize) -> Self {
        Self {
            domains,
            trouble: None,
        }
    }

    /// It cannot be read, or still not, and perhaps for another reason.
    pub(super) fn lost(&mut self, is_mute: bool, problem: String, now: Instant) {
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble {
            since,
            is_mute,
            problem,
        });
    }
}
