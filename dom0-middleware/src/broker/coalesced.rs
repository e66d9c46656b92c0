//! Records that a guest could have many of: of one kind at most one in ten seconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::agent::RefusalCode;
use proto::id::{DomId, DomainUuid};

use crate::audit::{Admitted, AuditEvent, ChannelClosed, Refusals, TokenRecord};

/// The first is recorded at once; those that follow within this time are counted and recorded
/// together when it is over.
const WINDOW: Duration = Duration::from_secs(10);

/// Something that can happen many times and be recorded once.
pub(crate) trait Countable: Sized {
    /// What is counted together.
    type Kind: Ord;

    fn kind(&self) -> Self::Kind;

    /// `earlier` ones that were not recorded yet, and this one.
    fn and(self, earlier: Option<Self>) -> Self;

    fn record(self) -> AuditEvent;
}

/// Open windows. There are at most as many as kinds.
#[derive(Debug)]
pub(crate) struct Coalesced<R: Countable>(BTreeMap<R::Kind, Window<R>>);

#[derive(Debug)]
struct Window<R> {
    ends: Instant,
    counted: Option<R>,
}

impl<R: Countable> Default for Coalesced<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Countable> Coalesced<R> {
    /// Takes one; returns what must be recorded now.
    pub(crate) fn note(&mut self, new: R, now: Instant) -> Option<AuditEvent> {
        let kind = new.kind();
        match self.0.get_mut(&kind) {
            Some(window) => {
                window.counted = Some(new.and(window.counted.take()));
                None
            }
            None => {
                let window = Window {
                    ends: now + WINDOW,
                    counted: None,
                };
                self.0.insert(kind, window);
                Some(new.record())
            }
        }
    }

    /// What must be recorded because its time is over.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<AuditEvent> {
        let mut records = Vec::new();
        self.0.retain(|_, window| {
            if now < window.ends {
                return true;
            }
            let counted = window.counted.take();
            window.ends = now + WINDOW;
            let goes_on = counted.is_some();
            records.extend(counted.map(R::record));
            goes_on
        });
        records
    }

    /// Everything that was counted and not recorded.
    pub(crate) fn drain(&mut self) -> Vec<AuditEvent> {
        let windows = std::mem::take(&mut self.0);
        let counted = windows.into_values().filter_map(|window| window.counted);
        counted.map(R::record).collect()
    }

    /// When [`Self::due`] must be asked.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.0.values().map(|window| window.ends).min()
    }
}

impl Countable for Refusals {
    type Kind = (DomId, RefusalCode);

    fn kind(&self) -> Self::Kind {
        (self.domid, self.code)
    }

    fn and(self, earlier: Option<Self>) -> Self {
        let before = earlier.map_or(0, |refusals| refusals.count);
        Self {
            count: before.saturating_add(self.count),
            ..self
        }
    }

    fn record(self) -> AuditEvent {
        AuditEvent::SessionRefused(Box::new(self))
    }
}

/// Tokens come from the operator, so a guest cannot make many kinds.
impl Countable for Admitted {
    type Kind = (DomId, DomainUuid, TokenRecord);

    fn kind(&self) -> Self::Kind {
        (self.domid, self.domain, self.token.clone())
    }

    fn and(self, earlier: Option<Self>) -> Self {
        let before = earlier.map_or(0, |admitted| admitted.count);
        Self {
            count: before.saturating_add(self.count),
            ..self
        }
    }

    fn record(self) -> AuditEvent {
        AuditEvent::GuestAdmitted(Box::new(self))
    }
}

/// The numbers of sessions in one record, so that a line stays short.
pub(super) const MAX_SESSIONS: usize = 1_000;

impl Countable for ChannelClosed {
    type Kind = (DomId, DomainUuid);

    fn kind(&self) -> Self::Kind {
        (self.domid, self.domain)
    }

    fn and(self, earlier: Option<Self>) -> Self {
        let Some(mut all) = earlier else { return self };
        all.by = self.by;
        all.count = all.count.saturating_add(self.count);
        all.more_sessions = all.more_sessions.saturating_add(self.more_sessions);
        all.sessions.extend(self.sessions);
        all.shortened()
    }

    fn record(self) -> AuditEvent {
        AuditEvent::ChannelClosed(Box::new(self.shortened()))
    }
}

impl ChannelClosed {
    fn shortened(mut self) -> Self {
        let more = self.sessions.len().saturating_sub(MAX_SESSIONS);
        self.sessions.truncate(MAX_SESSIONS);
        self.more_sessions = self.more_sessions.saturating_add(more as u64);
        self
    }
}

#[cfg(test)]
mod tests {
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
        let mut log = Coalesced::default();
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
        let mut log = Coalesced::default();
        let now = Instant::now();
        assert!(log.note(refusal(7, RefusalCode::Policy), now).is_some());
        assert!(log.note(refusal(8, RefusalCode::Policy), now).is_some());
        assert!(log.note(refusal(7, RefusalCode::Limit), now).is_some());
        assert!(log.note(refusal(7, RefusalCode::Limit), now).is_none());
    }

    #[test]
    fn a_quiet_window_closes_without_a_record() {
        let mut log = Coalesced::default();
        let now = Instant::now();
        log.note(refusal(7, RefusalCode::Policy), now);
        assert_eq!(log.next_timeout(), Some(now + WINDOW));
        assert!(log.due(now + WINDOW).is_empty());
        assert_eq!(log.next_timeout(), None);
    }
}
