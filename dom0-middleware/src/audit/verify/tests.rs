//! Audits that are whole, and what is found when they are not.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use proptest::prelude::*;
use proto::hv::HvCertificate;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::verifier::Seen;
use super::*;
use crate::audit::{AuditEvent, AuditHead, AuditLog, CheckpointReason, Rotation, Storage};
use crate::channel_key::ChannelKey;
use crate::channel_key::testing::hv;
use crate::hex::hex;
use crate::time::UnixTime;

/// 2026-11-21T04:07:09Z
const NOW: UnixTime = UnixTime::from_secs(1_795_234_029);

/// A host: its HV certificate and a channel key of today.
struct Host {
    hv: HvCertificate,
    key: Arc<ChannelKey>,
}

fn host() -> Host {
    let (signer, certificate) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
    let key = ChannelKey::new(&signer, certificate.clone(), NOW).expect("certified");
    Host {
        hv: certificate,
        key: Arc::new(key),
    }
}

/// The host that writes, and one that does not.
fn hosts() -> &'static (Host, Host) {
    static HOSTS: OnceLock<(Host, Host)> = OnceLock::new();
    HOSTS.get_or_init(|| (host(), host()))
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Vec<u8>>>>);

impl Storage for Memory {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let line = line.strip_suffix(b"\n").expect("a line").to_vec();
        self.0.lock().expect("no panic").push(line);
        Ok(())
    }
}

/// An audit: `counts` records before each checkpoint, and `rest` behind the last.
fn written(key: Option<&Arc<ChannelKey>>, counts: &[usize], rest: usize) -> Vec<Vec<u8>> {
    let memory = Memory::default();
    let mut log = AuditLog::new(Box::new(memory.clone()));
    if let Some(key) = key {
        log.sign_with(Arc::clone(key) as Arc<dyn crate::channel_key::CheckpointSigner>);
    }
    let append = |log: &mut AuditLog, count: usize| {
        for n in 0..count {
            let event = AuditEvent::Recovered { bytes: n as u64 };
            log.append(&event, NOW).expect("memory");
        }
    };
    for count in counts {
        append(&mut log, *count);
        log.checkpoint(CheckpointReason::Hour, NOW).expect("memory");
    }
    append(&mut log, rest);
    let lines = memory.0.lock().expect("no panic");
    lines.clone()
}

fn of_host(host: &Host) -> Expected {
    let anchors = Anchors::new(std::slice::from_ref(&host.hv)).expect("a certificate");
    let head = None;
    Expected { anchors, head }
}

fn of_nobody() -> Expected {
    Expected {
        anchors: Anchors::none(),
        head: None,
    }
}

fn with_head(head: AuditHead) -> Expected {
    Expected {
        anchors: Anchors::none(),
        head: Some(head),
    }
}

/// What is wrong with these lines; the number of the line that is to blame comes with it.
fn look(lines: &[Vec<u8>], expected: Expected) -> Result<Seen, (usize, String)> {
    let mut verifier = Verifier::new(expected);
    for (n, line) in lines.iter().enumerate() {
        verifier
            .line(line)
            .map_err(|wrong| (n - usize::from(wrong.is_before), wrong.reason))?;
    }
    verifier
        .finish()
        .map_err(|wrong| (lines.len(), wrong.reason))
}

/// Computes all hashes from a line on again, as whoever can write the file can.
fn chained_again(lines: &mut [Vec<u8>]) {
    let mut before = hex(&[0; 32]);
    for (seq, line) in lines.iter_mut().enumerate() {
        let mut value: Value = serde_json::from_slice(line).expect("JSON");
        value["seq"] = seq.into();
        value["prev"] = before.into();
        *line = serde_json::to_vec(&value).expect("JSON");
        before = hex(&Sha256::digest(&line));
    }
}

#[test]
fn what_was_written_is_good() {
    let (host, other) = hosts();
    let lines = written(Some(&host.key), &[3, 1_500], 7);
    let seen = look(&lines, of_host(host)).map_err(|wrong| wrong.1);
    let seen = seen.expect("nothing is wrong");
    assert_eq!((seen.checkpoints.signed, seen.checkpoints.unsigned), (3, 0));
    assert_eq!(seen.lines, lines.len() as u64);
    assert_eq!(
        seen.last_seq - 7,
        seen.checkpoints.last_signed_seq.expect("signed")
    );
    assert_eq!(seen.checkpoints.hosts, [host.hv.id().to_string()]);
    assert!(look(&lines, of_nobody()).is_ok());
    let (line, reason) = look(&lines, of_host(other)).err().expect("another host's");
    assert_eq!(line, 4, "{reason}");
    assert!(reason.contains("vouches"), "{reason}");
}

