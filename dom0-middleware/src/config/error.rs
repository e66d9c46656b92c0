//! Why a configuration cannot be used.

use std::io;
use std::path::PathBuf;

use proto::racs::AllowListError;
use thiserror::Error;

use crate::card::TrustSetupError;
use crate::channel_key::{ChannelKeyError, HvKeyError};
use crate::mapping::IntermediatesError;
use crate::racs::server::TlsSetupError;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}", path.display())]
    Read {
        /// The configuration file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{}", path.display())]
    Parse {
        /// The configuration file.
        path: PathBuf,
        /// Line, key and reason.
        source: Box<toml::de::Error>,
    },
    /// A value that does not fit the others.
    #[error("{}:{line}: {key}: {problem}", path.display())]
    Value {
        /// The configuration file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, with the table it is in.
        key: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A file that the configuration names.
    #[error("{}:{line}: {key}: {}", path.display(), file.display())]
    File {
        /// The configuration file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, with the table it is in.
        key: &'static str,
        /// The file that it names.
        file: PathBuf,
        /// What is wrong with it.
        source: FileProblem,
    },
}

impl ConfigError {
    /// Whether all that is wrong is that the card with the HV key is not there.
    #[must_use]
    pub fn is_absent_card(&self) -> bool {
        matches!(self, Self::File { source: FileProblem::HvKey(error), .. } if error.is_absent_card())
    }
}

/// What is wrong with a file that the configuration names.
#[derive(Debug, Error)]
pub enum FileProblem {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// Not PEM, or without a certificate.
    #[error("holds no certificate in PEM: {0}")]
    NoCertificate(String),
    /// More than one certificate where one is meant.
    #[error("holds more than one certificate, only the identity's own is meant")]
    SeveralCertificates,
    /// Certificates that cannot be sent along.
    #[error(transparent)]
    Intermediates(#[from] IntermediatesError),
    /// A CA that cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustSetupError),
    /// No certificate of an HV.
    #[error(transparent)]
    HvCertificate(#[from] proto::hv::CertificateError),
    /// No key of an HV.
    #[error(transparent)]
    HvKey(Box<HvKeyError>),
    /// The HV key cannot certify this host's channel key.
    #[error(transparent)]
    ChannelKey(Box<ChannelKeyError>),
    /// Certificate, key or CA for the grid of another host.
    #[error("{0}")]
    Grid(String),
    /// Not a private key in PEM.
    #[error("holds no private key in PEM: {0}")]
    NoKey(String),
    /// Certificate, key and CA make no TLS server.
    #[error(transparent)]
    Tls(Box<TlsSetupError>),
    /// Not a list of APDUs.
    #[error(transparent)]
    AllowList(#[from] AllowListError),
    /// A list of APDUs that lets nothing pass, where that cannot be meant.
    #[error("has no row, so no APDU would pass")]
    NoRow,
    /// A secret that others can read.
    #[error("can be read by others than its owner (mode {mode:03o}); run chmod 600 on it")]
    Exposed {
        /// Its permission bits.
        mode: u32,
    },
}

impl From<HvKeyError> for FileProblem {
    fn from(error: HvKeyError) -> Self {
        Self::HvKey(Box::new(error))
    }
}

impl From<TlsSetupError> for FileProblem {
    fn from(error: TlsSetupError) -> Self {
        Self::Tls(Box::new(error))
    }
}

impl From<ChannelKeyError> for FileProblem {
    fn from(error: ChannelKeyError) -> Self {
        Self::ChannelKey(Box::new(error))
    }
}
