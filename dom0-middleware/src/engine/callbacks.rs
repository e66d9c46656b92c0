//! How rustls's callbacks reach the card of the handshake that runs.
//!
//! rustls compares verifier and resolver by their address when it resumes, so both outlive a
//! handshake and cannot hold its card. They find it here: on the thread that runs the step, for as
//! long as the step takes. Here they also leave the exact reason of a failure, for which rustls's
//! own errors have no room.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::{Error, SignatureScheme};

use crate::card::SessionError;

/// The way to the card's key, for one handshake.
pub trait SignDoor {
    /// Has the card sign `message`, which is not hashed yet, and waits for it. The signature is as
    /// TLS wants it: an RSA block, or a DER `Ecdsa-Sig-Value`; it was checked under the identity's
    /// public key.
    ///
    /// # Errors
    /// Why there is none; the handshake ends with it.
    fn sign(&mut self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SessionError>;
}

/// What the callbacks of one step may use, and what they leave behind.
struct Running {
    card: Box<dyn SignDoor>,
    server_name: Arc<str>,
    failure: Option<SessionError>,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// Runs `step`; callbacks on this thread reach `card` meanwhile, and afterwards no more.
pub(super) fn during<T>(
    card: Box<dyn SignDoor>,
    server_name: Arc<str>,
    step: impl FnOnce() -> T,
) -> T {
    let running = Running {
        card,
        server_name,
        failure: None,
    };
    // A card that runs an engine of its own to sign would find its own one, then this one again.
    let _outer = Restored(RUNNING.replace(Some(running)));
    step()
}

/// Has the card of the running step sign.
///
/// # Errors
/// The card did not sign, or no step runs on this thread. The reason is left for
/// [`take_failure`].
pub(super) fn sign(scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error> {
    // Taken out while the card signs: nothing is borrowed meanwhile.
    let Some(mut running) = RUNNING.take() else {
        return Err(outside());
    };
    let signed = running.card.sign(scheme, message);
    let signed = signed.and_then(|signature| match signature.len() {
        1..=MAX_SIGNATURE => Ok(signature),
        got => Err(SessionError::Internal {
            reason: format!("a signature of {got} bytes"),
        }),
    });
    let signed = signed.map_err(|error| {
        running.failure.get_or_insert(error);
        Error::General("the card did not sign".to_owned())
    });
    RUNNING.replace(Some(running));
    signed
}

/// The server's name as it was asked for.
///
/// # Errors
/// No step runs on this thread.
pub(super) fn server_name() -> Result<Arc<str>, Error> {
    RUNNING.with_borrow(|running| match running {
        Some(running) => Ok(Arc::clone(&running.server_name)),
        None => Err(outside()),
    })
}

/// Leaves the reason why the running step fails; the first one counts.
pub(super) fn fail(error: SessionError) {
    RUNNING.with_borrow_mut(|running| {
        if let Some(running) = running {
            running.failure.get_or_insert(error);
        }
    });
}

/// What was left, once.
pub(super) fn take_failure() -> Option<SessionError> {
    RUNNING.with_borrow_mut(|running| running.as_mut()?.failure.take())
}

/// Puts back what was there before, also when the step panics.
struct Restored(Option<Running>);

impl Drop for Restored {
    fn drop(&mut self) {
        RUNNING.replace(self.0.take());
    }
}

fn outside() -> Error {
    Error::General("called outside of a handshake".to_owned())
}

/// Longer than any signature of a key that a card has, in bytes; a TLS vector has room for it.
const MAX_SIGNATURE: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    struct Signs(Result<Vec<u8>, SessionError>);

    impl SignDoor for Signs {
        fn sign(&mut self, _: SignatureScheme, _: &[u8]) -> Result<Vec<u8>, SessionError> {
            self.0.clone()
        }
    }

    const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

    fn door(answer: Result<Vec<u8>, SessionError>) -> Box<dyn SignDoor> {
        Box::new(Signs(answer))
    }

    #[test]
    fn a_card_is_reached_during_its_step_alone() {
        assert!(sign(SCHEME, b"before").is_err());
        assert!(server_name().is_err());
        let signed = during(door(Ok(vec![1])), "name".into(), || {
            assert_eq!(server_name().as_deref(), Ok("name"));
            sign(SCHEME, b"during")
        });
        assert_eq!(signed, Ok(vec![1]));
        assert!(sign(SCHEME, b"after").is_err());
        assert_eq!(take_failure(), None);
    }

    #[test]
    fn another_thread_reaches_no_card() {
        during(door(Ok(vec![1])), "name".into(), || {
            let elsewhere = std::thread::spawn(|| sign(SCHEME, b"elsewhere").is_err());
            assert!(elsewhere.join().expect("no panic"));
        });
    }

    #[test]
    fn a_step_within_a_step_has_its_own_card() {
        during(door(Ok(vec![1])), "outer".into(), || {
            let inner = during(door(Ok(vec![2])), "inner".into(), || sign(SCHEME, b""));
            assert_eq!(inner, Ok(vec![2]));
            assert_eq!(sign(SCHEME, b""), Ok(vec![1]));
        });
    }

    #[test]
    fn the_first_reason_is_kept_as_it_was() {
        during(door(Err(SessionError::CardRemoved)), "name".into(), || {
            assert!(sign(SCHEME, b"").is_err());
            fail(SessionError::NoCard);
            assert_eq!(take_failure(), Some(SessionError::CardRemoved));
            assert_eq!(take_failure(), None);
        });
    }

    #[test]
    fn a_signature_of_an_impossible_length_is_none() {
        for length in [0, MAX_SIGNATURE + 1] {
            during(door(Ok(vec![0; length])), "name".into(), || {
                assert!(sign(SCHEME, b"").is_err());
                let failure = take_failure();
                assert!(matches!(failure, Some(SessionError::Internal { .. })));
            });
        }
    }
}
