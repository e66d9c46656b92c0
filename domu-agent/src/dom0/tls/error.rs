//! Why there is no TLS with dom0.

use proto::tls::{Alert, RecordError};

use super::pin::HvPin;

/// What is wrong with the TLS to dom0.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TlsError {
    /// dom0's HV certificate is not believed.
    #[error(
        "dom0 shows an HV certificate that is not in hv_pins: {0}; if the host's HV certificate was \
         renewed, add it"
    )]
    NotPinned(HvPin),
    /// dom0 does not show its own certificate and the HV's.
    #[error("dom0 shows {0} certificates, not its own and that of its HV")]
    Chain(usize),
    /// dom0's certificate is not good at this time.
    #[error(
        "dom0's certificate is not good now ({0}); is the clock of this guest right? If it is, the \
         log of dom0-middleware says why it was not renewed"
    )]
    Time(rustls::CertificateError),
    /// dom0's certificate is not what it must be.
    #[error("dom0's certificate is not good: {0}")]
    Certificate(rustls::Error),
    /// dom0 does not like what the agent shows.
    #[error("dom0 refused the channel's TLS: {0}")]
    Refused(String),
    /// The other side is no dom0-middleware.
    #[error(
        "dom0 does not speak tessera/1 over TLS 1.3 here: {0}; does its [[channel]] say \
         insecure_development = true?"
    )]
    OtherProtocol(String),
    /// dom0 has closed the channel in the handshake.
    #[error("dom0 closed the channel in the TLS handshake")]
    Ended,
    /// A record that breaks the rules.
    #[error("from dom0: {0}")]
    Record(#[from] RecordError),
    /// dom0 sent something before it was asked.
    #[error("dom0 sent {0} bytes before it was asked for anything")]
    TooEarly(usize),
}

impl TlsError {
    /// Whether dom0 is not who it should be, as far as this guest can tell.
    pub(crate) const fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::NotPinned(_) | Self::Chain(_) | Self::Time(_) | Self::Certificate(_)
        )
    }

    /// What rustls says, in our words.
    pub(in crate::dom0) fn of(error: rustls::Error) -> Self {
        use rustls::{CertificateError, Error};
        match error {
            Error::InvalidCertificate(CertificateError::Other(other)) => {
                match other.0.downcast_ref::<Self>() {
                    Some(error) => error.clone(),
                    None => Self::Certificate(CertificateError::Other(other).into()),
                }
            }
            Error::InvalidCertificate(error) => Self::Certificate(error.into()),
            Error::AlertReceived(alert) => Self::Refused(format!("alert {alert:?}")),
            other => Self::OtherProtocol(other.to_string()),
        }
    }
}

impl From<Alert> for TlsError {
    fn from(alert: Alert) -> Self {
        Self::Refused(alert.to_string())
    }
}
