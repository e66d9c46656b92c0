//! The files of `[racs]`: certificate, key, CA of users, lists of APDUs.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::Arc;

use proto::racs::AllowList;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::check::{Config, NamedFile, RacsCardConfig, RacsConfig};
use super::error::{ConfigError, FileProblem};
use super::files::{Missing, certificates, check_secret, note};
use crate::racs::server::{RacsSettings, server_config};
use crate::racs::session::{ElementRights, Rights};
use crate::time::UnixTime;

/// What the RACS server is made of.
pub struct RacsFiles {
    /// Its settings.
    pub settings: RacsSettings,
    /// When its certificate ends.
    pub certificate_until: UnixTime,
}

impl fmt::Debug for RacsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RacsFiles").finish_non_exhaustive()
    }
}

impl Config {
    /// Reads what the RACS server needs. Nothing where it is not enabled.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be used.
    pub fn racs_files(&self) -> Result<Option<RacsFiles>, ConfigError> {
        let Some(racs) = &self.racs else {
            return Ok(None);
        };
        let chain = self.racs_chain(racs)?;
        let certificate_until = end_of(&chain);
        let key = self.racs_key(racs)?;
        let authorities = self.racs_authorities(racs)?;
        let [certificate, ..] = &racs.files;
        let tls = server_config(chain, key, authorities)
            .map_err(|error| self.racs_error("racs.certificate", certificate, error))?;
        let mut users = BTreeMap::new();
        for (name, cards) in &racs.users {
            let rights: Result<Rights, ConfigError> =
                cards.iter().map(|card| self.racs_rights(card)).collect();
            users.insert(name.clone(), rights?);
        }
        let settings = RacsSettings {
            users,
            max_connections: racs.max_connections,
            idle_lock: racs.idle_lock,
            ..RacsSettings::new(tls)
        };
        Ok(Some(RacsFiles {
            settings,
            certificate_until,
        }))
    }

    /// Checks all that [`Self::racs_files`] does, but lets files be missing.
    pub(super) fn check_racs(&self, missing: &mut Vec<Missing>) -> Result<(), ConfigError> {
        let Some(racs) = &self.racs else {
            return Ok(());
        };
        let before = missing.len();
        note(self.racs_chain(racs), missing)?;
        note(self.racs_key(racs), missing)?;
        note(self.racs_authorities(racs), missing)?;
        for card in racs.users.values().flatten() {
            note(self.racs_rights(card), missing)?;
        }
        if missing.len() == before {
            // Do they belong together?
            self.racs_files()?;
        }
        Ok(())
    }

    fn racs_chain(&self, racs: &RacsConfig) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let [file, ..] = &racs.files;
        let read = fs::read(&file.path).map_err(FileProblem::from);
        read.and_then(|pem| certificates(&pem))
            .map_err(|problem| self.racs_error("racs.certificate", file, problem))
    }

    fn racs_key(&self, racs: &RacsConfig) -> Result<PrivateKeyDer<'static>, ConfigError> {
        let [_, file, _] = &racs.files;
        let key = || {
            check_secret(&file.path)?;
            let pem = zeroize::Zeroizing::new(fs::read(&file.path)?);
            PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|error| FileProblem::NoKey(error.to_string()))
        };
        key().map_err(|problem| self.racs_error("racs.key", file, problem))
    }

    fn racs_authorities(
        &self,
        racs: &RacsConfig,
    ) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let [_, _, file] = &racs.files;
        let read = fs::read(&file.path).map_err(FileProblem::from);
        read.and_then(|pem| certificates(&pem))
            .map_err(|problem| self.racs_error("racs.client_ca", file, problem))
    }

    fn racs_rights(
        &self,
        card: &RacsCardConfig,
    ) -> Result<(proto::id::Seid, ElementRights), ConfigError> {
        let list = card.allow.as_ref().map(|file| {
            let read = fs::read_to_string(&file.path).map_err(FileProblem::from);
            read.and_then(|text| Ok(text.parse::<AllowList>()?))
                .map_err(|problem| self.racs_error("racs.user.card.apdu_allow", file, problem))
        });
        let rights = ElementRights {
            inventory: card.inventory,
            power: card.power,
            apdu: card.apdu,
            allow_list: list.transpose()?.map(Arc::new),
            raw_key_use: card.raw_key_use,
        };
        Ok((card.seid.clone(), rights))
    }

    fn racs_error(
        &self,
        key: &'static str,
        file: &NamedFile,
        problem: impl Into<FileProblem>,
    ) -> ConfigError {
        self.file_error(file.line, key, &file.path, problem)
    }
}

/// The first moment at which the first certificate is no longer good.
fn end_of(chain: &[CertificateDer<'_>]) -> UnixTime {
    let end = chain.first().and_then(|leaf| {
        let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
        u64::try_from(certificate.validity().not_after.timestamp()).ok()
    });
    // The TLS library does not take one that cannot be read.
    UnixTime::from_secs(end.unwrap_or_default().saturating_add(1))
}
