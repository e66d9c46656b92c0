//! What all connections of applications share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::allow::AllowList;
use super::answer::{Dom0Status, SessionCounts, StatusAnswer};
use super::endings::Endings;
use super::error::AppError;
use crate::dom0::{Dom0, TokenPlace};
use crate::kernel_tls::KernelSupport;

/// dom0, defaults, rules and counters.
pub(crate) struct AppState {
    /// The connection to dom0.
    pub(crate) dom0: Dom0,
    /// Time for a request that names none.
    pub(crate) timeout: Duration,
    /// Who may ask for what.
    pub(crate) allow: AllowList,
    /// What the kernel can do with TLS records.
    pub(crate) kernel_tls: KernelSupport,
    /// How many records a key may seal, if that is less than its algorithm lets it.
    pub(crate) records_per_key: Option<u64>,
    /// Counters for `status`.
    pub(crate) counters: Counters,
    /// How connections ended.
    pub(crate) endings: Endings,
}

impl AppState {
    pub(crate) fn new(
        dom0: Dom0,
        timeout: Duration,
        allow: AllowList,
        kernel_tls: KernelSupport,
    ) -> Self {
        Self {
            dom0,
            timeout,
            allow,
            kernel_tls,
            records_per_key: None,
            counters: Counters::default(),
            endings: Endings::default(),
        }
    }

    /// Keys end after so many records, or sooner where their algorithm says so.
    pub(crate) fn with_records_per_key(mut self, records: Option<u64>) -> Self {
        self.records_per_key = records;
        self
    }

    /// What `status` answers.
    pub(crate) fn status(&self) -> StatusAnswer {
        let dom0 = self.dom0.status();
        let channel = if dom0.is_secure { "tls" } else { "insecure" };
        let welcome = dom0.welcome.as_ref();
        StatusAnswer {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dom0: Dom0Status {
                connected: welcome.is_some() && dom0.revoked.is_none(),
                channel: channel.to_owned(),
                hv_pin: dom0.pin.map(|pin| pin.to_string()),
                domain: welcome.map(|welcome| welcome.domain.to_string()),
                token_place: dom0
                    .token_place
                    .filter(|place| *place != TokenPlace::Nowhere)
                    .map(|place| place.to_string()),
                token_expires: welcome.and_then(|welcome| welcome.token_expires),
                revoked: dom0.revoked.map(|code| code.as_str().to_owned()),
                last_refusal: dom0
                    .last_refusal
                    .map(|refused| AppError::refused(refused.code, refused.message)),
                last_error: dom0.last_error.map(|error| error.to_string()),
            },
            kernel_tls: (&self.kernel_tls).into(),
            sessions: self.counters.read(),
        }
    }
}

/// Counts sessions.
#[derive(Default)]
pub(crate) struct Counters {
    handshakes: AtomicU64,
    running: AtomicU64,
    established: AtomicU64,
    failed: AtomicU64,
}

/// One more in a counter, for as long as it lives.
pub(crate) struct Counted<'c>(&'c AtomicU64);

impl Counters {
    pub(crate) fn handshake(&self) -> Counted<'_> {
        Counted::new(&self.handshakes)
    }

    pub(crate) fn running(&self) -> Counted<'_> {
        self.established.fetch_add(1, Ordering::Relaxed);
        Counted::new(&self.running)
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> SessionCounts {
        SessionCounts {
            handshakes: self.handshakes.load(Ordering::Relaxed),
            running: self.running.load(Ordering::Relaxed),
            established: self.established.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

impl<'c> Counted<'c> {
    fn new(counter: &'c AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
