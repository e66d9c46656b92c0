//! What is done again, and what is only told.

use super::super::testing::{binding, head, open, record};
use super::*;

fn uuid(number: u8) -> DomainUuid {
    DomainUuid::from_bytes([number; 16])
}

fn time(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

/// Kinds of changes of domain and token 1, as letters.
fn kind(letter: char) -> ChangeKind {
    match letter {
        'b' => ChangeKind::Bound {
            domain: uuid(1),
            seid: "se-00".parse().expect("a SEID"),
            identities: vec!["web01".to_owned()],
        },
        'u' => ChangeKind::Unbound { domain: uuid(1) },
        'r' => ChangeKind::Revoked {
            cti: [1; 16],
            exp: Some(time(9)),
            at: time(5),
        },
        'f' => ChangeKind::TokensFrom {
            domain: uuid(1),
            from: time(5),
        },
        'a' => ChangeKind::Adopted {
            seid: "se-00".parse().expect("a SEID"),
            fingerprint: "SHA256:00".to_owned(),
        },
        'm' | 'n' => ChangeKind::Maintenance {
            seid: "se-00".parse().expect("a SEID"),
            on: letter == 'm',
        },
        other => ChangeKind::Other(other.to_string()),
    }
}

/// Each letter is a change, numbered from 1; a capital one was recorded and then not made.
fn audit(letters: &str) -> Vec<ChangeRecord> {
    let mut records = Vec::new();
    for (change, letter) in (1_u64..).zip(letters.chars()) {
        let kind = kind(letter.to_ascii_lowercase());
        records.push(ChangeRecord { change, kind });
        if letter.is_ascii_uppercase() {
            let kind = ChangeKind::Failed;
            records.push(ChangeRecord { change, kind });
        }
    }
    records
}

#[test]
fn the_audit_is_not_ahead_of_a_state_that_has_all() {
    for letters in ["", "b", "bur", "bR"] {
        let changes = letters.len() as u64;
        assert_eq!(compare(changes, &audit(letters)), None);
        assert_eq!(compare(changes + 1, &audit(letters)), None);
    }
}

#[test]
fn what_takes_rights_away_is_done_again_and_the_rest_is_told() {
    let all = compare(0, &audit("burfax")).expect("ahead");
    assert_eq!(all.upto, 6);
    assert_eq!(all.revoke, [([1; 16], (time(5), Some(time(9))))].into());
    assert_eq!(all.tokens_from, [(uuid(1), time(5))].into());
    assert_eq!(all.unbind, [uuid(1)].into());
    let missing: Vec<String> = all.missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "change 5: adoption of SHA256:00 as card se-00",
            "change 6: x"
        ]
    );
    assert_eq!(
        compare(5, &audit("burfax")).expect("ahead").missing.len(),
        1
    );
}

#[test]
fn of_maintenance_the_last_that_was_said_is_told() {
    let missing = |letters| {
        let ahead = compare(0, &audit(letters)).expect("ahead");
        ahead
            .missing
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(missing("m"), ["change 1: maintenance of card se-00"]);
    let end = ["change 2: end of the maintenance of card se-00"];
    assert_eq!(missing("mn"), end);
    assert_eq!(missing("xmM")[1..], ["change 2: maintenance of card se-00"]);
}

/// All sequences of up to five changes, each made or not, over states of every age: what is
/// done again is what a plain reading of the sequence says.
#[test]
fn every_short_history_is_caught_up_with() {
    let letters = ['b', 'u', 'r', 'f', 'a', 'B', 'U', 'R'];
    let mut histories = vec![String::new()];
    for length in 1..=5 {
        let longer: Vec<String> = histories
            .iter()
            .filter(|history| history.len() == length - 1)
            .flat_map(|history| letters.map(|letter| format!("{history}{letter}")))
            .collect();
        histories.extend(longer);
    }
    for history in &histories {
        let records = audit(history);
        for state in 0..=history.len() {
            let later = &history[state..];
            let caught = compare(state as u64, &records);
            assert_eq!(caught.is_none(), later.is_empty(), "{history} from {state}");
            let Some(caught) = caught else { continue };
            assert_eq!(caught.upto, history.len() as u64);
            assert_eq!(caught.unbind.is_empty(), !later.contains('u'), "{history}");
            assert_eq!(caught.revoke.is_empty(), !later.contains('r'), "{history}");
            assert_eq!(caught.tokens_from.is_empty(), !later.contains('f'));
            let since_unbound = later.rsplit('u').next().unwrap_or_default();
            let bound = since_unbound.matches('b').count();
            let adopted = usize::from(later.contains('a'));
            assert_eq!(
                caught.missing.len(),
                bound + adopted,
                "{history} from {state}"
            );
            let is_quiet = later.chars().all(|letter| letter.is_ascii_uppercase());
            assert_eq!(caught.is_silent(), is_quiet, "{history} from {state}");
        }
    }
    assert_eq!(histories.len(), 1 + 8 + 64 + 512 + 4_096 + 32_768);
}

#[test]
fn a_state_that_caught_up_has_nothing_left_to_do() {
    let (_dir, state) = open();
    let bind = |edit: &Edit<'_>| edit.bind(&binding(1, "se-00", None));
    state.change(bind, record).expect("made");
    let records = audit("burfu");
    let catch_up = compare(state.last_change(), &records).expect("ahead");
    state.catch_up(&catch_up).expect("written");
    assert_eq!(state.bindings().expect("read"), []);
    assert_eq!(state.revoked().expect("read").len(), 1);
    assert_eq!(
        state.tokens_from().expect("read"),
        [(uuid(1), time(5))].into()
    );
    assert_eq!(compare(state.last_change(), &records), None);
}

#[test]
fn an_audit_that_lacks_a_line_that_was_on_disk_is_behind() {
    let lines = |first, last, at_head| Lines {
        first,
        last,
        at_head,
    };
    let behind = |lines| compare_head(Some(head(5)), lines);
    assert_eq!(compare_head(None, lines(None, None, None)), None);
    let right = Some(head(5).hash);
    assert_eq!(behind(lines(Some(0), Some(5), right)), None);
    assert_eq!(behind(lines(Some(5), Some(9), right)), None);
    // The file with that line was deleted when it was the oldest.
    assert_eq!(behind(lines(Some(6), Some(9), None)), None);
    for (bad, said) in [
        (lines(None, None, None), "is empty"),
        (lines(Some(0), Some(4), None), "was cut"),
        (lines(Some(0), Some(9), None), "was replaced"),
        (lines(Some(0), Some(9), Some([0; 32])), "was replaced"),
    ] {
        let behind = behind(bad).expect("behind").to_string();
        assert!(behind.contains(said), "{behind}");
    }
}
