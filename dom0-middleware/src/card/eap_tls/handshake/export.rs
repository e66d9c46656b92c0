//! After the Finished messages: the card's state, the suite, and last of all the KeyBlock.

use proto::apdu::CommandApdu;
use proto::card::{CardState as EapState, CipherSuiteAnswer, EapCardCommand};
use proto::tls::{
    CipherSuite, Established, KeyBlock, KeyBlockShape, ProtocolVersion, SessionKeys,
    TrafficSecrets, explicit_nonce, next_explicit_nonce,
};
use zeroize::Zeroizing;

use super::client_flight::Session;
use super::context::Context;
use super::machine::{CardState, Completed, Next};
use super::server_hello::KeyShape;
use super::tls13_export::ask_server_certificates;
use crate::card::answer::Answer;
use crate::card::eap_tls::resumption::OfferedSession;
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};

/// A handshake whose flights are done.
pub(super) struct Exporting {
    pub(super) session: Session,
    /// The client's Finished as it went over the wire.
    pub(super) finished_record: Vec<u8>,
    /// What the card may offer once this has succeeded.
    pub(super) record: Option<OfferedSession>,
}

/// Asks the card for its state first, if that means something, else for the suite.
pub(super) fn export(context: &Context, exporting: Exporting) -> Next {
    if context.parameters.profile.draft26_states && context.capabilities.state {
        let command = EapCardCommand::State
            .to_apdu(context.cla())
            .expect("Get-State has no data");
        let state = CardState::State(ExpectState(exporting));
        return Next::Command(CardStep::State, command, state);
    }
    ask_suite(context, exporting)
}

/// Awaits Get-State: a second opinion, not the first (§12).
pub(super) struct ExpectState(Exporting);

impl ExpectState {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        match state_of(answer)? {
            EapState::AUTHENTICATED => Ok(ask_suite(context, self.0)),
            EapState(got) => Err(CardFault::NotAuthenticated { got }.into()),
        }
    }
}

/// What Get-State answered.
pub(super) fn state_of(answer: &Answer) -> Result<EapState, SessionError> {
    let step = CardStep::State;
    let state = answer.success()?.first();
    Ok(EapState(*state.ok_or(CardFault::NoAnswer { step })?))
}

