//! Who we are in TLS, and which server is believed.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, Error};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

use super::verifier::GridJudge;
use crate::card::{ServerCheck, Trust, TrustSetupError, exposed_mode};

/// The files of a client. They are read for each connection, so that a renewed certificate counts at
/// once, and the key is kept no longer than its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridFiles {
    /// Our certificate and those between it and its CA, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM, for its owner alone.
    pub key: PathBuf,
    /// Which server is believed.
    pub trust: ServerTrust,
}

/// Which server is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerTrust {
    /// One whose certificate these CAs issued for its name, PEM.
    Ca(PathBuf),
    /// The one that shows this certificate: the SHA-256 of its DER. What it is named and who issued it
    /// do not matter, its dates do.
    Pin([u8; 32]),
}

impl GridFiles {
    /// Reads the files and makes what rustls needs to connect to `server_name`.
    ///
    /// # Errors
    /// [`GridFilesError`], which names the file.
    pub fn client_config(&self, server_name: &str) -> Result<ClientConfig, GridFilesError> {
        let trust = match &self.trust {
            ServerTrust::Ca(file) => {
                let trust = Trust::load(&certificates(file)?, HashMap::new());
                trust.map_err(|error| unusable(file, &error))?
            }
            ServerTrust::Pin(pin) => {
                let pins = HashMap::from([(server_name.to_owned(), *pin)]);
                let trust = Trust::load(&[], pins);
                trust.map_err(|error: TrustSetupError| unusable(&self.certificate, &error))?
            }
        };
        let provider = Arc::new(ring::default_provider());
        let server_name = server_name.to_owned();
        let judge = GridJudge { trust, server_name };
        let verifier = ServerCheck::new(judge, provider.signature_verification_algorithms);
        let chain = certificates(&self.certificate)?;
        let key = self.private_key()?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| unusable(&self.certificate, &error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(chain, key);
        let mut config = config.map_err(|error| match error {
            Error::InvalidCertificate(_) => unusable(&self.certificate, &error),
            _ => unusable(&self.key, &error),
        })?;
        // Published servers resume nothing, and an element is locked by connection anyway.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, GridFilesError> {
        let file = &self.key;
        let metadata = fs::metadata(file).map_err(|error| unreadable(file, &error))?;
        if let Some(mode) = exposed_mode(&metadata) {
            let path = file.clone();
            return Err(GridFilesError::Exposed { path, mode });
        }
        let pem = Zeroizing::new(fs::read(file).map_err(|error| unreadable(file, &error))?);
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unusable(file, &error))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, GridFilesError> {
    let pem = fs::read(file).map_err(|error| unreadable(file, &error))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let read = read.map_err(|error| unusable(file, &error))?;
    match read.is_empty() {
        true => Err(unusable(file, &"holds no certificate in PEM")),
        false => Ok(read),
    }
}

fn unreadable(file: &Path, error: &io::Error) -> GridFilesError {
    GridFilesError::Read {
        path: file.to_owned(),
        kind: error.kind(),
    }
}

fn unusable(file: &Path, reason: &dyn std::fmt::Display) -> GridFilesError {
    GridFilesError::Unusable {
        path: file.to_owned(),
        reason: reason.to_string(),
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GridFilesError {
    /// It cannot be read.
    #[error("{}: {kind}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// What is in it is not what it should be.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// Which one.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A key that others can read.
    #[error("{}: can be read by others than its owner (mode {mode:03o}); run chmod 600 on it", path.display())]
    Exposed {
        /// Which one.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}
