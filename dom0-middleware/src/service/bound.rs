//! Which domains are bound, for whoever runs something for each of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::id::DomainUuid;
use tokio::sync::watch;

use crate::mapping::Table;

/// The domains that are bound now, and a word whenever they are others.
pub(super) type BoundDomains = watch::Receiver<Arc<BTreeSet<DomainUuid>>>;

/// Tells which domains are bound, and which of them may send raw APDUs.
#[derive(Debug)]
pub(super) struct TellBound {
    bound: watch::Sender<Arc<BTreeSet<DomainUuid>>>,
    raw: watch::Sender<Arc<BTreeSet<DomainUuid>>>,
}

impl TellBound {
    /// Begins with the domains of the table at start.
    pub(super) fn new(table: &Table) -> Self {
        Self {
            bound: watch::Sender::new(Arc::new(domains(table))),
            raw: watch::Sender::new(Arc::new(raw_domains(table))),
        }
    }

    /// For one more who listens.
    pub(super) fn listen(&self) -> BoundDomains {
        self.bound.subscribe()
    }

    /// For one more who listens for those that may send raw APDUs alone.
    pub(super) fn listen_for_raw(&self) -> BoundDomains {
        self.raw.subscribe()
    }

    /// Tells of the table as it is now; nobody hears of it when the same domains are bound.
    pub(super) fn tell(&self, table: &Table) {
        tell(&self.bound, domains(table));
        tell(&self.raw, raw_domains(table));
    }
}

fn tell(told: &watch::Sender<Arc<BTreeSet<DomainUuid>>>, bound: BTreeSet<DomainUuid>) {
    told.send_if_modified(|told| {
        let is_news = **told != bound;
        if is_news {
            *told = Arc::new(bound);
        }
        is_news
    });
}

fn domains(table: &Table) -> BTreeSet<DomainUuid> {
    table.iter().map(|(_, binding)| binding.domain).collect()
}

fn raw_domains(table: &Table) -> BTreeSet<DomainUuid> {
    let bindings = table.iter().map(|(_, binding)| binding);
    let raw = bindings.filter(|binding| binding.raw_apdu.is_some());
    raw.map(|binding| binding.domain).collect()
}

#[cfg(test)]
mod tests {
    use proto::id::IdentityName;
    use proto::tls::ProtocolVersion;

    use super::*;
    use crate::mapping::{Binding, Terms};
    use crate::time::UnixTime;

    fn binding(domain: u8, identity: &str) -> Binding {
        let identity: IdentityName = identity.parse().expect("a name");
        Binding {
            domain: DomainUuid::from_bytes([domain; 16]),
            seid: "se-00".parse().expect("a SEID"),
            identity: Some(identity),
            certificate: None,
            tokens_from: UnixTime::default(),
            raw_apdu: None,
            terms: Terms {
                server_names: Vec::new(),
                min_version: ProtocolVersion::TLS1_2,
                resume: true,
            },
        }
    }

    #[test]
    fn who_is_bound_is_told_at_start_and_when_it_changes_and_only_then() {
        let uuid = |number| DomainUuid::from_bytes([number; 16]);
        let mut table = Table::default();
        let first = table.insert(binding(1, "a")).expect("free");
        let bound = TellBound::new(&table);
        let mut told = bound.listen();
        assert_eq!(**told.borrow_and_update(), BTreeSet::from([uuid(1)]));

        table.insert(binding(1, "b")).expect("free");
        bound.tell(&table);
        assert!(
            !told.has_changed().expect("it is there"),
            "the same domains"
        );
        table.insert(binding(2, "c")).expect("free");
        bound.tell(&table);
        assert!(told.has_changed().expect("it is there"));
        assert_eq!(
            **told.borrow_and_update(),
            BTreeSet::from([uuid(1), uuid(2)])
        );
        table.remove(first);
        bound.tell(&table);
        assert!(!told.has_changed().expect("it is there"), "still bound");
    }
}
