//! The answer of mode `keys`: the one line that holds secrets.

use std::io;

use base64::prelude::{BASE64_STANDARD, Engine};
use proto::agent::EstablishedFlags;
use proto::tls::{
    CipherSuite, Established, KeyBlock, ProtocolVersion, SessionKeys, TrafficSecrets,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::answer::EstablishedAnswer;
use crate::handshake::Handover;

/// What the answer of mode `keys` says beyond [`EstablishedAnswer`].
#[derive(Serialize, Deserialize)]
pub(crate) struct KeysAnswer {
    version_number: u16,
    cipher_suite_number: u16,
    keys: Keys,
    client_sequence: u64,
    server_sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_explicit_nonce: Option<Base64>,
    flags: Flags,
    surplus: Base64,
    peer_certificates: Vec<Base64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Keys {
    KeyBlock(Base64),
    TrafficSecrets { client: Base64, server: Base64 },
}

#[derive(Serialize, Deserialize)]
struct Flags {
    abbreviated: bool,
    extended_master_secret: bool,
    encrypt_then_mac: bool,
}

/// Bytes that are base64 in JSON. Wiped when dropped, as are their texts on the way.
struct Base64(Zeroizing<Vec<u8>>);

#[derive(Serialize, Deserialize)]
struct Line<T> {
    established: T,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    common: &'a EstablishedAnswer,
    #[serde(flatten)]
    keys: &'a KeysAnswer,
}

impl KeysAnswer {
    /// The whole answer, with its newline, in one buffer that is wiped when dropped.
    pub(crate) fn to_line(&self, common: &EstablishedAnswer) -> Zeroizing<Vec<u8>> {
        let line = Line {
            established: Whole { common, keys: self },
        };
        let mut length = Length(1);
        serde_json::to_writer(&mut length, &line).expect(ALWAYS_JSON);
        // A buffer that grew would leave its first bytes behind in memory.
        let mut text = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *text, &line).expect(ALWAYS_JSON);
        text.push(b'\n');
        text
    }

    /// Reads these fields of an answer and no other; nothing if they are not there.
    pub(crate) fn from_line(line: &[u8]) -> Option<Self> {
        let line: Line<Self> = serde_json::from_slice(line).ok()?;
        Some(line.established)
    }

    /// The server's certificate chain, leaf first, each as DER.
    pub(crate) fn take_peer_certificates(&mut self) -> Vec<Vec<u8>> {
        let certificates = std::mem::take(&mut self.peer_certificates);
        certificates.into_iter().map(Base64::into_public).collect()
    }

    /// What the server has sent behind the handshake, as records.
    pub(crate) fn take_surplus(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.surplus.0)
    }

    /// How the handshake went.
    pub(crate) const fn flags(&self) -> EstablishedFlags {
        EstablishedFlags {
            abbreviated: self.flags.abbreviated,
            extended_master_secret: self.flags.extended_master_secret,
            encrypt_then_mac: self.flags.encrypt_then_mac,
        }
    }

    /// What a record layer starts from; nothing if the explicit nonce is not eight bytes.
    pub(crate) fn into_keys(self) -> Option<Established> {
        let nonce = self.client_explicit_nonce;
        Some(Established {
            version: ProtocolVersion(self.version_number),
            cipher_suite: CipherSuite(self.cipher_suite_number),
            keys: match self.keys {
                Keys::KeyBlock(block) => SessionKeys::KeyBlock(KeyBlock::new(block.into_secret())),
                Keys::TrafficSecrets { client, server } => {
                    let (client, server) = (client.0, server.0);
                    SessionKeys::TrafficSecrets(TrafficSecrets { client, server })
                }
            },
            client_sequence: self.client_sequence,
            server_sequence: self.server_sequence,
            client_explicit_nonce: match nonce {
                Some(nonce) => Some(nonce.0.as_slice().try_into().ok()?),
                None => None,
            },
        })
    }
}

impl From<&Handover> for KeysAnswer {
    fn from(handover: &Handover) -> Self {
        let message = &handover.message;
        let Established {
            version,
            cipher_suite,
            ref keys,
            client_sequence,
            server_sequence,
            client_explicit_nonce,
        } = message.keys;
        let certificates = message.peer_certificates.iter();
        Self {
            version_number: version.0,
            cipher_suite_number: cipher_suite.0,
            keys: match keys {
                SessionKeys::KeyBlock(block) => Keys::KeyBlock(Base64::new(block.as_bytes())),
                SessionKeys::TrafficSecrets(secrets) => Keys::TrafficSecrets {
                    client: Base64::new(&secrets.client),
                    server: Base64::new(&secrets.server),
                },
            },
            client_sequence,
            server_sequence,
            client_explicit_nonce: client_explicit_nonce.map(|nonce| Base64::new(&nonce)),
            flags: Flags {
                abbreviated: message.flags.abbreviated,
                extended_master_secret: message.flags.extended_master_secret,
                encrypt_then_mac: message.flags.encrypt_then_mac,
            },
            surplus: Base64::new(&handover.surplus),
            peer_certificates: certificates.map(|der| Base64::new(der)).collect(),
        }
    }
}

impl Base64 {
    fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes, for an owner that wipes them.
    fn into_secret(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }

    /// The bytes, which need no wiping.
    fn into_public(self) -> Vec<u8> {
        self.into_secret()
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(BASE64_STANDARD.encode(self.0.as_slice()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Borrowed: a text without escapes is not copied.
        let text = <&str>::deserialize(deserializer)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        match BASE64_STANDARD.decode_vec(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(serde::de::Error::custom("not base64")),
        }
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ALWAYS_JSON: &str = "texts and numbers are always JSON";

#[cfg(test)]
#[path = "keys_answer_tests.rs"]
mod tests;
