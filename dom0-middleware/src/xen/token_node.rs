//! The token of a domain in xenstore, and the key that the domain offers there.
//!
//! ```text
//! /local/domain/7/tessera/token         n0 r7   dom0 writes, the domain reads
//! /local/domain/7/data/tessera/enroll   n7      the domain's own: believed in nothing
//! ```
//!
//! Source: design §5, "Token delivery".

use std::collections::BTreeMap;

use proto::id::{DomId, DomainUuid};
use xenstore_client::{Xenstore, XenstoreError};

use super::node;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It stands there now, or nothing does, as it was wanted.
    Done,
    /// It stood there already.
    AsItWas,
    /// The domain has ended, or another one has its domid; nothing is left behind.
    DomainGone,
}

/// Puts a token where a domain reads it, or takes it from there. A node that is not dom0's alone is
/// made anew: empty, then with its permissions, then with its value, so that nobody else ever had it
/// in hand.
///
/// # Errors
/// [`XenstoreError`]; what stands there is not known then.
pub(crate) async fn put_token(
    store: &Xenstore,
    domid: DomId,
    domain: DomainUuid,
    token: Option<&str>,
) -> Result<Put, XenstoreError> {
    if !is_there(store, domid, domain).await? {
        return Ok(Put::DomainGone);
    }
    let path = node::token(domid);
    let Some(token) = token else {
        return Ok(match store.read(&path).await? {
            None => Put::AsItWas,
            Some(_) => {
                store.remove(&path).await?;
                Put::Done
            }
        });
    };
    let put = write(store, domid, &path, token).await?;
    // Whoever ended meanwhile must not come back as a node without a domain.
    if !is_there(store, domid, domain).await? {
        clear(store, domid).await?;
        return Ok(Put::DomainGone);
    }
    Ok(put)
}

async fn write(
    store: &Xenstore,
    domid: DomId,
    path: &str,
    token: &str,
) -> Result<Put, XenstoreError> {
    let readers = [domid.0];
    let right = ["n0".to_owned(), format!("r{domid}")];
    if store.permissions(path).await?.as_deref() == Some(&right) {
        if store.read(path).await?.as_deref() == Some(token.as_bytes()) {
            return Ok(Put::AsItWas);
        }
    } else {
        let folder = node::tessera(domid);
        store.remove(path).await?;
        store.make(&folder).await?;
        store.set_permissions(&folder, 0, &readers).await?;
        store.make(path).await?;
        store.set_permissions(path, 0, &readers).await?;
    }
    store.write(path, token.as_bytes()).await?;
    Ok(Put::Done)
}

/// Takes away what stands there for domains that have ended, as a service leaves it that was killed
/// while it wrote. How many those were.
///
/// # Errors
/// [`XenstoreError`]; some may be left then.
pub(crate) async fn clear_ended(
    store: &Xenstore,
    living: &BTreeMap<DomId, DomainUuid>,
) -> Result<usize, XenstoreError> {
    let children = store.directory(node::DOMAINS).await?.unwrap_or_default();
    let domids = children.iter().filter_map(|child| node::parse_domid(child));
    let is_ended = |domid: &DomId| *domid != DomId(0) && !living.contains_key(domid);
    let mut cleared = 0;
    for domid in domids.filter(is_ended) {
        // One that begins has this node before anybody is told of it.
        let has_domain = store.read(&node::vm(domid)).await?.is_some();
        if !has_domain && store.directory(&node::tessera(domid)).await?.is_some() {
            clear(store, domid).await?;
            cleared += 1;
        }
    }
    Ok(cleared)
}

/// Takes away what was written for a domain that has ended, and its node if nothing else is there.
async fn clear(store: &Xenstore, domid: DomId) -> Result<(), XenstoreError> {
    store.remove(&node::tessera(domid)).await?;
    let domain = node::domain(domid);
    let is_empty = |children: Vec<String>| children.is_empty();
    if store.directory(&domain).await?.is_some_and(is_empty) {
        store.remove(&domain).await?;
    }
    Ok(())
}

async fn is_there(
    store: &Xenstore,
    domid: DomId,
    domain: DomainUuid,
) -> Result<bool, XenstoreError> {
    let vm = store.read(&node::vm(domid)).await?;
    let vm = vm.as_deref().and_then(|vm| str::from_utf8(vm).ok());
    Ok(vm.and_then(node::parse_vm) == Some(domain))
}

/// What a domain offers as its channel's public key; `None` when there is nothing. These are the
/// domain's own bytes, at most 4,096.
///
/// # Errors
/// [`XenstoreError`].
pub(crate) async fn read_enrolment(
    store: &Xenstore,
    domid: DomId,
) -> Result<Option<Vec<u8>>, XenstoreError> {
    store.read(&node::enrolment(domid)).await
}
