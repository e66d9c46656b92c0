//! Who is behind each domid at one moment.

use std::collections::BTreeMap;

use proto::id::{DomId, DomainUuid};

use super::domains::LiveDomain;
use super::node;
use super::store::Value;
use crate::mapping::{DomainFact, ReadFault};

/// All live domains, dom0 included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Census(BTreeMap<DomId, Entry>);

/// What is known of a live domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// Its UUID.
    Uuid(DomainUuid),
    /// It has none: dom0, or a domain that is being made or destroyed.
    None,
    /// What stands there is no UUID.
    Malformed,
}

/// A domain that had a domid and has it no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainEnded {
    /// The domid it had.
    pub domid: DomId,
    /// The domain.
    pub domain: DomainUuid,
    /// Who has that domid now.
    pub successor: Option<DomainUuid>,
}

impl Census {
    /// Adds a live domain with what stands at its node [`node::vm`].
    pub(super) fn insert(&mut self, domid: DomId, vm: &Value) {
        let entry = match vm {
            Value::Absent => Entry::None,
            Value::NotText => Entry::Malformed,
            Value::Text(text) => node::parse_vm(text).map_or(Entry::Malformed, Entry::Uuid),
        };
        self.0.insert(domid, entry);
    }

    /// The domids, in order.
    pub(super) fn domids(&self) -> impl Iterator<Item = DomId> {
        self.0.keys().copied()
    }

    /// The UUID behind a domid, if it has a good one.
    fn uuid(&self, domid: DomId) -> Option<DomainUuid> {
        match self.0.get(&domid)? {
            Entry::Uuid(uuid) => Some(*uuid),
            Entry::None | Entry::Malformed => None,
        }
    }

    /// The UUIDs that stand behind one domid alone. A UUID that two have is nobody's: which of them
    /// is meant cannot be told.
    pub(super) fn unmistakable(&self) -> BTreeMap<DomId, DomainUuid> {
        let mut behind: BTreeMap<DomainUuid, Vec<DomId>> = BTreeMap::new();
        for domid in self.domids() {
            if let Some(uuid) = self.uuid(domid) {
                behind.entry(uuid).or_default().push(domid);
            }
        }
        let alone = behind
            .into_iter()
            .filter_map(|(uuid, domids)| match domids[..] {
                [domid] => Some((domid, uuid)),
                _ => None,
            });
        alone.collect()
    }

    /// The second fact about a domid; `name` is what stands at its node [`node::name`].
    pub(super) fn fact(&self, domid: DomId, name: &Value) -> DomainFact {
        let uuid = match self.0.get(&domid) {
            None | Some(Entry::None) => return DomainFact::Gone,
            Some(Entry::Malformed) => return malformed("vm"),
            Some(Entry::Uuid(uuid)) => *uuid,
        };
        let has_it = |other: &DomId| *other != domid && self.uuid(*other) == Some(uuid);
        if let Some(other) = self.domids().find(has_it) {
            return DomainFact::Shared { uuid, other };
        }
        match name {
            Value::Text(text) => match node::parse_name(text) {
                Some(name) => DomainFact::Known {
                    uuid,
                    name: name.to_owned(),
                },
                None => malformed("name"),
            },
            Value::NotText => malformed("name"),
            // Its nodes are removed one after the other.
            Value::Absent => DomainFact::Gone,
        }
    }

    /// The domains that have a good UUID, with what stands at their nodes [`node::name`].
    pub(super) fn live(&self, names: &BTreeMap<DomId, Value>) -> Vec<LiveDomain> {
        let live = |domid: DomId| {
            let name = match names.get(&domid) {
                Some(Value::Text(text)) => node::parse_name(text).map(str::to_owned),
                _ => None,
            };
            let uuid = self.uuid(domid)?;
            Some(LiveDomain { domid, uuid, name })
        };
        self.domids().filter_map(live).collect()
    }

    /// The domains of this census that are not in a later one, under the same domid.
    ///
    /// Something unreadable in their place ends none of them: judgements refuse it, and what was
    /// there may come back.
    pub(super) fn ended(&self, later: &Self) -> Vec<DomainEnded> {
        let ended = |(domid, entry): (&DomId, &Entry)| {
            let Entry::Uuid(domain) = *entry else {
                return None;
            };
            let successor = match later.0.get(domid) {
                Some(Entry::Malformed) => return None,
                Some(Entry::Uuid(uuid)) if *uuid == domain => return None,
                Some(Entry::Uuid(uuid)) => Some(*uuid),
                Some(Entry::None) | None => None,
            };
            Some(DomainEnded {
                domid: *domid,
                domain,
                successor,
            })
        };
        self.0.iter().filter_map(ended).collect()
    }
}

