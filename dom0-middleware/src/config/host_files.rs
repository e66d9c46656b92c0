//! The files of `[[hv]]`: certificates, and the key of the current one, in a file or in a card.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use hv_card::PcscReaders;
use proto::hv::HvCertificate;

use super::check::{Config, HvConfig, HvKeyConfig, HvKeySource};
use super::error::{ConfigError, FileProblem};
use super::files::{Missing, check_secret, note};
use crate::card::PinLedger;
use crate::channel_key::{ChannelKey, HvCardPlace, HvKey, HvKeyFile, HvKeyPlace, HvPinPlace};
use crate::time::UnixTime;

/// Who this host is.
#[derive(Debug)]
pub struct Hosts {
    /// The current HV certificate.
    pub current: HvCertificate,
    /// Where its key is.
    pub key: HvKey,
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
    /// `[[hv]]`. A card with that key is waited for a little; `ledger` keeps account of its PIN.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be used, a key that does not belong to its
    /// certificate, and a current HV certificate that has ended.
    pub fn hosts(
        &self,
        now: UnixTime,
        ledger: &Arc<dyn PinLedger>,
    ) -> Result<Option<Hosts>, ConfigError> {
        let with_key = |config: &HvConfig| Some((config.clone(), config.key.clone()?));
        let Some((config, key)) = self.hv.iter().find_map(with_key) else {
            return Ok(None);
        };
        let current = self.hv_certificate(&config)?;
        let (key, channel_key) = self.channel_key(&key, &current, ledger, now)?;
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

    /// The reader of the card with the HV key, and the whole name of the key.
    pub(crate) fn hv_card(&self) -> Option<(String, String)> {
        let mut keys = self.hv.iter().filter_map(|config| config.key.as_ref());
        keys.find_map(|key| match &key.source {
            HvKeySource::File { .. } => None,
            HvKeySource::Card { name, .. } => {
                let reader = name.reader().to_string_lossy().into_owned();
                Some((reader, name.to_string()))
            }
        })
    }

    /// Checks all that [`Self::hosts`] does, but lets files be missing, and leaves a card alone: what
    /// it says is for `doctor`, and a PIN is not sent to try it.
    pub(super) fn check_hosts(
        &self,
        now: UnixTime,
        missing: &mut Vec<Missing>,
    ) -> Result<(), ConfigError> {
        for config in &self.hv {
            let certificate = note(self.hv_certificate(config), missing)?;
            let Some(key) = &config.key else {
                continue;
            };
            match (&key.source, certificate) {
                (HvKeySource::Card { pin, pin_line, .. }, _) => {
                    note(self.check_hv_pin(pin.as_ref(), *pin_line), missing)?;
                }
                (
                    HvKeySource::File {
                        file,
                        passphrase_file,
                    },
                    Some(certificate),
                ) => {
                    let file = HvKeyFile::new(file.clone(), passphrase_file.clone());
                    let key = (HvKeyPlace::File(file), key.line);
                    note(self.certified(key, &certificate, now), missing)?;
                }
                (HvKeySource::File { .. }, None) => {}
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

    /// The file with the PIN of the HV key's card. That of a credential is there for the service alone.
    fn check_hv_pin(&self, pin: Option<&HvPinPlace>, line: usize) -> Result<(), ConfigError> {
        match pin {
            Some(HvPinPlace::File(file)) => check_secret(file)
                .map_err(|source| self.file_error(line, "hv.pin_file", file, source)),
            Some(HvPinPlace::Credential(_)) | None => Ok(()),
        }
    }

    fn channel_key(
        &self,
        key: &HvKeyConfig,
        certificate: &HvCertificate,
        ledger: &Arc<dyn PinLedger>,
        now: UnixTime,
    ) -> Result<(HvKey, ChannelKey), ConfigError> {
        let place = match &key.source {
            HvKeySource::File {
                file,
                passphrase_file,
            } => HvKeyPlace::File(HvKeyFile::new(file.clone(), passphrase_file.clone())),
            HvKeySource::Card {
                name,
                pin,
                pin_line,
                characters,
            } => {
                self.check_hv_pin(pin.as_ref(), *pin_line)?;
                HvKeyPlace::Card(HvCardPlace {
                    name: name.clone(),
                    certificate: certificate.clone(),
                    pin: pin.clone(),
                    characters: *characters,
                    ledger: Arc::clone(ledger),
                    readers: Arc::new(PcscReaders),
                })
            }
        };
        self.certified((place, key.line), certificate, now)
    }

    /// A first certificate is made at once: what is wrong with the key shows now.
    fn certified(
        &self,
        (place, line): (HvKeyPlace, usize),
        certificate: &HvCertificate,
        now: UnixTime,
    ) -> Result<(HvKey, ChannelKey), ConfigError> {
        let named = PathBuf::from(place.to_string());
        let key = HvKey::new(place);
        let made = key
            .load(true)
            .map_err(FileProblem::from)
            .and_then(|signer| Ok(ChannelKey::new(&*signer, certificate.clone(), now)?));
        match made {
            Ok(channel_key) => Ok((key, channel_key)),
            Err(source) => Err(self.file_error(line, "hv.key", &named, source)),
        }
    }
}
