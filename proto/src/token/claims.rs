//! What a token says, and which of it can be true at all.

use super::{ClaimProblem, ConfirmationKey, TokenError};
use crate::hv::HvId;
use crate::id::DomainUuid;

/// Everything a token says. Times are seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `iss` (1), ID_HV: which host signed it.
    pub iss: HvId,
    /// `sub` (2): which VM it is for.
    pub sub: DomainUuid,
    /// `exp` (4): from this second on it is good no more.
    pub exp: u64,
    /// `nbf` (5): before this second it is not good yet.
    pub nbf: Option<u64>,
    /// `iat` (6): when it was made.
    pub iat: u64,
    /// `cti` (7): its name, random; what a revocation is about.
    pub cti: [u8; 16],
    /// `cnf` (8): the key that must have authenticated the channel.
    pub cnf: ConfirmationKey,
    /// ID_VM: SHA-256 of the DER of each VM certificate whose key is in a card; 1 to
    /// [`MAX_CERTIFICATES`].
    pub vm_cert_sha256: Vec<[u8; 32]>,
    /// A text for people, 1 to [`MAX_HV_DOMAIN_LEN`] bytes without control characters.
    pub hv_domain: Option<String>,
}

impl Claims {
    /// Whether these can be the claims of a token.
    ///
    /// # Errors
    /// [`TokenError::Claim`] if the times are not in order or beyond the year 9999, if the life is
    /// longer than [`MAX_LIFE`], or if there are too few or too many certificates or letters.
    pub fn check(&self) -> Result<(), TokenError> {
        for (claim, time) in [
            ("iat", Some(self.iat)),
            ("nbf", self.nbf),
            ("exp", Some(self.exp)),
        ] {
            if time.is_some_and(|time| time > LAST_SECOND) {
                return Err(wrong(
                    claim,
                    ClaimProblem::Not("a time before the year 10000"),
                ));
            }
        }
        if self.exp <= self.iat {
            return Err(wrong("exp", ClaimProblem::NotAfter("iat")));
        }
        let Some(life) = self
            .exp
            .checked_sub(self.good_from())
            .filter(|life| *life > 0)
        else {
            return Err(wrong("exp", ClaimProblem::NotAfter("nbf")));
        };
        if life > MAX_LIFE {
            let (days, max) = (life.div_ceil(DAY), MAX_LIFE / DAY);
            return Err(wrong("exp", ClaimProblem::Life { days, max }));
        }
        if !(1..=MAX_CERTIFICATES).contains(&self.vm_cert_sha256.len()) {
            return Err(wrong("vm_cert_sha256", ClaimProblem::Not("1 to 16 hashes")));
        }
        if self
            .hv_domain
            .as_deref()
            .is_some_and(|text| !is_hv_domain(text))
        {
            let problem = ClaimProblem::Not("1 to 255 bytes of text without control characters");
            return Err(wrong("hv_domain", problem));
        }
        Ok(())
    }

    /// First second at which it is good: `nbf`, or `iat` if that is later.
    #[must_use]
    pub fn good_from(&self) -> u64 {
        self.nbf.unwrap_or_default().max(self.iat)
    }
}

pub(super) fn wrong(claim: &str, problem: ClaimProblem) -> TokenError {
    let claim = claim.to_owned();
    TokenError::Claim { claim, problem }
}

fn is_hv_domain(text: &str) -> bool {
    (1..=MAX_HV_DOMAIN_LEN).contains(&text.len()) && !text.contains(char::is_control)
}

/// How long a token is good unless its issuer says otherwise: 30 days, in seconds.
pub const DEFAULT_LIFE: u64 = 30 * DAY;

/// How long a token may be good at most: 400 days, in seconds, counted from [`Claims::good_from`].
pub const MAX_LIFE: u64 = 400 * DAY;

/// Most VM certificates in one token.
pub const MAX_CERTIFICATES: usize = 16;

/// Longest `hv_domain`, in bytes.
pub const MAX_HV_DOMAIN_LEN: usize = 255;

const DAY: u64 = 86_400;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;
