//! The first words on a guest's channel that speaks RACS (ALPN [`ALPN`]).
//!
//! ```text
//! guest                                       dom0
//! TOKEN 0oRDoQEm…                             BEGIN
//!                                             +000 000 admitted
//!                                             END
//! ```
//!
//! Then the guest's requests follow. A guest that is not let in, or not any more, gets a negative status
//! instead, at any time and outside of any request, and the connection closes:
//! `-600 000 token-revoked: the token was revoked`. Its text begins with the code of design §4.

use zeroize::Zeroizing;

use super::response::Response;
use super::status::{CommandNumber, FailureClass, StatusCode, StatusLine};
use crate::agent::{RefusalCode, Refused};

/// The application protocol (RFC 7301) of a channel on which a guest speaks RACS to its own card.
pub const ALPN: &[u8] = b"racs/1";

/// dom0's answer to a guest that is let in.
#[must_use]
pub fn admitted() -> Zeroizing<Vec<u8>> {
    let code = StatusCode::success(CommandNumber::None);
    alone(&StatusLine::new(code, 0, b"admitted".to_vec()))
}

/// What dom0 says to a guest that is not let in, or not any more. The connection closes behind it.
#[must_use]
pub fn refusal(refused: &Refused) -> Zeroizing<Vec<u8>> {
    let code = StatusCode::failure(class(refused.code), CommandNumber::None);
    let mut text = format!("{}: {}", refused.code, refused.message);
    if let Some(after) = refused.retry_after_ms {
        text.push_str(&format!(" (retry after {after} ms)"));
    }
    alone(&StatusLine::new(code, 0, text.into_bytes()))
}

/// What a response of dom0 says about the connection itself, if it is such a one: let in, or not, with
/// code and text.
#[must_use]
pub fn verdict(response: &Response) -> Option<Result<(), (RefusalCode, String)>> {
    let [line] = response.lines.as_slice() else {
        return None;
    };
    if line.code == StatusCode::success(CommandNumber::None) {
        return Some(Ok(()));
    }
    if line.code.success || line.code.command != CommandNumber::None as u8 || line.line != 0 {
        return None;
    }
    let text = line.text_for_people();
    let (code, message) = text.split_once(": ")?;
    let code = code.parse().ok()?;
    Some(Err((code, message.to_owned())))
}

/// A response of this line alone.
fn alone(line: &StatusLine) -> Zeroizing<Vec<u8>> {
    let mut response = Zeroizing::new(b"BEGIN\r\n".to_vec());
    line.encode_into(&mut response);
    response.extend_from_slice(b"END\r\n");
    response
}

/// Where RACS puts what design §4 has a code for.
fn class(code: RefusalCode) -> FailureClass {
    match code {
        RefusalCode::BadToken
        | RefusalCode::TokenExpired
        | RefusalCode::TokenRevoked
        | RefusalCode::NotBound
        | RefusalCode::PeerUntrusted
        | RefusalCode::Policy => FailureClass::Unauthorised,
        RefusalCode::Limit => FailureClass::InUse,
        RefusalCode::NoCard
        | RefusalCode::CardRemoved
        | RefusalCode::CardFailed
        | RefusalCode::PinRequired
        | RefusalCode::PinBlocked => FailureClass::Hardware,
        RefusalCode::HandshakeFailed | RefusalCode::Timeout | RefusalCode::Protocol => {
            FailureClass::Illegal
        }
        RefusalCode::Internal => FailureClass::System,
    }
}

#[cfg(test)]
mod tests {
    use super::super::response::ResponseReader;
    use super::*;

    #[test]
    fn what_dom0_says_is_read_back() {
        let said = |bytes: &[u8]| {
            let mut reader = ResponseReader::new();
            reader.push(bytes);
            let response = reader.next_response().expect("good").expect("whole");
            assert!(reader.is_idle());
            verdict(&response)
        };
        assert_eq!(said(&admitted()), Some(Ok(())));
        for code in RefusalCode::ALL {
            let refused = Refused {
                session: None,
                code,
                message: "one line: of text".to_owned(),
                alert: None,
                retry_after_ms: None,
            };
            let read = said(&refusal(&refused));
            assert_eq!(read, Some(Err((code, refused.message.clone()))));
            let later = Refused {
                retry_after_ms: Some(1_000),
                ..refused
            };
            let text = refusal(&later);
            assert!(text.ends_with(b" (retry after 1000 ms)\r\nEND\r\n"));
        }
        assert_eq!(
            said(b"BEGIN\r\n-300 000 waiting for BEGIN\r\nEND\r\n"),
            None
        );
        assert_eq!(said(b"BEGIN\r\n+001 000 No error\r\nEND\r\n"), None);
    }
}
