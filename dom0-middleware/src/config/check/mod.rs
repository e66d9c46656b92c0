//! The configuration as a whole: every name resolves, nothing contradicts anything.
//!
//! | Module | Looks at |
//! |---|---|
//! | `profiles` | `[[profile]]` |
//! | `readers` | `[[card_source]]` and `[[card]]` |
//! | `grids` | `[[card_source]]` with `kind = "racs"` |
//! | `guests` | `[xenstore]`, `[vchan]`, `[[domain]]` and `[[channel]]` |
//! | `hosts`, `hv_key` | `[[hv]]`; where its key is |
//! | `bindings` | `[[binding]]` |
//! | `racs` | `[racs]` and its users |

mod bindings;
mod grids;
mod guests;
mod hosts;
mod hv_key;
mod profiles;
mod racs;
mod readers;

use std::ops::Range;
use std::path::{Path, PathBuf};

use proto::agent::MAX_FRAME;

pub use self::bindings::BindingConfig;
pub use self::guests::{DomainSource, UnixChannelConfig};
pub use self::hosts::HvConfig;
pub use self::hv_key::{HvKeyConfig, HvKeySource};
pub(super) use self::racs::NamedFile;
pub use self::racs::{RacsCardConfig, RacsConfig};
pub use self::readers::{GridPlace, ReaderConfig, ReaderPlace};
use super::error::ConfigError;
use super::file::ConfigFile;
use crate::audit::Rotation;
use crate::limits::Limits;

/// A configuration without contradictions. The files it names were not looked at yet.
#[derive(Debug)]
pub struct Config {
    /// The configuration file.
    pub path: PathBuf,
    /// The socket for the operator's commands.
    pub admin_socket: PathBuf,
    /// The audit file.
    pub audit_file: PathBuf,
    /// How large it may grow, and how many old ones are kept.
    pub rotation: Rotation,
    /// The durable state.
    pub state_file: PathBuf,
    /// The limits in force.
    pub limits: Limits,
    /// Where cards come from.
    pub readers: Vec<ReaderConfig>,
    /// Where it stands who the domains are.
    pub domains: DomainSource,
    /// Channels to guests.
    pub channels: Vec<UnixChannelConfig>,
    /// Whether each bound domain that runs has a vchan.
    pub vchan: bool,
    /// Where tokens are for the domains that xenstore knows.
    pub tokens: TokensConfig,
    /// HV certificates of this host, and the key of the current one.
    pub hv: Vec<HvConfig>,
    /// Bindings made here.
    pub bindings: Vec<BindingConfig>,
    /// Cards for users over the network, if they are enabled.
    pub racs: Option<RacsConfig>,
}

/// Tokens that the service puts into xenstore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensConfig {
    /// The folder in which the token of a domain is `UUID.token`.
    pub folder: PathBuf,
    /// Whether they are issued anew before they end.
    pub renew: bool,
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

/// A file of the audit holds at least the certificates of the key that signs, and some records.
const MIN_AUDIT_BYTES: usize = 16 << 10;

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
        if let Some((at, got)) = file.audit.max_bytes()
            && got < MIN_AUDIT_BYTES
        {
            let problem = format!("{got} is too short, use at least {MIN_AUDIT_BYTES} bytes");
            return Err(self.error(at..at, "audit.max_bytes", problem));
        }
        let limits = Limits::from(file.limits);
        let insecure = file.service.insecure_development;
        let profiles = self.profiles(file.profile)?;
        let raw = file.card.iter().filter_map(|card| {
            let raw = card.raw_key_use.as_ref().filter(|raw| *raw.get_ref())?;
            Some((card.seid.get_ref().clone(), raw.span().start))
        });
        let raw = raw.collect();
        let readers = self.readers(file.card_source, file.card, &profiles, &limits, insecure)?;
        let domains = self.domain_source(file.domain, file.xenstore.enabled)?;
        let hv = self.hv(file.hv, &readers)?;
        let channels = self.channels(file.channel, &domains, &hv)?;
        let vchan = self.vchan(&file.vchan, &domains, &hv)?;
        let bindings = self.bindings(file.binding, &readers, &domains)?;
        self.raw_key_use(&raw, &bindings)?;
        let racs = self.racs(file.racs, &readers)?;
        let service = file.service;
        Ok(Config {
            path: self.path.to_owned(),
            admin_socket: service.admin_socket,
            audit_file: service.audit_file,
            rotation: file.audit.into(),
            state_file: service.state_file,
            limits,
            readers,
            domains,
            channels,
            vchan,
            tokens: TokensConfig {
                folder: file.tokens.folder,
                renew: file.tokens.renew,
            },
            hv,
            bindings,
            racs,
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
