//! Counts what a peer can repeat for ever without sending data.

use super::error::RecordError;

/// What a peer has sent since its last data.
#[derive(Default)]
pub(super) struct Repetition {
    empty_records: u32,
    warnings: u32,
    key_updates: u32,
    hello_requests: u32,
    tickets: u32,
}

impl Repetition {
    /// Application data came.
    pub(super) fn on_data(&mut self) {
        *self = Self::default();
    }

    pub(super) fn on_empty_record(&mut self) -> Result<(), RecordError> {
        count(&mut self.empty_records, "empty records", 32)
    }

    pub(super) fn on_warning(&mut self) -> Result<(), RecordError> {
        count(&mut self.warnings, "warnings", 4)
    }

    pub(super) fn on_key_update(&mut self) -> Result<(), RecordError> {
        count(&mut self.key_updates, "KeyUpdates", 32)
    }

    pub(super) fn on_hello_request(&mut self) -> Result<(), RecordError> {
        count(&mut self.hello_requests, "HelloRequests", 4)
    }

    pub(super) fn on_ticket(&mut self) -> Result<(), RecordError> {
        count(&mut self.tickets, "NewSessionTickets", 32)
    }
}

fn count(counter: &mut u32, what: &'static str, max: u32) -> Result<(), RecordError> {
    if *counter == max {
        return Err(RecordError::TooMany { what, max });
    }
    *counter += 1;
    Ok(())
}
