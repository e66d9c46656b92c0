//! The judgement: four facts, a wish and a time in; yes with its terms, or no with its reason, out.

use std::collections::BTreeSet;

use proto::id::{DomId, DomainUuid, IdentityName, Seid};

use super::binding::{BindingFact, BindingId, CertificateFact, IdentityFact};
use super::facts::{ChannelFact, DomainFact, Facts, HostFact, TokenFact};
use super::reason::Reason;
use super::token::VerifiedToken;
use crate::time::UnixTime;

/// Yes, with what exactly was granted, or no, with the reason.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<T = Grant> {
    /// Yes.
    Allow(T),
    /// No.
    Refuse(Reason),
}

/// A domain is who it says it is, and bound to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The domid the channel proved.
    pub domid: DomId,
    /// The domain.
    pub domain: DomainUuid,
    /// Its name, for the audit.
    pub name: String,
    /// When the right ends by itself; `None` without a token.
    pub until: Option<UnixTime>,
}

/// A domain may use one identity of one card, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub admission: Admission,
    /// Under which binding.
    pub binding: BindingId,
    /// The card.
    pub seid: Seid,
    /// The identity.
    pub identity: IdentityName,
    /// SHA-256 of the certificate the card must present.
    pub certificate_sha256: [u8; 32],
}

