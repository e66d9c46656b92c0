//! What a slot is personalised with.

use proto::piv::require_x509_v3;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::key::SlotKey;
use crate::crypto;
use crate::identity::{IdentityError, certificates};

/// Key and certificate of a slot, as a personaliser has them: PEM.
#[derive(Clone, Copy)]
pub struct SlotPem<'a> {
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: &'a [u8],
    /// The certificate.
    pub certificate: &'a [u8],
}

impl SlotPem<'_> {
    /// Reads both, and checks that they belong together.
    ///
    /// # Errors
    /// A part that cannot be read or that a slot cannot hold.
    pub fn load(self) -> Result<(SlotKey, CertificateDer<'static>), IdentityError> {
        let what = "private key";
        let key = PrivateKeyDer::from_pem_slice(self.key)
            .map_err(|source| IdentityError::Pem { what, source })?;
        let slot_key = SlotKey::from_der(&key)?;
        let chain = certificates("certificate", self.certificate)?;
        let [certificate] = chain.as_slice() else {
            return Err(IdentityError::Chain { got: chain.len() });
        };
        require_x509_v3(certificate)?;
        let certificate = certificate.clone();
        CertifiedKey::from_der(chain, key, &crypto::provider())
            .map_err(|source| IdentityError::Unusable { what, source })?;
        Ok((slot_key, certificate))
    }
}
