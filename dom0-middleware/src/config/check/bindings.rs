//! Who may use what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proto::id::{DomainUuid, IdentityName, Seid};
use proto::tls::ProtocolVersion;
use toml::Spanned;

use super::guests::DomainSource;
use super::readers::ReaderConfig;
use super::{Check, listed};
use crate::config::error::ConfigError;
use crate::config::file::BindingTable;
use crate::config::value::Text;
use crate::mapping::{NamePattern, Terms};

/// One binding, with the files it names.
#[derive(Debug, Clone)]
pub struct BindingConfig {
    /// The domain.
    pub domain: DomainUuid,
    /// The card.
    pub seid: Seid,
    /// The identity; `None` for the only one the card holds.
    pub identity: Option<IdentityName>,
    /// What handshakes may be made with it.
    pub terms: Terms,
    /// Whether other domains may use other identities of the card.
    pub shared: bool,
    /// SHA-256 of servers' certificates, by name.
    pub pins: BTreeMap<String, [u8; 32]>,
    /// The file with CA certificates, and the line that names it.
    pub(in crate::config) trust: Option<(PathBuf, usize)>,
    /// The file with the identity's certificate, and the line that names it.
    pub(in crate::config) cert: Option<(PathBuf, usize)>,
    /// The file with the raw APDUs that the domain may send to the card, and the line that names it.
    pub(in crate::config) raw_apdu: Option<(PathBuf, usize)>,
    /// The line of the binding.
    pub(in crate::config) line: usize,
}

impl Check<'_> {
    pub(super) fn bindings(
        &self,
        tables: Vec<BindingTable>,
        readers: &[ReaderConfig],
        domains: &DomainSource,
    ) -> Result<Vec<BindingConfig>, ConfigError> {
        let unshared: BTreeSet<Seid> = tables
            .iter()
            .filter(|table| !table.shared)
            .map(|table| table.card.get_ref().clone())
            .collect();
        let shared = tables.iter().filter(|table| table.shared);
        let shared: BTreeSet<Seid> = shared.map(|table| table.card.get_ref().clone()).collect();
        let mut bindings: Vec<BindingConfig> = Vec::new();
        for table in tables {
            if let Some(file) = &table.raw_apdu
                && shared.contains(table.card.get_ref())
            {
                let problem = format!(
                    "a binding of \"{}\" says shared = true; raw APDUs are for a card that one domain \
                     has alone",
                    table.card.get_ref()
                );
                return Err(self.error(file.span(), "binding.raw_apdu", problem));
            }
            let (span, seid) = (table.card.span(), table.card.get_ref());
            if !readers.iter().any(|reader| reader.card.seid == *seid) {
                let problem = format!(
                    "no card with seid \"{seid}\"; there is {}",
                    listed(readers.iter().map(|reader| reader.card.seid.as_str()))
                );
                return Err(self.error(span, "binding.card", problem));
            }
            let span = table.card.span();
            let binding = self.binding(table, domains)?;
            // A domain may have several identities of its own card.
            let of_another = |other: &&BindingConfig| {
                other.seid == binding.seid && other.domain != binding.domain
            };
            if let Some(other) = bindings.iter().find(of_another)
                && unshared.contains(&binding.seid)
            {
                let problem = format!(
                    "\"{}\" is bound in line {} already; to share a card, set shared = true in \
                     each of its bindings",
                    binding.seid, other.line
                );
                return Err(self.error(span, "binding.card", problem));
            }
            bindings.push(binding);
        }
        Ok(bindings)
    }

    /// The domain that a binding names.
    fn vm(&self, vm: &Spanned<String>, domains: &DomainSource) -> Result<DomainUuid, ConfigError> {
        let name = vm.get_ref();
        if let Ok(uuid) = name.parse() {
            return Ok(uuid);
        }
        let problem = match domains {
            DomainSource::Config(domains) => {
                if let Some((_, domain)) = domains.iter().find(|(_, d)| d.name == *name) {
                    return Ok(domain.uuid);
                }
                format!("\"{name}\" is neither a UUID nor the name of a [[domain]]")
            }
            // Whoever can rename domains could give the binding to another one.
            DomainSource::Xenstore => format!(
                "\"{name}\" is no UUID in lower case, and with xenstore a name is not enough, for \
                 it can be given to another domain; xl list --long {name}, or xenstore-read \
                 /local/domain/$(xl domid {name})/vm, shows the UUID"
            ),
        };
        Err(self.error(vm.span(), "binding.vm", problem))
    }

    fn binding(
        &self,
        table: BindingTable,
        domains: &DomainSource,
    ) -> Result<BindingConfig, ConfigError> {
        let line = self.line(&table.vm.span());
        let domain = self.vm(&table.vm, domains)?;
        if table.trust.is_none() && table.pins.is_empty() {
            let problem = "without trust or pins no server is accepted; name a file with the CA";
            return Err(self.error(table.vm.span(), "binding.trust", problem));
        }
        let min_version = match table.min_version {
            None => ProtocolVersion::TLS1_2,
            Some(version) => {
                let (span, Text(version)) = (version.span(), version.into_inner());
                if version < ProtocolVersion::TLS1_2 && !table.legacy {
                    let problem = format!("{version} is broken; to use it, set legacy = true");
                    return Err(self.error(span, "binding.min_version", problem));
                }
                version
            }
        };
        let file = |file: Option<Spanned<PathBuf>>| {
            file.map(|file| (file.get_ref().clone(), self.line(&file.span())))
        };
        Ok(BindingConfig {
            domain,
            seid: table.card.into_inner(),
            identity: table.identity,
            shared: table.shared,
            terms: Terms {
                server_names: table
                    .server_names
                    .into_iter()
                    .map(|Text(pattern): Text<NamePattern>| pattern)
                    .collect(),
                min_version,
                resume: table.resume.unwrap_or(true),
            },
            pins: table
                .pins
                .into_iter()
                .map(|(name, Text(hash))| (name, hash.0))
                .collect(),
            trust: file(table.trust),
            cert: file(table.cert),
            raw_apdu: file(table.raw_apdu),
            line,
        })
    }
}
