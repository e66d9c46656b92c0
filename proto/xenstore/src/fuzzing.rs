//! Doors for fuzz targets to what reads hostile bytes and is private.

use crate::exchange::{Event, Exchange};
use crate::wire::{ErrorName, Kind, Part, names};

/// What each request that is on its way asked for.
const ASKED: [Kind; 10] = [
    Kind::Directory,
    Kind::Read,
    Kind::GetPerms,
    Kind::Watch,
    Kind::Unwatch,
    Kind::Write,
    Kind::Mkdir,
    Kind::Rm,
    Kind::SetPerms,
    Kind::DirectoryPart,
];

/// A daemon says `bytes`, in pieces of at most `piece`, to one who waits for an answer of each kind:
/// the request ids are 1 to 10 in the order of their types. A watch has token 1.
pub fn answers(bytes: &[u8], piece: usize) {
    let mut exchange = Exchange::default();
    for kind in ASKED {
        exchange.ask(kind, b"", Some(kind)).expect("it is short");
    }
    exchange.watch(());
    for piece in bytes.chunks(piece.max(1)) {
        exchange.receive(piece);
        loop {
            match exchange.next() {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some(Event::Changed(_))) => {}
                Ok(Some(Event::Answered(asked, answer))) => {
                    let asked = asked.expect("all wait");
                    let _ = answer.map(|payload| payload_of(asked, &payload));
                }
            }
        }
    }
}

fn payload_of(kind: Kind, payload: &[u8]) {
    let _ = ErrorName::from_payload(payload).to_string();
    match kind {
        Kind::Directory | Kind::GetPerms => {
            let names = names(payload).unwrap_or_default();
            assert!(names.iter().all(|name| !name.is_empty()));
        }
        Kind::DirectoryPart => {
            let part = Part::decode(payload);
            assert!(part.is_none_or(|part| part.is_last || part.children.ends_with(&[0])));
        }
        _ => {}
    }
}
