//! What is kept for each (card, identity, domain), and how a handshake begins.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::id::{DomainUuid, IdentityName, Seid};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use sha2::{Digest, Sha256};

use super::error::Fault;
use super::handshake::{Engine, Terms};
use super::request::EngineRequest;
use super::secrets::ApplicationSecrets;
use super::signer::CardIdentity;
use super::store::SessionStore;
use super::verifier::{BindingJudge, TrustVerifier};
use crate::card::SessionError;

/// All that outlives single handshakes at the sign-only door. Clones are the same.
#[derive(Clone)]
pub struct Engines(Arc<Shared>);

struct Shared {
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn TimeProvider>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    parts: HashMap<Key, Parts>,
    /// Counts uses, so that the longest unused can be found.
    uses: u64,
}

/// Whose sessions they are: never resumed by anybody else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    seid: Seid,
    identity: IdentityName,
    domain: DomainUuid,
}

/// What rustls must find again at the same address, or it does not resume.
struct Parts {
    /// Digest of all that a session depends on; with another one everything begins anew.
    terms: [u8; 32],
    verifier: Arc<TrustVerifier>,
    identity: Arc<CardIdentity>,
    store: Arc<SessionStore>,
    used: u64,
}

impl Engines {
    /// With nothing to resume, and the clock of the system.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(DefaultTimeProvider))
    }

    /// The same with another clock, for certificates and for the age of tickets.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn TimeProvider>) -> Self {
        Self(Arc::new(Shared {
            provider: Arc::new(aws_lc_rs::default_provider()),
            clock,
            kept: Mutex::default(),
        }))
    }

    /// Begins a handshake. Returns it with the records of the ClientHello.
    ///
    /// # Errors
    /// [`SessionError::Policy`] when no version is allowed or the protocols do not fit,
    /// [`SessionError::PeerUntrusted`] when the server's name is none,
    /// [`SessionError::Internal`] when rustls cannot begin.
    pub fn begin(&self, request: EngineRequest) -> Result<(Engine, Vec<u8>), SessionError> {
        let versions = request.versions()?;
        let name = request.name()?;
        request.check()?;
        let (verifier, identity, store) = self.parts(&request);
        let secrets = Arc::new(ApplicationSecrets::default());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.0.provider))
            .with_protocol_versions(&versions)
            .map_err(|error| Fault::Tls(error).into_error(None))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(identity);
        config.alpn_protocols = request.alpn;
        config.resumption = match request.resume {
            true => Resumption::store(Arc::clone(&store) as Arc<_>),
            false => Resumption::disabled(),
        };
        config.time_provider = Arc::clone(&self.0.clock);
        config.key_log = Arc::clone(&secrets) as Arc<_>;
        config.enable_secret_extraction = true;
        config.enable_early_data = false;
        Engine::begin(
            Arc::new(config),
            Terms {
                server_name: request.server_name.into(),
                name,
                trust: request.trust,
                clock: Arc::clone(&self.0.clock),
                store: request.resume.then_some(store),
                secrets,
                max_bytes: request.max_bytes,
            },
        )
    }

    /// Forgets the sessions of one domain with one identity: the binding has changed.
    pub fn purge(&self, seid: &Seid, identity: &IdentityName, domain: DomainUuid) {
        self.keep_only(|key| {
            key.seid != *seid || key.identity != *identity || key.domain != domain
        });
    }

    /// Forgets the sessions of one domain with one card: it is bound to it no more.
    pub fn purge_binding(&self, seid: &Seid, domain: DomainUuid) {
        self.keep_only(|key| key.seid != *seid || key.domain != domain);
    }

    /// Forgets all sessions of one domain: its right has ended.
    pub fn purge_domain(&self, domain: DomainUuid) {
        self.keep_only(|key| key.domain != domain);
    }

    /// Forgets all sessions made with one card: it was removed, or is another one now.
    pub fn purge_card(&self, seid: &Seid) {
        self.keep_only(|key| key.seid != *seid);
    }

    fn keep_only(&self, stays: impl Fn(&Key) -> bool) {
        self.kept().parts.retain(|key, _| stays(key));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parts(
        &self,
        request: &EngineRequest,
    ) -> (Arc<TrustVerifier>, Arc<CardIdentity>, Arc<SessionStore>) {
        let key = Key {
            seid: request.seid.clone(),
            identity: request.identity.clone(),
            domain: request.domain,
        };
        let terms = terms(request);
        let mut kept = self.kept();
        kept.uses += 1;
        let used = kept.uses;
        if kept
            .parts
            .get(&key)
            .is_none_or(|parts| parts.terms != terms)
        {
            kept.parts.remove(&key);
            kept.make_room();
            let algorithms = self.0.provider.signature_verification_algorithms;
            let judge = BindingJudge::new(Arc::clone(&request.trust), request.domain);
            let verifier = TrustVerifier::new(judge, algorithms);
            let identity = CardIdentity::new(&request.certificates, request.schemes.clone());
            kept.parts.insert(
                key.clone(),
                Parts {
                    terms,
                    verifier: Arc::new(verifier),
                    identity: Arc::new(identity),
                    store: Arc::default(),
                    used,
                },
            );
        }
        let parts = kept.parts.get_mut(&key).expect("it was there or was made");
        parts.used = used;
        (
            Arc::clone(&parts.verifier),
            Arc::clone(&parts.identity),
            Arc::clone(&parts.store),
        )
    }
}

impl Default for Engines {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows how much is kept, not what.
impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engines({} kept)", self.kept().parts.len())
    }
}

impl Kept {
    /// Lets the parts go that were not used for the longest time.
    fn make_room(&mut self) {
        while self.parts.len() >= MAX_KEPT {
            let oldest = self.parts.iter().min_by_key(|(_, parts)| parts.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.parts.remove(&oldest);
        }
    }
}

/// Digest of trust, certificates and schemes.
fn terms(request: &EngineRequest) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(request.trust.fingerprint());
    for scheme in &request.schemes {
        hash.update(u16::from(*scheme).to_be_bytes());
    }
    for certificate in &request.certificates {
        hash.update(Sha256::digest(certificate));
    }
    hash.finalize().into()
}

/// For how many (card, identity, domain) sessions are kept at the same time.
const MAX_KEPT: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::bench::{Key as CardKey, request};
    use crate::engine::{Engine, EngineStep, TicketTaker};

    #[test]
    fn who_was_served_longest_ago_is_forgotten_first() {
        let engines = Engines::new();
        let mut wish = request(CardKey::P256);
        let mut serve = |number: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            wish.domain = DomainUuid::from_bytes(bytes);
            Arc::downgrade(&engines.parts(&wish).2)
        };
        let (first, second) = (serve(0), serve(1));
        for number in 2..u32::try_from(MAX_KEPT).expect("small") {
            serve(number);
        }
        serve(0);
        serve(u32::MAX);
        assert_eq!(engines.kept().parts.len(), MAX_KEPT);
        assert!(first.upgrade().is_some() && second.upgrade().is_none());
    }

    #[test]
    fn a_handshake_may_go_on_in_another_thread() {
        fn moves<T: Send>() {}
        fn shared<T: Send + Sync>() {}
        moves::<Engine>();
        moves::<EngineStep>();
        moves::<TicketTaker>();
        shared::<Engines>();
    }
}
