//! What a card says about its PIN, and whether one may be sent.

use proto::card::PinStatus;
use proto::piv::PinLook;

use crate::card::answer::Answer;
use crate::card::error::CardError;

/// Whether the card wants its PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PinNeed {
    /// It was verified before.
    Verified,
    /// It may be sent: two tries or more are left.
    Wanted,
}

/// Reads the answer to VERIFY without a PIN.
pub(super) fn judge_status(answer: &Answer) -> Result<PinNeed, CardError> {
    match PinLook::of(answer.sw()) {
        PinLook::Verified => Ok(PinNeed::Verified),
        PinLook::Blocked => Err(CardError::PinBlocked),
        PinLook::Tries(1) => Err(CardError::LastPinTry),
        PinLook::Tries(_) => Ok(PinNeed::Wanted),
        // Without a counter no PIN is sent: it could be the last try.
        PinLook::Silent => Err(answer.refused().into()),
    }
}

/// Reads the answer to VERIFY.
pub(super) fn judge_verify(answer: &Answer) -> Result<(), CardError> {
    if answer.is_success() {
        return Ok(());
    }
    Err(match (answer.sw().0, answer.sw().pin_status()) {
        (_, Some(PinStatus::Blocked)) => CardError::PinBlocked,
        (0x63C0, _) => CardError::PinBlocked,
        (0x63C1..=0x63CF, Some(PinStatus::TriesLeft(left))) => CardError::PinRejected {
            tries_left: Some(left),
        },
        (_, Some(_)) => CardError::PinRejected { tries_left: None },
        (_, None) => answer.refused().into(),
    })
}

#[cfg(test)]
mod tests {
    use proto::apdu::{ResponseApdu, StatusWord};

    use super::*;
    use crate::card::fault::CardStep;

    fn answer(sw: u16) -> Answer {
        Answer {
            step: CardStep::PinStatus,
            response: ResponseApdu::new(Vec::new(), StatusWord(sw)),
        }
    }

    #[test]
    fn a_pin_is_sent_only_where_two_tries_are_seen() {
        let judge = |sw| judge_status(&answer(sw));
        assert_eq!(judge(0x9000), Ok(PinNeed::Verified));
        for sw in [0x63C2, 0x63C3, 0x63CA, 0x63CF] {
            assert_eq!(judge(sw), Ok(PinNeed::Wanted));
        }
        assert_eq!(judge(0x63C1), Err(CardError::LastPinTry));
        for sw in [0x63C0, 0x6983] {
            assert_eq!(judge(sw), Err(CardError::PinBlocked));
        }
        for sw in [0x6300, 0x6303, 0x6982, 0x6700, 0x6A88, 0x6D00] {
            assert!(matches!(judge(sw), Err(CardError::Fault(_))), "{sw:04X}");
        }
    }

    #[test]
    fn a_refused_pin_tells_the_tries() {
        let judge = |sw| judge_verify(&answer(sw));
        let rejected = |tries_left| Err(CardError::PinRejected { tries_left });
        assert_eq!(judge(0x9000), Ok(()));
        assert_eq!(judge(0x63C2), rejected(Some(2)));
        for sw in [0x63C0, 0x6983] {
            assert_eq!(judge(sw), Err(CardError::PinBlocked));
        }
        for sw in [0x6300, 0x6982] {
            assert_eq!(judge(sw), rejected(None));
        }
        assert!(matches!(judge(0x6A80), Err(CardError::Fault(_))));
    }
}
