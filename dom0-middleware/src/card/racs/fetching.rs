//! Whether the grid fetches the rest of a long answer, which spares a round trip for each 256 bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proto::apdu::{ResponseApdu, StatusWord};

use crate::card::transport::ChainLink;

/// What is known of a card and its grid.
///
/// At first the driver fetches. Only with a card that was seen to know the command does the grid: else
/// "unknown instruction" could not be told from the answer to the command before it, and the driver would
/// not go over to GET RESPONSE. The same goes for `6Cxx`: a card that says it has its answers fetched by
/// the driver for good.
pub(super) struct Fetching {
    known: Option<[u8; 4]>,
    /// Of all connections to this element.
    given_up: Arc<AtomicBool>,
}

impl Fetching {
    /// Of a card that was just powered.
    pub(super) fn new(given_up: &Arc<AtomicBool>) -> Self {
        Self {
            known: None,
            given_up: Arc::clone(given_up),
        }
    }

    /// With what the grid is to fetch the rest of the answer to `link`.
    pub(super) fn by_grid(&self, link: &ChainLink) -> Option<[u8; 4]> {
        let given_up = self.given_up.load(Ordering::Relaxed);
        link.fetch
            .filter(|fetch| self.known == Some(*fetch) && !given_up)
    }

    /// Takes the answer to a command whose rest was left to the driver.
    pub(super) fn note(&mut self, link: &ChainLink, answer: &ResponseApdu) {
        if is_other_length(answer.sw) {
            return self.give_up();
        }
        let brought = answer.sw.is_success() || answer.sw.sw1() == ANNOUNCED;
        if link.fetch == Some(link.command.header()) && brought {
            self.known = link.fetch;
        }
    }

    /// It may be another card from now on.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// The grid has no room for such answers, or the card wants other lengths: the driver fetches from
    /// now on, also on the next connection.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

/// Whether the card wants the command once more with another Le. Of an answer that the grid has fetched
/// nobody knows which command that was.
pub(super) fn is_other_length(sw: StatusWord) -> bool {
    sw.sw1() == OTHER_LENGTH
}

/// SW1 of an EAP-TLS card that has more to say (specs/eap-tls-card.md §2).
const ANNOUNCED: u8 = 0x9F;
const OTHER_LENGTH: u8 = 0x6C;
