//! The configuration file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::tls::MIN_RECORDS_PER_KEY;
use serde::Deserialize;

use crate::app::{AllowList, AllowTable, UnknownAccount};
use crate::dom0::{HvPin, TokenPlace};

/// Where applications find the agent unless told otherwise.
pub(crate) const DEFAULT_SOCKET: &str = "/run/domu-agent/agent.sock";

/// All of `domu-agent.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How dom0 is reached.
    pub dom0: Dom0Config,
    /// The door for applications.
    #[serde(default)]
    pub agent: AgentConfig,
    /// Who may ask for what.
    #[serde(default)]
    pub allow: Vec<AllowTable>,
}

/// The table `[dom0]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dom0Config {
    /// The kind of channel.
    pub kind: ChannelKind,
    /// The Unix socket of this domain's channel; for that kind alone.
    pub path: Option<PathBuf>,
    /// A file with the VM-Auth-Token as text; read at each connection, and when it changes. Left
    /// out: dom0 puts the token into xenstore.
    pub token_file: Option<PathBuf>,
    /// The file of the key that authenticates the channel.
    pub key_file: Option<PathBuf>,
    /// The HV certificates that are believed.
    #[serde(default)]
    pub hv_pins: Vec<HvPin>,
    /// Whether the channel has neither TLS nor token.
    #[serde(default)]
    pub insecure_development: bool,
}

impl Dom0Config {
    /// Where the token is.
    pub(crate) fn token_place(&self) -> TokenPlace {
        match &self.token_file {
            Some(path) => TokenPlace::File(path.clone()),
            None if self.insecure_development => TokenPlace::Nowhere,
            None => TokenPlace::Xenstore,
        }
    }

    /// What is missing or too much.
    fn contradiction(&self) -> Option<&'static str> {
        match self.kind {
            ChannelKind::Unix if self.path.is_none() => {
                return Some("dom0.path is missing: the Unix socket of this domain's channel");
            }
            ChannelKind::Vchan if self.path.is_some() => {
                return Some(
                    "dom0.path is for kind = \"unix\": remove it, a vchan is found through xenstore",
                );
            }
            ChannelKind::Vchan if self.insecure_development => {
                return Some("dom0.insecure_development is for kind = \"unix\": a vchan has TLS");
            }
            ChannelKind::Unix | ChannelKind::Vchan => {}
        }
        match self.insecure_development {
            true if self.key_file.is_some() || !self.hv_pins.is_empty() => Some(
                "dom0.insecure_development = true means a channel without TLS: remove it, or \
                 key_file and hv_pins",
            ),
            true => None,
            false if self.key_file.is_none() => Some(
                "dom0.key_file is missing: a channel has TLS; make the key with domu-agent enroll \
                 (for development without TLS and token: insecure_development = true)",
            ),
            false if self.hv_pins.is_empty() => Some(
                "dom0.hv_pins is missing: the SHA-256 of the host's HV certificate, as the \
                 administrator of the host gives it",
            ),
            false => None,
        }
    }
}

/// Kinds of channels to dom0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChannelKind {
    /// A Unix socket: development and tests.
    Unix,
    /// A vchan: on Xen.
    Vchan,
}

/// The table `[agent]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AgentConfig {
    /// The socket for applications, made with mode 0660.
    pub socket: PathBuf,
    /// Connections of applications at the same time.
    pub max_connections: usize,
    /// Time for one request to become a TLS connection, in milliseconds, when it names none.
    pub timeout_ms: u64,
    /// How many records a key may seal that the agent holds, if less than its algorithm lets it.
    pub records_per_key: Option<u64>,
}

