//! Audits of anybody, as `audit verify` and `audit tail` read them: as they are, and with numbers and
//! hashes that fit.
#![no_main]

use dom0_middleware::fuzzing::{audit_lines, chained_audit_lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match input.split_first() {
        Some((0, lines)) => audit_lines(lines),
        Some((_, lines)) => chained_audit_lines(lines),
        None => {}
    }
});
