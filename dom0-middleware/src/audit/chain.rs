//! Lines that hold the hash of the line before them.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::event::AuditEvent;
use crate::hex::hex;
use crate::time::UnixTime;

/// Where a chain stands: what the next line must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    seq: u64,
    prev: [u8; 32],
}

/// The last line of an audit: what proves that it was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// Its number.
    pub seq: u64,
    /// SHA-256 of the line without its line feed.
    pub hash: [u8; 32],
}

/// A line that fits a chain, and the chain after it. The chain moves on only when the line has
/// been stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The line with its line feed.
    pub line: Vec<u8>,
    /// The chain once the line is stored.
    pub next: Chain,
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time: String,
    prev: String,
    #[serde(flatten)]
    event: &'a AuditEvent,
}

impl Chain {
    /// The chain after `line` (without line feed), which has the number `seq`.
    #[must_use]
    pub fn after(seq: u64, line: &[u8]) -> Self {
        Self {
            seq: seq.saturating_add(1),
            prev: Sha256::digest(line).into(),
        }
    }

    /// The number of the next line.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// SHA-256 of the line before the next one; zeros at the very beginning.
    pub(super) fn prev(&self) -> [u8; 32] {
        self.prev
    }

    /// The line before the next one; `None` at the very beginning.
    #[must_use]
    pub fn head(&self) -> Option<AuditHead> {
        let seq = self.seq.checked_sub(1)?;
        let hash = self.prev;
        Some(AuditHead { seq, hash })
    }

    /// The next line.
    #[must_use]
    pub fn link(&self, event: &AuditEvent, time: UnixTime) -> Link {
        let line = Line {
            seq: self.seq,
            time: time.to_string(),
            prev: hex(&self.prev),
            event,
        };
        let mut line = serde_json::to_vec(&line).expect("records are made of texts and numbers");
        let next = Self::after(self.seq, &line);
        line.push(b'\n');
        Link { line, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_holds_the_hash_of_the_one_before() {
        let chain = Chain::default();
        let first = chain.link(&AuditEvent::ServiceStopped, UnixTime::from_secs(1));
        assert_eq!(
            String::from_utf8_lossy(&first.line),
            format!(
                "{{\"seq\":0,\"time\":\"1970-01-01T00:00:01.000Z\",\"prev\":\"{}\",\
                 \"event\":\"service-stopped\"}}\n",
                "0".repeat(64)
            )
        );
        let second = first
            .next
            .link(&AuditEvent::ServiceStopped, UnixTime::from_secs(2));
        let without_feed = first.line.strip_suffix(b"\n").expect("a line");
        let expected = hex(&Sha256::digest(without_feed));
        let text = String::from_utf8_lossy(&second.line).into_owned();
        assert!(text.contains("\"seq\":1,"), "{text}");
        assert!(text.contains(&format!("\"prev\":\"{expected}\"")), "{text}");
    }
}
