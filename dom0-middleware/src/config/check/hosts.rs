//! Who this host is: its HV certificates.

use std::path::PathBuf;

use super::{Check, HvKeyConfig, ReaderConfig};
use crate::config::error::ConfigError;
use crate::config::file::HvTable;
use crate::config::value::Text;
use crate::time::UnixTime;

/// One HV certificate of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HvConfig {
    /// The file with the certificate.
    pub cert: PathBuf,
    /// The key; only the current HV certificate has it.
    pub key: Option<HvKeyConfig>,
    /// For a former one: the first moment at which its tokens are no longer good, if that is before
    /// the certificate ends.
    pub not_after: Option<UnixTime>,
    /// The line that names the certificate.
    pub(in crate::config) line: usize,
}

impl Check<'_> {
    /// The current one first.
    pub(super) fn hv(
        &self,
        tables: Vec<HvTable>,
        readers: &[ReaderConfig],
    ) -> Result<Vec<HvConfig>, ConfigError> {
        let mut hosts: Vec<HvConfig> = Vec::new();
        let first = tables.first().map(|table| table.cert.span());
        for table in tables {
            let line = self.line(&table.cert.span());
            let span = table.cert.span();
            let cert = table.cert.get_ref().clone();
            if hosts.iter().any(|other| other.cert == cert) {
                let problem = "the same certificate twice";
                return Err(self.error(span, "hv.cert", problem));
            }
            let key = self.hv_key(&table, readers)?;
            if let (Some(_), Some(not_after)) = (&key, &table.not_after) {
                let problem = "only a former HV certificate, which has no key here, has this; tokens \
                               of the current one are good until they end";
                return Err(self.error(not_after.span(), "hv.not_after", problem));
            }
            let not_after = table.not_after.map(|time| {
                let Text(time) = time.into_inner();
                time
            });
            if key.is_some() && hosts.iter().any(|other| other.key.is_some()) {
                let problem =
                    "two with a key; the current HV certificate has one, a former one none";
                return Err(self.error(span, "hv.key", problem));
            }
            hosts.push(HvConfig {
                cert,
                key,
                not_after,
                line,
            });
        }
        match first {
            Some(first) if hosts.iter().all(|host| host.key.is_none()) => {
                let problem = "none has a key; name the key of the current HV certificate";
                Err(self.error(first, "hv.key", problem))
            }
            _ => {
                hosts.sort_by_key(|host| host.key.is_none());
                Ok(hosts)
            }
        }
    }
}
