//! The files that a configuration names: read, parsed, and put to use.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use proto::id::Seid;
use proto::racs::AllowList;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::check::{BindingConfig, Config, ReaderConfig, ReaderPlace};
use super::error::{ConfigError, FileProblem};
use crate::card::{PinSource, Trust, exposed_mode};
use crate::channel_key::{HvKeyError, HvKeyFileError};
use crate::mapping::{Binding, BindingId, Certificate, Intermediates, Table, TableError};
use crate::racs::client::GridFilesError;
use crate::time::UnixTime;

/// All bindings, ready to be judged by.
#[derive(Debug, Default)]
pub struct Bound {
    /// Who has which card.
    pub table: Table,
    /// Whom each binding believes.
    pub trust: BTreeMap<BindingId, Arc<Trust>>,
    /// What is sent behind the certificates of each card that has room for those alone.
    pub intermediates: BTreeMap<Seid, Intermediates>,
}

/// A file that the configuration names and that is not there.
#[derive(Debug)]
pub struct Missing(ConfigError);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: not there yet", self.0)
    }
}

impl Config {
    /// Reads the files of the bindings and makes the bindings.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be used and for bindings that exclude each other.
    pub fn bind(&self) -> Result<Bound, ConfigError> {
        let mut bound = Bound::default();
        for config in &self.bindings {
            let trust = Arc::new(self.trust(config)?);
            let files = (self.certificate(config)?, self.raw_apdu(config)?);
            let id = self.insert(&mut bound.table, config, files)?;
            bound.trust.insert(id, trust);
        }
        for reader in &self.readers {
            if let Some(chain) = self.chain(reader)? {
                bound.intermediates.insert(reader.card.seid.clone(), chain);
            }
        }
        Ok(bound)
    }

    /// Looks at the PIN files: each must be there, for its owner alone. What is in them is read
    /// when it is needed, and never kept. Likewise the files for other hosts' grids.
    ///
    /// # Errors
    /// [`ConfigError`] for one that is not so.
    pub fn check_pin_files(&self) -> Result<(), ConfigError> {
        self.readers.iter().try_for_each(|reader| {
            self.check_pin_file(reader)?;
            self.check_grid(reader)
        })
    }

    fn check_grid(&self, reader: &ReaderConfig) -> Result<(), ConfigError> {
        let ReaderPlace::Grid(place) = &reader.place else {
            return Ok(());
        };
        let (files, lines) = (&place.grid.files, &place.lines);
        let Err(error) = files.client_config(&place.grid.server_name) else {
            return Ok(());
        };
        let (file, source) = match error {
            GridFilesError::Read { path, kind } => (path, FileProblem::Read(kind.into())),
            GridFilesError::Unusable { path, reason } => (path, FileProblem::Grid(reason)),
            GridFilesError::Exposed { path, mode } => (path, FileProblem::Exposed { mode }),
        };
        let (line, key) = match &file {
            file if *file == files.certificate => (lines.certificate, "card_source.certificate"),
            file if *file == files.key => (lines.key, "card_source.key"),
            _ => (lines.trust, "card_source.ca"),
        };
        Err(self.file_error(line, key, &file, source))
    }

    fn check_pin_file(&self, reader: &ReaderConfig) -> Result<(), ConfigError> {
        let Some(PinSource::File(file)) = &reader.card.pin else {
            return Ok(());
        };
        check_secret(file)
            .map_err(|source| self.file_error(reader.pin_line, "card.pin_file", file, source))
    }

    /// Checks all that [`Self::bind`] and [`Self::check_pin_files`] do, but lets files be missing:
    /// a configuration may be written before what it names.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that is there and cannot be used, and for bindings that exclude
    /// each other.
    pub fn check_files(&self, now: UnixTime) -> Result<Vec<Missing>, ConfigError> {
        let mut missing = Vec::new();
        let mut table = Table::default();
        for config in &self.bindings {
            note(self.trust(config), &mut missing)?;
            let certificate = note(self.certificate(config), &mut missing)?;
            let raw_apdu = note(self.raw_apdu(config), &mut missing)?;
            let files = (certificate.flatten(), raw_apdu.flatten());
            self.insert(&mut table, config, files)?;
        }
        for reader in &self.readers {
            note(self.check_pin_file(reader), &mut missing)?;
            note(self.check_grid(reader), &mut missing)?;
            note(self.chain(reader), &mut missing)?;
        }
        self.check_hosts(now, &mut missing)?;
        self.check_racs(&mut missing)?;
        Ok(missing)
    }

