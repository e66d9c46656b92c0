//! The files of `[[hv]]`: certificates, and the key of the current one.

use std::fs;

use proto::hv::HvCertificate;

use super::check::{Config, HvConfig, HvKeyConfig};
use super::error::{ConfigError, FileProblem};
use super::files::{Missing, note};
use crate::channel_key::{ChannelKey, HvKeyFile};
use crate::time::UnixTime;

/// Who this host is.
#[derive(Debug)]
pub struct Hosts {
    /// The current HV certificate.
    pub current: HvCertificate,
    /// Where its key is.
    pub key: HvKeyFile,
    /// The channel key, certified by it.
    pub channel_key: ChannelKey,
    /// Former HV certificates whose tokens are still good.
    pub former: Vec<FormerHv>,
}

/// A former HV certificate.
#[derive(Debug, Clone)]
pub struct FormerHv {
    /// The certificate.
    pub certificate: HvCertificate,
    /// The first moment at which its tokens are no longer good.
    pub until: UnixTime,
}

impl Config {
    /// Reads the HV certificates and has the channel key certified by the HV key. Nothing without
    /// `[[hv]]`.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be used, a key that does not belong to its
    /// certificate, and a current HV certificate that has ended.
    pub fn hosts(&self, now: UnixTime) -> Result<Option<Hosts>, ConfigError> {
        let with_key = |config: &HvConfig| Some((config.clone(), config.key.clone()?));
        let Some((config, key)) = self.hv.iter().find_map(with_key) else {
            return Ok(None);
        };
        let current = self.hv_certificate(&config)?;
        let (key, channel_key) = self.channel_key(&key, &current, now)?;
        let former = self.hv.iter().filter(|config| config.key.is_none());
        let former = former.map(|config| self.former(config));
        Ok(Some(Hosts {
            former: former.collect::<Result<_, _>>()?,
            current,
            key,
            channel_key,
        }))
    }

    /// When the current HV certificate ends; nothing where it cannot be read.
    pub(crate) fn hv_end(&self) -> Option<UnixTime> {
        let current = self.hv.iter().find(|config| config.key.is_some())?;
        let certificate = self.hv_certificate(current).ok()?;
        Some(UnixTime::from_secs(
            certificate.not_after().saturating_add(1),
        ))
    }

    /// Checks all that [`Self::hosts`] does, but lets files be missing.
    pub(super) fn check_hosts(
        &self,
        now: UnixTime,
        missing: &mut Vec<Missing>,
    ) -> Result<(), ConfigError> {
        for config in &self.hv {
            let certificate = note(self.hv_certificate(config), missing)?;
            if let (Some(key), Some(certificate)) = (&config.key, certificate) {
                note(self.channel_key(key, &certificate, now), missing)?;
            }
        }
        Ok(())
    }

    fn hv_certificate(&self, config: &HvConfig) -> Result<HvCertificate, ConfigError> {
        let read = fs::read(&config.cert).map_err(FileProblem::from);
        read.and_then(|pem| Ok(HvCertificate::from_pem(&pem)?))
            .map_err(|source| self.file_error(config.line, "hv.cert", &config.cert, source))
    }

    fn former(&self, config: &HvConfig) -> Result<FormerHv, ConfigError> {
        let certificate = self.hv_certificate(config)?;
        // It is good through its last second.
        let end = UnixTime::from_secs(certificate.not_after().saturating_add(1));
        let until = config.not_after.map_or(end, |given| given.min(end));
        Ok(FormerHv { certificate, until })
    }

    /// A first certificate is made at once: what is wrong with the key shows now.
    fn channel_key(
        &self,
        key: &HvKeyConfig,
        certificate: &HvCertificate,
        now: UnixTime,
    ) -> Result<(HvKeyFile, ChannelKey), ConfigError> {
        let file = HvKeyFile::new(key.file.clone(), key.passphrase_file.clone());
        let made = file
            .load()
            .map_err(FileProblem::from)
            .and_then(|signer| Ok(ChannelKey::new(&signer, certificate.clone(), now)?));
        match made {
            Ok(channel_key) => Ok((file, channel_key)),
            Err(source) => Err(self.file_error(key.line, "hv.key", &key.file, source)),
        }
    }
}
