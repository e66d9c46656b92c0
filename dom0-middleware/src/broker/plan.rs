//! What a handshake will be, from the guest's wish, the binding's terms and the card's features.

use std::sync::Arc;

use proto::agent::{Open, RefusalCode};
use proto::tls::ProtocolVersion;
use rustls::SignatureScheme;

use super::pool::Pool;
use super::refusal::Refusal;
use crate::card::{CardFeatures, Job, Trust, UseId};
use crate::engine::EngineRequest;
use crate::mapping::{Grant, Terms};

/// A handshake that may be run once its turn comes.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) grant: Grant,
    pub(super) server_name: String,
    alpn: Vec<Vec<u8>>,
    min_version: ProtocolVersion,
    max_version: ProtocolVersion,
    version_wish: bool,
    pub(super) resume: bool,
    trust: Arc<Trust>,
    /// Whose key signs, where the service makes the handshake.
    signer: Option<Signer>,
    /// The cards that are as good, if there are others.
    pub(super) pool: Option<Pool>,
}

/// A key in a card.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    /// Its certificate and those between it and its CA, DER, its own first.
    pub(super) certificates: Vec<Vec<u8>>,
    /// How it can sign, best first.
    pub(super) schemes: Vec<SignatureScheme>,
}

impl Plan {
    /// Puts wish, terms and features together. The card is not touched for a wish it cannot carry.
    pub(super) fn new(
        open: &Open,
        grant: Grant,
        terms: &Terms,
        features: &CardFeatures,
        trust: Arc<Trust>,
    ) -> Result<Self, Refusal> {
        let no = |reason: &str| Err(Refusal::of_wish(RefusalCode::Policy, reason));
        if open.role.as_deref().is_some_and(|role| role != "client") {
            return no("only the role of the client can be taken");
        }
        if !terms.allow_server(&open.server_name) {
            return no("the binding does not allow this server name");
        }
        if !open.alpn.is_empty() && !features.alpn {
            return no("the card cannot carry application protocols");
        }
        let version_wish = open.min_version.is_some() || open.max_version.is_some();
        if version_wish && !features.version_range {
            return no("the card cannot carry a version range");
        }
        let resume = open.resume.unwrap_or(terms.resume) && terms.resume;
        if !resume && !features.forget {
            return no("the card cannot be made to forget its session");
        }
        let min_version = open.min_version.map_or(terms.min_version, |wish| {
            ProtocolVersion(wish).max(terms.min_version)
        });
        let max_version = open.max_version.map_or(ProtocolVersion::TLS1_3, |wish| {
            ProtocolVersion(wish).min(ProtocolVersion::TLS1_3)
        });
        if min_version > max_version.min(features.max_version) {
            return no("binding, card and guest have no TLS version in common");
        }
        Ok(Self {
            grant,
            server_name: open.server_name.clone(),
            alpn: open.alpn.iter().map(|name| name.clone().into()).collect(),
            min_version,
            max_version,
            version_wish,
            resume,
            trust,
            signer: None,
            pool: None,
        })
    }

    /// The same, made by the service with this key.
    pub(super) fn with_signer(self, signer: Option<Signer>) -> Self {
        Self { signer, ..self }
    }

    /// The same, made in this pool.
    pub(super) fn in_pool(self, pool: Pool) -> Self {
        let pool = Some(pool);
        Self { pool, ..self }
    }

    /// Whether the card makes the whole handshake.
    pub(super) fn needs_card_at_once(&self) -> bool {
        self.signer.is_none()
    }

    /// Whether tickets of its session are of use to the service.
    pub(super) fn keeps_sessions(&self) -> bool {
        self.signer.is_some() && self.resume
    }

    /// What the service's own handshake shall be; `None` where the card makes it.
    pub(super) fn engine_request(&self, max_bytes: usize) -> Option<EngineRequest> {
        let signer = self.signer.as_ref()?;
        Some(EngineRequest {
            domain: self.grant.admission.domain,
            seid: self.grant.seid.clone(),
            identity: self.grant.identity.clone(),
            certificates: signer.certificates.clone(),
            schemes: signer.schemes.clone(),
            server_name: self.server_name.clone(),
            alpn: self.alpn.clone(),
            min_version: self.min_version,
            max_version: self.max_version,
            resume: self.resume,
            trust: Arc::clone(&self.trust),
            max_bytes,
        })
    }

    /// The order for the card's worker.
    pub(super) fn job(&self, use_id: UseId, max_handshake_bytes: usize) -> Job {
        Job {
            use_id,
            domain: self.grant.admission.domain,
            identity: self.grant.identity.clone(),
            server_name: self.server_name.clone(),
            alpn: self.alpn.clone(),
            min_version: self.min_version,
            max_version: self.max_version,
            version_wish: self.version_wish,
            resume: self.resume,
            trust: Arc::clone(&self.trust),
            client_certificate_sha256: self.grant.certificate_sha256,
            max_handshake_bytes,
        }
    }

