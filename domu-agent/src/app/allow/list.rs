//! All rules, and the judgement.

use super::caller::Caller;
use super::denied::Denied;
use super::rule::Rule;
use crate::app::destination::Destination;
use crate::app::request::Mode;

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllowList(Vec<Rule>);

/// Without any `[[allow]]`: who can open the socket may use everything but keys.
impl Default for AllowList {
    fn default() -> Self {
        Self(vec![Rule::default()])
    }
}

/// The rules that fit one caller; at least one.
pub(crate) struct Rights<'r> {
    caller: &'r Caller,
    rules: Vec<&'r Rule>,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'r> {
    pub(crate) mode: Mode,
    pub(crate) destination: &'r Destination,
    pub(crate) identity: Option<&'r str>,
}

impl AllowList {
    /// The rules of the configuration; the default rule if there is none.
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        match rules.is_empty() {
            true => Self::default(),
            false => Self(rules),
        }
    }

    /// What the caller may do.
    ///
    /// # Errors
    /// [`Denied::Caller`] if no rule is for it.
    pub(crate) fn rights<'r>(&'r self, caller: &'r Caller) -> Result<Rights<'r>, Denied> {
        let rules: Vec<_> = self.0.iter().filter(|rule| rule.fits(caller)).collect();
        match rules.is_empty() {
            true => Err(Denied::Caller(caller.clone())),
            false => Ok(Rights { caller, rules }),
        }
    }

    /// Whether a rule can only be judged with all groups of the caller.
    pub(super) fn names_a_group(&self) -> bool {
        self.0.iter().any(|rule| rule.gid.is_some())
    }
}

impl<'r> Rights<'r> {
    /// Whether one rule allows all that is asked; with which identity, if it must be one.
    ///
    /// A request that names no identity leaves the choice to dom0. Where only some identities are
    /// allowed, the choice must not be dom0's: it is the one that is allowed, or no.
    ///
    /// # Errors
    /// [`Denied`] says what is missing.
    pub(crate) fn judge(&self, asked: Asked<'r>) -> Result<Option<&'r str>, Denied> {
        let Asked {
            mode,
            destination,
            identity,
        } = asked;
        let caller = || self.caller.clone();
        let mut rules = self.rules.clone();
        rules.retain(|rule| rule.has_mode(mode));
        if rules.is_empty() {
            let caller = caller();
            return Err(Denied::Mode { caller, mode });
        }
        rules.retain(|rule| rule.has_destination(destination));
        if rules.is_empty() {
            return Err(Denied::Destination {
                caller: caller(),
                mode,
                destination: destination.to_string(),
            });
        }
        match identity {
            Some(name) if rules.iter().any(|rule| rule.has_identity(name)) => Ok(Some(name)),
            Some(name) => Err(Denied::Identity {
                caller: caller(),
                mode,
                destination: destination.to_string(),
                identity: name.to_owned(),
            }),
            None => self.only_identity(&rules),
        }
    }

    /// Whether the caller is shown that there is this identity: whether it may use it at all.
    pub(crate) fn may_see(&self, identity: &str) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| !rule.modes.is_empty() && rule.has_identity(identity))
    }

    fn only_identity(&self, rules: &[&'r Rule]) -> Result<Option<&'r str>, Denied> {
        let mut allowed = Vec::new();
        for rule in rules {
            let Some(names) = &rule.identities else {
                return Ok(None);
            };
            allowed.extend(names.iter().map(String::as_str));
        }
        allowed.sort_unstable();
        allowed.dedup();
        match allowed[..] {
            [only] => Ok(Some(only)),
            _ => Err(Denied::Unnamed {
                caller: self.caller.clone(),
                allowed: allowed.into_iter().map(str::to_owned).collect(),
            }),
        }
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
