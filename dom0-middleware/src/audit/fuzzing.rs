//! What a forged audit could say.

use sha2::{Digest, Sha256};

use super::verify::{Anchors, Expected, Verifier};
use crate::cmd::fuzzing::shown_record;
use crate::hex::hex;

/// Looks at lines as they are.
pub fn audit_lines(bytes: &[u8]) {
    look(bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
}

/// Looks at lines that somebody has chained: each one is what follows its number and the hash of
/// the line before.
pub fn chained_audit_lines(bytes: &[u8]) {
    let mut prev = [0; 32];
    let rests = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = rests.map(|(seq, rest)| {
        let start = format!("{{\"seq\":{seq},\"prev\":\"{}\",", hex(&prev));
        let line = [start.as_bytes(), rest].concat();
        prev = Sha256::digest(&line).into();
        line
    });
    look(lines);
}

fn look(lines: impl Iterator<Item = Vec<u8>>) {
    let expected = Expected {
        anchors: Anchors::none(),
        head: None,
    };
    let mut verifier = Verifier::new(expected);
    let mut count = 0;
    for line in lines {
        let shown = shown_record(&line);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        if verifier.line(&line).is_err() {
            return;
        }
        count += 1;
    }
    if let Ok(seen) = verifier.finish() {
        assert_eq!(seen.lines, count);
        assert!(seen.last_seq >= seen.first_seq);
    }
}
