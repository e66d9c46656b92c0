//! One line after the other: the chain, its checkpoints, its end.

use sha2::{Digest, Sha256};

use super::keys::{Anchors, KnownKey};
use super::record::{Continued, Kind, Proof, Record, parse};
use super::report::Checkpoints;
use crate::audit::chain::AuditHead;
use crate::audit::checkpoint::{self, RECORDS};
use crate::hex::hex;

/// HV certificates that are listed; there are only as many as a host had.
const MAX_HOSTS: usize = 16;

/// What an audit is held to.
pub(crate) struct Expected {
    /// Who may have signed.
    pub(crate) anchors: Anchors,
    /// A line that was there, as the state knows.
    pub(crate) head: Option<AuditHead>,
}

/// Looks at the lines of an audit, from the first file to the last.
pub(crate) struct Verifier {
    expected: Expected,
    last: Option<Last>,
    first_seq: u64,
    lines: u64,
    key: Option<KnownKey>,
    checkpoints: Checkpoints,
    /// Whether the line that the state knows was there.
    head_seen: bool,
}

struct Last {
    seq: u64,
    hash: [u8; 32],
    time: String,
}

/// What is wrong, and whether with the line before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) is_before: bool,
    pub(crate) reason: String,
}

/// What was seen until the end.
pub(crate) struct Seen {
    pub(crate) lines: u64,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) last_time: String,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) notes: Vec<String>,
}

impl Verifier {
    pub(crate) fn new(expected: Expected) -> Self {
        let certified = expected.anchors.are_given();
        Self {
            expected,
            last: None,
            first_seq: 0,
            lines: 0,
            key: None,
            checkpoints: Checkpoints {
                certified,
                ..Checkpoints::default()
            },
            head_seen: false,
        }
    }

