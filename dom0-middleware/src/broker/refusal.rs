//! A no, in two forms: one code and one line for the guest, the full reason for the audit.

use std::fmt::Display;
use std::time::Duration;

use proto::agent::{RefusalCode, Refused};
use proto::id::SessionId;

use crate::card::{CardError, SessionError};
use crate::mapping::Reason;

/// Why a guest does not get what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: RefusalCode,
    /// What the guest is told instead of the line that goes with the code.
    line: Option<String>,
    /// For the audit and the operator only.
    pub(super) reason: String,
    alert: Option<Vec<u8>>,
    retry_after: Option<Duration>,
}

/// When a guest may ask again for a card that is not there.
const CARD_RETRY: Duration = Duration::from_secs(5);

/// When a guest may ask again after it could not be found out who it is.
const DOMAIN_RETRY: Duration = Duration::from_secs(1);

impl Refusal {
    pub(super) fn new(code: RefusalCode, reason: impl Display) -> Self {
        let retry_after = (code == RefusalCode::NoCard).then_some(CARD_RETRY);
        Self {
            code,
            line: None,
            reason: reason.to_string(),
            alert: None,
            retry_after,
        }
    }

    /// A no for a wish: the reason speaks of nothing but the wish, so the guest may read it.
    pub(super) fn of_wish(code: RefusalCode, reason: impl Display) -> Self {
        let refusal = Self::new(code, reason);
        Self {
            line: Some(refusal.reason.clone()),
            ..refusal
        }
    }

    pub(super) fn protocol(reason: impl Display) -> Self {
        Self::of_wish(RefusalCode::Protocol, reason)
    }

    pub(super) fn retry_after(self, time: Duration) -> Self {
        Self {
            retry_after: Some(time),
            ..self
        }
    }

    /// The domain has another card that is as good and can be had: what failed by its card alone can
    /// be tried again at once.
    pub(super) fn in_pool(self) -> Self {
        let is_cards = matches!(
            self.code,
            RefusalCode::NoCard
                | RefusalCode::CardRemoved
                | RefusalCode::CardFailed
                | RefusalCode::PinRequired
                | RefusalCode::PinBlocked
        );
        match is_cards {
            true => self.retry_after(Duration::ZERO),
            false => self,
        }
    }

    /// A handshake failed on its card. What concerns the server the guest may know; what concerns
    /// the card, the operator.
    pub(super) fn of_session(error: &SessionError, alert: Option<Vec<u8>>) -> Self {
        let code = error.code();
        let refusal = match code {
            RefusalCode::PeerUntrusted
            | RefusalCode::HandshakeFailed
            | RefusalCode::Policy
            | RefusalCode::Limit
            | RefusalCode::Timeout => Self::of_wish(code, error),
            _ => Self::new(code, error),
        };
        let retry_after = match code {
            RefusalCode::CardRemoved => Some(CARD_RETRY),
            _ => refusal.retry_after,
        };
        Self {
            alert,
            retry_after,
            ..refusal
        }
    }

    /// A card is there but cannot be used.
    pub(super) fn of_card(why: &CardError) -> Self {
        Self::new(SessionError::of_unusable_card(why).code(), why)
    }

    /// The message for the guest.
    pub(super) fn message(self, session: Option<SessionId>) -> Refused {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Refused {
            session,
            code: self.code,
            message: self.line.unwrap_or_else(|| line(self.code).to_owned()),
            alert: self.alert,
            retry_after_ms: self.retry_after.map(millis),
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        let refusal = Self::new(reason.code(), &reason);
        match reason {
            Reason::DomainUnreadable { .. } => refusal.retry_after(DOMAIN_RETRY),
            _ => refusal,
        }
    }
}

/// What every guest is told that gets this code.
fn line(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::BadToken => "the token is not good for this domain and channel",
        RefusalCode::TokenExpired => "the token is not valid at this time",
        RefusalCode::TokenRevoked => "the token was revoked",
        RefusalCode::NotBound => "this domain is bound to no such identity",
        RefusalCode::NoCard => "the card is not there",
        RefusalCode::CardRemoved => "the card was removed",
        RefusalCode::CardFailed => "the card failed",
        RefusalCode::PinRequired => "the card waits for its PIN",
        RefusalCode::PinBlocked => "the card's PIN is blocked",
        RefusalCode::PeerUntrusted => "the server is not trusted",
        RefusalCode::HandshakeFailed => "the handshake failed",
        RefusalCode::Policy => "not allowed",
        RefusalCode::Limit => "too much at once",
        RefusalCode::Timeout => "it took too long",
        RefusalCode::Protocol => "the message breaks the protocol",
        RefusalCode::Internal => "the service failed",
    }
}

#[cfg(test)]
mod tests {
    use proto::id::DomainUuid;

    use super::*;

    #[test]
    fn a_guest_never_reads_of_another_domain_or_of_the_card() {
        let stranger = DomainUuid::from_bytes([0x5A; 16]);
        let reason = Reason::TokenOfOtherDomain { sub: stranger };
        let refusal = Refusal::from(reason);
        assert!(refusal.reason.contains(&stranger.to_string()));
        let told = refusal.message(None);
        assert!(!told.message.contains(&stranger.to_string()), "{told:?}");

        let swapped = SessionError::CardSwapped { got: [0x77; 32] };
        let refusal = Refusal::of_session(&swapped, None);
        assert!(refusal.reason.contains("7777"));
        assert_eq!(refusal.message(None).message, "the card failed");
    }

    #[test]
    fn a_guest_is_told_when_a_missing_card_may_be_back() {
        let absent = Refusal::new(RefusalCode::NoCard, "no card").message(None);
        assert_eq!(absent.retry_after_ms, Some(5_000));
        let pulled = Refusal::of_session(&SessionError::CardRemoved, None).message(None);
        assert_eq!(pulled.retry_after_ms, Some(5_000));
        let unbound = Refusal::from(Reason::NotBound).message(None);
        assert_eq!(unbound.retry_after_ms, None);
    }
}
