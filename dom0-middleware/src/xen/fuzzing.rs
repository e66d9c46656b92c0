//! What xenstored could answer.

use super::{directory_part, node};
use crate::fuzzing::{after, at_once};

/// Reads a long directory from a daemon that has said `answers` whatever it was asked.
pub fn directory(answers: &[u8]) {
    let (mut stream, _daemon) = after(answers);
    if let Ok(names) = at_once(directory_part::list(&mut stream, node::DOMAINS)) {
        assert!(names.iter().all(|name| !name.is_empty()));
    }
}

/// Reads one text as each kind of node.
pub fn nodes(text: &str) {
    if let Some(domid) = node::parse_domid(text) {
        assert_eq!(domid.to_string(), text);
    }
    if let Some(uuid) = node::parse_vm(text) {
        assert_eq!(format!("/vm/{uuid}"), text);
    }
    if let Some(name) = node::parse_name(text) {
        assert!(!name.contains(char::is_control), "{name:?}");
    }
}
