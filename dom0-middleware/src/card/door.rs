//! Who makes TLS with a card.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which part of a handshake a card takes; the two doors of design §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// The card makes the whole handshake, and is held from its first byte to its last.
    EapTls,
    /// The service makes the handshake, and the card signs once in it.
    Piv,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EapTls => "eap-tls",
            Self::Piv => "piv",
        })
    }
}
