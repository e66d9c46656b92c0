//! All bindings: (card, identity) belongs to one domain, always.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::id::{DomainUuid, Seid};
use proto::racs::AllowList;
use thiserror::Error;

use super::binding::{Binding, BindingId};

/// Who has which identity of which card.
#[derive(Debug, Clone, Default)]
pub struct Table {
    bindings: BTreeMap<BindingId, Binding>,
    next: u32,
}

impl Table {
    /// Adds a binding and gives it a number that none had before.
    ///
    /// # Errors
    /// [`TableError`] when the identity is bound already, or may turn out to be.
    pub fn insert(&mut self, binding: Binding) -> Result<BindingId, TableError> {
        self.check(&binding)?;
        let id = BindingId(self.next);
        self.next += 1;
        self.bindings.insert(id, binding);
        Ok(id)
    }

    /// Whether a binding can be added.
    ///
    /// # Errors
    /// [`TableError`] when the identity is bound already, or may turn out to be.
    pub fn check(&self, binding: &Binding) -> Result<(), TableError> {
        let overlapping = self.on_card(&binding.seid).find(|(_, other)| {
            // Without a name it is whichever identity the card holds.
            match (&binding.identity, &other.identity) {
                (Some(one), Some(other)) => one == other,
                _ => true,
            }
        });
        if let Some((_, other)) = overlapping {
            return Err(match (&binding.identity, &other.identity) {
                (Some(_), Some(_)) => TableError::IdentityTaken {
                    domain: other.domain,
                },
                _ => TableError::IdentityNotNamed {
                    domain: other.domain,
                },
            });
        }
        let mut others = self.on_card(&binding.seid).map(|(_, other)| other);
        match others.find_map(|other| raw_conflict(binding, other)) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// The raw APDUs that a domain may send to a card. Nothing if another domain has a binding to it.
    #[must_use]
    pub fn raw_apdu(&self, domain: DomainUuid, seid: &Seid) -> Option<&Arc<AllowList>> {
        let mut on_card = self.on_card(seid).map(|(_, binding)| binding);
        let is_alone = on_card.all(|binding| binding.domain == domain);
        let mut on_card = self.on_card(seid).map(|(_, binding)| binding);
        let list = on_card.find_map(|binding| binding.raw_apdu.as_ref());
        list.filter(|_| is_alone)
    }

    /// Takes a binding away.
    pub fn remove(&mut self, id: BindingId) -> Option<Binding> {
        self.bindings.remove(&id)
    }

    /// The binding of that number, while it stands.
    #[must_use]
    pub fn binding(&self, id: BindingId) -> Option<&Binding> {
        self.bindings.get(&id)
    }

    /// All bindings of a domain.
    pub fn of_domain(&self, domain: DomainUuid) -> impl Iterator<Item = (BindingId, &Binding)> {
        self.iter().filter(move |(_, b)| b.domain == domain)
    }

    /// All bindings to a card.
    pub fn on_card<'t>(&'t self, seid: &Seid) -> impl Iterator<Item = (BindingId, &'t Binding)> {
        self.iter().filter(move |(_, b)| b.seid == *seid)
    }

    /// All bindings.
    pub fn iter(&self) -> impl Iterator<Item = (BindingId, &Binding)> {
        self.bindings.iter().map(|(id, binding)| (*id, binding))
    }
}

/// What raw APDUs have against two bindings on one card.
fn raw_conflict(wanted: &Binding, other: &Binding) -> Option<TableError> {
    let domain = other.domain;
    match (&wanted.raw_apdu, &other.raw_apdu) {
        (None, None) => None,
        _ if wanted.domain != domain => Some(TableError::RawApduShared { domain }),
        (Some(one), Some(two)) if one != two => Some(TableError::RawApduDiffers),
        _ => None,
    }
}

/// Why a binding cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TableError {
    /// The identity is bound already.
    #[error("this identity of the card is bound to {domain}")]
    IdentityTaken {
        /// To whom.
        domain: DomainUuid,
    },
    /// Several bindings share a card, so each must say which identity it means.
    #[error("the card is also bound to {domain}, so both bindings must name their identity")]
    IdentityNotNamed {
        /// To whom.
        domain: DomainUuid,
    },
    /// A card to which a domain sends raw APDUs is nobody else's.
    #[error(
        "the card is also bound to {domain}, and one to which a domain sends raw APDUs is for that \
         domain alone"
    )]
    RawApduShared {
        /// To whom.
        domain: DomainUuid,
    },
    /// What may be sent to a card is one list.
    #[error("another binding of the card has another list of raw APDUs; a card has one")]
    RawApduDiffers,
}
