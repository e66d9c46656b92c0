//! Asking who is there.

use std::collections::BTreeMap;

use proto::id::DomId;

use super::census::Census;
use super::follower::Question;
use super::node;
use super::store::{Store, StoreError, Value};

/// The live domains.
pub(super) async fn domids(store: &impl Store) -> Result<Vec<DomId>, StoreError> {
    let children = match store.directory(node::DOMAINS).await {
        Err(StoreError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::Empty);
        }
        children => children?,
    };
    let mut domids: Vec<DomId> = children
        .iter()
        .filter_map(|child| node::parse_domid(child))
        .collect();
    domids.sort();
    domids.dedup();
    match domids.first() {
        Some(DomId(0)) => Ok(domids),
        _ => Err(StoreError::Empty),
    }
}

/// Whose names are asked for.
pub(super) enum Asked {
    These(Vec<DomId>),
    All,
}

impl Asked {
    pub(super) fn by(questions: &[Question]) -> Self {
        let domid = |question: &Question| match question {
            Question::One { domid, .. } => Some(*domid),
            Question::All(_) => None,
        };
        let domids: Option<Vec<DomId>> = questions.iter().map(domid).collect();
        domids.map_or(Self::All, Self::These)
    }

    fn contains(&self, domid: DomId) -> bool {
        match self {
            Self::These(domids) => domids.contains(&domid),
            Self::All => true,
        }
    }
}

/// A census, and what stands at the names of those asked for.
pub(super) async fn census(
    store: &impl Store,
    asked: Asked,
) -> Result<(Census, BTreeMap<DomId, Value>), StoreError> {
    let domids = domids(store).await?;
    let named: Vec<DomId> = domids
        .iter()
        .copied()
        .filter(|domid| asked.contains(*domid))
        .collect();
    let vms = domids.iter().copied().map(node::vm);
    let names = named.iter().copied().map(node::name);
    let values = store.read(vms.chain(names).collect()).await?;
    let mut values = values.into_iter();
    let mut census = Census::default();
    for domid in domids {
        census.insert(domid, &values.next().unwrap_or(Value::Absent));
    }
    Ok((census, named.into_iter().zip(values).collect()))
}
