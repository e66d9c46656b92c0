//! The HV's signature under a token.

use proto::hv::{HvCertificate, HvSigner, SignError};
use proto::id::DomainUuid;
use proto::token::{self, Claims, ConfirmationKey, SignatureAlgorithm};
use thiserror::Error;

use crate::time::UnixTime;

/// What a token is to say that nobody had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// For which domain.
    pub(crate) domain: DomainUuid,
    /// The key of its channel.
    pub(crate) key: ConfirmationKey,
    /// SHA-256 of the certificates whose keys it may use.
    pub(crate) certificates: Vec<[u8; 32]>,
    /// For how long, in seconds.
    pub(crate) life: u64,
}

impl Wish {
    /// The claims of such a token from `now` on, which ends with the HV certificate `hv` at the
    /// latest.
    ///
    /// # Errors
    /// [`IssueError::HvEnded`] when that has ended.
    pub(crate) fn claims(
        self,
        hv: &HvCertificate,
        cti: [u8; 16],
        now: UnixTime,
    ) -> Result<Claims, IssueError> {
        let now = now.as_secs();
        let exp = now.saturating_add(self.life).min(hv.not_after());
        if exp <= now {
            return Err(IssueError::HvEnded);
        }
        Ok(Claims {
            iss: hv.id(),
            sub: self.domain,
            exp,
            nbf: None,
            iat: now,
            cti,
            cnf: self.key,
            vm_cert_sha256: self.certificates,
            hv_domain: None,
        })
    }
}

/// Has `signer`, which has the key of `hv`, sign a token; the token as text. It signs with
/// `algorithm`, or as it likes best. `signer` may be a key in memory or in a card: it is asked once.
///
/// # Errors
/// [`IssueError`] when it has another key, or does not sign what verifies.
pub(crate) fn issue(
    claims: &Claims,
    signer: &dyn HvSigner,
    hv: &HvCertificate,
    algorithm: Option<SignatureAlgorithm>,
) -> Result<String, IssueError> {
    if signer.spki_der() != hv.spki_der() {
        return Err(IssueError::OtherKey);
    }
    let algorithm = algorithm.or_else(|| signer.algorithms().first().copied());
    let token = token::sign(claims, signer, algorithm.ok_or(IssueError::OtherKey)?)?;
    // A signature that does not verify must not leave, whatever went wrong.
    match token::verify(&token, std::slice::from_ref(hv)) {
        Ok(said) if said == *claims => Ok(token::to_text(&token)),
        _ => Err(IssueError::Unverified),
    }
}

/// Why there is no token.
#[derive(Debug, Error)]
pub(crate) enum IssueError {
    /// The HV key is not that of the HV certificate.
    #[error("the HV key does not belong to the HV certificate")]
    OtherKey,
    /// The HV certificate has ended.
    #[error(
        "the HV certificate has ended: make another HV key with token-tool keygen and list it under \
         [[hv]]"
    )]
    HvEnded,
    /// There is no such token, or the key failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A signature that is none.
    #[error("the HV key made a signature that does not verify")]
    Unverified,
}

#[cfg(test)]
mod tests {
    use super::super::TokenFile;
    use super::super::testing::{DAY, Host, NOW, claims, domain};
    use super::*;
    use crate::channel_key::testing::{hv, rsa_hv};

    #[test]
    fn what_is_issued_is_read_as_it_was_meant() {
        let host = Host::new();
        let claims = claims(&host, 1);
        let text = issue(&claims, &host.key, host.certificate(), None).expect("signed");
        let read = TokenFile::read(domain(1), text.as_bytes(), host.certificates());
        assert_eq!(read.expect("good").claims, claims);
    }

    #[test]
    fn an_rsa_key_signs_as_the_former_token_was_signed() {
        let (key, certificate) = rsa_hv();
        let claims = Claims {
            iss: certificate.id(),
            ..claims(&Host::new(), 1)
        };
        for (wanted, is) in [
            (None, SignatureAlgorithm::Ps256),
            (Some(SignatureAlgorithm::Rs256), SignatureAlgorithm::Rs256),
        ] {
            let text = issue(&claims, &key, &certificate, wanted).expect("signed");
            let hvs = std::slice::from_ref(&certificate);
            let read = TokenFile::read(domain(1), text.as_bytes(), hvs);
            assert_eq!(read.expect("good").algorithm, is);
        }
    }

    #[test]
    fn another_key_and_claims_that_cannot_be_give_no_token() {
        let (host, other) = (Host::new(), Host::new());
        let mut claims = claims(&host, 1);
        let with = |claims: &Claims, key| issue(claims, key, host.certificate(), None);
        assert!(matches!(
            with(&claims, &other.key),
            Err(IssueError::OtherKey)
        ));
        claims.vm_cert_sha256.clear();
        assert!(matches!(with(&claims, &host.key), Err(IssueError::Sign(_))));
    }

    #[test]
    fn no_token_outlives_the_hv_certificate() {
        let (_, certificate) = hv(&rcgen::PKCS_ED25519, Some(NOW + 3 * DAY));
        let claims = |days: u64, now: u64| {
            let wish = Wish {
                domain: domain(1),
                key: ConfirmationKey::Ed25519([1; 32]),
                certificates: vec![[1; 32]],
                life: days * DAY,
            };
            let claims = wish.claims(&certificate, [1; 16], UnixTime::from_secs(now));
            claims.map(|claims| claims.exp).ok()
        };
        assert_eq!(claims(2, NOW), Some(NOW + 2 * DAY));
        assert_eq!(claims(30, NOW), Some(certificate.not_after()));
        assert_eq!(claims(30, certificate.not_after()), None);
    }
}
