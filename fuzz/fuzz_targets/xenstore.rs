//! What xenstored answers when dom0 asks who is there.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    dom0_middleware::fuzzing::directory(input);
    if let Ok(text) = str::from_utf8(input) {
        dom0_middleware::fuzzing::nodes(text);
    }
});
