//! The record layer between two buffers.

use std::collections::VecDeque;
use std::io;

use proto::tls::{Opened, RecordLayer, RecordReader};
use zeroize::Zeroizing;

use super::error::StreamError;
use super::outbox::Outbox;

/// Neither direction is read further while this many bytes wait to be sent.
const HIGH_WATER: usize = 262_144;
/// Tickets kept for dom0; the layer bounds how many come in a row.
const MAX_TICKETS: usize = 8;

/// One stream. Feed what either side sends, send what the `to_` methods hold.
///
/// The two directions do not wait for each other: each stops only when its own receiver does.
pub(crate) struct StreamRelay {
    layer: RecordLayer,
    records: RecordReader,
    to_server: Outbox,
    to_app: Outbox,
    tickets: VecDeque<Zeroizing<Vec<u8>>>,
    app: Source,
    app_is_gone: bool,
    server: Source,
    write_failure: Option<io::Error>,
    failure: Option<StreamError>,
}

/// Where the data of one direction comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Open,
    Ended,
}

impl StreamRelay {
    /// A stream whose server has sent `surplus` already.
    pub(crate) fn new(layer: RecordLayer, surplus: &[u8]) -> Self {
        let mut relay = Self {
            layer,
            records: RecordReader::new(),
            to_server: Outbox::default(),
            to_app: Outbox::default(),
            tickets: VecDeque::new(),
            app: Source::Open,
            app_is_gone: false,
            server: Source::Open,
            write_failure: None,
            failure: None,
        };
        relay.on_server_bytes(surplus);
        relay
    }

    /// Whether the application should be read.
    pub(crate) fn wants_app_bytes(&self) -> bool {
        self.app == Source::Open
            && self.failure.is_none()
            && self.to_server.pending().len() < HIGH_WATER
    }

    /// Whether the server should be read.
    pub(crate) fn wants_server_bytes(&self) -> bool {
        self.server == Source::Open
            && self.failure.is_none()
            && self.to_app.pending().len() < HIGH_WATER
    }

    /// The application has sent `data`.
    pub(crate) fn on_app_bytes(&mut self, data: &[u8]) {
        if let Err(error) = self.layer.seal(data, self.to_server.end()) {
            self.fail(error.into());
        }
    }

    /// The application will send nothing more.
    pub(crate) fn on_app_end(&mut self) {
        if self.app == Source::Open && self.failure.is_none() {
            // The key may be used up by what was sent before.
            if let Err(error) = self.layer.seal_close_notify(self.to_server.end()) {
                self.fail(error.into());
            }
        }
        self.app = Source::Ended;
    }

    /// The application takes nothing more.
    pub(crate) fn on_app_gone(&mut self) {
        self.on_app_end();
        self.app_is_gone = true;
        self.to_app.clear();
        self.server = Source::Ended;
    }

    /// The server has sent `bytes`.
    pub(crate) fn on_server_bytes(&mut self, bytes: &[u8]) {
        self.records.push(bytes);
        while self.server == Source::Open && self.failure.is_none() {
            match self.open_next() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.fail(error),
            }
        }
        if self.layer.has_pending_control()
            && let Err(error) = self.layer.flush_control(self.to_server.end())
        {
            self.fail(error.into());
        }
    }

    /// The server takes nothing more. It may have said why, so it is read to its end first.
    pub(crate) fn on_server_write_failed(&mut self, error: io::Error) {
        self.app = Source::Ended;
        self.to_server.clear();
        match self.server {
            Source::Open => self.write_failure = Some(error),
            Source::Ended => self.fail(StreamError::Server(error)),
        }
    }

    /// The server's TCP stream has ended.
    pub(crate) fn on_server_end(&mut self) {
        if self.server == Source::Open {
            self.fail(StreamError::Truncated);
        }
    }

    /// Records for the server.
    pub(crate) fn to_server(&self) -> &[u8] {
        self.to_server.pending()
    }

    /// The server has taken the first `n` bytes of [`Self::to_server`].
    pub(crate) fn on_sent_to_server(&mut self, n: usize) {
        self.to_server.on_sent(n);
    }

    /// Plaintext for the application.
    pub(crate) fn to_app(&self) -> &[u8] {
        self.to_app.pending()
    }

    /// The application has taken the first `n` bytes of [`Self::to_app`].
    pub(crate) fn on_sent_to_app(&mut self, n: usize) {
        self.to_app.on_sent(n);
    }

    /// A NewSessionTicket message for dom0.
    pub(crate) fn next_ticket(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.tickets.pop_front()
    }

    /// Whether the server has all that it will get: its direction of TCP can be shut down.
    pub(crate) fn server_has_all(&self) -> bool {
        (self.app == Source::Ended || self.failure.is_some()) && self.to_server.is_empty()
    }

    /// Whether the application has all that the server meant to send.
    pub(crate) fn app_has_all(&self) -> bool {
        self.server == Source::Ended && self.failure.is_none() && self.to_app.is_empty()
    }

    /// Whether nothing is left to do: in order, or after [`Self::failure`] with the data that
    /// came before it and the alert that tells the server both sent.
    pub(crate) fn is_over(&self) -> bool {
        let has_failed = self.failure.is_some();
        self.server_has_all() && (self.app_has_all() || (has_failed && self.to_app.is_empty()))
    }

    /// Whether only what is left must be sent, to whoever still takes it.
    pub(crate) const fn is_closing(&self) -> bool {
        self.failure.is_some() || self.app_is_gone
    }

    /// Why the stream ends before its time, if it does.
    pub(crate) const fn failure(&self) -> Option<&StreamError> {
        self.failure.as_ref()
    }

    /// Ends the stream for a reason outside of it.
    pub(crate) fn fail(&mut self, error: StreamError) {
        if self.failure.is_some() {
            return;
        }
        let description = match &error {
            StreamError::Record(error) => error.alert(),
            StreamError::NotTls(error) => proto::tls::RecordError::from(error.clone()).alert(),
            _ => None,
        };
        if self.app == Source::Open {
            let out = self.to_server.end();
            let sealed = match description {
                Some(description) => self.layer.seal_alert(description, out),
                None => self.layer.seal_close_notify(out),
            };
            if let Err(error) = sealed {
                tracing::debug!(%error, "the server is not told");
            }
        }
        self.failure = Some(error);
    }

    /// Takes out the reason of a failed stream.
    pub(crate) fn into_failure(self) -> Option<StreamError> {
        self.failure
    }

    /// Opens one record if one is whole.
    fn open_next(&mut self) -> Result<bool, StreamError> {
        let Some(record) = self.records.next_record_mut()? else {
            return Ok(false);
        };
        match self.layer.open(record)? {
            Opened::Data(data) => self.to_app.end().extend_from_slice(data),
            Opened::CloseNotify => {
                self.server = Source::Ended;
                if let Some(error) = self.write_failure.take() {
                    return Err(StreamError::Server(error));
                }
            }
            Opened::Alert(alert) => return Err(StreamError::Alert(alert)),
            Opened::Warning(alert) => tracing::debug!(%alert, "warning from the server"),
            Opened::NewSessionTickets(tickets) => {
                self.tickets.extend(tickets);
                self.tickets.truncate(MAX_TICKETS);
            }
            Opened::Nothing => {}
        }
        Ok(true)
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
