//! Nodes of xenstore: where they are, and what may stand there.
//!
//! All of them are written by dom0, mostly by its toolstack, and cannot be written by a guest. Of what
//! is below `data`, which is the guest's own, only the key that it offers is looked at, when the
//! operator asks for it.
//!
//! Source: Xen, docs/misc/xenstore-paths.pandoc.

use proto::id::{DomId, DomainUuid};

use crate::mapping::is_domain_name;

/// The node whose children are the live domains.
pub(super) const DOMAINS: &str = "/local/domain";

/// Its first reserved number: those from here on are no domains (`DOMID_FIRST_RESERVED`).
const FIRST_RESERVED: u16 = 0x7FF0;

/// Where the UUID of a domain is.
pub(super) fn vm(domid: DomId) -> String {
    format!("{DOMAINS}/{domid}/vm")
}

/// Where the name of a domain is.
pub(super) fn name(domid: DomId) -> String {
    format!("{DOMAINS}/{domid}/name")
}

/// The node of a domain.
pub(super) fn domain(domid: DomId) -> String {
    format!("{DOMAINS}/{domid}")
}

/// Where what we write for a domain is.
pub(super) fn tessera(domid: DomId) -> String {
    format!("{DOMAINS}/{domid}/tessera")
}

/// Where a domain reads its token.
pub(super) fn token(domid: DomId) -> String {
    format!("{DOMAINS}/{domid}/tessera/token")
}

/// Where a domain offers the public key of its channel. Anything may stand there.
pub(super) fn enrolment(domid: DomId) -> String {
    format!("{DOMAINS}/{domid}/data/tessera/enroll")
}

/// A child of [`DOMAINS`]; `None` for what is no domid in its only spelling.
pub(super) fn parse_domid(text: &str) -> Option<DomId> {
    let domid: u16 = text.parse().ok()?;
    (domid < FIRST_RESERVED && domid.to_string() == text).then_some(DomId(domid))
}

/// What stands at [`vm`]: `/vm/` and the UUID.
pub(super) fn parse_vm(text: &str) -> Option<DomainUuid> {
    text.strip_prefix("/vm/")?.parse().ok()
}

/// What stands at [`name`].
pub(super) fn parse_name(text: &str) -> Option<&str> {
    is_domain_name(text).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "7e55e2a0-0000-4000-8000-000000000007";

    #[test]
    fn what_the_toolstack_writes_is_understood() {
        assert_eq!(parse_domid("0"), Some(DomId(0)));
        assert_eq!(parse_domid("32751"), Some(DomId(32_751)));
        assert_eq!(parse_vm(&format!("/vm/{UUID}")), UUID.parse().ok());
        assert_eq!(parse_name("web01"), Some("web01"));
    }

    #[test]
    fn anything_else_is_not() {
        for bad in ["", "07", "+7", "-1", " 7", "32752", "65536", "x", "7\0"] {
            assert_eq!(parse_domid(bad), None, "{bad:?}");
        }
        let upper = format!("/vm/{}", UUID.to_uppercase());
        let more = format!("/vm/{UUID}-1");
        let below = format!("/vm/{UUID}/");
        for bad in ["", "/vm/", UUID, &upper, &more, &below, "/vm//vm/"] {
            assert_eq!(parse_vm(bad), None, "{bad:?}");
        }
        let long = "x".repeat(129);
        for bad in ["", "a\nb", "\u{1b}[2J", &long] {
            assert_eq!(parse_name(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_domid_has_one_spelling(domid in 0..FIRST_RESERVED, text in "\\PC{0,8}") {
            prop_assert_eq!(parse_domid(&domid.to_string()), Some(DomId(domid)));
            if let Some(found) = parse_domid(&text) {
                prop_assert_eq!(found.to_string(), text);
            }
        }

        #[test]
        fn a_uuid_has_one_spelling(text in "/?vm?/?[0-9a-fA-F-]{0,40}") {
            if let Some(uuid) = parse_vm(&text) {
                prop_assert_eq!(format!("/vm/{uuid}"), text);
            }
        }
    }
}
