//! One message of every kind, with every optional field and with none.

use zeroize::Zeroizing;

use super::*;
use crate::id::SessionId;
use crate::tls::{
    AlertDescription, CipherSuite, Established, KeyBlock, ProtocolVersion, SessionKeys,
    TrafficSecrets,
};

pub(super) const SESSION: SessionId = SessionId(7);

pub(super) fn from_agent() -> Vec<AgentMessage> {
    let data = |data: &[u8]| SessionData {
        session: SESSION,
        data: data.to_vec(),
    };
    vec![
        AgentMessage::Hello(Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: "domu-agent 0.1.0".to_owned(),
            token: vec![0xd2; 300],
        }),
        AgentMessage::Identities,
        AgentMessage::Open(Open {
            session: SESSION,
            server_name: "www.example.org".to_owned(),
            identity: Some("web01".to_owned()),
            alpn: vec!["h2".to_owned(), "http/1.1".to_owned()],
            min_version: Some(0x0303),
            max_version: Some(0x0304),
            resume: Some(false),
            role: Some("client".to_owned()),
        }),
        AgentMessage::Open(Open {
            session: SESSION,
            server_name: "localhost".to_owned(),
            identity: None,
            alpn: Vec::new(),
            min_version: None,
            max_version: None,
            resume: None,
            role: None,
        }),
        AgentMessage::ServerRecords(data(&[22, 3, 3, 0, 4, 14, 0, 0, 0])),
        AgentMessage::PostHandshake(data(&[4, 0, 0, 1, 9])),
        AgentMessage::Close(SESSION.into()),
        AgentMessage::Close(Close {
            session: SESSION,
            alert: Some(AlertDescription(116)),
        }),
        AgentMessage::Ping,
        AgentMessage::Pong,
    ]
}

pub(super) fn from_dom0() -> Vec<Dom0Message> {
    vec![
        welcome(Some(1_900_000_000)),
        welcome(None),
        Dom0Message::Identities(Vec::new()),
        Dom0Message::Identities(vec![IdentityInfo {
            name: "web01".parse().expect("a good name"),
            certificates: vec![vec![0x30; 400], vec![0x31; 20]],
            door: Door::EapTls,
            versions: vec![0x0303, 0x0304],
            server_name: true,
            alpn: false,
        }]),
        Dom0Message::Queued(Queued {
            session: SESSION,
            place: 3,
            expected_ms: 6_000,
        }),
        Dom0Message::ClientRecords(SessionData {
            session: SESSION,
            data: vec![22, 3, 1, 0, 1, 1],
        }),
        established_tls12(),
        established_tls13(),
        Dom0Message::Refused(Refused {
            session: Some(SESSION),
            code: RefusalCode::PeerUntrusted,
            message: "the server's certificate is not trusted".to_owned(),
            alert: Some(vec![21, 3, 3, 0, 2, 2, 48]),
            retry_after_ms: Some(500),
        }),
        Dom0Message::Refused(Refused {
            session: None,
            code: RefusalCode::Protocol,
            message: String::new(),
            alert: None,
            retry_after_ms: None,
        }),
        Dom0Message::Revoked {
            code: RefusalCode::TokenRevoked,
        },
        Dom0Message::Ping,
        Dom0Message::Pong,
    ]
}

fn welcome(token_expires: Option<u64>) -> Dom0Message {
    let domain = "11111111-2222-3333-4444-555555555555";
    Dom0Message::Welcome(Welcome {
        version: PROTOCOL_VERSION,
        domain: domain.parse().expect("a good UUID"),
        token_expires,
        limits: WelcomeLimits {
            handshakes: 256,
            handshake_bytes: 262_144,
            frame: 65_536,
        },
    })
}

/// TLS 1.2 with everything that is optional.
pub(super) fn established_tls12() -> Dom0Message {
    let keys = Established {
        version: ProtocolVersion::TLS1_2,
        cipher_suite: CipherSuite(0xc02f),
        keys: SessionKeys::KeyBlock(KeyBlock::new(vec![0xab; 40])),
        client_sequence: 1,
        server_sequence: 1,
        client_explicit_nonce: Some([1, 2, 3, 4, 5, 6, 7, 8]),
    };
    let flags = EstablishedFlags {
        abbreviated: false,
        extended_master_secret: true,
        encrypt_then_mac: false,
    };
    let certificates = vec![vec![0x30; 600], vec![0x31; 700]];
    established(keys, flags, Some("h2".to_owned()), certificates)
}

/// TLS 1.3 with nothing that is optional.
fn established_tls13() -> Dom0Message {
    let keys = Established {
        version: ProtocolVersion::TLS1_3,
        cipher_suite: CipherSuite(0x1301),
        keys: SessionKeys::TrafficSecrets(TrafficSecrets {
            client: Zeroizing::new(vec![0xcd; 32]),
            server: Zeroizing::new(vec![0xef; 32]),
        }),
        client_sequence: 0,
        server_sequence: 0,
        client_explicit_nonce: None,
    };
    established(keys, EstablishedFlags::default(), None, Vec::new())
}

fn established(
    keys: Established,
    flags: EstablishedFlags,
    alpn: Option<String>,
    peer_certificates: Vec<Vec<u8>>,
) -> Dom0Message {
    Dom0Message::Established(Box::new(EstablishedMessage {
        session: SESSION,
        keys,
        flags,
        consumed: 3_141,
        alpn,
        peer_certificates,
        card_ms: 1_900,
        wait_ms: 12,
    }))
}

/// The encoding of every sample.
pub(super) fn all_encoded() -> Vec<(Sender, Zeroizing<Vec<u8>>)> {
    let agent = from_agent()
        .into_iter()
        .map(|m| (Sender::Agent, m.encode()));
    let dom0 = from_dom0().into_iter().map(|m| (Sender::Dom0, m.encode()));
    agent.chain(dom0).collect()
}

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Agent,
    Dom0,
}

/// Decodes `body` as the other end would and gives only the verdict.
pub(super) fn receive(sender: Sender, body: &[u8]) -> Result<(), MessageError> {
    match sender {
        Sender::Agent => AgentMessage::decode(body).map(drop),
        Sender::Dom0 => Dom0Message::decode(body).map(drop),
    }
}
