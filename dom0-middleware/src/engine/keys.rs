//! The keys of a finished handshake, in the form that is handed over.

use proto::tls::{
    CipherSuite, Established, KeyBlock, ProtocolVersion, SessionKeys, explicit_nonce,
    next_explicit_nonce,
};
use rustls::ConnectionTrafficSecrets;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use zeroize::Zeroizing;

use super::error::{internal, of_rustls};
use super::secrets::ApplicationSecrets;
use crate::card::SessionError;

/// What rustls keeps of a connection whose keys are elsewhere.
pub(super) type Rest = KernelConnection<ClientConnectionData>;

/// Takes the keys out of `connection`, whose handshake is over, and checks that both sides stand
/// right behind it. `finished` is the last record of the client.
pub(super) fn take(
    connection: UnbufferedClientConnection,
    secrets: &ApplicationSecrets,
    finished: &[u8],
) -> Result<(Established, Rest), SessionError> {
    let (Some(version), Some(suite)) = (
        connection.protocol_version(),
        connection.negotiated_cipher_suite(),
    ) else {
        return Err(internal("a handshake without version or suite"));
    };
    let version = ProtocolVersion(version.into());
    let cipher_suite = CipherSuite(suite.suite().into());
    let (extracted, rest) = connection
        .dangerous_into_kernel_connection()
        .map_err(|error| of_rustls(&error, None))?;
    let ((client_sequence, client), (server_sequence, server)) = (extracted.tx, extracted.rx);
    let is_tls13 = version == ProtocolVersion::TLS1_3;
    // Up to TLS 1.2 each side has sealed its Finished under these keys, in TLS 1.3 nothing.
    let expected = if is_tls13 { 0 } else { 1 };
    if (client_sequence, server_sequence) != (expected, expected) {
        return Err(internal(format!(
            "sequence numbers {client_sequence} and {server_sequence} after a handshake of {version}"
        )));
    }
    let (keys, client_explicit_nonce) = if is_tls13 {
        let missing = || internal("a handshake of TLS 1.3 without its secrets");
        (
            SessionKeys::TrafficSecrets(secrets.take().ok_or_else(missing)?),
            None,
        )
    } else {
        let block = key_block(&client, &server, cipher_suite)?;
        let nonce = next_nonce(&client, cipher_suite, finished)?;
        (SessionKeys::KeyBlock(block), nonce)
    };
    let established = Established {
        version,
        cipher_suite,
        keys,
        client_sequence,
        server_sequence,
        client_explicit_nonce,
    };
    Ok((established, rest))
}

/// `client key | server key | client IV | server IV` (RFC 5246 §6.3). AEAD suites have no MAC keys,
/// and of rustls's twelve bytes of IV GCM has four there.
fn key_block(
    client: &ConnectionTrafficSecrets,
    server: &ConnectionTrafficSecrets,
    suite: CipherSuite,
) -> Result<KeyBlock, SessionError> {
    let shape = suite.key_block_shape(ProtocolVersion::TLS1_2);
    let shape = shape.ok_or_else(|| internal(format!("{suite} without a key block")))?;
    let ((client_key, client_iv), (server_key, server_iv)) = (parts(client)?, parts(server)?);
    let fixed = |iv: &'_ [u8]| iv.get(..shape.fixed_iv_len).map(<[u8]>::to_vec);
    let (Some(client_iv), Some(server_iv)) = (fixed(client_iv), fixed(server_iv)) else {
        return Err(internal(format!("an IV too short for {suite}")));
    };
    let (client_iv, server_iv) = (Zeroizing::new(client_iv), Zeroizing::new(server_iv));
    // As large as it will be, so that no copy is left behind.
    let mut block = Vec::with_capacity(shape.total());
    let pieces = [client_key, server_key, &client_iv, &server_iv];
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    if total != shape.total() {
        return Err(internal(format!(
            "a key block of {total} bytes for {suite}"
        )));
    }
    for piece in pieces {
        block.extend_from_slice(piece);
    }
    Ok(KeyBlock::new(block))
}

/// GCM only: one more than the nonce of Finished, which is read off the wire and must be the one
/// that rustls says it began with.
fn next_nonce(
    client: &ConnectionTrafficSecrets,
    suite: CipherSuite,
    finished: &[u8],
) -> Result<Option<[u8; 8]>, SessionError> {
    if !suite
        .aead()
        .is_some_and(|aead| aead.has_tls12_explicit_nonce())
    {
        return Ok(None);
    }
    let (_, iv) = parts(client)?;
    match (explicit_nonce(finished), iv.last_chunk()) {
        (Some(used), Some(first)) if used == *first => Ok(Some(next_explicit_nonce(used))),
        _ => Err(internal(
            "the nonce of Finished is not the first of its key",
        )),
    }
}

/// Key and IV of one direction.
fn parts(secrets: &ConnectionTrafficSecrets) -> Result<(&[u8], &[u8]), SessionError> {
    use ConnectionTrafficSecrets::{Aes128Gcm, Aes256Gcm, Chacha20Poly1305};
    match secrets {
        Aes128Gcm { key, iv } | Aes256Gcm { key, iv } | Chacha20Poly1305 { key, iv } => {
            Ok((key.as_ref(), iv.as_ref()))
        }
        _ => Err(internal("keys of an unknown cipher")),
    }
}
