//! `[[allow]]` as it is written in the configuration.

use std::fmt;

use nix::unistd::{Group, User};
use serde::Deserialize;

use super::destination_pattern::DestinationPattern;
use super::rule::Rule;
use crate::app::request::Mode;

/// One table `[[allow]]`. What is left out is not restricted, except `modes`; an empty list allows
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowTable {
    /// Only this user.
    uid: Option<Account>,
    /// Only members of this group.
    gid: Option<Account>,
    /// Only these identities.
    identities: Option<Vec<String>>,
    /// What an application may hold in the end; keys only if named.
    #[serde(default = "Mode::without_keys")]
    modes: Vec<Mode>,
    /// Only these destinations.
    destinations: Option<Vec<DestinationPattern>>,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "neither a number nor a name")]
enum Account {
    Number(u32),
    Name(String),
}

impl AllowTable {
    /// Looks up the numbers of user and group.
    ///
    /// # Errors
    /// [`UnknownAccount`] for a name that the system does not know.
    pub(crate) fn resolve(self) -> Result<Rule, UnknownAccount> {
        let uid = self.uid.map(|uid| {
            uid.resolve("user", |name| {
                Ok(User::from_name(name)?.map(|user| user.uid.as_raw()))
            })
        });
        let gid = self.gid.map(|gid| {
            gid.resolve("group", |name| {
                Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
            })
        });
        Ok(Rule {
            uid: uid.transpose()?,
            gid: gid.transpose()?,
            identities: self.identities,
            modes: self.modes,
            destinations: self.destinations,
        })
    }
}

impl Account {
    fn resolve(
        self,
        kind: &'static str,
        look_up: impl FnOnce(&str) -> nix::Result<Option<u32>>,
    ) -> Result<u32, UnknownAccount> {
        let name = match self {
            Self::Number(number) => return Ok(number),
            Self::Name(name) => name,
        };
        match look_up(&name) {
            Ok(Some(number)) => Ok(number),
            Ok(None) => Err(UnknownAccount {
                kind,
                name,
                source: None,
            }),
            Err(error) => Err(UnknownAccount {
                kind,
                name,
                source: Some(error),
            }),
        }
    }
}

/// A user or group that the system does not know, or cannot look up.
#[derive(Debug)]
pub(crate) struct UnknownAccount {
    kind: &'static str,
    name: String,
    source: Option<nix::Error>,
}

impl fmt::Display for UnknownAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, source } = self;
        match source {
            None => write!(f, "there is no {kind} {name:?}"),
            Some(error) => write!(f, "{kind} {name:?} cannot be looked up: {error}"),
        }
    }
}

impl std::error::Error for UnknownAccount {}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        let table: AllowTable = toml::from_str(text).expect(text);
        table.resolve().expect("known accounts")
    }

    fn mistake(text: &str) -> String {
        let error = toml::from_str::<AllowTable>(text).expect_err(text);
        error.to_string()
    }

    #[test]
    fn an_empty_table_restricts_nothing_but_keys() {
        assert_eq!(rule(""), Rule::default());
        assert_eq!(rule("").modes, [Mode::Stream, Mode::Socket]);
    }

    #[test]
    fn accounts_are_numbers_or_names() {
        let rule = rule("uid = \"root\"\ngid = 7\nmodes = [\"keys\"]");
        assert_eq!((rule.uid, rule.gid), (Some(0), Some(7)));
        assert_eq!(rule.modes, [Mode::Keys]);
        let table: AllowTable = toml::from_str("gid = \"no such group\"").expect("good");
        let error = table.resolve().expect_err("unknown");
        assert_eq!(error.to_string(), "there is no group \"no such group\"");
    }

    #[test]
    fn mistakes_are_named() {
        assert!(mistake("user = 1").contains("user"));
        assert!(mistake("uid = -1").contains("neither a number nor a name"));
        assert!(mistake("modes = [\"pipe\"]").contains("pipe"));
        assert!(mistake("destinations = [\"a.example\"]").contains("not HOST:PORT"));
    }
}
