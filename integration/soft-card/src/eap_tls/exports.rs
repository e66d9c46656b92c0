//! What a finished handshake lets the host read: Get-Exported-Parameter, PROPOSED coding.

use proto::apdu::StatusWord;
use proto::card::ExportIndex;
use rustls::client::UnbufferedClientConnection;
use rustls::{ConnectionTrafficSecrets, Error, HandshakeKind, ProtocolVersion};
use zeroize::Zeroizing;

use super::key_log::TrafficSecretLog;
use crate::status;

/// The parameters of one successful handshake.
///
/// They live until a start packet, Reset-State, Set-Identity, SELECT or power-off.
///
/// Source: EAP-TLS card specification §9.2, §9.3.
pub(super) struct Exports {
    cipher_suite: u16,
    version: u16,
    flags: u8,
    keys: Zeroizing<Vec<u8>>,
    server_certificates: Vec<Vec<u8>>,
    client_certificate: Option<Vec<u8>>,
    alpn: Vec<u8>,
}

/// What the connection itself does not tell.
pub(super) struct Observed<'a> {
    /// ServerHello confirmed the extended master secret.
    pub(super) extended_master_secret: bool,
    /// The certificate whose key signed in this handshake.
    pub(super) client_certificate: Option<Vec<u8>>,
    /// The filter that kept the TLS 1.3 application secrets.
    pub(super) secrets: &'a TrafficSecretLog,
}

impl Exports {
    /// Takes the keys out of a finished connection, which ends there.
    ///
    /// # Errors
    /// The connection is not at the first record after the handshake, or uses what the engine was
    /// not asked for.
    pub(super) fn dangerous_export(
        connection: UnbufferedClientConnection,
        observed: Observed<'_>,
    ) -> Result<Self, Error> {
        let missing = || Error::HandshakeNotComplete;
        let version = connection.protocol_version().ok_or_else(missing)?;
        let cipher_suite = connection
            .negotiated_cipher_suite()
            .ok_or_else(missing)?
            .suite();
        let abbreviated = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let mut flags = 0;
        if abbreviated {
            flags |= FLAG_ABBREVIATED;
        }
        if version == ProtocolVersion::TLSv1_2 && observed.extended_master_secret {
            flags |= FLAG_EXTENDED_MASTER_SECRET;
        }
        let server_certificates = connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|der| der.to_vec());
        let server_certificates = server_certificates.collect();
        let alpn = connection.alpn_protocol().unwrap_or_default().to_vec();

        let (extracted, _) = connection.dangerous_into_kernel_connection()?;
        let ((client_sequence, client), (server_sequence, server)) = (extracted.tx, extracted.rx);
        let (expected_sequence, keys) = match version {
            ProtocolVersion::TLSv1_3 => (0, observed.secrets.take().ok_or_else(missing)?),
            _ => (1, key_block(&client, &server)?),
        };
        if (client_sequence, server_sequence) != (expected_sequence, expected_sequence) {
            return Err(Error::General(
                "records past the handshake were used".into(),
            ));
        }
        Ok(Self {
            cipher_suite: cipher_suite.into(),
            version: version.into(),
            flags,
            keys,
            server_certificates,
            client_certificate: observed.client_certificate,
            alpn,
        })
    }

    /// The value at `index`.
    ///
    /// # Errors
    /// 6A88: no such index, or nothing there in this handshake.
    pub(super) fn read(&self, index: ExportIndex) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        let value = match index {
            ExportIndex::CipherSuite => {
                let [suite1, suite2] = self.cipher_suite.to_be_bytes();
                let [version1, version2] = self.version.to_be_bytes();
                vec![suite1, suite2, version1, version2, self.flags]
            }
            ExportIndex::KeyBlock => return Ok(self.keys.clone()),
            ExportIndex::ServerCertificates => certificate_list(&self.server_certificates),
            ExportIndex::ClientCertificate => self
                .client_certificate
                .clone()
                .ok_or(status::UNKNOWN_INDEX)?,
            ExportIndex::Alpn => self.alpn.clone(),
            _ => return Err(status::UNKNOWN_INDEX),
        };
        Ok(Zeroizing::new(value))
    }
}

/// `client key | server key | client IV | server IV`, RFC 5246 §6.3, where an AEAD suite has no
/// MAC keys and its IV is the fixed part of the nonce: four bytes for GCM, twelve for ChaCha20.
///
/// rustls lengthens a GCM IV by the eight bytes its explicit nonces start from; they are no part
/// of the RFC's key block.
fn key_block(
    client: &ConnectionTrafficSecrets,
    server: &ConnectionTrafficSecrets,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (client_key, client_iv) = parts(client)?;
    let (server_key, server_iv) = parts(server)?;
    let pieces = [client_key, server_key, client_iv, server_iv];
    let mut block = Zeroizing::new(Vec::with_capacity(
        pieces.iter().map(|piece| piece.len()).sum(),
    ));
    pieces
        .iter()
        .for_each(|piece| block.extend_from_slice(piece));
    Ok(block)
}

/// Key and fixed IV of one direction.
fn parts(secrets: &ConnectionTrafficSecrets) -> Result<(&[u8], &[u8]), Error> {
    use ConnectionTrafficSecrets::{Aes128Gcm, Aes256Gcm, Chacha20Poly1305};
    match secrets {
        Aes128Gcm { key, iv } | Aes256Gcm { key, iv } => {
            let (salt, _) = iv.as_ref().split_at(GCM_SALT_LEN);
            Ok((key.as_ref(), salt))
        }
        Chacha20Poly1305 { key, iv } => Ok((key.as_ref(), iv.as_ref())),
        _ => Err(Error::General("unknown AEAD".into())),
    }
}

/// Per certificate a three-byte length and the DER, leaf first.
fn certificate_list(certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut list = Vec::new();
    for der in certificates {
        let length = u32::try_from(der.len()).expect("a certificate came in a handshake message");
        list.extend_from_slice(&length.to_be_bytes()[1..]);
        list.extend_from_slice(der);
    }
    list
}

const FLAG_ABBREVIATED: u8 = 0x01;
const FLAG_EXTENDED_MASTER_SECRET: u8 = 0x02;
/// Bytes of a TLS 1.2 GCM nonce that the key block gives (RFC 5288 §3).
const GCM_SALT_LEN: usize = 4;
