//! What xenstored could answer.

use super::node;

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
