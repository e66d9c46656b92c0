//! Bytes on their way out of the process.

/// A buffer that is filled at its end and sent from its front.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// What is to be sent next.
    pub(super) fn pending(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending().is_empty()
    }

    /// The first `n` pending bytes are out. An empty buffer keeps its memory for the next bytes.
    pub(super) fn on_sent(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.bytes.len());
        if self.is_empty() {
            self.clear();
        }
    }

    /// Where to append. Moves what is pending to the front when it is the smaller part.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        if self.sent > self.bytes.len() - self.sent {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        &mut self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_in_which_they_came() {
        let mut outbox = Outbox::default();
        let (mut written, mut sent) = (Vec::new(), Vec::new());
        for round in 0..50_u8 {
            let chunk = vec![round; usize::from(round) * 3 % 17];
            outbox.end().extend(&chunk);
            written.extend(chunk);
            let n = outbox.pending().len().min(usize::from(round) % 11);
            sent.extend_from_slice(&outbox.pending()[..n]);
            outbox.on_sent(n);
        }
        sent.extend_from_slice(outbox.pending());
        outbox.clear();
        assert!(outbox.is_empty());
        assert_eq!(sent, written);
    }
}
