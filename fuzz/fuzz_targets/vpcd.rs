//! The protocol between reader and virtual card, both ends of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soft_card::vpcd::{Request, read_frame, write_frame};

fuzz_target!(|input: &[u8]| {
    dom0_middleware::fuzzing::virtual_card(input);
    let mut rest = input;
    while let Ok(Some(body)) = read_frame(&mut rest) {
        let mut frame = Vec::new();
        write_frame(&mut frame, &body).expect("it came in a frame");
        assert_eq!(frame.len(), body.len() + 2);
        let _ = Request::from_body(body);
    }
});
