//! Times of tokens and certificates, for people and from them.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A second since 1970-01-01T00:00:00Z. As text RFC 3339, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) u64);

impl Time {
    /// Reads the clock.
    pub(crate) fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(now.unwrap_or_default().as_secs())
    }

    /// `days` later.
    pub(crate) fn after_days(self, days: u64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY)))
    }

    /// For libraries that take such a value; nothing if it is beyond their calendar.
    pub(crate) fn calendar(self) -> Option<OffsetDateTime> {
        let seconds = i64::try_from(self.0).ok()?;
        OffsetDateTime::from_unix_timestamp(seconds).ok()
    }

    /// How far away it is: `in 29 days`, `3 hours ago`.
    pub(crate) fn seen_from(self, now: Self) -> String {
        let (distance, is_ahead) = (self.0.abs_diff(now.0), self > now);
        let (count, unit) = match distance {
            ..120 => (distance, "second"),
            120..7_200 => (distance / 60, "minute"),
            7_200..172_800 => (distance / 3_600, "hour"),
            _ => (distance / DAY, "day"),
        };
        let plural = if count == 1 { "" } else { "s" };
        match is_ahead {
            true => format!("in {count} {unit}{plural}"),
            false => format!("{count} {unit}{plural} ago"),
        }
    }

    /// Whole days from `now` until it; negative once it is past.
    pub(crate) fn days_from(self, now: Self) -> i64 {
        let days = i64::try_from(self.0.abs_diff(now.0) / DAY).unwrap_or(i64::MAX);
        if self < now { -days } else { days }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.calendar().and_then(|time| time.format(&Rfc3339).ok());
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} s after 1970", self.0),
        }
    }
}

impl FromStr for Time {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let time = OffsetDateTime::parse(text, &Rfc3339);
        let seconds = time.ok().map(OffsetDateTime::unix_timestamp);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds
            .map(Self)
            .ok_or("not a time as in RFC 3339 from 1970 on, such as 2027-01-31T08:00:00Z")
    }
}

const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_as_rfc_3339_has_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T04:07:09Z", 1_795_234_029),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(text.parse(), Ok(Time(seconds)));
            assert_eq!(Time(seconds).to_string(), text);
        }
        assert_eq!(
            "2026-11-21T05:07:09.5+01:00".parse(),
            Ok(Time(1_795_234_029))
        );
        for other in [
            "",
            "2026-11-21",
            "2026-11-21T04:07:09",
            "1969-12-31T23:59:59Z",
            "tomorrow",
        ] {
            assert!(other.parse::<Time>().is_err(), "{other}");
        }
        assert_eq!(
            Time(u64::MAX).to_string(),
            format!("{} s after 1970", u64::MAX)
        );
    }

    #[test]
    fn distances_are_told_in_the_largest_unit_that_says_enough() {
        let now = Time(1_000_000);
        for (seconds, text, days) in [
            (1_000_000, "0 seconds ago", 0),
            (1_000_001, "in 1 second", 0),
            (999_881, "119 seconds ago", 0),
            (1_000_120, "in 2 minutes", 0),
            (1_086_400, "in 24 hours", 1),
            (3_592_000, "in 30 days", 30),
            (740_800, "3 days ago", -3),
        ] {
            assert_eq!(Time(seconds).seen_from(now), text);
            assert_eq!(Time(seconds).days_from(now), days);
        }
    }
}