    /// Takes the next line, without its line feed.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let (record, kind) = parse(line).map_err(wrong)?;
        self.check_place(&record, &kind)?;
        let hash: [u8; 32] = Sha256::digest(line).into();
        self.check_head(record.seq, &hash)?;
        match &kind {
            Kind::Key(key) => {
                let key = KnownKey::new(key).map_err(wrong)?;
                self.note_host(&key);
                self.key = Some(key);
            }
            Kind::Checkpoint(proof) => self.check_proof(&record, proof)?,
            Kind::Continued(_) | Kind::Other => {}
        }
        self.lines = self.lines.saturating_add(1);
        self.last = Some(Last {
            seq: record.seq,
            hash,
            time: record.time.into_owned(),
        });
        Ok(())
    }

    /// Whether it belongs behind the line before.
    fn check_place(&mut self, record: &Record<'_>, kind: &Kind) -> Result<(), Wrong> {
        let Some(last) = &self.last else {
            self.first_seq = record.seq;
            return check_first(record, kind);
        };
        if last.seq.checked_add(1) != Some(record.seq) {
            let (was, is) = (last.seq, record.seq);
            return Err(wrong(format!(
                "line number {is} stands behind {was}: lines are missing, or not where they were"
            )));
        }
        if *record.prev != hex(&last.hash) {
            let next = record.seq;
            return Err(Wrong {
                is_before: true,
                reason: format!(
                    "its SHA-256 is not the one that line number {next}, behind it, holds: one of \
                     the two was changed"
                ),
            });
        }
        Ok(())
    }

    fn check_head(&mut self, seq: u64, hash: &[u8; 32]) -> Result<(), Wrong> {
        let Some(head) = self.expected.head.filter(|head| head.seq == seq) else {
            return Ok(());
        };
        self.head_seen = true;
        match head.hash == *hash {
            true => Ok(()),
            false => Err(wrong(
                "the state knows another line with this number: this one, or lines before it, were \
                 changed"
                    .to_owned(),
            )),
        }
    }

    fn check_proof(&mut self, record: &Record<'_>, proof: &Proof) -> Result<(), Wrong> {
        let Proof::Signed { key, signature } = proof else {
            self.checkpoints.unsigned += 1;
            return Ok(());
        };
        let known = self.key.as_ref().filter(|known| known.name == *key);
        let known =
            known.ok_or_else(|| wrong("the key of the checkpoint is not before it".to_owned()))?;
        let prev = self.last.as_ref().map_or([0; 32], |last| last.hash);
        let message = checkpoint::message(record.seq, &prev, &record.time);
        if !known.has_signed(&message, signature) {
            let reason = "the signature of the checkpoint is not good";
            return Err(wrong(reason.to_owned()));
        }
        known
            .is_certified(&self.expected.anchors, &record.time)
            .map_err(wrong)?;
        self.checkpoints.signed += 1;
        self.checkpoints.last_signed_seq = Some(record.seq);
        self.checkpoints.last_signed_time = Some(record.time.to_string());
        Ok(())
    }

    fn note_host(&mut self, key: &KnownKey) {
        let hosts = &mut self.checkpoints.hosts;
        if let Some(host) = key.hv.as_ref().map(ToString::to_string)
            && !hosts.contains(&host)
            && hosts.len() < MAX_HOSTS
        {
            hosts.push(host);
        }
    }

    /// There are no more lines.
    pub(crate) fn finish(self) -> Result<Seen, Wrong> {
        let Some(last) = self.last else {
            return match self.expected.head {
                Some(_) => Err(wrong("nothing is left of the audit".to_owned())),
                None => Err(wrong("there is no line".to_owned())),
            };
        };
        let mut notes = Vec::new();
        if self.first_seq > 0 {
            notes.push(format!(
                "lines before number {} were in files that are gone",
                self.first_seq
            ));
        }
        match self.expected.head {
            Some(head) if head.seq > last.seq => {
                return Err(wrong(format!(
                    "the audit ends with line number {}, the state knows of lines up to {}: the \
                     end was cut off",
                    last.seq, head.seq
                )));
            }
            Some(head) if !self.head_seen => notes.push(format!(
                "line number {}, which the state knows, was in a file that is gone",
                head.seq
            )),
            Some(_) => {}
            None => notes.push(
                "no line is known from the state (--state): a cut behind the last signed checkpoint \
                 is not seen"
                    .to_owned(),
            ),
        }
        let signed = self.checkpoints.last_signed_seq;
        let after = signed.map_or(self.lines, |signed| last.seq.saturating_sub(signed));
        if self.expected.anchors.are_given() {
            if signed.is_none() {
                let reason =
                    "no checkpoint is signed by a key that a given HV certificate certifies";
                return Err(wrong(reason.to_owned()));
            }
            // The key's own record, and one that a full disk has kept from being written in time.
            if after > 2 * RECORDS {
                return Err(wrong(format!(
                    "{after} lines behind the last signed checkpoint, which the service would not \
                     leave unsigned"
                )));
            }
        }
        notes.push(match signed {
            None => "no line is signed: whoever could write the file could make it anew".to_owned(),
            Some(_) => format!("lines behind the last signed checkpoint: {after}"),
        });
        if signed.is_some() && !self.expected.anchors.are_given() {
            notes.push(
                "signed with keys that the file itself names; --hv-cert says whose they are"
                    .to_owned(),
            );
        }
        Ok(Seen {
            lines: self.lines,
            first_seq: self.first_seq,
            last_seq: last.seq,
            last_time: last.time,
            checkpoints: self.checkpoints,
            notes,
        })
    }
}

/// The first line of all is the beginning, or goes on where a file that is gone ended.
fn check_first(record: &Record<'_>, kind: &Kind) -> Result<(), Wrong> {
    let goes_on = |continued: &Continued| {
        continued.previous_seq.checked_add(1) == Some(record.seq)
            && continued.previous_sha256 == *record.prev
    };
    match (record.seq, kind) {
        (0, _) if record.prev.len() == 64 && record.prev.bytes().all(|byte| byte == b'0') => Ok(()),
        (0, _) => Err(wrong(
            "the first line holds the SHA-256 of a line before it".to_owned(),
        )),
        (_, Kind::Continued(continued)) if goes_on(continued) => Ok(()),
        (seq, _) => Err(wrong(format!(
            "the audit begins with line number {seq}, which begins no file: lines before it are \
             missing"
        ))),
    }
}

fn wrong(reason: String) -> Wrong {
    Wrong {
        is_before: false,
        reason,
    }
}