    /// Whether a session that `before` left on the card may be resumed: same domain, identity and
    /// server. A guess, for expectations only; the worker decides by its own record.
    pub(super) fn may_resume(&self, before: &Self) -> bool {
        self.needs_card_at_once()
            && self.resume
            && self.server_name == before.server_name
            && self.grant.identity == before.grant.identity
            && self.grant.admission.domain == before.grant.admission.domain
    }
}

#[cfg(test)]
mod tests {
    use crate::card::Door;
    use std::collections::HashMap;

    use proto::id::{DomId, DomainUuid, SessionId};

    use super::*;
    use crate::mapping::{Admission, BindingId};

    fn open() -> Open {
        Open {
            session: SessionId(1),
            server_name: "www.example.org".to_owned(),
            identity: None,
            alpn: Vec::new(),
            min_version: None,
            max_version: None,
            resume: None,
            role: None,
        }
    }

    fn terms() -> Terms {
        Terms {
            server_names: vec!["*.example.org".parse().expect("a pattern")],
            min_version: ProtocolVersion::TLS1_2,
            resume: true,
        }
    }

    fn features() -> CardFeatures {
        CardFeatures {
            door: Door::EapTls,
            server_name: true,
            alpn: true,
            version_range: true,
            forget: true,
            max_version: ProtocolVersion::TLS1_2,
        }
    }

    fn plan(open: &Open, terms: &Terms, features: &CardFeatures) -> Result<Plan, Refusal> {
        let grant = Grant {
            admission: Admission {
                domid: DomId(7),
                domain: DomainUuid::from_bytes([1; 16]),
                name: "web01".to_owned(),
                until: None,
            },
            binding: BindingId(0),
            seid: "se-00".parse().expect("a SEID"),
            identity: "web01".parse().expect("a name"),
            certificate_sha256: [1; 32],
        };
        let trust = Trust::load(&[], HashMap::new()).expect("trust in nobody");
        Plan::new(open, grant, terms, features, Arc::new(trust))
    }

    fn is_policy(result: Result<Plan, Refusal>) -> bool {
        matches!(result, Err(refusal) if refusal.code == RefusalCode::Policy)
    }

    /// A wish no plain card can carry.
    type Change = fn(&mut Open);

    #[test]
    fn a_plain_wish_is_what_the_binding_says() {
        let job = plan(&open(), &terms(), &features())
            .expect("allowed")
            .job(UseId(3), 1_000);
        assert_eq!(job.min_version, ProtocolVersion::TLS1_2);
        assert_eq!(job.max_version, ProtocolVersion::TLS1_3);
        assert!(!job.version_wish && job.resume);
        assert_eq!(job.client_certificate_sha256, [1; 32]);
        assert_eq!(job.max_handshake_bytes, 1_000);
    }

    #[test]
    fn what_the_binding_forbids_is_refused_on_every_card() {
        let wishes: [Change; 4] = [
            |o| o.server_name = "www.example.com".to_owned(),
            |o| o.role = Some("server".to_owned()),
            |o| o.max_version = Some(0x0302),
            |o| o.min_version = Some(0x0304),
        ];
        for (n, change) in wishes.into_iter().enumerate() {
            let mut open = open();
            change(&mut open);
            assert!(is_policy(plan(&open, &terms(), &features())), "wish {n}");
        }
    }

    #[test]
    fn what_the_card_cannot_carry_is_refused_before_the_card_is_touched() {
        let plain = CardFeatures {
            door: Door::EapTls,
            server_name: false,
            alpn: false,
            version_range: false,
            forget: false,
            max_version: ProtocolVersion::TLS1_2,
        };
        let wishes: [Change; 4] = [
            |o| o.alpn = vec!["h2".to_owned()],
            |o| o.min_version = Some(0x0303),
            |o| o.max_version = Some(0x0303),
            |o| o.resume = Some(false),
        ];
        assert!(plan(&open(), &terms(), &plain).is_ok());
        for (n, change) in wishes.into_iter().enumerate() {
            let mut open = open();
            change(&mut open);
            assert!(plan(&open, &terms(), &features()).is_ok(), "wish {n}");
            assert!(is_policy(plan(&open, &terms(), &plain)), "wish {n}");
        }
    }

    #[test]
    fn a_guest_can_narrow_what_the_binding_allows_and_never_widen_it() {
        let mut wish = open();
        wish.min_version = Some(0x0301);
        wish.resume = Some(true);
        let strict = Terms {
            resume: false,
            ..terms()
        };
        let job = plan(&wish, &strict, &features())
            .expect("allowed")
            .job(UseId(0), 0);
        assert_eq!(job.min_version, ProtocolVersion::TLS1_2);
        assert!(!job.resume && job.version_wish);
    }
}
