//! Time as the deciding parts see it: handed in with each call, never taken from a clock.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One moment, on both clocks: one that only goes forward, and the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub monotonic: Instant,
    /// For validity and for the audit.
    pub unix: UnixTime,
}

impl Now {
    /// Reads both clocks. For the edge of the service; nothing that decides calls it.
    #[must_use]
    pub fn read() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            monotonic: Instant::now(),
            unix: UnixTime(unix.unwrap_or_default()),
        }
    }

    /// The moment `later` after this one.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self {
            monotonic: self.monotonic + later,
            unix: UnixTime(self.unix.0 + later),
        }
    }
}

/// Time since the start of 1970, UTC, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UnixTime(pub Duration);

impl UnixTime {
    /// The time `secs` seconds after the start of 1970.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// Whole seconds since the start of 1970.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

/// `2026-11-21T04:07:09.123Z`, as in RFC 3339 §5.6.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        let (days, second) = (secs / 86_400, secs % 86_400);
        let (year, month, day) = civil_date(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let millis = self.0.subsec_millis();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

/// Year, month and day of the Gregorian calendar for a number of days since 1970-01-01.
///
/// Years are counted from March on, so that the day that is not always there comes last.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // 0000-03-01 lies 719,468 days before 1970-01-01; 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months from March or August on have 153 days together.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, year_shift) = match month_from_march {
        0..=9 => (month_from_march + 3, 0),
        _ => (month_from_march - 9, 1),
    };
    (400 * era + year_of_era + year_shift, month, day)
}

/// The inverse of [`civil_date`]; `None` for a day that the calendar does not have, or one before
/// 1970.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year_from_march, month_from_march) = match month {
        1..=2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (146_097 * era + day_of_era).checked_sub(719_468)?;
    (civil_date(days) == (year, month, day)).then_some(days)
}

/// As it is displayed; fractions of a second are cut to milliseconds, an offset as `+01:00` is
/// taken off.
impl FromStr for UnixTime {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        parse(text).ok_or(ParseTimeError)
    }
}

/// Not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time as 2026-11-21T04:07:09Z")]
pub struct ParseTimeError;

fn parse(text: &str) -> Option<UnixTime> {
    let two = |text: &str| number(text, 2);
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let days = days(number(year, 4)?, two(month)?, two(day)?)?;
    if date.next().is_some() {
        return None;
    }
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = (time.get(..at)?, time.get(at..)?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.split(':');
    let (hour, minute, second) = (clock.next()?, clock.next()?, clock.next()?);
    let (hour, minute, second) = (two(hour)?, two(minute)?, two(second)?);
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis: String = fraction.chars().chain("00".chars()).take(3).collect();
    let local = 86_400 * days + 3_600 * hour + 60 * minute + second;
    let seconds = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => local,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let (hours, minutes) = (two(hours)?, two(minutes)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = 3_600 * hours + 60 * minutes;
            match sign {
                "+" => local.checked_sub(offset)?,
                _ => local + offset,
            }
        }
    };
    let whole = Duration::from_secs(seconds);
    Some(UnixTime(
        whole + Duration::from_millis(millis.parse().ok()?),
    ))
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (1_795_234_029, "2026-11-21T04:07:09.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(UnixTime::from_secs(secs).to_string(), text);
        }
        let with_millis = UnixTime(Duration::from_millis(1_007));
        assert_eq!(with_millis.to_string(), "1970-01-01T00:00:01.007Z");
    }

    #[test]
    fn a_time_is_read_as_it_is_displayed() {
        for secs in [0, 951_782_399, 951_782_400, 1_795_234_029, 4_107_542_400] {
            let time = UnixTime(Duration::from_millis(secs * 1_000 + 70));
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        for (text, secs) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01 01:00:00+01:00", 0),
            ("1970-01-01t00:00:01.9-00:30", 1_801),
        ] {
            let time: UnixTime = text.parse().expect("a time");
            assert_eq!(time.as_secs(), secs, "{text}");
        }
        for bad in [
            "",
            "2026-11-21",
            "2026-11-21T04:07Z",
            "2026-11-21T04:07:09",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T04:07:60Z",
            "2026-11-21T04:07:09.Z",
            "2026-11-21T04:07:09+1:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "+026-11-21T04:07:09Z",
            "2026-11-21T04:07:09Zé",
            "é",
        ] {
            assert_eq!(bad.parse::<UnixTime>(), Err(ParseTimeError), "{bad}");
        }
    }
}
