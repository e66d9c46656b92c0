//! Traffic secrets of TLS 1.3, and the keys that follow from them.

use std::fmt;

use ring::hkdf;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The application traffic secrets number 0 of a TLS 1.3 connection (RFC 8446 §7.1).
/// Secret: wiped on drop, never shown, compared in constant time.
pub struct TrafficSecrets {
    /// Protects what the client sends; as long as the suite's hash.
    pub client: Zeroizing<Vec<u8>>,
    /// Protects what the server sends; as long as the suite's hash.
    pub server: Zeroizing<Vec<u8>>,
}

impl PartialEq for TrafficSecrets {
    fn eq(&self, other: &Self) -> bool {
        (self.client.ct_eq(&other.client) & self.server.ct_eq(&other.server)).into()
    }
}

impl Eq for TrafficSecrets {}

impl fmt::Debug for TrafficSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TrafficSecrets({} and {} bytes)",
            self.client.len(),
            self.server.len()
        )
    }
}

/// One traffic secret with the hash that belongs to it.
pub(super) struct TrafficSecret {
    algorithm: hkdf::Algorithm,
    secret: Zeroizing<Vec<u8>>,
}

impl TrafficSecret {
    /// Takes a secret over; nothing if its length is the hash of no TLS 1.3 suite.
    pub(super) fn new(secret: Zeroizing<Vec<u8>>) -> Option<Self> {
        let algorithm = match secret.len() {
            32 => hkdf::HKDF_SHA256,
            48 => hkdf::HKDF_SHA384,
            _ => return None,
        };
        Some(Self { algorithm, secret })
    }

    /// The key of this secret (RFC 8446 §7.3), `len` bytes.
    pub(super) fn key(&self, len: usize) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; len]);
        self.expand(b"key", &mut key);
        key
    }

    /// The IV of this secret (RFC 8446 §7.3).
    pub(super) fn iv(&self) -> Zeroizing<[u8; 12]> {
        let mut iv = Zeroizing::new([0; 12]);
        self.expand(b"iv", iv.as_mut_slice());
        iv
    }

    /// The secret that a KeyUpdate changes to (RFC 8446 §7.2).
    pub(super) fn next(&self) -> Self {
        let mut secret = Zeroizing::new(vec![0; self.secret.len()]);
        self.expand(b"traffic upd", &mut secret);
        Self {
            algorithm: self.algorithm,
            secret,
        }
    }

    /// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
    fn expand(&self, label: &[u8], out: &mut [u8]) {
        const PREFIX: &[u8] = b"tls13 ";
        let length = u16::try_from(out.len()).expect("keys, IVs and secrets are at most 48 bytes");
        let label_len = u8::try_from(PREFIX.len() + label.len()).expect("labels are short");
        let info = [&length.to_be_bytes()[..], &[label_len], PREFIX, label, &[0]];
        hkdf::Prk::new_less_safe(self.algorithm, &self.secret)
            .expand(&info, Len(out.len()))
            .and_then(|okm| okm.fill(out))
            .expect("a hash fits many times into what HKDF may give");
    }
}

struct Len(usize);

impl hkdf::KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::samples::hex;

    fn secret(text: &str) -> TrafficSecret {
        TrafficSecret::new(Zeroizing::new(hex(text))).unwrap()
    }

    /// RFC 8448 §3, application traffic keys of both sides.
    #[test]
    fn keys_are_those_of_the_example_handshake() {
        let server = secret("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
        assert_eq!(*server.key(16), hex("9f02283b6c9c07efc26bb9f2ac92e356"));
        assert_eq!(server.iv()[..], hex("cf782b88dd83549aadf1e984"));
        let client = secret("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
        assert_eq!(*client.key(16), hex("17422dda596ed5d9acd890e3c63f5051"));
        assert_eq!(client.iv()[..], hex("5b78923dee08579033e523d9"));
    }

    #[test]
    fn an_update_changes_the_secret_and_keeps_its_length() {
        for len in [32, 48] {
            let first = TrafficSecret::new(Zeroizing::new(vec![7; len])).unwrap();
            let second = first.next();
            assert_eq!(second.secret.len(), len);
            assert_ne!(*first.secret, *second.secret);
            assert_ne!(*first.key(32), *second.key(32));
        }
    }

    #[test]
    fn other_lengths_are_no_secret() {
        for len in [0, 16, 31, 33, 47, 64] {
            assert!(
                TrafficSecret::new(Zeroizing::new(vec![0; len])).is_none(),
                "{len}"
            );
        }
    }

    #[test]
    fn equality_looks_at_both_secrets() {
        let secrets = |client, server| TrafficSecrets {
            client: Zeroizing::new(vec![client; 32]),
            server: Zeroizing::new(vec![server; 32]),
        };
        assert_eq!(secrets(1, 2), secrets(1, 2));
        assert_ne!(secrets(1, 2), secrets(1, 3));
        assert_ne!(secrets(1, 2), secrets(3, 2));
    }
}
