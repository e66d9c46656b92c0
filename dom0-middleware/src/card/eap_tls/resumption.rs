//! The one session of a card that may be resumed, and for whom.
//!
//! A card keeps one session and offers it whatever identity is set (§7.6). What it offers is
//! harmless only if it was made by a full handshake that we checked, for the same domain,
//! identity, server name and trust. That one handshake is remembered here, in memory only. The
//! record is taken away the moment a full server flight reaches the card (the card overwrites its
//! session before the handshake has succeeded), and written anew when that handshake is done.

use proto::id::{DomainUuid, IdentityName};
use proto::tls::{ClientHello, ServerHello};
use sha2::{Digest, Sha256};

use super::request::HandshakeRequest;

/// A checked full handshake whose session the card may offer again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedSession {
    /// SHA-256 of the session id or ticket.
    offered: [u8; 32],
    domain: DomainUuid,
    identity: IdentityName,
    server_name: String,
    trust: [u8; 32],
    /// SHA-256 of the certificate the card presented then.
    client_certificate: [u8; 32],
    /// SHA-256 of the server's leaf certificate.
    leaf: [u8; 32],
    pub(super) extended_master_secret: bool,
    /// What the server showed then: checked again (dates pass), and told to the guest.
    pub(super) peer_certificates: Vec<Vec<u8>>,
}

impl OfferedSession {
    /// The record of a full handshake: what a card will offer is the ticket if one came, else the
    /// session id; nothing if the server gave neither.
    pub(super) fn after_full(
        request: &HandshakeRequest,
        server_hello: &ServerHello,
        peer_certificates: Vec<Vec<u8>>,
        new_ticket: Option<&[u8]>,
    ) -> Option<Self> {
        let session_id = server_hello.session_id.as_slice();
        let offered = new_ticket
            .filter(|ticket| !ticket.is_empty())
            .unwrap_or(session_id);
        if offered.is_empty() {
            return None;
        }
        let leaf = Sha256::digest(peer_certificates.first()?).into();
        Some(Self {
            offered: Sha256::digest(offered).into(),
            domain: request.domain,
            identity: request.identity.clone(),
            server_name: request.server_name.to_ascii_lowercase(),
            trust: request.trust,
            client_certificate: request.client_certificate_sha256,
            leaf,
            extended_master_secret: server_hello.extended_master_secret,
            peer_certificates,
        })
    }

    /// Whether the session was made for what `request` asks for.
    pub(super) fn fits(&self, request: &HandshakeRequest) -> bool {
        self.domain == request.domain
            && self.identity == request.identity
            && self.server_name.eq_ignore_ascii_case(&request.server_name)
            && self.trust == request.trust
            && self.client_certificate == request.client_certificate_sha256
    }

    /// Whether `offer` is this session.
    pub(super) fn is(&self, offer: &Offer) -> bool {
        matches!(offer, Offer::Session(hash) if *hash == self.offered)
    }

    /// SHA-256 of the leaf certificate of the server it was made with.
    #[must_use]
    pub fn leaf_sha256(&self) -> &[u8; 32] {
        &self.leaf
    }
}

/// What a ClientHello offers to resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Nothing,
    /// SHA-256 of the ticket, or of the session id when there is none.
    Session([u8; 32]),
    /// A TLS 1.3 session, which no record stands for.
    PreSharedKey,
}

impl Offer {
    /// What `hello` offers, given the session the card is known to have.
    pub(super) fn of(hello: &ClientHello, known: Option<&OfferedSession>) -> Self {
        if hello.has_pre_shared_key {
            return Self::PreSharedKey;
        }
        if let Some(ticket) = &hello.session_ticket
            && !ticket.is_empty()
        {
            return Self::Session(Sha256::digest(ticket).into());
        }
        if hello.session_id.is_empty() {
            return Self::Nothing;
        }
        let offer = Self::Session(Sha256::digest(&hello.session_id).into());
        // With TLS 1.3 on offer a session id without ticket is the random one of RFC 8446 §4.1.2,
        // appendix D.4, unless it is the one known. Should it be another real one after all, no
        // record fits and resuming fails.
        let is_known = known.is_some_and(|session| session.is(&offer));
        match hello.offers_tls13() && !is_known {
            true => Self::Nothing,
            false => offer,
        }
    }

    /// Whether this is the stand-in given to the card to make it forget.
    pub(super) fn is_stand_in(&self, forgotten_session_id: &[u8; 32]) -> bool {
        *self == Self::Session(Sha256::digest(forgotten_session_id).into())
    }
}
