//! What this kernel can do.

use std::fmt;

use proto::tls::Aead;
use serde::{Deserialize, Serialize};

/// What the kernel can do with records of TLS 1.2, in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KernelSupport {
    /// It knows these ciphers; at least one.
    Ciphers(Vec<Aead>),
    /// Nothing, and why.
    Missing(String),
}

/// What the kernel can do with TLS records, as `status` says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTlsStatus {
    /// The ciphers it knows, for TLS 1.2 in both directions.
    pub ciphers: Vec<String>,
    /// Why it knows none, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl KernelSupport {
    /// Whether records of this cipher can be left to the kernel.
    pub(crate) fn has(&self, cipher: Aead) -> bool {
        match self {
            Self::Ciphers(ciphers) => ciphers.contains(&cipher),
            Self::Missing(_) => false,
        }
    }
}

impl From<&KernelSupport> for KernelTlsStatus {
    fn from(support: &KernelSupport) -> Self {
        match support {
            KernelSupport::Ciphers(ciphers) => Self {
                ciphers: ciphers.iter().map(|aead| name(*aead).to_owned()).collect(),
                missing: None,
            },
            KernelSupport::Missing(why) => Self {
                ciphers: Vec::new(),
                missing: Some(why.clone()),
            },
        }
    }
}

/// One line for people.
impl fmt::Display for KernelTlsStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.missing, self.ciphers.as_slice()) {
            (Some(why), _) => write!(f, "none: {why}"),
            (None, []) => f.write_str("unknown"),
            (None, ciphers) => write!(f, "TLS 1.2 with {}", ciphers.join(", ")),
        }
    }
}

/// The cipher as the kernel's documentation writes it, in small letters.
const fn name(cipher: Aead) -> &'static str {
    match cipher {
        Aead::Aes128Gcm => "aes-128-gcm",
        Aead::Aes256Gcm => "aes-256-gcm",
        Aead::ChaCha20Poly1305 => "chacha20-poly1305",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_the_ciphers_or_says_why_not() {
        let support = KernelSupport::Ciphers(vec![Aead::Aes128Gcm, Aead::ChaCha20Poly1305]);
        assert!(support.has(Aead::Aes128Gcm) && !support.has(Aead::Aes256Gcm));
        let line = KernelTlsStatus::from(&support).to_string();
        assert_eq!(line, "TLS 1.2 with aes-128-gcm, chacha20-poly1305");
        let support = KernelSupport::Missing("no module".to_owned());
        assert!(!support.has(Aead::Aes128Gcm));
        let line = KernelTlsStatus::from(&support).to_string();
        assert_eq!(line, "none: no module");
        assert_eq!(KernelTlsStatus::default().to_string(), "unknown");
    }
}