fn malformed(node: &'static str) -> DomainFact {
    DomainFact::Unreadable(ReadFault::Malformed(node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(number: u8) -> DomainUuid {
        DomainUuid::from_bytes([number; 16])
    }

    fn vm(number: u8) -> Value {
        text(&format!("/vm/{}", uuid(number)))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn census(entries: &[(u16, Value)]) -> Census {
        let mut census = Census::default();
        census.insert(DomId(0), &Value::Absent);
        for (domid, vm) in entries {
            census.insert(DomId(*domid), vm);
        }
        census
    }

    #[test]
    fn a_domain_is_known_by_its_uuid_and_name() {
        let census = census(&[(7, vm(1)), (8, vm(2))]);
        let known = DomainFact::Known {
            uuid: uuid(1),
            name: "web01".to_owned(),
        };
        assert_eq!(census.fact(DomId(7), &text("web01")), known);
        for nobody in [0, 9] {
            assert_eq!(census.fact(DomId(nobody), &text("x")), DomainFact::Gone);
        }
        assert_eq!(census.fact(DomId(7), &Value::Absent), DomainFact::Gone);
    }

    #[test]
    fn who_lives_is_listed_with_the_name_that_can_be_read() {
        let census = census(&[(7, vm(1)), (8, vm(2)), (9, Value::NotText)]);
        let names = BTreeMap::from([(DomId(7), text("web01")), (DomId(8), Value::Absent)]);
        let live = |domid, number, name: Option<&str>| LiveDomain {
            domid: DomId(domid),
            uuid: uuid(number),
            name: name.map(str::to_owned),
        };
        assert_eq!(
            census.live(&names),
            [live(7, 1, Some("web01")), live(8, 2, None)]
        );
    }

    #[test]
    fn a_uuid_that_two_domains_have_is_nobodys() {
        let census = census(&[
            (7, vm(1)),
            (9, vm(1)),
            (10, vm(2)),
            (11, Value::NotText),
            (12, Value::Absent),
        ]);
        assert_eq!(
            census.unmistakable(),
            BTreeMap::from([(DomId(10), uuid(2))])
        );
    }

    #[test]
    fn two_domains_with_one_uuid_are_both_shared() {
        let census = census(&[(7, vm(1)), (9, vm(1)), (10, vm(2))]);
        for (domid, other) in [(7, 9), (9, 7)] {
            let shared = DomainFact::Shared {
                uuid: uuid(1),
                other: DomId(other),
            };
            assert_eq!(census.fact(DomId(domid), &text("web01")), shared);
        }
        let unshared = census.fact(DomId(10), &text("web02"));
        assert!(matches!(unshared, DomainFact::Known { .. }));
    }

    #[test]
    fn garbage_concerns_the_domain_it_stands_at_only() {
        for garbage in [text(""), text("/vm/X"), text("/vm/"), Value::NotText] {
            let census = census(&[(7, garbage), (8, vm(2))]);
            assert_eq!(census.fact(DomId(7), &text("a")), malformed("vm"));
            let known = census.fact(DomId(8), &text("b"));
            assert!(matches!(known, DomainFact::Known { .. }));
            for garbage in [text(""), text("a\0b"), Value::NotText] {
                assert_eq!(census.fact(DomId(8), &garbage), malformed("name"));
            }
        }
    }

    #[test]
    fn who_left_or_was_replaced_has_ended() {
        let before = census(&[(1, vm(1)), (2, vm(2)), (3, vm(3)), (4, vm(4)), (5, vm(5))]);
        let after = census(&[
            (1, vm(1)),
            (3, vm(9)),
            (4, Value::Absent),
            (5, Value::NotText),
            (6, vm(6)),
        ]);
        let ended = |number: u8, successor: Option<u8>| DomainEnded {
            domid: DomId(number.into()),
            domain: uuid(number),
            successor: successor.map(uuid),
        };
        assert_eq!(
            before.ended(&after),
            [ended(2, None), ended(3, Some(9)), ended(4, None)]
        );
        assert_eq!(after.ended(&after), []);
    }
}
