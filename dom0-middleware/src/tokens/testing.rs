//! A host that issues tokens, for tests.

use proto::hv::{HvCertificate, SoftwareHvKey};
use proto::id::DomainUuid;
use proto::token::{Claims, ConfirmationKey, SignatureAlgorithm};

use crate::channel_key::testing::hv;
use crate::mapping::Issuer;

/// 2026-11-21T04:07:09Z
pub(crate) const NOW: u64 = 1_795_234_029;

pub(crate) const DAY: u64 = 86_400;

/// An HV with its key.
pub(crate) struct Host {
    pub(crate) key: SoftwareHvKey,
    certificates: Vec<HvCertificate>,
    issuers: Vec<Issuer>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let (key, certificate) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
        let id = certificate.id();
        Self {
            key,
            certificates: vec![certificate],
            issuers: vec![Issuer { id, until: None }],
        }
    }

    pub(crate) fn certificate(&self) -> &HvCertificate {
        &self.certificates[0]
    }

    pub(crate) fn certificates(&self) -> &[HvCertificate] {
        &self.certificates
    }

    pub(crate) fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// The token as text.
    pub(crate) fn token(&self, claims: &Claims) -> String {
        let signed = proto::token::sign(claims, &self.key, SignatureAlgorithm::Es256);
        proto::token::to_text(&signed.expect("sound claims"))
    }
}

pub(crate) fn domain(number: u8) -> DomainUuid {
    DomainUuid::from_bytes([number; 16])
}

/// A token of 30 days for the `number`th domain, issued at [`NOW`].
pub(crate) fn claims(host: &Host, number: u8) -> Claims {
    Claims {
        iss: host.certificate().id(),
        sub: domain(number),
        exp: NOW + 30 * DAY,
        nbf: None,
        iat: NOW,
        cti: [number; 16],
        cnf: ConfirmationKey::Ed25519([number; 32]),
        vm_cert_sha256: vec![[number; 32]],
        hv_domain: Some("rack-7".to_owned()),
    }
}