    fn chain(&self, reader: &ReaderConfig) -> Result<Option<Intermediates>, ConfigError> {
        let Some((file, line)) = &reader.chain else {
            return Ok(None);
        };
        read_certificates(file)
            .and_then(|certificates| Ok(Intermediates::new(&certificates)?))
            .map(Some)
            .map_err(|source| self.file_error(*line, "card.chain_file", file, source))
    }

    fn insert(
        &self,
        table: &mut Table,
        config: &BindingConfig,
        (certificate, raw_apdu): (Option<Certificate>, Option<Arc<AllowList>>),
    ) -> Result<BindingId, ConfigError> {
        let binding = Binding {
            domain: config.domain,
            seid: config.seid.clone(),
            identity: config.identity.clone(),
            certificate,
            tokens_from: UnixTime::default(),
            terms: config.terms.clone(),
            raw_apdu,
        };
        table.insert(binding).map_err(|error| ConfigError::Value {
            path: self.path.clone(),
            line: config.line,
            key: match error {
                TableError::IdentityTaken { .. } | TableError::IdentityNotNamed { .. } => {
                    "binding.identity"
                }
                TableError::RawApduShared { .. } | TableError::RawApduDiffers => "binding.raw_apdu",
            },
            problem: error.to_string(),
        })
    }

    /// The raw APDUs that a domain may send. A list without rows would let nothing pass.
    pub(super) fn raw_apdu(
        &self,
        config: &BindingConfig,
    ) -> Result<Option<Arc<AllowList>>, ConfigError> {
        let Some((file, line)) = &config.raw_apdu else {
            return Ok(None);
        };
        let read = fs::read_to_string(file).map_err(FileProblem::from);
        read.and_then(|text| {
            let list: AllowList = text.parse()?;
            match list.rows() {
                [] => Err(FileProblem::NoRow),
                _ => Ok(Some(Arc::new(list))),
            }
        })
        .map_err(|source| self.file_error(*line, "binding.raw_apdu", file, source))
    }

    fn trust(&self, config: &BindingConfig) -> Result<Trust, ConfigError> {
        let pins = || config.pins.clone().into_iter().collect();
        let Some((file, line)) = &config.trust else {
            return Trust::load(&[], pins()).map_err(|source| {
                self.file_error(config.line, "binding.pins", &self.path, source)
            });
        };
        read_certificates(file)
            .and_then(|authorities| Ok(Trust::load(&authorities, pins())?))
            .map_err(|source| self.file_error(*line, "binding.trust", file, source))
    }

    fn certificate(&self, config: &BindingConfig) -> Result<Option<Certificate>, ConfigError> {
        let Some((file, line)) = &config.cert else {
            return Ok(None);
        };
        let read = read_certificates(file).and_then(|certificates| match certificates.as_slice() {
            [only] => Ok(Certificate::new(only.to_vec())),
            _ => Err(FileProblem::SeveralCertificates),
        });
        read.map(Some)
            .map_err(|source| self.file_error(*line, "binding.cert", file, source))
    }

    pub(super) fn file_error(
        &self,
        line: usize,
        key: &'static str,
        file: &Path,
        source: impl Into<FileProblem>,
    ) -> ConfigError {
        ConfigError::File {
            path: self.path.clone(),
            line,
            key,
            file: file.to_owned(),
            source: source.into(),
        }
    }
}

/// Puts a file that is not there aside; any other problem stays one.
pub(super) fn note<T>(
    result: Result<T, ConfigError>,
    missing: &mut Vec<Missing>,
) -> Result<Option<T>, ConfigError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_not_found(&error) => {
            missing.push(Missing(error));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn is_not_found(error: &ConfigError) -> bool {
    let ConfigError::File { source, .. } = error else {
        return false;
    };
    let error = match source {
        FileProblem::Read(error) => error,
        FileProblem::HvKey(error) => match &**error {
            HvKeyError::File(HvKeyFileError::Read(error)) => error,
            _ => return false,
        },
        _ => return false,
    };
    error.kind() == io::ErrorKind::NotFound
}

/// All certificates of a PEM file, at least one.
fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    certificates(&fs::read(file)?)
}

/// All certificates of a PEM text, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates =
        certificates.map_err(|error| FileProblem::NoCertificate(error.to_string()))?;
    match certificates.is_empty() {
        true => Err(FileProblem::NoCertificate("no such section".to_owned())),
        false => Ok(certificates),
    }
}

pub(super) fn check_secret(file: &Path) -> Result<(), FileProblem> {
    match exposed_mode(&fs::metadata(file)?) {
        None => Ok(()),
        Some(mode) => Err(FileProblem::Exposed { mode }),
    }
}
