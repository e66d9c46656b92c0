//! One file of the folder: what it holds, and whether that counts now.

use std::collections::{BTreeMap, BTreeSet};

use proto::hv::HvCertificate;
use proto::id::DomainUuid;
use proto::token::{self, Claims, SignatureAlgorithm, TokenError};
use thiserror::Error;

use crate::mapping::Issuer;
use crate::time::UnixTime;

/// A token whose form and signature are good, and which is for the domain that its file is named
/// after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenFile {
    /// The token as text, as it stands at the node.
    pub(crate) text: String,
    /// How it is signed.
    pub(crate) algorithm: SignatureAlgorithm,
    /// What it says.
    pub(crate) claims: Claims,
}

impl TokenFile {
    /// Reads the file of `domain`; `certificates` are those of this host's HVs.
    ///
    /// # Errors
    /// [`TokenFault`] for anything else.
    pub(crate) fn read(
        domain: DomainUuid,
        content: &[u8],
        certificates: &[HvCertificate],
    ) -> Result<Self, TokenFault> {
        // What is no UTF-8 becomes a letter that base64url has not.
        let token = token::from_text(&String::from_utf8_lossy(content))?;
        let claims = token::verify(&token, certificates)?;
        if claims.sub != domain {
            return Err(TokenFault::OtherDomain { sub: claims.sub });
        }
        let (algorithm, _) = token::decode(&token)?;
        Ok(Self {
            text: token::to_text(&token),
            algorithm,
            claims,
        })
    }
}

/// Tokens that do not count any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Revocations {
    /// By their numbers.
    pub(crate) revoked: BTreeSet<[u8; 16]>,
    /// From when on the tokens of a domain count.
    pub(crate) tokens_from: BTreeMap<DomainUuid, UnixTime>,
}

/// What tokens are judged by at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    /// The HVs of this host.
    pub(crate) issuers: &'a [Issuer],
    /// What does not count any more.
    pub(crate) revocations: &'a Revocations,
    /// The time.
    pub(crate) now: UnixTime,
}

impl Standing<'_> {
    /// Whether a token counts. One whose time has not come does: it will.
    ///
    /// # Errors
    /// [`TokenFault`], which says why not.
    pub(crate) fn judge(&self, claims: &Claims) -> Result<(), TokenFault> {
        let Some(issuer) = self.issuers.iter().find(|issuer| issuer.id == claims.iss) else {
            return Err(TokenError::Issuer(claims.iss).into());
        };
        if let Some(until) = issuer.until.filter(|until| *until <= self.now) {
            return Err(TokenFault::FormerKey { until });
        }
        if self.revocations.revoked.contains(&claims.cti) {
            return Err(TokenFault::Revoked);
        }
        let iat = UnixTime::from_secs(claims.iat);
        let from = self.revocations.tokens_from.get(&claims.sub).copied();
        if let Some(from) = from.filter(|from| iat < *from) {
            return Err(TokenFault::TooOld { from });
        }
        let exp = UnixTime::from_secs(claims.exp);
        match exp <= self.now {
            true => Err(TokenFault::Expired { exp }),
            false => Ok(()),
        }
    }
}

/// Why a file of the folder is put nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TokenFault {
    /// It is not named after a domain.
    #[error("its name is not a UUID in lower case and .token")]
    Name,
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(String),
    /// Not a token, or not one of this host.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It is for another domain than the one that its name says.
    #[error("the token is for {sub}")]
    OtherDomain {
        /// Whom it names.
        sub: DomainUuid,
    },
    /// It was signed with a former key whose time is over.
    #[error("the token was issued under a key that was in use until {until}")]
    FormerKey {
        /// Until when.
        until: UnixTime,
    },
    /// It was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// Tokens of its domain that were issued so early do not count.
    #[error("tokens of this domain count from {from} on, and this one was issued earlier")]
    TooOld {
        /// From when on they count.
        from: UnixTime,
    },
    /// Its time is over.
    #[error("the token expired at {exp}")]
    Expired {
        /// When.
        exp: UnixTime,
    },
}

