//! Tokens that the service has the HV key sign: of those that are due, and of keys that the operator
//! has approved.
//!
//! ```text
//! judged ── signed, elsewhere ── judged again ── recorded ── in the folder ── answered
//! ```
//!
//! Signing reads the HV key and takes milliseconds, a second where a card has it; so it is done beside the actor; what stands then
//! is judged once more. The folder's content goes to the domain by itself (`token_delivery`).

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::hv::HvCertificate;
use proto::id::DomainUuid;
use proto::token::{Claims, SignatureAlgorithm};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;
use tracing::{info, warn};

use super::actor::Actor;
use super::approval::Approval;
use super::bind_request::no;
use super::durable;
use super::host_side::HostSide;
use super::inbox::Inbox;
use super::revocations::RevokedTokens;
use super::token_delivery::TokenDelivery;
use crate::admin::{Problem, TokensView};
use crate::audit::{AuditEvent, IssuedBecause};
use crate::channel_key::HvKey;
use crate::config::Config;
use crate::error::Causes;
use crate::hex::hex;
use crate::mapping::Issuer;
use crate::time::{Now, UnixTime};
use crate::tokens::{Revocations, Shelf, Standing, TokenFile, TokenFolder, issue};
use crate::xen::Living;

/// What tokens are issued with.
#[derive(Debug)]
pub(super) struct Issuing {
    pub(super) folder: TokenFolder,
    /// The current HV.
    pub(super) hv: HvCertificate,
    /// Its key.
    pub(super) key: HvKey,
    /// All HVs of this host.
    pub(super) issuers: Vec<Issuer>,
    pub(super) certificates: Arc<[HvCertificate]>,
    /// How the domains come by theirs.
    pub(super) given: watch::Receiver<TokensView>,
    /// Domains for which one is being made.
    pub(super) under_way: BTreeSet<DomainUuid>,
}

impl Issuing {
    /// With the folder of the configuration, which is made if it is not there, and with what hands
    /// its tokens out.
    pub(super) fn new(
        config: &Config,
        hosts: &HostSide,
        living: Living,
        revoked: RevokedTokens,
        inbox: &Inbox,
    ) -> (Self, TokenDelivery) {
        let folder = TokenFolder::new(config.tokens.folder.clone());
        if let Err(error) = folder.make() {
            warn!(
                folder = %folder.path().display(), %error,
                "cannot make the folder for tokens, so no domain gets one through xenstore; make it, or \
                 name another one with tokens.folder in the configuration"
            );
        }
        let (tell_given, given) = watch::channel(TokensView::default());
        let issuing = Self {
            folder,
            hv: hosts.current().clone(),
            key: hosts.hv_key.clone(),
            issuers: hosts.issuers(),
            certificates: hosts.certificates(),
            given,
            under_way: BTreeSet::new(),
        };
        let delivery = TokenDelivery {
            folder: issuing.folder.clone(),
            shelf: Shelf::new(Arc::clone(&issuing.certificates)),
            issuers: issuing.issuers.clone(),
            living,
            revoked,
            renewal: config.tokens.renew.then(|| inbox.clone()),
            given: tell_given,
        };
        (issuing, delivery)
    }

    /// The token of a domain in the folder, if it counts now.
    pub(super) fn token_of(
        &self,
        domain: DomainUuid,
        revocations: &Revocations,
        now: UnixTime,
    ) -> Option<TokenFile> {
        let content = self.folder.content(domain).ok()??;
        let token = TokenFile::read(domain, &content, &self.certificates).ok()?;
        let standing = Standing {
            issuers: &self.issuers,
            revocations,
            now,
        };
        standing.judge(&token.claims).ok()?;
        Some(token)
    }
}

/// A token that was to be made, and what came of it.
#[derive(Debug)]
pub(super) struct TokenMade {
    pub(super) domain: DomainUuid,
    pub(super) purpose: Purpose,
    pub(super) made: Result<Made, Problem>,
}

/// What a token is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// It follows one that ends soon.
    Renewal(Arc<TokenFile>),
    /// The operator has approved a key and waits.
    Approval(Box<Approval>),
}

/// A token that is signed and that nobody has yet.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) claims: Claims,
    pub(super) text: String,
}

impl Actor {
    /// A token was signed, or not.
    pub(super) fn on_token_made(&mut self, token: TokenMade) {
        let TokenMade {
            domain,
            purpose,
            made,
        } = token;
        if let Some(issuing) = &mut self.issuing {
            issuing.under_way.remove(&domain);
        }
        match purpose {
            Purpose::Renewal(former) => self.on_renewal_made(&former, made),
            Purpose::Approval(approval) => self.on_approval_made(*approval, made),
        }
    }

    /// Records a token, and lets it go to its domain.
    pub(super) fn hand_out(&mut self, made: &Made, why: IssuedBecause) -> Result<(), Problem> {
        let claims = &made.claims;
        let (domain, now) = (claims.sub, Now::read().unix);
        let from = self.revoked.now().tokens_from.get(&domain).copied();
        if let Some(from) = from.filter(|from| UnixTime::from_secs(claims.iat) < *from) {
            return Err(no(format!(
                "tokens of {domain} count from {from} on, which is a moment after this one was \
                 made: try again"
            )));
        }
        let issued = AuditEvent::TokenIssued {
            domain,
            cti: hex(&claims.cti),
            channel_key: claims.cnf.fingerprint(),
            exp: UnixTime::from_secs(claims.exp).to_string(),
            because: why,
        };
        let folder = &self.issuing()?.folder;
        let unwritable = |error: std::io::Error| {
            let file = folder.file(domain);
            no(format!("{} cannot be written: {error}", file.display()))
        };
        let prepared = folder.prepare(domain, &made.text).map_err(unwritable)?;
        // On record before anybody can have it, and only if there is something to have.
        durable::append(&mut self.audit, &issued, now).map_err(|error| {
            no(format!(
                "the audit cannot be written, so no token is issued: {error}"
            ))
        })?;
        prepared.publish().map_err(|error| {
            no(format!(
                "the token of {domain} cannot take its place: {error}"
            ))
        })?;
        info!(
            %domain, cti = hex(&claims.cti), exp = %UnixTime::from_secs(claims.exp),
            because = why.as_str(), "a token was issued"
        );
        Ok(())
    }

    /// What tokens are issued with.
    pub(super) fn issuing(&self) -> Result<&Issuing, Problem> {
        self.issuing.as_ref().ok_or_else(|| {
            no("this service issues no tokens: it needs [[hv]] with the HV key, and \
                xenstore.enabled = true, in its configuration; token-tool issue makes tokens anywhere")
        })
    }
}

/// Has the HV key sign, where that holds nobody up.
pub(super) async fn sign(
    claims: Claims,
    hv: HvCertificate,
    key: HvKey,
    algorithm: Option<SignatureAlgorithm>,
) -> Result<Made, Problem> {
    let signing = tokio::task::spawn_blocking(move || {
        let signed = key.lend(|signer| {
            let issued = issue(&claims, signer, &hv, algorithm);
            issued.map_err(|error| Causes(&error).to_string())
        });
        let text = signed.map_err(|why| no(format!("the HV key cannot be used: {why}")))?;
        Ok(Made { claims, text })
    });
    signing.await.unwrap_or_else(|error| Err(no(error)))
}

/// A number for a token.
pub(super) fn new_cti() -> Result<[u8; 16], Problem> {
    let mut cti = [0; 16];
    match SystemRandom::new().fill(&mut cti) {
        Ok(()) => Ok(cti),
        Err(_) => Err(no("the system gives no random numbers")),
    }
}
