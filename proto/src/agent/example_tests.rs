//! Holds the examples of `docs/protocol.md` against the code.

use super::{AgentMessage, Dom0Message, FrameReader, encode_frame};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// The bytes of each block marked `frame`: hexadecimal, with a comment behind a semicolon.
fn examples() -> Vec<Vec<u8>> {
    let blocks = DOCUMENT.split("```frame\n").skip(1);
    let byte = |text: &str| u8::from_str_radix(text, 16).expect("two hexadecimal digits");
    blocks
        .map(|block| block.split_once("```").expect("the end of the block").0)
        .map(|block| {
            let code = block
                .lines()
                .map(|line| line.split(';').next().unwrap_or(line));
            code.flat_map(str::split_whitespace).map(byte).collect()
        })
        .collect()
}

fn body(frame: &[u8]) -> Vec<u8> {
    let mut reader = FrameReader::new();
    reader.push(frame);
    let body = reader.next_frame().expect("a good frame");
    assert!(reader.is_at_boundary());
    body.expect("a whole frame").to_vec()
}

#[test]
fn the_examples_are_messages_as_they_are_written() {
    let examples = examples();
    let [open, refused] = examples.as_slice() else {
        panic!("two examples");
    };
    let message = AgentMessage::decode(&body(open)).expect("a good message");
    assert!(matches!(&message, AgentMessage::Open(open) if open.server_name == "www.example.org"));
    assert_eq!(
        encode_frame(&message.encode()).expect("short").as_slice(),
        open
    );

    let message = Dom0Message::decode(&body(refused)).expect("a good message");
    assert!(matches!(&message, Dom0Message::Refused(refused) if refused.alert.is_some()));
    assert_eq!(
        encode_frame(&message.encode()).expect("short").as_slice(),
        refused
    );
}
