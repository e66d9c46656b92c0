//! TLS 1.3: whom the card has verified, who it was itself, and what was agreed on; all of it before
//! the keys are read.
//!
//! Source: specs/eap-tls-card.md §9.3; design §2.

use proto::apdu::CommandApdu;
use proto::card::{EapCardCommand, ExportIndex};
use proto::tls::CertificateList;
use sha2::{Digest, Sha256};

use super::context::Context;
use super::export::{Exporting, ask_key_block, exported};
use super::machine::{CardState, Next};
use super::server_hello::check_alpn;
use crate::card::answer::Answer;
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};

pub(super) fn ask_server_certificates(context: &Context, exporting: Exporting) -> Next {
    ask(
        context,
        CardStep::ServerCertificates,
        ExportIndex::ServerCertificates,
        CardState::ServerCertificates(ExpectServerCertificates(exporting)),
    )
}

/// Awaits the server's certificates as the card verified them. A card that does not tell is of no
/// use for TLS 1.3.
pub(super) struct ExpectServerCertificates(Exporting);

impl ExpectServerCertificates {
    pub(super) fn on_answer(
        mut self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        let list = CertificateList::decode_entries(exported(answer)?).map_err(|error| {
            CardFault::Flight {
                step: CardStep::ServerCertificates,
                source: error.into(),
            }
        })?;
        context
            .verifier
            .verify_peer(&list.0, &context.request.server_name)?;
        self.0.session.peer_certificates = list.0;
        Ok(ask(
            context,
            CardStep::ClientCertificate,
            ExportIndex::ClientCertificate,
            CardState::ClientCertificate(ExpectClientCertificate(self.0)),
        ))
    }
}

/// Awaits the certificate that the card used: the identity's, or none if the server asked for none.
pub(super) struct ExpectClientCertificate(Exporting);

impl ExpectClientCertificate {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        if answer.sw().0 != NOT_THERE {
            let got: [u8; 32] = Sha256::digest(answer.success()?).into();
            if got != context.request.client_certificate_sha256 {
                return Err(SessionError::CardSwapped { got });
            }
        }
        Ok(ask(
            context,
            CardStep::Alpn,
            ExportIndex::Alpn,
            CardState::Alpn(ExpectAlpn(self.0)),
        ))
    }
}

/// Awaits the application protocol that the server chose; empty if none.
pub(super) struct ExpectAlpn(Exporting);

impl ExpectAlpn {
    pub(super) fn on_answer(
        mut self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        if answer.sw().0 != NOT_THERE {
            let protocol = answer.success()?.to_vec();
            if !protocol.is_empty() {
                check_alpn(context, &protocol)?;
                self.0.session.server_hello.alpn = Some(protocol);
            }
        }
        Ok(ask_key_block(context, self.0))
    }
}

fn ask(context: &Context, step: CardStep, index: ExportIndex, state: CardState) -> Next {
    let command = EapCardCommand::ExportedParameter(index)
        .to_apdu(context.cla())
        .expect("one byte fits an APDU");
    let command = match context.parameters.profile.extended_length {
        true => command.with_le(CommandApdu::MAX_LONG_LE),
        false => command,
    };
    Next::Command(step, command, state)
}

/// Referenced data not found: there was none in this handshake.
const NOT_THERE: u16 = 0x6A88;
