//! What binds a domain to an identity of a card.

use std::sync::Arc;

use proto::id::{DomainUuid, IdentityName, Seid};
use proto::racs::AllowList;
use proto::tls::ProtocolVersion;

use super::holdings::{Certificate, Holding};
use super::name_pattern::NamePattern;
use crate::time::UnixTime;

/// Names one binding for as long as the service runs; a number is never given twice, so a binding
/// that was removed and made again is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingId(pub u32);

/// One domain may use one identity of one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The domain.
    pub domain: DomainUuid,
    /// The card.
    pub seid: Seid,
    /// The identity; `None` for the only one the card holds.
    pub identity: Option<IdentityName>,
    /// The identity's certificate, when the operator gave it.
    pub certificate: Option<Certificate>,
    /// Tokens issued before this do not count.
    pub tokens_from: UnixTime,
    /// What handshakes may be made with it.
    pub terms: Terms,
    /// The raw APDUs that the domain may send to the card, which is then its alone; `None` for none.
    pub raw_apdu: Option<Arc<AllowList>>,
}

/// What handshakes may be made under a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Names of servers; empty for all that the binding's trust vouches for.
    pub server_names: Vec<NamePattern>,
    /// The lowest TLS version.
    pub min_version: ProtocolVersion,
    /// Whether sessions may be resumed.
    pub resume: bool,
}

impl Terms {
    /// Whether a handshake with this server is allowed.
    #[must_use]
    pub fn allow_server(&self, name: &str) -> bool {
        self.server_names.is_empty() || self.server_names.iter().any(|pattern| pattern.fits(name))
    }
}

/// A binding with what its card turned out to hold: the fourth fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingFact {
    /// Which binding.
    pub id: BindingId,
    /// Its card.
    pub seid: Seid,
    /// The identity it means.
    pub identity: IdentityFact,
    /// The certificate the card must present.
    pub certificate: CertificateFact,
    /// Tokens issued before this do not count.
    pub tokens_from: UnixTime,
}

/// The identity a binding means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityFact {
    /// This one.
    Named(IdentityName),
    /// None is named, and the card is not there to ask.
    CardNotRead,
    /// None is named, and the card does not hold exactly one.
    NotTheOnlyOne,
    /// This one is named, and the card does not hold it.
    NotOnCard(IdentityName),
}

/// The certificate of the identity a binding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFact {
    /// SHA-256 of its DER.
    Known([u8; 32]),
    /// The operator did not give it, and the card is not there to ask.
    CardNotRead,
    /// Neither the card nor the operator gave it.
    Unknown,
    /// The card holds another one than the operator gave.
    Differs,
}

impl Binding {
    /// Puts the binding beside what its card holds; `None` when the card is not there.
    #[must_use]
    pub fn fact(&self, id: BindingId, holdings: Option<&[Holding]>) -> BindingFact {
        let identity = self.identity_fact(holdings);
        let certificate = match (&identity, holdings) {
            (IdentityFact::Named(name), Some(held)) => {
                let held = held.iter().find(|holding| holding.name == *name);
                self.certificate_fact(held)
            }
            (_, None) if self.certificate.is_none() => CertificateFact::CardNotRead,
            _ => self.certificate_fact(None),
        };
        BindingFact {
            id,
            seid: self.seid.clone(),
            certificate,
            identity,
            tokens_from: self.tokens_from,
        }
    }

    fn identity_fact(&self, holdings: Option<&[Holding]>) -> IdentityFact {
        match (&self.identity, holdings) {
            (Some(name), None) => IdentityFact::Named(name.clone()),
            (Some(name), Some(held)) if held.iter().any(|holding| holding.name == *name) => {
                IdentityFact::Named(name.clone())
            }
            (Some(name), Some(_)) => IdentityFact::NotOnCard(name.clone()),
            (None, Some([only])) => IdentityFact::Named(only.name.clone()),
            (None, Some(_)) => IdentityFact::NotTheOnlyOne,
            (None, None) => IdentityFact::CardNotRead,
        }
    }

    fn certificate_fact(&self, held: Option<&Holding>) -> CertificateFact {
        let given = self.certificate.as_ref().map(Certificate::sha256);
        let held = held.and_then(|holding| holding.certificate.as_ref());
        let held = held.map(Certificate::sha256);
        match (given, held) {
            (Some(given), Some(held)) if given != held => CertificateFact::Differs,
            (Some(hash), _) | (None, Some(hash)) => CertificateFact::Known(hash),
            (None, None) => CertificateFact::Unknown,
        }
    }
}
