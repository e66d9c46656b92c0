//! Frames and messages between agent and dom0, read by either.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::agent::{AgentMessage, Dom0Message, FrameReader, MAX_FRAME, encode_frame};

fuzz_target!(|input: &[u8]| {
    message(input);
    let Some((&step, stream)) = input.split_first() else {
        return;
    };
    let mut reader = FrameReader::new();
    for part in stream.chunks(usize::from(step) + 1) {
        reader.push(part);
        loop {
            match reader.next_frame() {
                Ok(Some(body)) => {
                    assert!(body.len() <= MAX_FRAME);
                    message(&body);
                    let frame = encode_frame(&body).expect("it came in a frame");
                    assert_eq!(frame.len(), body.len() + 4);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});

/// What is understood is said again in the same words.
fn message(body: &[u8]) {
    if let Ok(message) = AgentMessage::decode(body) {
        let again = message.encode();
        assert_eq!(AgentMessage::decode(&again).expect("just encoded"), message);
    }
    if let Ok(message) = Dom0Message::decode(body) {
        let again = message.encode();
        assert_eq!(Dom0Message::decode(&again).expect("just encoded"), message);
    }
}