#[test]
fn without_a_key_checkpoints_prove_nothing_and_that_is_said() {
    let (host, _) = hosts();
    let lines = written(None, &[3], 2);
    let seen = look(&lines, of_nobody()).map_err(|wrong| wrong.1);
    let seen = seen.expect("nothing is wrong");
    assert_eq!((seen.checkpoints.signed, seen.checkpoints.unsigned), (0, 1));
    assert!(
        seen.notes
            .iter()
            .any(|note| note.contains("no line is signed"))
    );
    let (_, reason) = look(&lines, of_host(host))
        .err()
        .expect("nothing is signed");
    assert!(reason.contains("no checkpoint is signed"), "{reason}");
}

#[test]
fn each_change_is_found_in_its_place() {
    let (host, _) = hosts();
    let good = written(Some(&host.key), &[9], 3);
    let text = |n: usize| String::from_utf8(good[n].clone()).expect("text");
    // Record 5 says something else.
    let mut lines = good.clone();
    lines[5] = text(5).replace("\"bytes\":5", "\"bytes\":6").into_bytes();
    assert_eq!(
        look(&lines, of_nobody()).err().map(|wrong| wrong.0),
        Some(5)
    );
    // A line is gone, two have changed places, one is there twice, one is no record.
    let mut lines = good.clone();
    lines.remove(5);
    assert_eq!(
        look(&lines, of_nobody()).err().map(|wrong| wrong.0),
        Some(5)
    );
    let mut lines = good.clone();
    lines.swap(5, 6);
    assert_eq!(
        look(&lines, of_nobody()).err().map(|wrong| wrong.0),
        Some(5)
    );
    let mut lines = good.clone();
    lines.insert(5, good[5].clone());
    assert_eq!(
        look(&lines, of_nobody()).err().map(|wrong| wrong.0),
        Some(6)
    );
    let mut lines = good.clone();
    lines[5] = b"{}".to_vec();
    assert_eq!(
        look(&lines, of_nobody()).err().map(|wrong| wrong.0),
        Some(5)
    );
    // The beginning is gone.
    let (line, reason) = look(&good[2..], of_nobody()).err().expect("cut");
    assert_eq!(line, 0);
    assert!(reason.contains("lines before it are missing"), "{reason}");
}

#[test]
fn who_computes_all_hashes_again_fails_at_the_signature() {
    let (host, other) = hosts();
    let mut lines = written(Some(&host.key), &[9, 4], 3);
    let text = String::from_utf8(lines[5].clone()).expect("text");
    lines[5] = text.replace("\"bytes\":5", "\"bytes\":6").into_bytes();
    chained_again(&mut lines);
    let (line, reason) = look(&lines, of_nobody()).err().expect("not signed");
    assert_eq!(line, 10, "{reason}");
    assert!(reason.contains("signature"), "{reason}");
    // With a key of its own it looks good to who does not know the host, and only to them.
    let forged = written(Some(&other.key), &[9, 4], 3);
    assert!(look(&forged, of_nobody()).is_ok());
    assert!(look(&forged, of_host(host)).is_err());
    // Neither helps it to say that nothing was signed.
    let unsigned = written(None, &[9, 4], 3);
    assert!(look(&unsigned, of_host(host)).is_err());
    let mut behind = written(Some(&host.key), &[9], 2_500);
    behind.retain(|line| !line.windows(10).any(|w| w == b"checkpoint") || line.len() > 1_000);
    chained_again(&mut behind);
    assert!(look(&behind, of_host(host)).is_err());
}

#[test]
fn a_cut_is_found_up_to_what_the_state_knows() {
    let (host, _) = hosts();
    let lines = written(Some(&host.key), &[9], 6);
    let head = |seq: usize| AuditHead {
        seq: seq as u64,
        hash: Sha256::digest(&lines[seq]).into(),
    };
    for seq in [0, 11, 13, lines.len() - 1] {
        assert!(look(&lines, with_head(head(seq))).is_ok(), "{seq}");
    }
    let cut = lines.get(..13).expect("so many");
    assert!(look(cut, of_host(host)).is_ok(), "nobody else can know");
    let (_, reason) = look(cut, with_head(head(13))).err().expect("cut");
    assert!(reason.contains("cut off"), "{reason}");
    assert!(look(&[], with_head(head(13))).is_err());
    let mut other = head(13);
    other.hash[0] ^= 1;
    let (line, _) = look(&lines, with_head(other)).err().expect("changed");
    assert_eq!(line, 13);
}

/// One thing that somebody does to a file.
#[derive(Debug, Clone)]
enum Tampering {
    Edit { byte: usize, to: u8 },
    Delete,
    Repeat,
    Swap { with: usize },
    Move { to: usize },
    Insert,
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let place = 0..100_usize;
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(byte, to)| Tampering::Edit { byte, to }),
        Just(Tampering::Delete),
        Just(Tampering::Repeat),
        place.clone().prop_map(|with| Tampering::Swap { with }),
        place.prop_map(|to| Tampering::Move { to }),
        Just(Tampering::Insert),
    ]
}

