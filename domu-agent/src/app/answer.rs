//! What an application is answered.

use proto::agent::{Door, EstablishedMessage, IdentityInfo};
use proto::tls::ProtocolVersion;
use serde::{Deserialize, Serialize};

use super::endings::EndedAnswer;
use super::error::AppError;
use crate::kernel_tls::KernelTlsStatus;

/// One line to an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// The TLS connection stands. In mode `stream` plaintext follows, in mode `socket` a socket
    /// comes along.
    Established(EstablishedAnswer),
    /// What the guest may use.
    Identities(Vec<IdentityAnswer>),
    /// How a TLS connection ended.
    Ended(EndedAnswer),
    /// How the agent is doing.
    Status(StatusAnswer),
    /// No.
    Error(AppError),
}

/// A TLS connection, without its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EstablishedAnswer {
    /// The connection's number at this agent, for who asks how it ended.
    #[serde(default)]
    pub session: u64,
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: String,
    /// The registered name of the suite.
    pub cipher_suite: String,
    /// The name that the server's certificate carries.
    pub server_name: String,
    /// The protocol that the server chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// Whether an earlier session was resumed.
    pub abbreviated: bool,
    /// The server's judgement of the client's certificate, where it is not part of the handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Time that the card worked, in milliseconds.
    pub card_ms: u64,
    /// Time that the request waited for the card, in milliseconds.
    pub wait_ms: u64,
    /// Time from the request to this answer, in milliseconds.
    pub total_ms: u64,
    /// Mode `socket`: who seals and opens records. `relay` is the agent, `ktls` the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// What is known of the server's judgement of the client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It comes behind the handshake, and only a refusal is ever told, by an alert.
    Pending,
}

impl Verdict {
    /// In TLS 1.3 the client finishes first, and the server judges afterwards (RFC 8446 §2). A
    /// resumed session shows no certificate; up to TLS 1.2 the server's Finished follows the
    /// client's.
    fn of(message: &EstablishedMessage) -> Option<Self> {
        let is_tls13 = message.keys.version == ProtocolVersion::TLS1_3;
        (is_tls13 && !message.flags.abbreviated).then_some(Self::Pending)
    }
}

impl EstablishedAnswer {
    pub(crate) fn new(
        session: u64,
        message: &EstablishedMessage,
        server_name: &str,
        total_ms: u64,
    ) -> Self {
        Self {
            session,
            version: message.keys.version.to_string(),
            cipher_suite: message.keys.cipher_suite.to_string(),
            server_name: server_name.to_owned(),
            alpn: message.alpn.clone(),
            abbreviated: message.flags.abbreviated,
            verdict: Verdict::of(message),
            card_ms: message.card_ms,
            wait_ms: message.wait_ms,
            total_ms,
            via: None,
        }
    }
}

/// One identity that the guest may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityAnswer {
    /// Its name.
    pub name: String,
    /// `eap-tls` or `piv`.
    pub door: String,
    /// TLS versions, `TLS 1.2` and so on.
    pub versions: Vec<String>,
    /// Whether the server name reaches the ClientHello.
    pub server_name: bool,
    /// Whether an ALPN list reaches the ClientHello.
    pub alpn: bool,
    /// The certificate chain, leaf first, each DER in base64.
    pub certificates: Vec<String>,
}

impl From<IdentityInfo> for IdentityAnswer {
    fn from(identity: IdentityInfo) -> Self {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let version = |version: u16| ProtocolVersion(version).to_string();
        let certificates = identity.certificates.iter();
        Self {
            name: identity.name.as_str().to_owned(),
            door: match identity.door {
                Door::EapTls | Door::Piv => identity.door.as_str().to_owned(),
            },
            versions: identity.versions.into_iter().map(version).collect(),
            server_name: identity.server_name,
            alpn: identity.alpn,
            certificates: certificates
                .map(|der| BASE64_STANDARD.encode(der))
                .collect(),
        }
    }
}

/// How the agent is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// The agent's version.
    pub version: String,
    /// The connection to dom0.
    pub dom0: Dom0Status,
    /// What the kernel can do with TLS records.
    #[serde(default)]
    pub kernel_tls: KernelTlsStatus,
    /// TLS sessions.
    pub sessions: SessionCounts,
}

/// The connection to dom0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dom0Status {
    /// Whether dom0 has admitted this agent, and has not ended its right since.
    pub connected: bool,
    /// `tls`, or `insecure` with `insecure_development`.
    #[serde(default)]
    pub channel: String,
    /// The pin of the HV certificate that vouches for dom0, `SHA256:` and hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hv_pin: Option<String>,
    /// The UUID that dom0 knows this domain by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Where the token comes from: its file, or `xenstore, tessera/token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_place: Option<String>,
    /// When the token ends, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires: Option<u64>,
    /// The code with which dom0 ended the right to the card, until another token is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
    /// The last no of dom0 to a token: its code and one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<AppError>,
    /// Why the last connection or attempt ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// TLS sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Requests that are not a TLS connection yet.
    pub handshakes: u64,
    /// TLS connections that stand.
    pub running: u64,
    /// TLS connections since the agent started.
    pub established: u64,
    /// Requests that became no TLS connection since the agent started.
    pub failed: u64,
}

impl Answer {
    /// The answer as one line of JSON, with its newline.
    pub(crate) fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("texts and numbers are always JSON");
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use proto::agent::Dom0Message;
    use proto::id::SessionId;

    use super::*;
    use crate::dom0::testing::established;
    use crate::testing::Protection;

    #[test]
    fn answers_are_one_object_with_the_kind_as_key() {
        let error = Answer::Error(AppError::bad_request("what?\nno"));
        let line = error.to_line();
        let expected = "{\"error\":{\"code\":\"bad-request\",\"message\":\"what?\\nno\"}}\n";
        assert_eq!(line, expected);
        assert_eq!(
            Answer::Identities(Vec::new()).to_line(),
            "{\"identities\":[]}\n"
        );
    }

    #[test]
    fn an_established_answer_is_read_back() {
        let answer = Answer::Established(EstablishedAnswer {
            session: 1,
            version: "TLS 1.2".to_owned(),
            cipher_suite: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".to_owned(),
            server_name: "a.example".to_owned(),
            alpn: None,
            abbreviated: true,
            verdict: None,
            card_ms: 12,
            wait_ms: 0,
            total_ms: 20,
            via: Some("relay".to_owned()),
        });
        let read: Answer = serde_json::from_str(&answer.to_line()).expect("own line");
        assert_eq!(read, answer);
    }
    #[test]
    fn a_verdict_is_pending_after_a_full_handshake_of_tls13_alone() {
        for (protection, abbreviated, pending) in [
            (Protection::Tls13, false, true),
            (Protection::Tls13, true, false),
            (Protection::Tls12Gcm, false, false),
            (Protection::Tls12Gcm, true, false),
        ] {
            let Dom0Message::Established(mut message) = established(SessionId(1), protection, 0)
            else {
                panic!("what dom0 says at the end");
            };
            message.flags.abbreviated = abbreviated;
            let answer = EstablishedAnswer::new(1, &message, "a.example", 20);
            assert_eq!(answer.verdict.is_some(), pending, "{protection:?}");
            let line = Answer::Established(answer).to_line();
            assert_eq!(line.contains("\"verdict\":\"pending\""), pending, "{line}");
            assert_eq!(line.contains("verdict"), pending, "{line}");
        }
    }
}
