//! What a finished handshake leaves behind.

use std::fmt;

use super::cipher_suite::CipherSuite;
use super::key_block::KeyBlock;
use super::traffic_secret::TrafficSecrets;
use super::version::ProtocolVersion;

/// Everything a record layer starts from. Holds secrets: neither copied nor shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Established {
    /// The version both sides agreed on.
    pub version: ProtocolVersion,
    /// The suite both sides agreed on.
    pub cipher_suite: CipherSuite,
    /// The keys of both directions.
    pub keys: SessionKeys,
    /// Sequence number of the client's next record: 1 up to TLS 1.2, 0 in TLS 1.3.
    pub client_sequence: u64,
    /// Sequence number of the server's next record: 1 up to TLS 1.2, 0 in TLS 1.3.
    pub server_sequence: u64,
    /// TLS 1.2 with GCM: explicit nonce of the client's **next** record, one more than that of
    /// its Finished. Never one that was on the wire before.
    pub client_explicit_nonce: Option<[u8; 8]>,
}

/// The keys of a connection, in the form its version has them.
#[derive(PartialEq, Eq)]
pub enum SessionKeys {
    /// Up to TLS 1.2.
    KeyBlock(KeyBlock),
    /// TLS 1.3: the application traffic secrets number 0.
    TrafficSecrets(TrafficSecrets),
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyBlock(block) => block.fmt(f),
            Self::TrafficSecrets(secrets) => secrets.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn never_shows_a_key() {
        let secret = || Zeroizing::new(vec![0xA5; 32]);
        for keys in [
            SessionKeys::KeyBlock(KeyBlock::new(vec![0xA5; 40])),
            SessionKeys::TrafficSecrets(TrafficSecrets {
                client: secret(),
                server: secret(),
            }),
        ] {
            let shown = format!(
                "{:?}",
                Established {
                    version: ProtocolVersion::TLS1_3,
                    cipher_suite: CipherSuite(0x1301),
                    keys,
                    client_sequence: 0,
                    server_sequence: 0,
                    client_explicit_nonce: None,
                }
            );
            assert!(shown.contains("bytes)"), "{shown}");
            assert!(
                !shown.contains("165") && !shown.to_lowercase().contains("a5"),
                "{shown}"
            );
        }
    }
}