/// What is read behind the answer that `state` awaits, if the card keeps to what it says. The secrets of
/// TLS 1.3 are not among it: first the server's certificates are judged.
pub(super) fn exports(state: &CardState, context: &Context) -> Vec<CommandApdu> {
    let key_block = |exporting: &Exporting| match exporting.session.shape {
        KeyShape::KeyBlock(_) => Some(key_block_command(context)),
        KeyShape::TrafficSecrets { .. } => None,
    };
    match state {
        CardState::State(ExpectState(exporting)) => {
            let suite = std::iter::once(suite_command(context));
            suite.chain(key_block(exporting)).collect()
        }
        CardState::CipherSuite(ExpectCipherSuite(exporting)) => {
            key_block(exporting).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn suite_command(context: &Context) -> CommandApdu {
    let profile = &context.parameters.profile;
    profile.export_suite.to_apdu(profile.cla)
}

fn key_block_command(context: &Context) -> CommandApdu {
    let profile = &context.parameters.profile;
    profile.export_key_block.to_apdu(profile.cla)
}

pub(super) fn ask_suite(context: &Context, exporting: Exporting) -> Next {
    Next::Command(
        CardStep::CipherSuite,
        suite_command(context),
        CardState::CipherSuite(ExpectCipherSuite(exporting)),
    )
}

/// Awaits the negotiated suite, which must be ServerHello's.
pub(super) struct ExpectCipherSuite(Exporting);

impl ExpectCipherSuite {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        let step = CardStep::CipherSuite;
        let suite = CipherSuiteAnswer::decode(exported(answer)?)
            .map_err(|source| CardFault::Malformed { step, source })?;
        let server_hello = &self.0.session.server_hello;
        if suite.suite != server_hello.cipher_suite.0 {
            return Err(CardFault::SuiteMismatch {
                expected: server_hello.cipher_suite,
                got: CipherSuite(suite.suite),
            }
            .into());
        }
        if let Some(version) = suite.version
            && version != server_hello.version.0
        {
            return Err(CardFault::VersionMismatch {
                expected: server_hello.version,
                got: ProtocolVersion(version),
            }
            .into());
        }
        match self.0.session.shape {
            KeyShape::KeyBlock(_) => Ok(ask_key_block(context, self.0)),
            KeyShape::TrafficSecrets { .. } => Ok(ask_server_certificates(context, self.0)),
        }
    }
}

pub(super) fn ask_key_block(context: &Context, exporting: Exporting) -> Next {
    Next::Command(
        CardStep::KeyBlock,
        key_block_command(context),
        CardState::KeyBlock(ExpectKeyBlock(exporting)),
    )
}

/// Awaits the KeyBlock. Nothing can fail after it but the broker's last judgement.
pub(super) struct ExpectKeyBlock(Exporting);

impl ExpectKeyBlock {
    pub(super) fn on_answer(
        self,
        context: &Context,
        answer: &Answer,
    ) -> Result<Next, SessionError> {
        let data = exported(answer)?;
        let Exporting {
            session,
            finished_record,
            record,
        } = self.0;
        let (keys, sequence) = cut(data, session.shape)?;
        let client_explicit_nonce = match &session.shape {
            KeyShape::KeyBlock(shape) if uses_explicit_nonce(shape) => {
                Some(next_nonce(&finished_record)?)
            }
            _ => None,
        };
        let server_hello = session.server_hello;
        Ok(Next::Finished(Box::new(Completed {
            keys: Established {
                version: server_hello.version,
                cipher_suite: server_hello.cipher_suite,
                keys,
                client_sequence: sequence,
                server_sequence: sequence,
                client_explicit_nonce,
            },
            abbreviated: session.abbreviated,
            extended_master_secret: server_hello.extended_master_secret,
            encrypt_then_mac: server_hello.encrypt_then_mac,
            consumed: context.consumed,
            alpn: server_hello.alpn,
            peer_certificates: session.peer_certificates,
            session: record,
        })))
    }
}

/// Cuts what the card gave to what the suite needs, and says with which sequence number both sides
/// go on (§8.2): up to TLS 1.2 each has sealed its Finished under these keys, in TLS 1.3 nothing.
/// A card may give more than the suite needs; what exceeds it is nobody's.
fn cut(data: &[u8], shape: KeyShape) -> Result<(SessionKeys, u64), CardFault> {
    let got = data.len();
    match shape {
        KeyShape::KeyBlock(shape) => {
            let need = shape.total();
            let block = data.get(..need);
            let block = block.ok_or(CardFault::ShortKeyBlock { need, got })?;
            Ok((SessionKeys::KeyBlock(KeyBlock::new(block.to_vec())), 1))
        }
        KeyShape::TrafficSecrets { secret_len } => {
            let need = 2 * secret_len;
            let secrets = data.get(..need);
            let secrets = secrets.ok_or(CardFault::ShortKeyBlock { need, got })?;
            let (client, server) = secrets.split_at(secret_len);
            let secrets = TrafficSecrets {
                client: Zeroizing::new(client.to_vec()),
                server: Zeroizing::new(server.to_vec()),
            };
            Ok((SessionKeys::TrafficSecrets(secrets), 0))
        }
    }
}

/// The data of an export; a card without the command, or with an empty answer, cannot export.
pub(super) fn exported(answer: &Answer) -> Result<&[u8], SessionError> {
    let empty = answer.is_success() && answer.data().is_empty();
    if answer.is_missing() || empty {
        return Err(CardFault::CannotExport {
            step: answer.step,
            sw: answer.sw(),
        }
        .into());
    }
    answer.success()
}

/// GCM and CCM of TLS 1.2 carry eight bytes of nonce in each record (RFC 5288 §3); ChaCha20 has
/// its whole nonce in the KeyBlock, CBC and RC4 have MAC keys there.
fn uses_explicit_nonce(shape: &KeyBlockShape) -> bool {
    shape.mac_key_len == 0 && shape.fixed_iv_len == 4
}

/// The nonce after the one in the client's Finished: never a guess, never the same again.
fn next_nonce(finished_record: &[u8]) -> Result<[u8; 8], CardFault> {
    explicit_nonce(finished_record)
        .map(next_explicit_nonce)
        .ok_or(CardFault::NoExplicitNonce)
}