impl TokenFault {
    /// What the operator can do.
    pub(crate) fn cure(&self) -> &'static str {
        match self {
            Self::Name => "rename it, or write it with token-tool issue --out FOLDER",
            Self::Read(_) => "make it a file that the service can read",
            Self::OtherDomain { .. } => "rename it to that UUID, or remove it",
            Self::Token(_)
            | Self::FormerKey { .. }
            | Self::Revoked
            | Self::TooOld { .. }
            | Self::Expired { .. } => {
                "issue another with token-tool issue --out FOLDER or vm approve, or remove the file"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, NOW, claims, domain};
    use super::*;

    #[test]
    fn only_a_token_of_this_host_for_the_domain_of_its_name_is_read() {
        let (host, other) = (Host::new(), Host::new());
        let token = host.token(&claims(&host, 1));
        let read = |content: &[u8]| TokenFile::read(domain(1), content, host.certificates());
        let good = read(format!(" {token}\n").as_bytes()).expect("good");
        assert_eq!((good.text, good.claims), (token.clone(), claims(&host, 1)));

        let of_other = TokenFile::read(domain(2), token.as_bytes(), host.certificates());
        let sub = domain(1);
        assert_eq!(of_other, Err(TokenFault::OtherDomain { sub }));
        let foreign = other.token(&claims(&other, 1));
        let token_fault = |content: &[u8]| {
            let fault = read(content).expect_err("not good");
            assert!(matches!(fault, TokenFault::Token(_)), "{fault:?}");
        };
        token_fault(foreign.as_bytes());
        for content in [&b""[..], b"\xFF\xFF", b"AAAA", &token.as_bytes()[1..]] {
            token_fault(content);
        }
    }

    #[test]
    fn a_token_counts_until_it_is_revoked_too_old_or_over() {
        let host = Host::new();
        let claims = claims(&host, 1);
        let judge = |revocations: &Revocations, now: u64| {
            let standing = Standing {
                issuers: host.issuers(),
                revocations,
                now: UnixTime::from_secs(now),
            };
            standing.judge(&claims)
        };
        let none = Revocations::default();
        assert_eq!(judge(&none, NOW), Ok(()));
        assert_eq!(judge(&none, claims.exp - 1), Ok(()));
        let exp = UnixTime::from_secs(claims.exp);
        assert_eq!(judge(&none, claims.exp), Err(TokenFault::Expired { exp }));
        let revoked = Revocations {
            revoked: [claims.cti].into(),
            ..Revocations::default()
        };
        assert_eq!(judge(&revoked, NOW), Err(TokenFault::Revoked));
        let from = |secs| {
            let from = UnixTime::from_secs(secs);
            let tokens_from = [(domain(1), from), (domain(2), exp)].into();
            let revoked = [[0xEE; 16]].into();
            let revocations = Revocations {
                revoked,
                tokens_from,
            };
            judge(&revocations, NOW)
        };
        assert_eq!(from(claims.iat), Ok(()));
        let from_later = UnixTime::from_secs(claims.iat + 1);
        assert_eq!(
            from(claims.iat + 1),
            Err(TokenFault::TooOld { from: from_later })
        );
    }

    #[test]
    fn a_token_of_a_former_key_counts_for_its_time() {
        let host = Host::new();
        let claims = claims(&host, 1);
        let until = UnixTime::from_secs(NOW + 10);
        let judge = |issuers: &[Issuer], now| {
            let revocations = &Revocations::default();
            let now = UnixTime::from_secs(now);
            let standing = Standing {
                issuers,
                revocations,
                now,
            };
            standing.judge(&claims)
        };
        let former = [Issuer {
            id: claims.iss,
            until: Some(until),
        }];
        assert_eq!(judge(&former, NOW + 9), Ok(()));
        assert_eq!(
            judge(&former, NOW + 10),
            Err(TokenFault::FormerKey { until })
        );
        assert!(matches!(judge(&[], NOW), Err(TokenFault::Token(_))));
    }
}
