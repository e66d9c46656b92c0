//! Refusals in the audit: of one domain with one code at most one record in ten seconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::agent::RefusalCode;
use proto::id::DomId;

use crate::audit::{AuditEvent, Refusals};

/// The first refusal is recorded at once; those that follow within this time are counted and
/// recorded together when it is over.
const WINDOW: Duration = Duration::from_secs(10);

/// Open windows. There are at most as many as domains times codes.
#[derive(Debug, Default)]
pub(super) struct RefusalLog(BTreeMap<(DomId, RefusalCode), Window>);

#[derive(Debug)]
struct Window {
    ends: Instant,
    counted: Option<Refusals>,
}

impl RefusalLog {
    /// Takes one refusal; returns what must be recorded now.
    pub(super) fn note(&mut self, refusal: Refusals, now: Instant) -> Option<AuditEvent> {
        let key = (refusal.domid, refusal.code);
        match self.0.get_mut(&key) {
            Some(window) => {
                let before = window.counted.as_ref().map_or(0, |refusals| refusals.count);
                window.counted = Some(Refusals {
                    count: before.saturating_add(refusal.count),
                    ..refusal
                });
                None
            }
            None => {
                let window = Window {
                    ends: now + WINDOW,
                    counted: None,
                };
                self.0.insert(key, window);
                Some(record(refusal))
            }
        }
    }

    /// What must be recorded because its time is over.
    pub(super) fn due(&mut self, now: Instant) -> Vec<AuditEvent> {
        let mut records = Vec::new();
        self.0.retain(|_, window| {
            if now < window.ends {
                return true;
            }
            let counted = window.counted.take();
            window.ends = now + WINDOW;
            let goes_on = counted.is_some();
            records.extend(counted.map(record));
            goes_on
        });
        records
    }

    /// Everything that was counted and not recorded.
    pub(super) fn drain(&mut self) -> Vec<AuditEvent> {
        let windows = std::mem::take(&mut self.0);
        let counted = windows.into_values().filter_map(|window| window.counted);
        counted.map(record).collect()
    }

    /// When [`Self::due`] must be asked.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.0.values().map(|window| window.ends).min()
    }
}

fn record(refusals: Refusals) -> AuditEvent {
    AuditEvent::SessionRefused(Box::new(refusals))
}

#[cfg(test)]
mod tests {
    use proto::id::DomainUuid;

    use super::*;

    fn refusal(domid: u16, code: RefusalCode) -> Refusals {
        Refusals {
            domid: DomId(domid),
            domain: Some(DomainUuid::from_bytes([1; 16])),
            code,
            count: 1,
            reason: "because".to_owned(),
            seid: None,
            server_name: None,
        }
    }

    fn count(event: &AuditEvent) -> u64 {
        match event {
            AuditEvent::SessionRefused(refusals) => refusals.count,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_storm_of_refusals_is_one_record_each_ten_seconds() {
        let mut log = RefusalLog::default();
        let start = Instant::now();
        let mut records = Vec::new();
        for tenth in 0..250_u32 {
            let now = start + Duration::from_millis(100) * tenth;
            records.extend(log.due(now));
            records.extend(log.note(refusal(7, RefusalCode::Policy), now));
        }
        records.extend(log.drain());
        let counts: Vec<u64> = records.iter().map(count).collect();
        assert_eq!(counts, [1, 99, 100, 50]);
    }

    #[test]
    fn domains_and_codes_are_counted_apart() {
        let mut log = RefusalLog::default();
        let now = Instant::now();
        assert!(log.note(refusal(7, RefusalCode::Policy), now).is_some());
        assert!(log.note(refusal(8, RefusalCode::Policy), now).is_some());
        assert!(log.note(refusal(7, RefusalCode::Limit), now).is_some());
        assert!(log.note(refusal(7, RefusalCode::Limit), now).is_none());
    }

    #[test]
    fn a_quiet_window_closes_without_a_record() {
        let mut log = RefusalLog::default();
        let now = Instant::now();
        log.note(refusal(7, RefusalCode::Policy), now);
        assert_eq!(log.next_timeout(), Some(now + WINDOW));
        assert!(log.due(now + WINDOW).is_empty());
        assert_eq!(log.next_timeout(), None);
    }
}
