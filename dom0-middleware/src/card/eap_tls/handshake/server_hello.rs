//! What ServerHello may choose: nothing the card did not offer, nothing the binding forbids,
//! nothing the record layer cannot go on with.

use proto::tls::{ClientHello, KeyBlockShape, ProtocolVersion, ServerHello};

use super::client_hello::offers_version;
use super::context::Context;
use crate::card::error::SessionError;
use crate::card::session_fault::HandshakeFault;

/// What the card will export as KeyBlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyShape {
    /// Up to TLS 1.2.
    KeyBlock(KeyBlockShape),
    /// TLS 1.3: two application traffic secrets, each as long as the suite's hash.
    TrafficSecrets {
        /// Bytes of one.
        secret_len: usize,
    },
}

/// Checks the choice and returns the shape of the KeyBlock that follows from it.
pub(super) fn check(
    context: &Context,
    client: &ClientHello,
    server: &ServerHello,
) -> Result<KeyShape, SessionError> {
    let got = server.version;
    let highest = context.capabilities.max_version();
    let allowed = context.request.min_version..=context.request.max_version.min(highest);
    let is_strange_retry = server.is_retry && got != ProtocolVersion::TLS1_3;
    if is_strange_retry || !allowed.contains(&got) || !offers_version(client, got) {
        return Err(HandshakeFault::Version { got }.into());
    }
    let suite = server.cipher_suite;
    if !client.cipher_suites.contains(&suite) {
        return Err(HandshakeFault::SuiteNotOffered { got: suite }.into());
    }
    let shape = match got {
        ProtocolVersion::TLS1_3 => suite
            .hash_len()
            .map(|secret_len| KeyShape::TrafficSecrets { secret_len }),
        _ => suite.key_block_shape(got).map(KeyShape::KeyBlock),
    };
    let shape = shape.ok_or(HandshakeFault::SuiteUnknown { got: suite })?;
    if let Some(protocol) = &server.alpn {
        check_alpn(context, protocol)?;
    }
    Ok(shape)
}

/// The application protocol chosen must be one of those offered.
pub(super) fn check_alpn(context: &Context, protocol: &Vec<u8>) -> Result<(), HandshakeFault> {
    match context.request.alpn.contains(protocol) {
        true => Ok(()),
        false => Err(HandshakeFault::Alpn),
    }
}
