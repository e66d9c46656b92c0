//! Which grid's server is believed.

use std::sync::Arc;

use rustls::{CertificateError, Error, OtherError};
use rustls_pki_types::UnixTime;

use crate::card::{Judge, Trust, TrustError};

/// Believes whom a [`Trust`] believes for the grid's name.
#[derive(Debug)]
pub(super) struct GridJudge {
    pub(super) trust: Trust,
    pub(super) server_name: String,
}

impl Judge for GridJudge {
    fn judge(&self, chain: &[Vec<u8>], now: UnixTime) -> Result<(), TrustError> {
        self.trust.verify(chain, &self.server_name, now)
    }

    /// What is wrong comes back to whoever connects.
    fn refusal(&self, error: TrustError) -> Error {
        CertificateError::Other(OtherError(Arc::new(error))).into()
    }
}
