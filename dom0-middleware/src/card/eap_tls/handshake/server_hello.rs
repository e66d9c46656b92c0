//! What ServerHello may choose: nothing the card did not offer, nothing the binding forbids,
//! nothing the record layer cannot go on with.

use proto::tls::{ClientHello, KeyBlockShape, ServerHello};

use super::client_hello::offers_version;
use super::context::Context;
use crate::card::eap_tls::parameters::MAX_VERSION;
use crate::card::error::SessionError;
use crate::card::session_fault::HandshakeFault;

/// Checks the choice and returns the shape of the KeyBlock that follows from it.
pub(super) fn check(
    context: &Context,
    client: &ClientHello,
    server: &ServerHello,
) -> Result<KeyBlockShape, SessionError> {
    let got = server.version;
    let allowed = context.request.min_version..=context.request.max_version.min(MAX_VERSION);
    if server.is_retry || !allowed.contains(&got) || !offers_version(client, got) {
        return Err(HandshakeFault::Version { got }.into());
    }
    let suite = server.cipher_suite;
    if !client.cipher_suites.contains(&suite) {
        return Err(HandshakeFault::SuiteNotOffered { got: suite }.into());
    }
    let shape = suite
        .key_block_shape(server.version)
        .ok_or(HandshakeFault::SuiteUnknown { got: suite })?;
    if let Some(protocol) = &server.alpn
        && !context.request.alpn.contains(protocol)
    {
        return Err(HandshakeFault::Alpn.into());
    }
    Ok(shape)
}
