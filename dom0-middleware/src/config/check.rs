//! The configuration as a whole: every name resolves, nothing contradicts anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proto::agent::MAX_FRAME;
use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use proto::tls::ProtocolVersion;
use toml::Spanned;

use super::error::ConfigError;
use super::file::{
    BindingTable, CardSourceKind, CardSourceTable, CardTable, ChannelKind, ChannelTable,
    ConfigFile, DomainTable,
};
use super::value::Text;
use crate::card::{CardProfile, CardSettings, PinSource};
use crate::limits::Limits;
use crate::mapping::{NamePattern, StaticDomain, StaticDomains, Terms};

/// A configuration without contradictions. The files it names were not looked at yet.
#[derive(Debug)]
pub struct Config {
    /// The configuration file.
    pub path: PathBuf,
    /// The socket for the operator's commands.
    pub admin_socket: PathBuf,
    /// The audit file.
    pub audit_file: PathBuf,
    /// The limits in force.
    pub limits: Limits,
    /// Where cards come from.
    pub readers: Vec<ReaderConfig>,
    /// Domains named here.
    pub domains: StaticDomains,
    /// Channels to guests.
    pub channels: Vec<UnixChannelConfig>,
    /// Bindings made here.
    pub bindings: Vec<BindingConfig>,
}

/// A source of virtual cards and the card that comes from it.
#[derive(Debug)]
pub struct ReaderConfig {
    /// Where virtual cards connect.
    pub place: ReaderPlace,
    /// Their settings.
    pub card: CardSettings,
    /// The line of `pin_file`.
    pub(super) pin_line: usize,
}

/// Where virtual cards connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderPlace {
    /// A Unix socket.
    Socket(PathBuf),
    /// A loopback port: development only.
    Loopback(SocketAddr),
}

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
    /// SHA-256 of servers' certificates, by name.
    pub pins: BTreeMap<String, [u8; 32]>,
    /// The file with CA certificates, and the line that names it.
    pub(super) trust: Option<(PathBuf, usize)>,
    /// The file with the identity's certificate, and the line that names it.
    pub(super) cert: Option<(PathBuf, usize)>,
    /// The line of the binding.
    pub(super) line: usize,
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file, and the line and key where one is to blame.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Checks the text of a configuration file.
    ///
    /// # Errors
    /// As [`Self::load`]; `path` is only named in them.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file: ConfigFile = toml::from_str(text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        Check { path, text }.config(file)
    }
}

