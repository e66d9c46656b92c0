//! Records that wait to be sent before the next data.

/// What the layer owes the peer, or wants of it.
#[derive(Default)]
pub(super) struct Control {
    /// A HelloRequest came: decline it (RFC 5246 §7.4.1.1).
    pub(super) decline_renegotiation: bool,
    /// The peer changed its key and asked for ours to change: several requests before our next
    /// record share one answer (RFC 8446 §4.6.3).
    pub(super) answer_key_update: bool,
    /// The peer's key is nearly used up: change ours and ask for the same.
    pub(super) request_key_update: bool,
}

impl Control {
    pub(super) fn is_pending(&self) -> bool {
        self.decline_renegotiation || self.answer_key_update || self.request_key_update
    }
}
