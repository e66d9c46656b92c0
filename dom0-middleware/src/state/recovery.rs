//! What the audit knows and the state does not.
//!
//! That happens after a crash between an audit record and its change, and after an older state was
//! restored. Whatever takes a right away is done again; whatever gives one is only told, for nobody
//! may get a right because a file was copied.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proto::id::{DomainUuid, Seid};

use super::change::Edit;
use super::error::StateError;
use super::open::State;
use crate::audit::AuditHead;
use crate::hex::hex;
use crate::time::UnixTime;

/// A change, as its audit record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChangeRecord {
    /// Its number.
    pub(super) change: u64,
    /// What it was.
    pub(super) kind: ChangeKind,
}

/// What a change was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Bound {
        domain: DomainUuid,
        seid: Seid,
        identities: Vec<String>,
    },
    Unbound {
        domain: DomainUuid,
    },
    Revoked {
        cti: [u8; 16],
        exp: Option<UnixTime>,
        at: UnixTime,
    },
    TokensFrom {
        domain: DomainUuid,
        from: UnixTime,
    },
    Adopted {
        seid: Seid,
        fingerprint: String,
    },
    Maintenance {
        seid: Seid,
        on: bool,
    },
    /// A change that was recorded and then not made.
    Failed,
    /// Something else; its event.
    Other(String),
}

/// What has to be done so that the state knows what the audit knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// The number of the last change in the audit.
    pub upto: u64,
    /// Tokens to be revoked: when that was done, and when each ends if that is known.
    pub revoke: BTreeMap<[u8; 16], (UnixTime, Option<UnixTime>)>,
    /// From when on tokens of a domain count.
    pub tokens_from: BTreeMap<DomainUuid, UnixTime>,
    /// Domains to be unbound.
    pub unbind: BTreeSet<DomainUuid>,
    /// What is not done again.
    pub missing: Vec<Missing>,
}

/// A change that the state does not have, and that is not made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its number.
    pub change: u64,
    /// What it was.
    pub what: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "change {}: {}", self.change, self.what)
    }
}

impl CatchUp {
    /// What is done again, in words.
    pub fn again(&self) -> impl Iterator<Item = String> {
        let revoked = self.revoke.keys();
        let revoked = revoked.map(|cti| format!("revocation of token {}", hex(cti)));
        let from = self.tokens_from.iter();
        let from = from.map(|(domain, from)| format!("tokens of {domain} count from {from}"));
        let unbound = self.unbind.iter();
        let unbound = unbound.map(|domain| format!("removal of the bindings of {domain}"));
        revoked.chain(from).chain(unbound)
    }

    /// Whether nobody needs to know of it: the state has everything that was done.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let nothing_again = self.revoke.is_empty() && self.tokens_from.is_empty();
        nothing_again && self.unbind.is_empty() && self.missing.is_empty()
    }
}

/// Compares the number of the last change of a state with the changes in the audit; `None` when
/// the audit knows of no later one.
pub(super) fn compare(state: u64, audit: &[ChangeRecord]) -> Option<CatchUp> {
    let mut later: BTreeMap<u64, Option<&ChangeKind>> = BTreeMap::new();
    for record in audit.iter().filter(|record| record.change > state) {
        match &record.kind {
            ChangeKind::Failed => drop(later.insert(record.change, None)),
            kind => drop(later.entry(record.change).or_insert(Some(kind))),
        }
    }
    let mut catch_up = CatchUp {
        upto: *later.keys().next_back()?,
        ..CatchUp::default()
    };
    let mut bound = BTreeMap::new();
    let mut adopted = BTreeMap::new();
    let mut maintained = BTreeMap::new();
    for (&change, kind) in &later {
        match kind {
            None | Some(ChangeKind::Failed) => {}
            Some(ChangeKind::Revoked { cti, exp, at }) => {
                catch_up.revoke.insert(*cti, (*at, *exp));
            }
            Some(ChangeKind::TokensFrom { domain, from }) => {
                let latest = catch_up.tokens_from.entry(*domain).or_insert(*from);
                *latest = (*latest).max(*from);
            }
            Some(ChangeKind::Unbound { domain }) => {
                catch_up.unbind.insert(*domain);
                bound.retain(|_, (of, _)| of != domain);
            }
            Some(ChangeKind::Bound {
                domain,
                seid,
                identities,
            }) => {
                let identities = match identities.as_slice() {
                    [] => "the only identity".to_owned(),
                    names => names.join(", "),
                };
                let what = format!("binding of {domain} to {identities} of card {seid}");
                bound.insert(change, (*domain, what));
            }
            Some(ChangeKind::Adopted { seid, fingerprint }) => {
                let what = format!("adoption of {fingerprint} as card {seid}");
                adopted.insert(seid, Missing { change, what });
            }
            Some(ChangeKind::Maintenance { seid, on }) => {
                let what = match on {
                    true => format!("maintenance of card {seid}"),
                    false => format!("end of the maintenance of card {seid}"),
                };
                maintained.insert(seid, Missing { change, what });
            }
            Some(ChangeKind::Other(event)) => {
                let what = event.clone();
                catch_up.missing.push(Missing { change, what });
            }
        }
    }
    let bound = bound.into_iter();
    let bound = bound.map(|(change, (_, what))| Missing { change, what });
    catch_up.missing.extend(bound.chain(adopted.into_values()));
    catch_up.missing.extend(maintained.into_values());
    catch_up.missing.sort_by_key(|missing| missing.change);
    Some(catch_up)
}

impl State {
    /// Makes again what takes rights away, whole or not at all, and takes over the number.
    ///
    /// # Errors
    /// [`StateError`]; nothing has changed then.
    pub fn catch_up(&self, catch_up: &CatchUp) -> Result<(), StateError> {
        self.make_again(catch_up.upto, |edit: &Edit<'_>| {
            for (cti, (at, exp)) in &catch_up.revoke {
                edit.revoke(*cti, *exp, *at)?;
            }
            for (domain, from) in &catch_up.tokens_from {
                edit.set_tokens_from(*domain, *from)?;
            }
            for domain in &catch_up.unbind {
                edit.unbind(*domain)?;
            }
            Ok(())
        })
    }
}

/// The audit does not have what the state knows to be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditBehind {
    /// The line that was on disk.
    pub noted: u64,
    /// The last line that is there; `None` for an audit without lines.
    pub last: Option<u64>,
}

impl fmt::Display for AuditBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noted = self.noted;
        match self.last {
            None => write!(f, "the audit is empty, and had line {noted}"),
            Some(last) if last < noted => {
                write!(
                    f,
                    "the audit was cut: it ends with line {last}, and had line {noted}"
                )
            }
            Some(_) => write!(f, "the audit was replaced: line {noted} is another one"),
        }
    }
}

/// What was seen of the lines of an audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// The number of the first line.
    pub(super) first: Option<u64>,
    /// The number of the last one.
    pub(super) last: Option<u64>,
    /// The hash of the line that was looked for, if it is there.
    pub(super) at_head: Option<[u8; 32]>,
}

/// Compares what a state knows of the audit with the audit.
pub(super) fn compare_head(head: Option<AuditHead>, lines: Lines) -> Option<AuditBehind> {
    let AuditHead { seq, hash } = head?;
    let is_behind = match lines.at_head {
        Some(found) => found != hash,
        // Its file may be so old that it was deleted.
        None => lines.first.is_none_or(|first| first <= seq),
    };
    is_behind.then_some(AuditBehind {
        noted: seq,
        last: lines.last,
    })
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