impl AgentConfig {
    /// Time for one request to become a TLS connection.
    pub(crate) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            socket: DEFAULT_SOCKET.into(),
            max_connections: 1_024,
            timeout_ms: 30_000,
            records_per_key: None,
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file, and the line and key where one is to blame.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// The rules, with users and groups looked up.
    ///
    /// # Errors
    /// [`ConfigError::Allow`], which names the file at `path` and the table.
    pub(crate) fn allow_list(&self, path: &Path) -> Result<AllowList, ConfigError> {
        let rules = self.allow.iter().cloned().enumerate().map(|(at, table)| {
            table.resolve().map_err(|source| ConfigError::Allow {
                path: path.to_owned(),
                number: at + 1,
                source,
            })
        });
        Ok(AllowList::new(rules.collect::<Result<_, _>>()?))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let config: Self = toml::from_str(text)?;
        if let Some(problem) = config.dom0.contradiction() {
            return Err(serde::de::Error::custom(problem));
        }
        let limits = [
            ("agent.max_connections", config.agent.max_connections == 0),
            ("agent.timeout_ms", config.agent.timeout_ms == 0),
        ];
        if let Some((key, _)) = limits.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(serde::de::Error::custom(format_args!("{key} is 0")));
        }
        match config.agent.records_per_key {
            Some(records) if records < MIN_RECORDS_PER_KEY => Err(serde::de::Error::custom(
                format_args!("agent.records_per_key is less than {MIN_RECORDS_PER_KEY}"),
            )),
            _ => Ok(config),
        }
    }
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a good configuration.
    #[error("{}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, key and reason.
        source: Box<toml::de::Error>,
    },
    /// A table `[[allow]]` names a user or group that is not there.
    #[error("{}: [[allow]] number {number}", path.display())]
    Allow {
        /// The file.
        path: PathBuf,
        /// Which of the tables, from 1 on.
        number: usize,
        /// The name and the reason.
        source: UnknownAccount,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../docs/examples/domu-agent.toml");
    const ON_XEN: &str = include_str!("../../docs/examples/domu-agent-xen.toml");

    #[test]
    fn the_example_is_accepted_and_shows_the_defaults() {
        let config = Config::parse(EXAMPLE).expect("the example is good");
        assert_eq!(config.agent, AgentConfig::default());
        assert_eq!(config.dom0.kind, ChannelKind::Unix);
        assert_eq!(config.allow, []);
    }

    #[test]
    fn the_example_documents_every_key() {
        for key in [
            "kind",
            "path",
            "token_file",
            "key_file",
            "hv_pins",
            "insecure_development",
            "socket",
            "max_connections",
            "timeout_ms",
            "records_per_key",
            "uid",
            "gid",
            "identities",
            "modes",
            "destinations",
        ] {
            let named = EXAMPLE.lines().any(|line| {
                let line = line.trim_start_matches(['#', ' ']);
                line.strip_prefix(key)
                    .is_some_and(|rest| rest.starts_with(" ="))
            });
            assert!(named, "{key}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = "[dom0]\nkind = \"unix\"\npath = \"/x\"\ncolour = 1\n";
        let error = Config::parse(text).expect_err("unknown key").to_string();
        assert!(
            error.contains("colour") && error.contains("line 4"),
            "{error}"
        );
    }

    #[test]
    fn what_the_example_says_of_rules_is_good_when_it_is_uncommented() {
        let lines = EXAMPLE.lines().map(|line| {
            let is_key = line.starts_with("# [[allow]]") || line.contains(" = ");
            line.strip_prefix("# ").filter(|_| is_key).unwrap_or(line)
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let config = Config::parse(&text).expect("good");
        assert_eq!(config.allow.len(), 2);
    }

    #[test]
    fn an_unknown_user_is_named_with_file_and_table() {
        let dom0 = "[dom0]\nkind = \"unix\"\npath = \"/x\"\ninsecure_development = true\n";
        let text = format!("{dom0}[[allow]]\nuid = 0\n[[allow]]\nuid = \"no such user\"\n");
        let config = Config::parse(&text).expect("good");
        let error = config.allow_list(Path::new("a.toml")).expect_err("unknown");
        assert_eq!(
            crate::app::Chain(&error).to_string(),
            "a.toml: [[allow]] number 2: there is no user \"no such user\""
        );
    }

    #[test]
    fn a_channel_has_key_pins_and_token_or_says_that_it_is_for_development() {
        let dom0 = "[dom0]\nkind = \"unix\"\npath = \"/x\"\n";
        let pins = format!("hv_pins = [\"{}\"]\n", "ab".repeat(32));
        let (key, token) = ("key_file = \"/k\"\n", "token_file = \"/t\"\n");
        let insecure = "insecure_development = true\n";
        for (more, words) in [
            (String::new(), "domu-agent enroll"),
            (format!("{token}{pins}"), "key_file is missing"),
            (format!("{key}{token}"), "hv_pins is missing"),
            (format!("{key}{token}hv_pins = []\n"), "hv_pins is missing"),
            (format!("{key}{insecure}"), "without TLS"),
            (format!("{pins}{insecure}"), "without TLS"),
            (
                format!("{key}{token}hv_pins = [\"ab\"]\n"),
                "64 hexadecimal digits",
            ),
        ] {
            let error = Config::parse(&format!("{dom0}{more}"));
            let error = error.expect_err("contradicts itself").to_string();
            assert!(error.contains(words), "{error}");
        }
        let file = TokenPlace::File("/t".into());
        for (more, place) in [
            (format!("{key}{token}{pins}"), file.clone()),
            (format!("{token}{insecure}"), file),
            (format!("{key}{pins}"), TokenPlace::Xenstore),
            (insecure.to_owned(), TokenPlace::Nowhere),
        ] {
            let config = Config::parse(&format!("{dom0}{more}")).expect("good");
            assert_eq!(config.dom0.token_place(), place);
        }
    }

    #[test]
    fn a_vchan_has_no_path_and_always_tls() {
        Config::parse(ON_XEN).expect("the example is good");
        let good = format!(
            "[dom0]\nkind = \"vchan\"\nkey_file = \"/k\"\ntoken_file = \"/t\"\nhv_pins = [\"{}\"]\n",
            "ab".repeat(32)
        );
        let config = Config::parse(&good).expect("good");
        assert_eq!(config.dom0.kind, ChannelKind::Vchan);
        for (text, words) in [
            (format!("{good}path = \"/x\"\n"), "kind = \"unix\""),
            (
                format!("{good}insecure_development = true\n"),
                "a vchan has TLS",
            ),
            (
                "[dom0]\nkind = \"unix\"\n".to_owned(),
                "dom0.path is missing",
            ),
        ] {
            let error = Config::parse(&text).expect_err("contradicts itself");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn zero_is_not_a_limit() {
        let text = "[dom0]\nkind = \"unix\"\npath = \"/x\"\ninsecure_development = true\n\
                    [agent]\ntimeout_ms = 0\n";
        let error = Config::parse(text).expect_err("no time at all").to_string();
        assert!(error.contains("agent.timeout_ms"), "{error}");
    }

    #[test]
    fn a_key_lasts_for_some_records_at_least() {
        let text = "[dom0]\nkind = \"unix\"\npath = \"/x\"\ninsecure_development = true\n\
                    [agent]\nrecords_per_key = ";
        let error = Config::parse(&format!("{text}63\n")).expect_err("too few");
        let error = error.to_string();
        assert!(error.contains("agent.records_per_key"), "{error}");
        let config = Config::parse(&format!("{text}64\n")).expect("enough");
        assert_eq!(config.agent.records_per_key, Some(64));
    }
}