/// Does it to line `at` among the first `signed`.
fn tamper(lines: &mut Vec<Vec<u8>>, at: usize, signed: usize, tampering: &Tampering) {
    match tampering {
        Tampering::Edit { byte, to } => {
            let line = &mut lines[at];
            let byte = byte % line.len();
            line[byte] = *to;
        }
        Tampering::Delete => drop(lines.remove(at)),
        Tampering::Repeat => lines.insert(at, lines[at].clone()),
        Tampering::Swap { with } => lines.swap(at, with % signed),
        Tampering::Move { to } => {
            let line = lines.remove(at);
            lines.insert(to % signed, line);
        }
        Tampering::Insert => {
            let line = String::from_utf8_lossy(&lines[at]).replace("recovered", "invented");
            lines.insert(at, line.into_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn up_to_the_last_checkpoint_no_change_goes_unnoticed(
        counts in prop::collection::vec(0..12_usize, 1..5),
        rest in 0..5_usize,
        at in any::<usize>(),
        what in tampering(),
        again in any::<bool>(),
    ) {
        let (host, _) = hosts();
        let good = written(Some(&host.key), &counts, rest);
        let signed = good.len() - rest;
        let mut lines = good.clone();
        tamper(&mut lines, at % signed, signed, &what);
        let is_record = |line: &Vec<u8>| {
            serde_json::from_slice::<Value>(line).is_ok_and(|value| value.is_object())
        };
        if again && lines.iter().all(is_record) {
            chained_again(&mut lines);
        }
        let Ok(seen) = look(&lines, of_host(host)) else {
            return Ok(());
        };
        // Nobody but the state knows of a cut back to an earlier checkpoint. Up to the one that is
        // said to be the last, everything is as it was.
        let signed = usize::try_from(seen.checkpoints.last_signed_seq.expect("one is")).expect("few");
        prop_assert_eq!(lines.get(..=signed), good.get(..=signed), "{:?}", what);
        // Behind it each line is bound by the next one, which the last has not: a checkpoint there that
        // was made into another record is as good as cut off.
        if !again && let Some((_, bound)) = lines.split_last() {
            prop_assert!(good.starts_with(bound), "{:?}", what);
        }
    }

    #[test]
    fn no_line_makes_it_panic(lines in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let _ = look(&lines, of_nobody());
    }
}

const SMALL: Rotation = Rotation {
    max_bytes: 6_000,
    keep: 3,
};

fn verify_file(path: &Path, expected: Expected) -> Result<Report, VerifyError> {
    verify(path, expected, &mut |_, _| {})
}

#[test]
fn all_files_are_one_audit_and_a_fault_names_file_and_line() {
    let (host, _) = hosts();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit");
    let mut log = AuditLog::open(&path, SMALL, NOW).expect("opened");
    log.sign_with(Arc::clone(&host.key) as Arc<dyn crate::channel_key::CheckpointSigner>);
    for _ in 0..200 {
        log.append(&AuditEvent::ServiceStopped, NOW).expect("room");
    }
    let head = log.head().expect("lines");
    let report = verify_file(&path, of_host(host)).expect("good");
    assert_eq!(report.files.len(), 4);
    assert!(report.first_seq > 0, "older ones are gone");
    assert_eq!(report.last_seq, head.seq);
    assert!(report.checkpoints.signed >= 3);
    verify_file(&path, with_head(head)).expect("good");

    // Half a line at the end is a note; in an old file it is a fault.
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(&path, format!("{text}{{\"seq\":")).expect("written");
    let report = verify_file(&path, of_host(host)).expect("good");
    let is_said = report.notes.iter().any(|note| note.contains("unfinished"));
    assert!(is_said, "{:?}", report.notes);
    let old = dir.path().join("audit.2");
    let good = fs::read_to_string(&old).expect("readable");
    fs::write(&old, good.trim_end()).expect("written");
    let Err(VerifyError::Fault(fault)) = verify_file(&path, of_host(host)) else {
        panic!("it is cut");
    };
    assert_eq!(fault.file, old);
    assert_eq!(fault.line, good.lines().count() as u64);

    // A change in the last line of an old file shows in the file behind it.
    let last = good.lines().last().expect("a line");
    let changed = last.replace("\"reason\":\"rotation\"", "\"reason\":\"Rotation\"");
    fs::write(&old, good.replace(last, &changed)).expect("written");
    let Err(VerifyError::Fault(fault)) = verify_file(&path, of_host(host)) else {
        panic!("it is changed");
    };
    assert_eq!(
        (fault.file.clone(), fault.line),
        (old.clone(), good.lines().count() as u64),
        "{fault}"
    );
    fs::write(&old, &good).expect("written");

    // A whole old file is gone from the middle.
    fs::rename(&old, dir.path().join("elsewhere")).expect("moved");
    let Err(VerifyError::Fault(fault)) = verify_file(&path, of_host(host)) else {
        panic!("one is missing");
    };
    assert_eq!((fault.file, fault.line), (dir.path().join("audit.1"), 1));
    let missing = dir.path().join("no-audit");
    assert!(matches!(
        verify_file(&missing, of_nobody()),
        Err(VerifyError::Read { .. })
    ));
}