/// What a domain wants to use.
#[derive(Debug, Clone, Copy)]
pub enum Wish<'a> {
    /// This identity, or the only one it is bound to.
    Identity(Option<&'a IdentityName>),
    /// What this one of its bindings means.
    Binding(BindingId),
    /// What it was granted before: nothing about it may have changed.
    Same(&'a Grant),
}

/// Judges whether a domain may speak to the service at all: at `hello`.
///
/// Which identity it will want is not known yet, so one good binding is enough.
pub fn admit(facts: &Facts<'_>, now: UnixTime) -> Decision<Admission> {
    decide(admission(facts, now).and_then(|admission| {
        let mut refused = Reason::NotBound;
        for binding in facts.bindings {
            match admits(facts.token, binding) {
                Ok(()) => return Ok(admission),
                Err(reason) => refused = reason,
            }
        }
        Err(refused)
    }))
}

/// Judges whether a domain may have a handshake: at `open`, when the job takes the card, and again
/// when the keys are about to leave.
pub fn judge(facts: &Facts<'_>, wish: Wish<'_>, now: UnixTime) -> Decision {
    decide(admission(facts, now).and_then(|admission| {
        let binding = match wish {
            Wish::Identity(name) => choose(facts.bindings, name)?,
            Wish::Binding(id) => {
                let meant = facts.bindings.iter().find(|fact| fact.id == id);
                meant.ok_or(Reason::BindingRemoved)?
            }
            Wish::Same(grant) => {
                let same = facts.bindings.iter().find(|fact| fact.id == grant.binding);
                same.ok_or(Reason::BindingRemoved)?
            }
        };
        let granted = grant(admission, binding, facts.token)?;
        match wish {
            Wish::Same(before) if before.identity != granted.identity => {
                Err(Reason::IdentityNotOnCard {
                    seid: before.seid.clone(),
                    identity: before.identity.clone(),
                })
            }
            Wish::Same(before) if before.certificate_sha256 != granted.certificate_sha256 => {
                Err(Reason::CertificateDiffers {
                    seid: before.seid.clone(),
                })
            }
            _ => Ok(granted),
        }
    }))
}

/// Judges whether a domain may send raw APDUs to the card of one of its bindings: when its RACS
/// connection is let in, and when it takes the card.
///
/// The card need not hold the identity now: whoever sends raw APDUs may be about to put that right.
pub fn judge_raw(facts: &Facts<'_>, binding: BindingId, now: UnixTime) -> Decision<Admission> {
    decide(admission(facts, now).and_then(|admission| {
        let meant = facts.bindings.iter().find(|fact| fact.id == binding);
        admits(facts.token, meant.ok_or(Reason::BindingRemoved)?)?;
        Ok(admission)
    }))
}

fn decide<T>(judged: Result<T, Reason>) -> Decision<T> {
    match judged {
        Ok(granted) => Decision::Allow(granted),
        Err(reason) => Decision::Refuse(reason),
    }
}

/// The first three facts: the channel, the domain behind it, and its token.
fn admission(facts: &Facts<'_>, now: UnixTime) -> Result<Admission, Reason> {
    let (uuid, name) = identify(facts.channel, facts.domain)?;
    let until = match facts.token {
        TokenFact::SwitchedOff => None,
        TokenFact::Missing => return Err(Reason::TokenMissing),
        TokenFact::Rejected(why) => {
            let why = why.to_owned();
            return Err(Reason::TokenRejected { why });
        }
        TokenFact::Verified { revoked: true, .. } => return Err(Reason::TokenRevoked),
        TokenFact::Verified { token, .. } => Some(check_token(token, facts.host, uuid, now)?),
    };
    Ok(Admission {
        domid: facts.channel.domid,
        domain: uuid,
        name: name.to_owned(),
        until,
    })
}

/// Whom a new channel under a domid is made for.
///
/// # Errors
/// Why for nobody: the domain is gone, not to be told from another, or not to be found out.
pub fn made_for(domid: DomId, domain: &DomainFact) -> Result<DomainUuid, Reason> {
    let made_for = match domain {
        DomainFact::Known { uuid, .. } | DomainFact::Shared { uuid, .. } => *uuid,
        DomainFact::Gone => return Err(Reason::DomainGone { domid }),
        DomainFact::Unreadable(why) => {
            return Err(Reason::DomainUnreadable { domid, why: *why });
        }
    };
    let (uuid, _) = identify(ChannelFact { domid, made_for }, domain)?;
    Ok(uuid)
}

/// The domain behind a channel, if it is the one the channel was made for, and the only one.
fn identify(channel: ChannelFact, domain: &DomainFact) -> Result<(DomainUuid, &str), Reason> {
    let domid = channel.domid;
    match domain {
        DomainFact::Gone => Err(Reason::DomainGone { domid }),
        DomainFact::Unreadable(why) => Err(Reason::DomainUnreadable { domid, why: *why }),
        DomainFact::Known { uuid, .. } | DomainFact::Shared { uuid, .. }
            if *uuid != channel.made_for =>
        {
            Err(Reason::DomainChanged {
                domid,
                was: channel.made_for,
                is: *uuid,
            })
        }
        DomainFact::Shared { uuid, other } => Err(Reason::UuidShared {
            domid,
            other: *other,
            uuid: *uuid,
        }),
        DomainFact::Known { uuid, name } => Ok((*uuid, name)),
    }
}

/// Everything about a token but what concerns one binding. Returns when it ends.
fn check_token(
    token: &VerifiedToken,
    host: HostFact<'_>,
    domain: DomainUuid,
    now: UnixTime,
) -> Result<UnixTime, Reason> {
    let issuer = host.issuers.iter().find(|issuer| issuer.id == token.iss);
    let issuer = issuer.ok_or(Reason::TokenOfOtherHost { iss: token.iss })?;
    if let Some(until) = issuer.until
        && now >= until
    {
        return Err(Reason::TokenOfFormerKey { until });
    }
    if token.sub != domain {
        return Err(Reason::TokenOfOtherDomain { sub: token.sub });
    }
    if !token.cnf_matches_channel {
        return Err(Reason::TokenOfOtherKey);
    }
    let from = token.nbf.unwrap_or_default().max(token.iat);
    if now < from {
        return Err(Reason::TokenNotYetValid { from });
    }
    if now >= token.exp {
        return Err(Reason::TokenExpired { exp: token.exp });
    }
    let until = issuer.until.unwrap_or(token.exp);
    Ok(until.min(token.exp))
}

/// Whether a token speaks for a binding, as far as is known before the card is asked.
fn admits(token: TokenFact<'_>, binding: &BindingFact) -> Result<(), Reason> {
    let TokenFact::Verified { token, .. } = token else {
        return Ok(());
    };
    if token.iat < binding.tokens_from {
        return Err(Reason::TokenTooOld {
            iat: token.iat,
            from: binding.tokens_from,
        });
    }
    match binding.certificate {
        CertificateFact::Known(hash) if !token.vm_cert_sha256.contains(&hash) => {
            Err(Reason::TokenWithoutCertificate)
        }
        _ => Ok(()),
    }
}

/// The binding a domain means.
fn choose<'f>(
    bindings: &'f [BindingFact],
    wanted: Option<&IdentityName>,
) -> Result<&'f BindingFact, Reason> {
    let Some(wanted) = wanted else {
        return match bindings {
            [] => Err(Reason::NotBound),
            [only] => Ok(only),
            _ => Err(Reason::IdentityNotNamed),
        };
    };
    let meant = bindings.iter().find(|fact| match &fact.identity {
        IdentityFact::Named(name) | IdentityFact::NotOnCard(name) => name == wanted,
        IdentityFact::CardNotRead | IdentityFact::NotTheOnlyOne => false,
    });
    // A binding without a name may mean the wanted identity once its card can be asked.
    let unnamed = || {
        let not_read = |fact: &&BindingFact| fact.identity == IdentityFact::CardNotRead;
        bindings.iter().find(not_read)
    };
    meant.or_else(unnamed).ok_or_else(|| match bindings {
        [] => Reason::NotBound,
        _ => Reason::IdentityNotBound {
            identity: wanted.clone(),
        },
    })
}

