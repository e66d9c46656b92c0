//! One rule.

use super::caller::Caller;
use super::destination_pattern::DestinationPattern;
use crate::app::destination::Destination;
use crate::app::request::Mode;

/// Whom a rule is for, and what it allows. Nothing in place of a value means any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) identities: Option<Vec<String>>,
    pub(super) modes: Vec<Mode>,
    pub(super) destinations: Option<Vec<DestinationPattern>>,
}

/// Everybody may use everything but the keys.
impl Default for Rule {
    fn default() -> Self {
        Self {
            uid: None,
            gid: None,
            identities: None,
            modes: Mode::without_keys(),
            destinations: None,
        }
    }
}

impl Rule {
    pub(super) fn fits(&self, caller: &Caller) -> bool {
        self.uid.is_none_or(|uid| uid == caller.uid)
            && self.gid.is_none_or(|gid| caller.is_member_of(gid))
    }

    pub(super) fn has_mode(&self, mode: Mode) -> bool {
        self.modes.contains(&mode)
    }

    pub(super) fn has_identity(&self, name: &str) -> bool {
        let names = self.identities.as_ref();
        names.is_none_or(|names| names.iter().any(|allowed| allowed == name))
    }

    pub(super) fn has_destination(&self, destination: &Destination) -> bool {
        let patterns = self.destinations.as_ref();
        patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.fits(destination)))
    }
}
