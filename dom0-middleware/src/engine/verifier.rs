//! Which server is believed: the binding's trust as rustls sees it.

use std::sync::Arc;

use proto::id::DomainUuid;
use rustls::{CertificateError, Error};
use rustls_pki_types::UnixTime;

use super::callbacks;
use crate::card::{Believed, Judge, ServerCheck, SessionError, Trust, TrustError};

/// The check of one domain's servers.
pub(super) type TrustVerifier = ServerCheck<BindingJudge>;

/// Believes whom the [`Trust`] of a binding believes.
#[derive(Debug)]
pub(super) struct BindingJudge {
    trust: Arc<Trust>,
    /// Whose handshakes these are.
    domain: DomainUuid,
    believed: Believed,
}

impl BindingJudge {
    pub(super) fn new(trust: Arc<Trust>, domain: DomainUuid) -> Self {
        Self {
            trust,
            domain,
            believed: Believed::default(),
        }
    }
}

impl Judge for BindingJudge {
    fn judge(&self, chain: &[Vec<u8>], now: UnixTime) -> Result<(), TrustError> {
        // The name as it was asked for: a pin may be under a spelling that rustls changes.
        let server_name =
            callbacks::server_name().map_err(|error| TrustError::Other(error.to_string()))?;
        let (trust, domain) = (&self.trust, self.domain);
        self.believed
            .verify(trust, domain, chain, &server_name, now)
    }

    fn refusal(&self, error: TrustError) -> Error {
        let told = for_the_server(&error);
        callbacks::fail(SessionError::PeerUntrusted(error));
        told.into()
    }
}

/// What rustls makes the server's alert of.
fn for_the_server(error: &TrustError) -> CertificateError {
    match error {
        TrustError::Expired { .. } | TrustError::NotYetValid { .. } => CertificateError::Expired,
        TrustError::NoTrustFor { .. } | TrustError::UnknownIssuer => {
            CertificateError::UnknownIssuer
        }
        _ => CertificateError::BadEncoding,
    }
}
