//! What kind of handshakes is made, and by whom.

use std::fmt;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

/// Handshakes that are compared with each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// How many make them at once.
    pub(super) domains: usize,
    pub(super) kind: Kind,
    pub(super) version: Version,
    /// The client's key and the server's.
    key: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    Resumed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

/// Who makes handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    /// rustls, its key in memory.
    InFile,
    /// OpenSSL, its key in SoftHSM behind p11-kit.
    Pkcs11,
    /// An EAP-TLS card, through all of Tessera.
    EapTls,
    /// A PIV card, through all of Tessera.
    Piv,
}

impl Case {
    /// All kinds, in the order of measuring.
    pub(crate) const KINDS: [(Kind, Version); 4] = [
        (Kind::Full, Version::Tls12),
        (Kind::Resumed, Version::Tls12),
        (Kind::Full, Version::Tls13),
        (Kind::Resumed, Version::Tls13),
    ];

    pub(crate) fn new(domains: usize, kind: Kind, version: Version, key: &'static str) -> Self {
        Self {
            domains,
            kind,
            version,
            key,
        }
    }
}

impl Version {
    pub(super) fn of_rustls(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &TLS12,
            Self::Tls13 => &TLS13,
        }
    }
}

impl Contender {
    pub(crate) const ALL: [Self; 4] = [Self::InFile, Self::Pkcs11, Self::EapTls, Self::Piv];
    /// Those with all of Tessera between application and server.
    pub(super) const CHAINS: [Self; 2] = [Self::EapTls, Self::Piv];

    /// Whether it is to be measured: all are, unless the third word after the program says which.
    pub(super) fn is_wanted(self) -> bool {
        let only = std::env::args().nth(3);
        only.is_none_or(|text| self == Self::InFile || self.to_string().contains(&text))
    }

    /// Whether there are such handshakes by this one.
    pub(super) fn can(self, case: &Case) -> bool {
        match self {
            Self::InFile | Self::Piv => true,
            // A resumed handshake needs no key, so there is nothing to compare.
            Self::Pkcs11 => case.kind == Kind::Full,
            Self::EapTls => (case.kind, case.version) != (Kind::Resumed, Version::Tls13),
        }
    }
}

/// As the names of figures begin: `1 domain, full tls 1.2 p-256`.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domains = match self.domains {
            1 => "domain",
            _ => "domains",
        };
        let kind = match self.kind {
            Kind::Full => "full",
            Kind::Resumed => "resumed",
        };
        let version = match self.version {
            Version::Tls12 => "tls 1.2",
            Version::Tls13 => "tls 1.3",
        };
        write!(
            f,
            "{} {domains}, {kind} {version} {}",
            self.domains, self.key
        )
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InFile => "key in a file",
            Self::Pkcs11 => "key behind pkcs#11",
            Self::EapTls => "eap-tls card",
            Self::Piv => "piv card",
        })
    }
}