/// The bindings that are as good for a wish, each with a card of its own: a pool. Fewer than two are
/// none, and then [`Wish::Identity`] says what is meant.
#[must_use]
pub fn pool(bindings: &[BindingFact], wanted: Option<&IdentityName>) -> Vec<BindingId> {
    let means = |fact: &&BindingFact| match (&fact.identity, wanted) {
        (_, None) => true,
        (IdentityFact::Named(name) | IdentityFact::NotOnCard(name), Some(wanted)) => name == wanted,
        (IdentityFact::CardNotRead | IdentityFact::NotTheOnlyOne, Some(_)) => false,
    };
    let meant: Vec<&BindingFact> = bindings.iter().filter(means).collect();
    let cards: BTreeSet<&Seid> = meant.iter().map(|fact| &fact.seid).collect();
    match meant.len() > 1 && cards.len() == meant.len() {
        true => meant.iter().map(|fact| fact.id).collect(),
        false => Vec::new(),
    }
}

/// The fourth fact, and what ties it to the third.
fn grant(
    admission: Admission,
    binding: &BindingFact,
    token: TokenFact<'_>,
) -> Result<Grant, Reason> {
    let seid = || binding.seid.clone();
    let identity = match &binding.identity {
        IdentityFact::Named(name) => name.clone(),
        IdentityFact::CardNotRead => return Err(Reason::CardNotRead { seid: seid() }),
        IdentityFact::NotTheOnlyOne => return Err(Reason::NotTheOnlyIdentity { seid: seid() }),
        IdentityFact::NotOnCard(identity) => {
            return Err(Reason::IdentityNotOnCard {
                seid: seid(),
                identity: identity.clone(),
            });
        }
    };
    let certificate_sha256 = match binding.certificate {
        CertificateFact::Known(hash) => hash,
        CertificateFact::CardNotRead => return Err(Reason::CardNotRead { seid: seid() }),
        CertificateFact::Unknown => return Err(Reason::CertificateUnknown { seid: seid() }),
        CertificateFact::Differs => return Err(Reason::CertificateDiffers { seid: seid() }),
    };
    admits(token, binding)?;
    Ok(Grant {
        admission,
        binding: binding.id,
        seid: seid(),
        identity,
        certificate_sha256,
    })
}
