//! Of every part of every recording: which test replays it, or why the driver never sends it.

use super::account_table::{ACCOUNT, Part, Use};
use crate::trace_support::{Trace, files};

/// Where the tests are that the table names.
const TESTS: [&str; 5] = [
    include_str!("exports.rs"),
    include_str!("failures.rs"),
    include_str!("handshakes.rs"),
    include_str!("identities.rs"),
    include_str!("pin.rs"),
];

#[test]
fn every_recording_is_accounted_for() {
    let accounted: Vec<&str> = ACCOUNT.iter().map(|(file, _)| *file).collect();
    assert_eq!(accounted, files());
}

#[test]
fn every_part_is_found_in_its_order_from_the_first_command_on() {
    for (file, parts) in ACCOUNT {
        let trace = Trace::load(file);
        let mut place = 0;
        for (index, Part { from, .. }) in parts.iter().enumerate() {
            let found = trace.find(place, from);
            let found = found.unwrap_or_else(|| panic!("{file}: no {from:?} from {place} on"));
            assert!(index > 0 || found == 0, "{file}: begins before {from:?}");
            place = found + 1;
        }
    }
}

#[test]
fn every_part_names_a_test_that_exists_or_a_reason() {
    for (file, parts) in ACCOUNT {
        for Part { from, used } in *parts {
            match used {
                Use::Replayed(test) => {
                    let head = format!("fn {test}() {{");
                    let exists = TESTS.iter().any(|source| source.contains(&head));
                    assert!(exists, "{file}: {from}: no test {test}");
                }
                Use::NotSent(reason) => assert!(reason.len() > 10, "{file}: {from}"),
            }
        }
    }
}
