//! What Get-State answers.

/// The state of a card's EAP machine, one byte; values as of draft 26, any other survives.
///
/// Draft 05 numbers otherwise: 03 is "in progress" there. Cards that follow neither lack the
/// command.
///
/// Source: specs/eap-tls-card.md §5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardState(pub u8);

impl CardState {
    /// 01.
    pub const IDENTITY_NOT_SET: Self = Self(1);
    /// 02: at rest, or in a handshake.
    pub const AUTHENTICATING: Self = Self(2);
    /// 03: the last handshake succeeded.
    pub const AUTHENTICATED: Self = Self(3);
    /// 04: the last handshake failed.
    pub const NOT_AUTHENTICATED: Self = Self(4);
}
