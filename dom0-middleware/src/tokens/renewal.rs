//! When a token is issued anew, which one never is, and what it says then.

use proto::hv::HvId;
use proto::token::Claims;
use thiserror::Error;

use super::file::{Standing, TokenFault, TokenFile};
use crate::time::UnixTime;

/// Whether less than a third of a token's life is left. One that is over is not renewed: somebody has
/// let it end.
pub(crate) fn is_due(claims: &Claims, now: UnixTime) -> bool {
    let now = now.as_secs();
    let life = claims.exp.saturating_sub(claims.good_from());
    let left = claims.exp.saturating_sub(now);
    (claims.good_from()..claims.exp).contains(&now) && left < life / 3
}

/// What it depends on whether a token that ends soon is issued anew.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renewal<'a> {
    /// What tokens are judged by now.
    pub(crate) standing: Standing<'a>,
    /// The HV that would sign the next one.
    pub(crate) signer: HvId,
    /// Whether its domain is bound.
    pub(crate) is_bound: bool,
}

/// Why a token is left to end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum NotRenewed {
    /// It does not count any more.
    #[error(transparent)]
    Fault(#[from] TokenFault),
    /// Whoever has that HV's key may have signed it: the operator issues the first one of an HV.
    #[error("it was signed by a former HV")]
    FormerHv,
    /// Nobody wants it.
    #[error("the domain is not bound")]
    NotBound,
    /// Its domain has another one, perhaps for another key, or was to have none.
    #[error("there is another one in its place, or none")]
    Replaced,
}

impl Renewal<'_> {
    /// Whether a token with these claims may be issued anew.
    ///
    /// # Errors
    /// [`NotRenewed`], which says why not.
    pub(crate) fn judge(&self, former: &Claims) -> Result<(), NotRenewed> {
        self.standing.judge(former)?;
        if former.iss != self.signer {
            return Err(NotRenewed::FormerHv);
        }
        match self.is_bound {
            true => Ok(()),
            false => Err(NotRenewed::NotBound),
        }
    }
}

impl TokenFile {
    /// Whether the file of the domain still holds this token, so that the next one may take its
    /// place.
    ///
    /// # Errors
    /// [`NotRenewed::Replaced`] when it does not.
    pub(crate) fn judge_held(&self, held: Option<&[u8]>) -> Result<(), NotRenewed> {
        match held.map(<[u8]>::trim_ascii) == Some(self.text.as_bytes()) {
            true => Ok(()),
            false => Err(NotRenewed::Replaced),
        }
    }
}

/// The token that follows: the same for as long again from `now` on, under another number, but not
/// beyond `hv_end`, the end of the HV certificate. `None` when that would not be longer than it is.
pub(crate) fn renewed(
    former: &Claims,
    cti: [u8; 16],
    now: UnixTime,
    hv_end: u64,
) -> Option<Claims> {
    let now = now.as_secs();
    let life = former.exp.saturating_sub(former.good_from());
    let exp = now.saturating_add(life).min(hv_end);
    (exp > former.exp).then(|| Claims {
        exp,
        nbf: None,
        iat: now,
        cti,
        ..former.clone()
    })
}

#[cfg(test)]
mod tests {
    use proto::token::ConfirmationKey;

    use super::super::file::Revocations;
    use super::super::testing::{DAY, Host, NOW, claims, domain};
    use super::*;
    use crate::mapping::Issuer;

    #[test]
    fn it_is_due_when_less_than_a_third_is_left_and_not_when_it_is_over() {
        let claims = claims(&Host::new(), 1);
        let at = |secs| is_due(&claims, UnixTime::from_secs(secs));
        assert!(!at(NOW) && !at(NOW + 20 * DAY));
        assert!(at(NOW + 20 * DAY + 1) && at(claims.exp - 1));
        assert!(!at(claims.exp) && !at(claims.exp + DAY));
        // The calendar was set back to before it.
        assert!(!at(NOW - 1));
        let later = Claims {
            nbf: Some(NOW + 27 * DAY),
            ..claims
        };
        let at = |secs| is_due(&later, UnixTime::from_secs(secs));
        assert!(!at(NOW + 26 * DAY) && !at(NOW + 29 * DAY));
        assert!(at(NOW + 29 * DAY + 1), "its three days count");
    }

