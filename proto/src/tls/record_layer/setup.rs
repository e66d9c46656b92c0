//! From what a handshake left behind to the two directions.

use zeroize::Zeroizing;

use super::direction::{Direction, NONCE_LEN};
use super::error::RecordError;
use super::limits::KeyLimit;
use super::protection::{ReadHalf, WriteHalf};
use super::tls12;
use super::tls13::Half;
use crate::tls::cipher_suite::Aead;
use crate::tls::established::{Established, SessionKeys};
use crate::tls::key_block::KeyBlock;
use crate::tls::traffic_secret::{TrafficSecret, TrafficSecrets};
use crate::tls::version::ProtocolVersion;

/// The side of the connection that a layer is on. We are clients; tests and fuzz
/// targets also need the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    #[cfg(any(test, feature = "fuzzing"))]
    Server,
}

impl Side {
    /// Puts what is the client's and what is the server's into the order write, read.
    fn write_read<T>(self, client: T, server: T) -> (T, T) {
        match self {
            Self::Client => (client, server),
            #[cfg(any(test, feature = "fuzzing"))]
            Self::Server => (server, client),
        }
    }
}

/// Checks everything about `established` and makes the directions of `side`. The keys in it are
/// wiped.
pub(super) fn halves(
    established: Established,
    side: Side,
    limit: impl Fn(Aead) -> KeyLimit,
) -> Result<(WriteHalf, ReadHalf), RecordError> {
    let Established {
        version,
        cipher_suite,
        client_sequence,
        server_sequence,
        ..
    } = established;
    let is_tls13 = version == ProtocolVersion::TLS1_3;
    let fits = version == ProtocolVersion::TLS1_2 || is_tls13;
    let aead = cipher_suite
        .aead()
        .filter(|_| fits && cipher_suite.is_tls13() == is_tls13)
        .ok_or(RecordError::Unsupported {
            version,
            cipher_suite,
        })?;
    // Right after its Finished a side has protected one record with these keys up to TLS 1.2,
    // none in TLS 1.3. Anything else is a mistake in whoever gives the keys.
    let expected = if is_tls13 { 0 } else { 1 };
    if (client_sequence, server_sequence) != (expected, expected) {
        let (client, server) = (client_sequence, server_sequence);
        return Err(RecordError::SequenceNumbers { client, server });
    }
    match established.keys {
        SessionKeys::KeyBlock(block) if !is_tls13 => {
            let shape = cipher_suite
                .key_block_shape(version)
                .ok_or(RecordError::Unsupported {
                    version,
                    cipher_suite,
                })?;
            let explicit = if aead.has_tls12_explicit_nonce() {
                Some(
                    established
                        .client_explicit_nonce
                        .ok_or(RecordError::MissingExplicitNonce)?,
                )
            } else {
                None
            };
            let start = Tls12Start {
                aead,
                explicit,
                sequence: expected,
                limit: limit(aead),
            };
            tls12_halves(&block, shape, &start, side)
        }
        SessionKeys::TrafficSecrets(secrets) if is_tls13 => {
            let need = cipher_suite
                .hash_len()
                .expect("the suite was checked to be of TLS 1.3");
            tls13_halves(secrets, need, aead, side, limit(aead))
        }
        _ => Err(RecordError::WrongKeys { version }),
    }
}

struct Tls12Start {
    aead: Aead,
    explicit: Option<[u8; 8]>,
    sequence: u64,
    limit: KeyLimit,
}

fn tls12_halves(
    block: &KeyBlock,
    shape: crate::tls::key_block::KeyBlockShape,
    start: &Tls12Start,
    side: Side,
) -> Result<(WriteHalf, ReadHalf), RecordError> {
    let parts = block.split(&shape)?;
    let direction = |key: &[u8], fixed_iv: &[u8]| {
        // GCM has four bytes here; the explicit nonce takes the place of the other eight.
        let mut iv = Zeroizing::new([0; NONCE_LEN]);
        iv.iter_mut()
            .zip(fixed_iv)
            .for_each(|(byte, fixed)| *byte = *fixed);
        Direction::new(start.aead, key, iv, start.sequence, start.limit)
    };
    let (write, read) = side.write_read(
        direction(parts.client_write_key, parts.client_write_iv),
        direction(parts.server_write_key, parts.server_write_iv),
    );
    Ok((
        WriteHalf::Tls12(tls12::Sealer::new(write, start.explicit)),
        ReadHalf::Tls12(tls12::Opener::new(read, start.explicit.is_some())),
    ))
}

fn tls13_halves(
    secrets: TrafficSecrets,
    need: usize,
    aead: Aead,
    side: Side,
    limit: KeyLimit,
) -> Result<(WriteHalf, ReadHalf), RecordError> {
    let half = |secret: Zeroizing<Vec<u8>>| {
        let got = secret.len();
        let wrong = RecordError::SecretLength { need, got };
        if got != need {
            return Err(wrong);
        }
        let secret = TrafficSecret::new(secret).ok_or(wrong)?;
        Ok(Half::new(aead, secret, limit))
    };
    let (write, read) = side.write_read(half(secrets.client)?, half(secrets.server)?);
    Ok((WriteHalf::Tls13(write), ReadHalf::Tls13(read)))
}
