//! What the audit is told of users, and how often.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use proto::id::DomainUuid;

use crate::audit::{AuditEvent, RacsClosed, RacsConnected, RacsRefused, RacsRefusedFor};
use crate::broker::{Coalesced, Countable};

/// Tells the audit: the first of a kind at once, those within ten seconds together.
pub struct Records {
    open: Mutex<Open>,
    tell: Box<dyn Fn(AuditEvent) + Send + Sync>,
}

#[derive(Default)]
struct Open {
    connected: Coalesced<RacsConnected>,
    closed: Coalesced<RacsClosed>,
    refused: Coalesced<RacsRefused>,
}

impl Records {
    /// Records go to `tell`, which must not wait.
    pub fn new(tell: impl Fn(AuditEvent) + Send + Sync + 'static) -> Self {
        Self {
            open: Mutex::default(),
            tell: Box::new(tell),
        }
    }

    pub(super) fn connected(&self, user: &str, address: SocketAddr, is_listed: bool) {
        let connected = RacsConnected {
            user: user.to_owned(),
            domain: None,
            address: address.ip().to_string(),
            is_listed,
            count: 1,
        };
        let record = self.lock().connected.note(connected, Instant::now());
        record.map(&self.tell);
    }

    pub(super) fn closed(&self, user: &str, address: SocketAddr, apdus_refused: u64, why: &str) {
        let closed = RacsClosed {
            user: user.to_owned(),
            domain: None,
            address: address.ip().to_string(),
            why: why.to_owned(),
            apdus_refused,
            count: 1,
        };
        let record = self.lock().closed.note(closed, Instant::now());
        record.map(&self.tell);
    }

    pub(super) fn refused(
        &self,
        user: Option<&str>,
        address: SocketAddr,
        because: RacsRefusedFor,
        why: String,
    ) {
        let refused = RacsRefused {
            user: user.map(str::to_owned),
            address: address.ip().to_string(),
            because,
            why,
            count: 1,
        };
        let record = self.lock().refused.note(refused, Instant::now());
        record.map(&self.tell);
    }

    /// Tells what was counted and whose time is over.
    pub(super) fn tell_what_is_due(&self, now: Instant) {
        let mut open = self.lock();
        let due = open.connected.due(now).into_iter();
        let due = due.chain(open.refused.due(now)).chain(open.closed.due(now));
        due.for_each(&self.tell);
    }

    /// Tells all that was counted: nothing follows.
    pub fn tell_rest(&self) {
        let mut open = self.lock();
        let rest = open.connected.drain().into_iter();
        let rest = rest.chain(open.refused.drain()).chain(open.closed.drain());
        rest.for_each(&self.tell);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // A count that was lost is the worst that can have happened.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Countable for RacsConnected {
    type Kind = (Option<DomainUuid>, String, bool);

    fn kind(&self) -> Self::Kind {
        (self.domain, self.user.clone(), self.is_listed)
    }

    fn and(self, earlier: Option<Self>) -> Self {
        let before = earlier.map_or(0, |connected| connected.count);
        Self {
            count: before.saturating_add(self.count),
            ..self
        }
    }

    fn record(self) -> AuditEvent {
        AuditEvent::RacsConnected(Box::new(self))
    }
}

impl Countable for RacsClosed {
    type Kind = (Option<DomainUuid>, String);

    fn kind(&self) -> Self::Kind {
        (self.domain, self.user.clone())
    }

    fn and(self, earlier: Option<Self>) -> Self {
        let (count, apdus) = earlier.map_or((0, 0), |all| (all.count, all.apdus_refused));
        Self {
            count: count.saturating_add(self.count),
            apdus_refused: apdus.saturating_add(self.apdus_refused),
            ..self
        }
    }

    fn record(self) -> AuditEvent {
        AuditEvent::RacsClosed(Box::new(self))
    }
}

/// Whoever was not let in cannot make many kinds.
impl Countable for RacsRefused {
    type Kind = RacsRefusedFor;

    fn kind(&self) -> Self::Kind {
        self.because
    }

    fn and(self, earlier: Option<Self>) -> Self {
        let before = earlier.map_or(0, |refused| refused.count);
        Self {
            count: before.saturating_add(self.count),
            ..self
        }
    }

    fn record(self) -> AuditEvent {
        AuditEvent::RacsRefused(Box::new(self))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_storm_of_strangers_is_a_few_records() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let records = Records::new(move |event| sink.lock().expect("whole").push(event));
        let address: SocketAddr = "192.0.2.1:4000".parse().expect("an address");
        for number in 0..1_000 {
            let why = format!("TLS: {number}");
            records.refused(None, address, RacsRefusedFor::Tls, why);
            records.connected("factory", address, true);
        }
        records.tell_what_is_due(Instant::now() + Duration::from_secs(11));
        records.tell_rest();
        let told = told.lock().expect("whole");
        let counts: Vec<u64> = told
            .iter()
            .map(|event| match event {
                AuditEvent::RacsRefused(refused) => refused.count,
                AuditEvent::RacsConnected(connected) => connected.count,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(counts, [1, 1, 999, 999]);
    }
}