    #[test]
    fn the_next_one_says_the_same_for_as_long_again() {
        let former = claims(&Host::new(), 1);
        let now = NOW + 25 * DAY;
        let next = |hv_end| renewed(&former, [9; 16], UnixTime::from_secs(now), hv_end);
        let expected = Claims {
            exp: now + 30 * DAY,
            iat: now,
            cti: [9; 16],
            ..former.clone()
        };
        expected.check().expect("claims of a token");
        assert_eq!(next(u64::MAX), Some(expected.clone()));
        let shorter = Claims {
            exp: now + 6 * DAY,
            ..expected
        };
        assert_eq!(next(now + 6 * DAY), Some(shorter));
        assert_eq!(next(former.exp), None, "nothing would be won");
    }

    /// Judges a token of `host` for its first domain, which is bound unless `is_bound` says no.
    fn judge(
        host: &Host,
        revocations: &Revocations,
        now: u64,
        is_bound: bool,
    ) -> Result<(), NotRenewed> {
        let renewal = Renewal {
            standing: Standing {
                issuers: host.issuers(),
                revocations,
                now: UnixTime::from_secs(now),
            },
            signer: host.certificate().id(),
            is_bound,
        };
        renewal.judge(&claims(host, 1))
    }

    #[test]
    fn what_is_revoked_over_or_of_a_domain_that_is_not_bound_is_not_renewed() {
        let (host, none) = (Host::new(), Revocations::default());
        let exp = claims(&host, 1).exp;
        assert_eq!(judge(&host, &none, NOW, true), Ok(()));
        assert_eq!(judge(&host, &none, exp - 1, true), Ok(()));
        let over = TokenFault::Expired {
            exp: UnixTime::from_secs(exp),
        };
        assert_eq!(judge(&host, &none, exp, true), Err(over.into()));
        let unbound = judge(&host, &none, NOW, false);
        assert_eq!(unbound, Err(NotRenewed::NotBound));
        let revoked = Revocations {
            revoked: [[1; 16]].into(),
            ..Revocations::default()
        };
        let fault = TokenFault::Revoked.into();
        assert_eq!(judge(&host, &revoked, NOW, true), Err(fault));
        let from = UnixTime::from_secs(NOW + 1);
        let of_all = Revocations {
            tokens_from: [(domain(1), from)].into(),
            ..Revocations::default()
        };
        let fault = TokenFault::TooOld { from }.into();
        assert_eq!(judge(&host, &of_all, NOW, true), Err(fault));
    }

    #[test]
    fn what_a_former_hv_has_signed_counts_and_is_not_renewed() {
        let (former, current) = (Host::new(), Host::new());
        let until = UnixTime::from_secs(NOW + DAY);
        let issuers = [
            current.issuers()[0],
            Issuer {
                until: Some(until),
                ..former.issuers()[0]
            },
        ];
        let revocations = &Revocations::default();
        let judge = |claims: &Claims, now| {
            let standing = Standing {
                issuers: &issuers,
                revocations,
                now: UnixTime::from_secs(now),
            };
            let renewal = Renewal {
                standing,
                signer: current.certificate().id(),
                is_bound: true,
            };
            (standing.judge(claims).is_ok(), renewal.judge(claims))
        };
        assert_eq!(judge(&claims(&current, 1), NOW), (true, Ok(())));
        let of_former = claims(&former, 1);
        let no = NotRenewed::FormerHv;
        assert_eq!(judge(&of_former, NOW), (true, Err(no)));
        let no = TokenFault::FormerKey { until }.into();
        assert_eq!(judge(&of_former, NOW + DAY), (false, Err(no)));
        // One of no HV of this host.
        let (counts, judged) = judge(&claims(&Host::new(), 1), NOW);
        assert!(!counts && judged.is_err());
    }

    #[test]
    fn a_token_in_whose_place_is_one_for_another_key_is_not_renewed() {
        let host = Host::new();
        let file = |claims: &Claims| {
            let text = host.token(claims);
            TokenFile::read(domain(1), text.as_bytes(), host.certificates()).expect("good")
        };
        let former = file(&claims(&host, 1));
        let with_line_feed = format!("{}\n", former.text);
        for held in [&former.text, &with_line_feed] {
            assert_eq!(former.judge_held(Some(held.as_bytes())), Ok(()));
        }
        let other = file(&Claims {
            cnf: ConfirmationKey::Ed25519([9; 32]),
            ..former.claims.clone()
        });
        for held in [None, Some(&b""[..]), Some(other.text.as_bytes())] {
            assert_eq!(former.judge_held(held), Err(NotRenewed::Replaced));
        }
    }
}
