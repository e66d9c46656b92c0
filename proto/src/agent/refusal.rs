//! The codes of a refusal.

use std::fmt;
use std::str::FromStr;

/// All that a guest learns about a no, besides one line of text. The reason is in dom0's audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalCode {
    /// The token is missing, malformed, wrongly signed, or for another domain or host.
    BadToken,
    /// The token's time is over, or has not come.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// The domain has no card, or not the identity asked for.
    NotBound,
    /// The card of the binding is not there.
    NoCard,
    /// The card was pulled during the handshake.
    CardRemoved,
    /// The card misbehaved.
    CardFailed,
    /// The card wants a PIN that the middleware does not have.
    PinRequired,
    /// The card accepts no PIN any more.
    PinBlocked,
    /// The server's certificate is not what the binding trusts.
    PeerUntrusted,
    /// The TLS handshake failed for another reason.
    HandshakeFailed,
    /// A rule forbids it, or the card cannot carry the wish.
    Policy,
    /// One of the limits was reached.
    Limit,
    /// It took too long.
    Timeout,
    /// A message broke the protocol.
    Protocol,
    /// The middleware failed.
    Internal,
}

impl RefusalCode {
    /// Every code, in the order of the specification.
    pub const ALL: [Self; 16] = [
        Self::BadToken,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::NotBound,
        Self::NoCard,
        Self::CardRemoved,
        Self::CardFailed,
        Self::PinRequired,
        Self::PinBlocked,
        Self::PeerUntrusted,
        Self::HandshakeFailed,
        Self::Policy,
        Self::Limit,
        Self::Timeout,
        Self::Protocol,
        Self::Internal,
    ];

    /// The code as it stands in a message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadToken => "bad-token",
            Self::TokenExpired => "token-expired",
            Self::TokenRevoked => "token-revoked",
            Self::NotBound => "not-bound",
            Self::NoCard => "no-card",
            Self::CardRemoved => "card-removed",
            Self::CardFailed => "card-failed",
            Self::PinRequired => "pin-required",
            Self::PinBlocked => "pin-blocked",
            Self::PeerUntrusted => "peer-untrusted",
            Self::HandshakeFailed => "handshake-failed",
            Self::Policy => "policy",
            Self::Limit => "limit",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RefusalCode {
    type Err = UnknownRefusalCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|code| code.as_str() == text);
        found.ok_or(UnknownRefusalCode)
    }
}

/// The text is none of the codes of [`RefusalCode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown refusal code")]
pub struct UnknownRefusalCode;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_from_its_text() {
        for code in RefusalCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        assert_eq!("Policy".parse::<RefusalCode>(), Err(UnknownRefusalCode));
    }
}
