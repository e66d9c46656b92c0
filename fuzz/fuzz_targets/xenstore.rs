//! What xenstored answers, and how dom0 reads who is there.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for piece in [1, 7, usize::MAX] {
        xenstore_client::fuzzing::answers(input, piece);
    }
    if let Ok(text) = str::from_utf8(input) {
        dom0_middleware::fuzzing::nodes(text);
    }
});
