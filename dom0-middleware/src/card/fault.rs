//! What a card did wrong, and at which command.

use std::fmt;

use proto::apdu::StatusWord;
use proto::card::ExchangeError;
use proto::eap::EapError;
use proto::error::DecodeError;
use proto::piv::driver::{PivFault, PivStep};
use proto::tls::{CipherSuite, FlightError, ProtocolVersion};
use thiserror::Error;

use super::transport::TransportError;

/// The commands of a card's life, as an operator would name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardStep {
    /// SELECT of the application.
    Select,
    /// Get-Current-Identity, by which the PIN state is seen.
    CurrentIdentity,
    /// VERIFY of the user PIN.
    VerifyPin,
    /// Get-Next-Identity.
    NextIdentity,
    /// Set-Identity.
    SetIdentity,
    /// Method function 0.
    ReadCertificate,
    /// Method function C2.
    StoreSessionId,
    /// Parameters for the next handshake.
    Parameters,
    /// Reset-State.
    ResetState,
    /// The EAP-TLS start packet, answered by ClientHello.
    Start,
    /// The first server flight.
    FirstFlight,
    /// The last server flight.
    LastFlight,
    /// A record of the server, in TLS 1.3.
    ServerRecord,
    /// Get-State.
    State,
    /// The export of the suite.
    CipherSuite,
    /// The export of the server's certificates.
    ServerCertificates,
    /// The export of the client certificate.
    ClientCertificate,
    /// The export of the application protocol.
    Alpn,
    /// The export of the KeyBlock.
    KeyBlock,
    /// One of a PIV card.
    Piv(PivStep),
}

impl fmt::Display for CardStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Piv(step) => return step.fmt(f),
            Self::Select => "SELECT",
            Self::CurrentIdentity => "Get-Current-Identity",
            Self::VerifyPin => "VERIFY",
            Self::NextIdentity => "Get-Next-Identity",
            Self::SetIdentity => "Set-Identity",
            Self::ReadCertificate => "read certificate",
            Self::StoreSessionId => "store session id",
            Self::Parameters => "handshake parameters",
            Self::ResetState => "Reset-State",
            Self::Start => "start",
            Self::FirstFlight => "first server flight",
            Self::LastFlight => "last server flight",
            Self::ServerRecord => "server record",
            Self::State => "Get-State",
            Self::CipherSuite => "Get CipherSuite",
            Self::ServerCertificates => "get server certificates",
            Self::ClientCertificate => "get client certificate",
            Self::Alpn => "get application protocol",
            Self::KeyBlock => "Get KeyBlock",
        })
    }
}

/// What a card did that no card of its profile does.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CardFault {
    /// It did not answer, or not with an APDU.
    #[error("{step}: {source}")]
    Transport {
        /// At which command.
        step: CardStep,
        /// What happened.
        source: TransportError,
    },
    /// A status word that ends the matter.
    #[error("{step}: refused with {sw}")]
    Refused {
        /// At which command.
        step: CardStep,
        /// The status word.
        sw: StatusWord,
    },
    /// The pieces of a long answer do not end, or do not fit.
    #[error("{step}: {source}")]
    Exchange {
        /// At which command.
        step: CardStep,
        /// What was wrong.
        source: ExchangeError,
    },
    /// Success without the data that must come with it.
    #[error("{step}: success without an answer")]
    NoAnswer {
        /// At which command.
        step: CardStep,
    },
    /// Data that is not what the command returns.
    #[error("{step}: {source}")]
    Malformed {
        /// At which command.
        step: CardStep,
        /// What was wrong.
        source: DecodeError,
    },
    /// An EAP packet that does not answer the one sent.
    #[error("{step}: {problem}")]
    Eap {
        /// At which command.
        step: CardStep,
        /// What was wrong.
        problem: EapProblem,
    },
    /// A TLS flight that cannot be read.
    #[error("{step}: the card's flight: {source}")]
    Flight {
        /// At which command.
        step: CardStep,
        /// What was wrong.
        source: FlightError,
    },
    /// TLS data where there must be none.
    #[error("{step}: {got} bytes of TLS data where an empty packet ends the handshake")]
    SurplusFlight {
        /// At which command.
        step: CardStep,
        /// How many bytes.
        got: usize,
    },
    /// No client certificate although the server asked for one.
    #[error("no client certificate in the card's flight")]
    NoClientCertificate,
    /// Get-State does not say authenticated after the handshake.
    #[error("Get-State says {got:02X} after the handshake")]
    NotAuthenticated {
        /// The state's value.
        got: u8,
    },
    /// The card has no way to export what the record layer needs.
    #[error("{step}: this card does not export it ({sw})")]
    CannotExport {
        /// Which export.
        step: CardStep,
        /// The status word; 9000 with nothing behind it means the same.
        sw: StatusWord,
    },
    /// The card reports another suite than ServerHello.
    #[error("the card reports {got}, ServerHello chose {expected}")]
    SuiteMismatch {
        /// What ServerHello says.
        expected: CipherSuite,
        /// What the card says.
        got: CipherSuite,
    },
    /// The card reports another version than ServerHello.
    #[error("the card reports {got}, ServerHello chose {expected}")]
    VersionMismatch {
        /// What ServerHello says.
        expected: ProtocolVersion,
        /// What the card says.
        got: ProtocolVersion,
    },
    /// The KeyBlock is shorter than its suite needs.
    #[error("a key block of {got} bytes, {need} needed")]
    ShortKeyBlock {
        /// Bytes the suite needs.
        need: usize,
        /// Bytes the card gave.
        got: usize,
    },
    /// Its GCM Finished record is too short to hold a nonce.
    #[error("no explicit nonce in the client's Finished record")]
    NoExplicitNonce,
    /// More commands than any sound card needs.
    #[error("{step}: more than {max} commands")]
    TooManyCommands {
        /// At which command.
        step: CardStep,
        /// The bound.
        max: u32,
    },
    /// What a PIV card did.
    #[error(transparent)]
    Piv(#[from] PivFault),
    /// Empty answers without end in single-step mode.
    #[error("{step}: no flight after {max} empty packets")]
    NoProgress {
        /// At which command.
        step: CardStep,
        /// The bound.
        max: u32,
    },
    /// It offers a session although it was told to forget it.
    #[error("the card still offers a session it was made to forget")]
    StillOffersSession,
}

/// What is wrong with an EAP packet of a card.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EapProblem {
    /// NAK: no identity is set.
    #[error("NAK, no identity is set")]
    Nak,
    /// Not an EAP packet, or one whose length is wrong.
    #[error("{0}")]
    Packet(#[from] DecodeError),
    /// Fragments that do not fit together.
    #[error("{0}")]
    Fragments(#[from] EapError),
    /// Not a response.
    #[error("code {got:02X} instead of a response")]
    Code {
        /// The code.
        got: u8,
    },
    /// The answer to something else.
    #[error("identifier {got:02X} instead of {expected:02X}")]
    Identifier {
        /// The identifier of the request.
        expected: u8,
        /// The identifier of the response.
        got: u8,
    },
    /// Another method than EAP-TLS.
    #[error("method {got:02X} instead of EAP-TLS")]
    Method {
        /// The method, 0 when there is none.
        got: u8,
    },
    /// A segment that is not the last was answered with data.
    #[error("an answer to an unfinished packet")]
    EarlyAnswer,
    /// A fragment that is not the last was not acknowledged.
    #[error("a fragment was not acknowledged")]
    NotAcknowledged,
}
