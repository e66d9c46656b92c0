//! All bindings: (card, identity) belongs to one domain, always.

use std::collections::BTreeMap;

use proto::id::{DomainUuid, Seid};
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
        Ok(())
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
}
