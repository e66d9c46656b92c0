//! Domains named in the configuration: for development, and for hosts whose channel kind knows
//! nothing of Xen.

use std::collections::BTreeMap;

use proto::id::{DomId, DomainUuid};
use thiserror::Error;

use super::facts::DomainFact;

/// A domain with a fixed domid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticDomain {
    /// Its UUID.
    pub uuid: DomainUuid,
    /// Its name, for the audit and the operator.
    pub name: String,
}

/// All static domains, each domid and each UUID once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaticDomains(BTreeMap<DomId, StaticDomain>);

impl StaticDomains {
    /// Adds a domain.
    ///
    /// # Errors
    /// [`StaticDomainsError`] when the domid, the UUID or the name is taken.
    pub fn insert(&mut self, domid: DomId, domain: StaticDomain) -> Result<(), StaticDomainsError> {
        if self.0.contains_key(&domid) {
            return Err(StaticDomainsError::DomidTaken { domid });
        }
        for (&other, known) in &self.0 {
            if known.uuid == domain.uuid {
                return Err(StaticDomainsError::UuidTaken { other });
            }
            if known.name == domain.name {
                return Err(StaticDomainsError::NameTaken { other });
            }
        }
        self.0.insert(domid, domain);
        Ok(())
    }

    /// The domain with this domid.
    #[must_use]
    pub fn by_domid(&self, domid: DomId) -> Option<&StaticDomain> {
        self.0.get(&domid)
    }

    /// The domain with this UUID.
    #[must_use]
    pub fn by_uuid(&self, uuid: DomainUuid) -> Option<&StaticDomain> {
        self.0.values().find(|domain| domain.uuid == uuid)
    }

    /// All of them, by domid.
    pub fn iter(&self) -> impl Iterator<Item = (DomId, &StaticDomain)> {
        self.0.iter().map(|(domid, domain)| (*domid, domain))
    }

    /// The second fact about a domid.
    #[must_use]
    pub fn fact(&self, domid: DomId) -> DomainFact {
        match self.by_domid(domid) {
            Some(domain) => DomainFact::Known {
                uuid: domain.uuid,
                name: domain.name.clone(),
            },
            None => DomainFact::Gone,
        }
    }
}

/// Whether this can be the name of a domain: 1 to 128 bytes without control characters.
#[must_use]
pub fn is_domain_name(text: &str) -> bool {
    (1..=MAX_DOMAIN_NAME).contains(&text.len()) && !text.contains(char::is_control)
}

/// The longest name of a domain, in bytes.
const MAX_DOMAIN_NAME: usize = 128;

/// Why a static domain cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StaticDomainsError {
    /// The domid is taken.
    #[error("domid {domid} is given twice")]
    DomidTaken {
        /// The domid.
        domid: DomId,
    },
    /// The UUID is taken: two domains with one UUID cannot be told apart.
    #[error("domid {other} has the same UUID")]
    UuidTaken {
        /// Who has it.
        other: DomId,
    },
    /// The name is taken.
    #[error("domid {other} has the same name")]
    NameTaken {
        /// Who has it.
        other: DomId,
    },
}