/// The text being checked, for the lines in errors.
struct Check<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Check<'_> {
    fn config(&self, file: ConfigFile) -> Result<Config, ConfigError> {
        if let Some((at, got)) = file.limits.frame_bytes()
            && got > MAX_FRAME
        {
            let problem = format!("{got} is too long, a frame has at most {MAX_FRAME} bytes");
            return Err(self.error(at..at, "limits.frame_bytes", problem));
        }
        let limits = Limits::from(file.limits);
        let insecure = file.service.insecure_development;
        let readers = self.readers(file.card_source, file.card, &limits, insecure)?;
        let domains = self.domains(file.domain)?;
        let channels = self.channels(file.channel, &domains)?;
        let bindings = self.bindings(file.binding, &readers, &domains)?;
        Ok(Config {
            path: self.path.to_owned(),
            admin_socket: file.service.admin_socket,
            audit_file: file.service.audit_file,
            limits,
            readers,
            domains,
            channels,
            bindings,
        })
    }

    fn readers(
        &self,
        sources: Vec<CardSourceTable>,
        cards: Vec<CardTable>,
        limits: &Limits,
        insecure: bool,
    ) -> Result<Vec<ReaderConfig>, ConfigError> {
        let mut places = BTreeMap::new();
        for source in sources {
            let place = self.place(&source, insecure)?;
            if places.values().any(|(other, _)| *other == place) {
                let problem = "another card_source has the same place; one place is one card";
                return Err(self.error(source.seid.span(), "card_source.socket", problem));
            }
            let (span, seid) = (source.seid.span(), source.seid.into_inner());
            if places.contains_key(&seid) {
                let problem = format!("\"{seid}\" has a card_source already");
                return Err(self.error(span, "card_source.seid", problem));
            }
            places.insert(seid, (place, span));
        }
        let mut readers: Vec<ReaderConfig> = Vec::new();
        for card in cards {
            let (span, seid) = (card.seid.span(), card.seid.get_ref());
            if readers.iter().any(|reader| reader.card.seid == *seid) {
                let problem = format!("\"{seid}\" is described twice");
                return Err(self.error(span, "card.seid", problem));
            }
            let Some((place, _)) = places.remove(seid) else {
                let problem = format!("no [[card_source]] with seid \"{seid}\"; add one");
                return Err(self.error(span, "card.seid", problem));
            };
            readers.push(self.reader(place, card, limits)?);
        }
        match places.into_iter().next() {
            None => Ok(readers),
            Some((seid, (_, span))) => {
                let problem =
                    format!("no [[card]] with seid \"{seid}\"; add one with its PIN file");
                Err(self.error(span, "card_source.seid", problem))
            }
        }
    }

    fn place(&self, source: &CardSourceTable, insecure: bool) -> Result<ReaderPlace, ConfigError> {
        let CardSourceKind::Vicc = source.kind.get_ref();
        match (&source.socket, &source.address) {
            (Some(socket), None) => Ok(ReaderPlace::Socket(socket.clone())),
            (None, Some(address)) if !address.get_ref().ip().is_loopback() => {
                let problem = "not a loopback address; virtual cards get PINs and give keys";
                Err(self.error(address.span(), "card_source.address", problem))
            }
            (None, Some(address)) if !insecure => {
                let problem = "every user of this host can connect to a port; use a socket, or set \
                               service.insecure_development = true";
                Err(self.error(address.span(), "card_source.address", problem))
            }
            (None, Some(address)) => Ok(ReaderPlace::Loopback(*address.get_ref())),
            _ => {
                let problem = "give either a socket or an address";
                Err(self.error(source.kind.span(), "card_source.socket", problem))
            }
        }
    }

    fn reader(
        &self,
        place: ReaderPlace,
        card: CardTable,
        limits: &Limits,
    ) -> Result<ReaderConfig, ConfigError> {
        let profile = match &card.profile {
            None => CardProfile::eap_tls(),
            Some(name) => CardProfile::builtin(name.get_ref()).ok_or_else(|| {
                let problem = format!("no profile \"{}\"; there is \"eap-tls\"", name.get_ref());
                self.error(name.span(), "card.profile", problem)
            })?,
        };
        let pin_line = card
            .pin_file
            .as_ref()
            .map_or(0, |file| self.line(&file.span()));
        let pin = card.pin_file.map(|file| PinSource::File(file.into_inner()));
        let mut settings = CardSettings::new(card.seid.into_inner(), profile, pin);
        settings.apdu_timeout = limits.apdu;
        settings.handshake_timeout = limits.handshake;
        Ok(ReaderConfig {
            place,
            card: settings,
            pin_line,
        })
    }

    fn domains(&self, tables: Vec<DomainTable>) -> Result<StaticDomains, ConfigError> {
        let mut domains = StaticDomains::default();
        for table in tables {
            let name_span = table.name.span();
            let name = table.name.into_inner();
            if name.is_empty() || name.len() > MAX_DOMAIN_NAME || name.contains(char::is_control) {
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

    fn channels(
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

    fn bindings(
        &self,
        tables: Vec<BindingTable>,
        readers: &[ReaderConfig],
        domains: &StaticDomains,
    ) -> Result<Vec<BindingConfig>, ConfigError> {
        let unshared: BTreeSet<Seid> = tables
            .iter()
            .filter(|table| !table.shared)
            .map(|table| table.card.get_ref().clone())
            .collect();
        let mut bindings: Vec<BindingConfig> = Vec::new();
        for table in tables {
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

    fn binding(
        &self,
        table: BindingTable,
        domains: &StaticDomains,
    ) -> Result<BindingConfig, ConfigError> {
        let line = self.line(&table.vm.span());
        let vm = table.vm.get_ref();
        let by_name = || domains.iter().find(|(_, domain)| domain.name == *vm);
        let domain = match vm.parse::<DomainUuid>() {
            Ok(uuid) => uuid,
            Err(_) => by_name().map(|(_, domain)| domain.uuid).ok_or_else(|| {
                let problem = format!("\"{vm}\" is neither a UUID nor the name of a [[domain]]");
                self.error(table.vm.span(), "binding.vm", problem)
            })?,
        };
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
            line,
        })
    }

    fn error(&self, span: Range<usize>, key: &'static str, problem: impl ToString) -> ConfigError {
        ConfigError::Value {
            path: self.path.to_owned(),
            line: self.line(&span),
            key,
            problem: problem.to_string(),
        }
    }

    /// The line of a place in the text, from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        _ => names.join(", "),
    }
}

/// The longest name of a domain, in bytes.
const MAX_DOMAIN_NAME: usize = 128;
