//! What dom0 could send.

use std::time::Instant;

use proto::agent::{Hello, PROTOCOL_VERSION};
use proto::tls::AlertDescription;

use super::link::{Link, LinkEvent, Wish};

/// Carries on a connection with sessions against a dom0 that sends `bytes`.
pub fn dom0_link(bytes: &[u8]) {
    let now = Instant::now();
    let hello = Hello {
        versions: vec![PROTOCOL_VERSION],
        agent: "fuzz".to_owned(),
        token: Vec::new(),
    };
    let mut link = Link::new(hello, now);
    for _ in 0..3 {
        link.open(Wish::default()).expect("numbers are left");
    }
    for part in bytes.chunks(PART) {
        let ended = link.on_bytes(part, now).is_err();
        while let Some(event) = link.next_event() {
            if let LinkEvent::Session(session, message) = event {
                match message {
                    Ok(_) => link.server_records(session, vec![0; 10]),
                    Err(_) => link.close(session, Some(AlertDescription(80))),
                }
            }
        }
        while !link.to_send().is_empty() {
            let length = link.to_send().len();
            link.on_sent(length.min(PART));
        }
        assert_eq!(link.backlog(), 0);
        if ended {
            return;
        }
    }
}

/// Bytes moved at once, fewer than most messages have.
const PART: usize = 50;
