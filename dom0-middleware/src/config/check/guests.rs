//! Which guests there are, and how they reach us.

use std::path::PathBuf;

use proto::id::{DomId, DomainUuid};

use super::Check;
use crate::config::error::ConfigError;
use crate::config::file::{ChannelKind, ChannelTable, DomainTable};
use crate::mapping::{StaticDomain, StaticDomains, is_domain_name};

/// A Unix socket on which one domain's agent connects, without TLS and token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixChannelConfig {
    /// Its path.
    pub path: PathBuf,
    /// The domain behind it.
    pub domid: DomId,
    /// The UUID of that domain.
    pub domain: DomainUuid,
}

impl Check<'_> {
    pub(super) fn domains(&self, tables: Vec<DomainTable>) -> Result<StaticDomains, ConfigError> {
        let mut domains = StaticDomains::default();
        for table in tables {
            let name_span = table.name.span();
            let name = table.name.into_inner();
            if !is_domain_name(&name) {
                let problem = "a name has 1 to 128 bytes and no control characters";
                return Err(self.error(name_span, "domain.name", problem));
            }
            let (span, domid) = (table.domid.span(), table.domid.into_inner());
            if domid.0 == 0 {
                let problem = "0 is dom0 itself, which is no guest";
                return Err(self.error(span, "domain.domid", problem));
            }
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
        domains: &StaticDomains,
    ) -> Result<Vec<UnixChannelConfig>, ConfigError> {
        let mut channels: Vec<UnixChannelConfig> = Vec::new();
        for table in tables {
            let ChannelKind::Unix = table.kind.get_ref();
            if !table.insecure_development {
                let problem = "a unix channel has no TLS and asks for no token; for development, \
                               set insecure_development = true here";
                return Err(self.error(table.kind.span(), "channel.kind", problem));
            }
            let (span, domid) = (table.domid.span(), table.domid.into_inner());
            let Some(domain) = domains.by_domid(domid) else {
                let problem = format!("no [[domain]] with domid {domid}; add one");
                return Err(self.error(span, "channel.domid", problem));
            };
            let (span, path) = (table.path.span(), table.path.into_inner());
            if channels.iter().any(|channel| channel.path == path) {
                let problem = "two channels with one path; the path says which domain it is";
                return Err(self.error(span, "channel.path", problem));
            }
            channels.push(UnixChannelConfig {
                path,
                domid,
                domain: domain.uuid,
            });
        }
        Ok(channels)
    }
}
