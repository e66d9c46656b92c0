//! A soft card and a rustls server, with a meddler between them and the host.

use dom0_middleware::card::eap_tls::HandshakeRequest;
use proto::apdu::{CommandApdu, ResponseApdu};
use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;
use sha2::{Digest, Sha256};
use soft_card::Card;

use crate::driver::World;
use crate::meddler::{Meddler, Way};
use crate::partners::{IDENTITY, Pki, SERVER_NAME, Server};

/// One of each.
pub struct Live<'a> {
    card: Card,
    server: Server,
    tls13: bool,
    meddler: Meddler<'a>,
    /// What went over each way, as it left.
    pub log: Vec<(Way, Vec<u8>)>,
}

impl<'a> Live<'a> {
    /// A card just powered on, and a connection to the server.
    pub fn new(tls13: bool, meddler: Meddler<'a>) -> Self {
        let pki = Pki::get();
        Self {
            card: pki.card(tls13),
            server: pki.connect(tls13),
            tls13,
            meddler,
            log: Vec::new(),
        }
    }

    /// Whether nothing is changed on any way.
    pub fn is_untouched(&self) -> bool {
        self.meddler.is_idle()
    }

    /// A new connection to the server.
    pub fn connect(&mut self) {
        self.server = Pki::get().connect(self.tls13);
    }

    fn pass(&mut self, way: Way, message: &[u8]) -> Vec<u8> {
        self.log.push((way, message.to_vec()));
        self.meddler.pass(way, message)
    }
}

impl World for Live<'_> {
    fn card(&mut self, command: &CommandApdu) -> Option<ResponseApdu> {
        let command = self.pass(Way::ToCard, &command.encode());
        let response = self.card.transmit(&command).response;
        let response = self.pass(Way::FromCard, &response);
        ResponseApdu::decode(&response).ok()
    }

    fn to_server(&mut self, records: &[u8]) {
        let records = self.pass(Way::ToServer, records);
        self.server.receive(&records);
    }

    fn from_server(&mut self) -> Option<Vec<u8>> {
        let records = self.server.flush();
        // A server that has nothing to say has given up.
        (!records.is_empty()).then(|| self.pass(Way::FromServer, &records))
    }
}

/// A handshake of the card's identity with the server.
pub fn request() -> HandshakeRequest {
    HandshakeRequest {
        domain: DomainUuid::from_bytes([7; 16]),
        identity: IDENTITY.parse().expect("a friendly name"),
        server_name: SERVER_NAME.to_owned(),
        alpn: Vec::new(),
        min_version: ProtocolVersion::TLS1_2,
        max_version: ProtocolVersion::TLS1_3,
        version_wish: false,
        resume: true,
        trust: [1; 32],
        client_certificate_sha256: Sha256::digest(Pki::get().client_der()).into(),
        max_bytes: 64 << 10,
    }
}
