//! What a guest writes to its node `data/tessera/enroll`, which dom0 reads.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|node: &[u8]| dom0_middleware::fuzzing::enrolment(node));
