//! When a token is issued anew, and what it says then.

use proto::token::Claims;

use crate::time::UnixTime;

/// Whether less than a third of a token's life is left. One that is over is not renewed: somebody has
/// let it end.
pub(crate) fn is_due(claims: &Claims, now: UnixTime) -> bool {
    let now = now.as_secs();
    let life = claims.exp.saturating_sub(claims.good_from());
    let left = claims.exp.saturating_sub(now);
    (claims.good_from()..claims.exp).contains(&now) && left < life / 3
}

/// The token that follows: the same for as long again from `now` on, under another number, but not
/// beyond `hv_end`, the end of the HV certificate. `None` when that would not be longer than it is.
pub(crate) fn renewed(
    former: &Claims,
    cti: [u8; 16],
    now: UnixTime,
    hv_end: u64,
) -> Option<Claims> {
    let now = now.as_secs();
    let life = former.exp.saturating_sub(former.good_from());
    let exp = now.saturating_add(life).min(hv_end);
    (exp > former.exp).then(|| Claims {
        exp,
        nbf: None,
        iat: now,
        cti,
        ..former.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{DAY, Host, NOW, claims};
    use super::*;

    #[test]
    fn it_is_due_when_less_than_a_third_is_left_and_not_when_it_is_over() {
        let claims = claims(&Host::new(), 1);
        let at = |secs| is_due(&claims, UnixTime::from_secs(secs));
        assert!(!at(NOW) && !at(NOW + 20 * DAY));
        assert!(at(NOW + 20 * DAY + 1) && at(claims.exp - 1));
        assert!(!at(claims.exp) && !at(claims.exp + DAY));
        // The calendar was set back to before it.
        assert!(!at(NOW - 1));
        let later = Claims {
            nbf: Some(NOW + 27 * DAY),
            ..claims
        };
        let at = |secs| is_due(&later, UnixTime::from_secs(secs));
        assert!(!at(NOW + 26 * DAY) && !at(NOW + 29 * DAY));
        assert!(at(NOW + 29 * DAY + 1), "its three days count");
    }

    #[test]
    fn the_next_one_says_the_same_for_as_long_again() {
        let former = claims(&Host::new(), 1);
        let now = NOW + 25 * DAY;
        let next = |hv_end| renewed(&former, [9; 16], UnixTime::from_secs(now), hv_end);
        let expected = Claims {
            exp: now + 30 * DAY,
            iat: now,
            cti: [9; 16],
            ..former.clone()
        };
        expected.check().expect("claims of a token");
        assert_eq!(next(u64::MAX), Some(expected.clone()));
        let shorter = Claims {
            exp: now + 6 * DAY,
            ..expected
        };
        assert_eq!(next(now + 6 * DAY), Some(shorter));
        assert_eq!(next(former.exp), None, "nothing would be won");
    }
}
