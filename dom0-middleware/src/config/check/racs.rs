//! The RACS server: where it listens, and what its users may do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use proto::id::Seid;
use toml::Spanned;

use super::bindings::BindingConfig;
use super::readers::ReaderConfig;
use super::{Check, listed};
use crate::config::error::ConfigError;
use crate::config::file::{RacsCardTable, RacsOperation, RacsTable, RacsUserTable};
use crate::config::value::Text;
use crate::racs::server::{DEFAULT_CONNECTIONS, DEFAULT_IDLE_LOCK, ListenAddress};

/// A RACS server.
#[derive(Debug, Clone)]
pub struct RacsConfig {
    /// Where it listens.
    pub listen: ListenAddress,
    /// The most users at the same time.
    pub max_connections: usize,
    /// How long a session may hold a card without doing anything with it.
    pub idle_lock: Duration,
    /// Users, by the common name of their certificates.
    pub users: BTreeMap<String, Vec<RacsCardConfig>>,
    /// Its certificate, its key, and the CA of users.
    pub(in crate::config) files: [NamedFile; 3],
}

/// What a user may do with one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RacsCardConfig {
    /// The card.
    pub seid: Seid,
    /// See it.
    pub inventory: bool,
    /// Power it and reset it.
    pub power: bool,
    /// Send APDUs to it.
    pub apdu: bool,
    /// The card's own `raw_key_use`.
    pub raw_key_use: bool,
    /// The list of APDUs that pass.
    pub(in crate::config) allow: Option<NamedFile>,
}

/// A file that the configuration names, and the line that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct NamedFile {
    pub(in crate::config) path: PathBuf,
    pub(in crate::config) line: usize,
}

impl Check<'_> {
    /// The server, if it is enabled. Its users are checked in any case.
    pub(super) fn racs(
        &self,
        table: RacsTable,
        readers: &[ReaderConfig],
    ) -> Result<Option<RacsConfig>, ConfigError> {
        let mut users = BTreeMap::new();
        for user in table.user {
            let span = user.name.span();
            let (name, cards) = self.racs_user(user, readers)?;
            if users.contains_key(&name) {
                let problem = format!("\"{name}\" is there twice; put all cards under one");
                return Err(self.error(span, "racs.user.name", problem));
            }
            users.insert(name, cards);
        }
        let Some(enabled) = table.enabled.filter(|enabled| *enabled.get_ref()) else {
            return Ok(None);
        };
        let span = enabled.span();
        let missing = |key, what: &str| {
            let problem = format!("{what} is missing, and the server is enabled; add it");
            self.error(span.clone(), key, problem)
        };
        let Some(Text(listen)) = table.listen else {
            return Err(missing("racs.listen", "where it listens, \"HOST:PORT\","));
        };
        let file = |file: Option<Spanned<PathBuf>>| file.map(|file| self.named(file));
        let Some(certificate) = file(table.certificate) else {
            return Err(missing("racs.certificate", "its certificate (PEM)"));
        };
        let Some(key) = file(table.key) else {
            return Err(missing("racs.key", "the key of its certificate (PEM)"));
        };
        let Some(client_ca) = file(table.client_ca) else {
            return Err(missing("racs.client_ca", "the CA of its users (PEM)"));
        };
        let idle_lock = table.idle_lock_ms.map(Duration::from);
        Ok(Some(RacsConfig {
            listen,
            max_connections: table
                .max_connections
                .map_or(DEFAULT_CONNECTIONS, usize::from),
            idle_lock: idle_lock.unwrap_or(DEFAULT_IDLE_LOCK),
            users,
            files: [certificate, key, client_ca],
        }))
    }

    fn racs_user(
        &self,
        user: RacsUserTable,
        readers: &[ReaderConfig],
    ) -> Result<(String, Vec<RacsCardConfig>), ConfigError> {
        let (span, name) = (user.name.span(), user.name.into_inner());
        let length = name.chars().count();
        if length == 0 || length > MAX_NAME || name.chars().any(char::is_control) {
            let problem = "not the common name of a certificate: 1 to 64 characters";
            return Err(self.error(span, "racs.user.name", problem));
        }
        let mut seen = BTreeSet::new();
        let mut cards = Vec::new();
        for table in user.card {
            let span = table.seid.span();
            let card = self.racs_card(table, readers)?;
            if !seen.insert(card.seid.clone()) {
                let problem = format!("\"{}\" is there twice for \"{name}\"", card.seid);
                return Err(self.error(span, "racs.user.card.seid", problem));
            }
            cards.push(card);
        }
        Ok((name, cards))
    }

    fn racs_card(
        &self,
        table: RacsCardTable,
        readers: &[ReaderConfig],
    ) -> Result<RacsCardConfig, ConfigError> {
        let (span, seid) = (table.seid.span(), table.seid.into_inner());
        let Some(reader) = readers.iter().find(|reader| reader.card.seid == seid) else {
            let problem = format!(
                "no card with seid \"{seid}\"; there is {}",
                listed(readers.iter().map(|reader| reader.card.seid.as_str()))
            );
            return Err(self.error(span, "racs.user.card.seid", problem));
        };
        let (span, operations) = (table.operations.span(), table.operations.into_inner());
        if operations.is_empty() {
            let problem = "name at least one of \"inventory\", \"power\", \"apdu\"";
            return Err(self.error(span, "racs.user.card.operations", problem));
        }
        let apdu = operations.contains(&RacsOperation::Apdu);
        if let Some(file) = table.apdu_allow.as_ref().filter(|_| !apdu) {
            let problem = "a list of APDUs, and \"apdu\" is not among the operations";
            return Err(self.error(file.span(), "racs.user.card.apdu_allow", problem));
        }
        Ok(RacsCardConfig {
            seid,
            inventory: operations.contains(&RacsOperation::Inventory),
            power: operations.contains(&RacsOperation::Power),
            apdu,
            raw_key_use: reader.raw_key_use,
            allow: table.apdu_allow.map(|file| self.named(file)),
        })
    }

    /// A card whose keys raw APDUs may use is no card for several domains.
    pub(super) fn raw_key_use(
        &self,
        lines: &BTreeMap<Seid, usize>,
        bindings: &[BindingConfig],
    ) -> Result<(), ConfigError> {
        let shared = bindings.iter().filter(|binding| binding.shared);
        for binding in shared {
            if let Some(at) = lines.get(&binding.seid) {
                let problem = format!(
                    "\"{}\" is shared by the binding in line {}; keys that several domains rest on \
                     are no matter of raw APDUs",
                    binding.seid, binding.line
                );
                return Err(self.error(*at..*at, "card.raw_key_use", problem));
            }
        }
        Ok(())
    }

    fn named(&self, file: Spanned<PathBuf>) -> NamedFile {
        NamedFile {
            line: self.line(&file.span()),
            path: file.into_inner(),
        }
    }
}

/// Upper bound of a common name (X.520).
const MAX_NAME: usize = 64;
