//! What a server prints, collected while it runs.

use std::io::Read;
use std::process::ChildStdout;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use crate::payload::is_payload;
use crate::wait::PATIENCE;

/// Collects a server's stdout.
#[derive(Debug)]
pub(super) struct Output(Arc<Shared>);

/// What came so far.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// The server's own words.
    pub(super) text: String,
    /// What clients sent and nobody has taken yet.
    pub(super) data: Vec<u8>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    printed: Mutex<Printed>,
    changed: Condvar,
}

impl Output {
    /// Starts to read until the server ends.
    pub(super) fn collect(mut stdout: ChildStdout) -> Self {
        let shared = Arc::new(Shared::default());
        let ours = Self(Arc::clone(&shared));
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let n = stdout.read(&mut buffer).unwrap_or(0);
                let mut printed = shared.lock();
                printed.push(buffer.get(..n).unwrap_or_default());
                printed.ended = n == 0;
                shared.changed.notify_all();
                if printed.ended {
                    return;
                }
            }
        });
        ours
    }

    /// Looks at what came so far.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Printed) -> T) -> T {
        look(&self.0.lock())
    }

    /// Waits until `probe` sees what it waits for.
    pub(super) fn until<T>(
        &self,
        what: &str,
        mut probe: impl FnMut(&mut Printed) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut printed = self.0.lock();
        loop {
            if let Some(seen) = probe(&mut printed) {
                return seen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let text = &printed.text;
            assert!(
                !printed.ended,
                "the server ended before {what}; it said:\n{text}"
            );
            assert!(
                !left.is_zero(),
                "waited in vain for {what}; the server said:\n{text}"
            );
            let waited = self.0.changed.wait_timeout(printed, left);
            (printed, _) = waited.expect("the reader does not panic");
        }
    }
}

impl Printed {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if is_payload(*byte) {
                self.data.push(*byte);
            } else {
                self.text.push(char::from(*byte));
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Printed> {
        // A failed test may leave it poisoned; what it holds is still true.
        self.printed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
