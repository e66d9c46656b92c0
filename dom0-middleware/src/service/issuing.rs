//! Tokens that the service has the HV key sign: of those that are due, and of keys that the operator
//! has approved.
//!
//! ```text
//! judged ── signed, elsewhere ── judged again ── recorded ── in the folder ── answered
//! ```
//!
//! Signing reads the HV key and takes milliseconds, so it is done beside the actor; what stands then
//! is judged once more. The folder's content goes to the domain by itself (`token_delivery`).

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::hv::HvCertificate;
use proto::id::DomainUuid;
use proto::token::{Claims, SignatureAlgorithm};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::actor::Actor;
use super::approval::Approval;
use super::bind_request::no;
use super::durable;
use super::host_side::HostSide;
use super::inbox::{Inbox, Told};
use super::revocations::RevokedTokens;
use super::token_delivery::TokenDelivery;
use crate::admin::{Problem, TokensView};
use crate::audit::{AuditEvent, IssuedBecause};
use crate::channel_key::HvKeyFile;
use crate::config::Config;
use crate::error::Causes;
use crate::hex::hex;
use crate::mapping::{CertificateFact, Issuer};
use crate::time::{Now, UnixTime};
use crate::tokens::{Revocations, Shelf, Standing, TokenFile, TokenFolder, issue, renewed};
use crate::xen::Living;

/// What tokens are issued with.
#[derive(Debug)]
pub(super) struct Issuing {
    pub(super) folder: TokenFolder,
    /// The current HV.
    pub(super) hv: HvCertificate,
    /// Its key. One in a card would take its place here: all that is wanted of it is an `HvSigner`.
    pub(super) key: HvKeyFile,
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
    /// A token ends soon.
    pub(super) fn on_token_due(&mut self, former: Arc<TokenFile>) {
        let domain = former.claims.sub;
        if self.renewal_fault(&former).is_some() {
            // Not a fault of anybody: such a token is left to end.
            return;
        }
        let Some(issuing) = &mut self.issuing else {
            return;
        };
        let now = Now::read().unix;
        let Ok(cti) = new_cti() else {
            return error!("no random numbers, so no token is renewed");
        };
        let Some(claims) = renewed(&former.claims, cti, now, issuing.hv.not_after()) else {
            // It ends with the HV certificate, of which `doctor` warns.
            return;
        };
        if !issuing.under_way.insert(domain) {
            return;
        }
        let (hv, key, inbox) = (issuing.hv.clone(), issuing.key.clone(), self.inbox.clone());
        tokio::spawn(async move {
            let made = sign(claims, hv, key, Some(former.algorithm)).await;
            let purpose = Purpose::Renewal(former);
            let made = TokenMade {
                domain,
                purpose,
                made,
            };
            inbox.tell(Told::TokenMade(Box::new(made))).await;
        });
    }

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
            Purpose::Renewal(former) => {
                let renewed = made.and_then(|made| self.renew(&former, &made));
                if let Err(problem) = renewed {
                    error!(
                        %domain, error = problem.message,
                        "a token that ends soon was not renewed; it is tried again each minute"
                    );
                }
            }
            Purpose::Approval(approval) => self.on_approval_made(*approval, made),
        }
    }

    fn renew(&mut self, former: &TokenFile, made: &Made) -> Result<(), Problem> {
        let domain = former.claims.sub;
        if let Some(why) = self.renewal_fault(former) {
            info!(%domain, why, "a token is not renewed");
            return Ok(());
        }
        let held = self.issuing()?.folder.content(domain);
        let held = held.map_err(|error| no(format!("reading it once more: {error}")))?;
        if held.as_deref().map(<[u8]>::trim_ascii) != Some(former.text.as_bytes()) {
            info!(%domain, "a token is not renewed: there is another one meanwhile");
            return Ok(());
        }
        self.hand_out(made, IssuedBecause::Renewed)
    }

    /// Why a token is not renewed.
    fn renewal_fault(&self, former: &TokenFile) -> Option<String> {
        let Ok(issuing) = self.issuing() else {
            return Some("there is no HV key".to_owned());
        };
        let claims = &former.claims;
        let revocations = self.revoked.now();
        let standing = Standing {
            issuers: &issuing.issuers,
            revocations: &revocations,
            now: Now::read().unix,
        };
        if let Err(fault) = standing.judge(claims) {
            return Some(fault.to_string());
        }
        if claims.iss != issuing.hv.id() {
            return Some("it was signed by a former HV".to_owned());
        }
        let mut bound = self.broker.table().of_domain(claims.sub);
        match bound.next() {
            Some(_) => None,
            None => Some("the domain is not bound".to_owned()),
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

    /// SHA-256 of the certificates of all identities that a domain is bound to, or why one of them
    /// is not known.
    pub(super) fn certificates_of(&self, domain: DomainUuid) -> Result<Vec<[u8; 32]>, Problem> {
        let mut hashes = Vec::new();
        for fact in self.broker.binding_facts(domain) {
            match fact.certificate {
                CertificateFact::Known(hash) => hashes.push(hash),
                unknown => return Err(super::approval::without_certificate(&fact.seid, unknown)),
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(hashes)
    }
}

/// Has the HV key sign, where that holds nobody up.
pub(super) async fn sign(
    claims: Claims,
    hv: HvCertificate,
    key: HvKeyFile,
    algorithm: Option<SignatureAlgorithm>,
) -> Result<Made, Problem> {
    let signing = tokio::task::spawn_blocking(move || {
        let failed = |error: &dyn std::error::Error| {
            no(format!("the HV key cannot be used: {}", Causes(error)))
        };
        let signer = key.load().map_err(|error| failed(&error))?;
        let text = issue(&claims, &signer, &hv, algorithm).map_err(|error| failed(&error))?;
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
