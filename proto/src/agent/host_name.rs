//! What may stand in `server_name`.

/// Whether `text` can be a TLS server name: 1 to 255 bytes, labels of 1 to 63 letters, digits,
/// hyphens and underscores between single dots, no hyphen at either end of a label, no final dot.
///
/// Source: RFC 6066 §3 (ASCII, no trailing dot), RFC 1123 §2.1; underscores occur in practice.
pub fn is_host_name(text: &str) -> bool {
    text.len() <= 255 && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_and_dotted_addresses() {
        let longest = [&"a".repeat(63); 4].map(String::as_str).join(".");
        assert_eq!(longest.len(), 255);
        for name in [
            "a",
            "www.example.org",
            "xn--bcher-kva.example",
            "_x.1-2.3",
            "192.0.2.1",
        ] {
            assert!(is_host_name(name), "{name}");
        }
        assert!(is_host_name(&longest));
    }

    #[test]
    fn refuses_what_no_server_name_extension_carries() {
        let long_label = "a".repeat(64);
        let long_name = "a.".repeat(128) + "b";
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a\0",
            "bücher",
            "::1",
            "*.a",
            "a/b",
            &long_label,
            &long_name,
        ] {
            assert!(!is_host_name(name), "{name:?}");
        }
    }
}
