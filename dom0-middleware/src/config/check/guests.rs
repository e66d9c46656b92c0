//! Which guests there are, and how they reach us.

use std::path::PathBuf;

use proto::id::DomId;
use toml::Spanned;

use super::{Check, HvConfig};
use crate::config::error::ConfigError;
use crate::config::file::{ChannelKind, ChannelTable, DomainTable, VchanTable};
use crate::mapping::{StaticDomain, StaticDomains, is_domain_name};

/// A Unix socket on which one domain's agent connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixChannelConfig {
    /// Its path.
    pub path: PathBuf,
    /// The domid behind it.
    pub domid: DomId,
    /// Whether it has neither TLS nor token.
    pub insecure_development: bool,
}

/// Where it stands who the domains are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainSource {
    /// In the configuration.
    Config(StaticDomains),
    /// In xenstore.
    Xenstore,
}

impl DomainSource {
    /// The domains of the configuration.
    #[must_use]
    pub fn named(&self) -> Option<&StaticDomains> {
        match self {
            Self::Config(domains) => Some(domains),
            Self::Xenstore => None,
        }
    }
}

impl Check<'_> {
    pub(super) fn domain_source(
        &self,
        tables: Vec<DomainTable>,
        xenstore: bool,
    ) -> Result<DomainSource, ConfigError> {
        match tables.first() {
            Some(table) if xenstore => {
                let problem = "xenstore says who the domains are; remove the [[domain]]s, or set \
                               xenstore.enabled = false";
                Err(self.error(table.domid.span(), "domain", problem))
            }
            _ if xenstore => Ok(DomainSource::Xenstore),
            _ => Ok(DomainSource::Config(self.domains(tables)?)),
        }
    }

    fn domains(&self, tables: Vec<DomainTable>) -> Result<StaticDomains, ConfigError> {
        let mut domains = StaticDomains::default();
        for table in tables {
            let name_span = table.name.span();
            let name = table.name.into_inner();
            if !is_domain_name(&name) {
                let problem = "a name has 1 to 128 bytes and no control characters";
                return Err(self.error(name_span, "domain.name", problem));
            }
            let (span, domid) = (
                table.domid.span(),
                self.guest(&table.domid, "domain.domid")?,
            );
            let domain = StaticDomain {
                uuid: table.uuid,
                name,
            };
            domains
                .insert(domid, domain)
                .map_err(|error| self.error(span, "domain.domid", error))?;
        }
        Ok(domains)
    }

    pub(super) fn channels(
        &self,
        tables: Vec<ChannelTable>,
        domains: &DomainSource,
        hv: &[HvConfig],
    ) -> Result<Vec<UnixChannelConfig>, ConfigError> {
        let mut channels: Vec<UnixChannelConfig> = Vec::new();
        for table in tables {
            let ChannelKind::Unix = table.kind.get_ref();
            let insecure_development = table.insecure_development;
            if !insecure_development && hv.is_empty() {
                let problem = "a channel has TLS, for which this host needs a [[hv]] with the HV \
                               certificate and key that token-tool keygen makes; for development \
                               without both, set insecure_development = true here";
                return Err(self.error(table.kind.span(), "channel.kind", problem));
            }
            let domid = self.guest(&table.domid, "channel.domid")?;
            if let Some(named) = domains.named()
                && named.by_domid(domid).is_none()
            {
                let problem = format!(
                    "no [[domain]] with domid {domid}; add one, or set xenstore.enabled = true"
                );
                return Err(self.error(table.domid.span(), "channel.domid", problem));
            }
            let (span, path) = (table.path.span(), table.path.into_inner());
            if channels.iter().any(|channel| channel.path == path) {
                let problem = "two channels with one path; the path says which domain it is";
                return Err(self.error(span, "channel.path", problem));
            }
            if channels.iter().any(|channel| channel.domid == domid) {
                let problem = format!("domid {domid} has a channel already; one domain has one");
                return Err(self.error(table.domid.span(), "channel.domid", problem));
            }
            channels.push(UnixChannelConfig {
                path,
                domid,
                insecure_development,
            });
        }
        Ok(channels)
    }

    /// Whether each bound domain that runs has a vchan.
    pub(super) fn vchan(
        &self,
        table: &VchanTable,
        domains: &DomainSource,
        hv: &[HvConfig],
    ) -> Result<bool, ConfigError> {
        let Some(enabled) = table.enabled.as_ref().filter(|enabled| *enabled.get_ref()) else {
            return Ok(false);
        };
        let problem = match domains {
            DomainSource::Config(_) => {
                "a vchan is made for a domain that runs, which xenstore says; set \
                 xenstore.enabled = true"
            }
            DomainSource::Xenstore if hv.is_empty() => {
                "a vchan has TLS, for which this host needs a [[hv]] with the HV certificate and \
                 key that token-tool keygen makes"
            }
            DomainSource::Xenstore => return Ok(true),
        };
        Err(self.error(enabled.span(), "vchan.enabled", problem))
    }

    /// A domid that a guest can have.
    fn guest(&self, domid: &Spanned<DomId>, key: &'static str) -> Result<DomId, ConfigError> {
        match *domid.get_ref() {
            DomId(0) => {
                let problem = "0 is dom0 itself, which is no guest";
                Err(self.error(domid.span(), key, problem))
            }
            domid => Ok(domid),
        }
    }
}
