//! What a card can be.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The profile of a card: which commands it has, and what they do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// TLS client on the card, driven by EAP-TLS packets.
    #[default]
    EapTls,
    /// Keys that sign, as NIST SP 800-73 has it.
    Piv,
}

/// As on the command line.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EapTls => "eap-tls",
            Self::Piv => "piv",
        })
    }
}
