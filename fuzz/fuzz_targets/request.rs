//! What applications write to the agent's socket, and the destinations its rules allow.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    domu_agent::fuzzing::request_lines(input);
    if let Ok(text) = str::from_utf8(input)
        && let Some((pattern, destination)) = text.split_once('\n')
    {
        domu_agent::fuzzing::destination(pattern, destination);
    }
});
