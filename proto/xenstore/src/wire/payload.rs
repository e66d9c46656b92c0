//! What stands in payloads.

/// Texts, each with a zero byte behind it.
pub(crate) fn terminated<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let texts = texts.into_iter();
    texts.flat_map(|text| text.bytes().chain([0])).collect()
}

/// The texts in an answer, each with a zero byte behind it; `None` when one is no text. An empty
/// one ends a list and is not part of it.
pub(crate) fn names(payload: &[u8]) -> Option<Vec<String>> {
    let names = payload.split(|byte| *byte == 0);
    names
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8(name.to_vec()).ok())
        .collect()
}

/// The token of an event, if it is one of ours: the second text, a decimal number in its only
/// spelling.
pub(crate) fn event_token(payload: &[u8]) -> Option<u32> {
    let token = payload.split(|byte| *byte == 0).nth(1)?;
    let text = str::from_utf8(token).ok()?;
    let token: u32 = text.parse().ok()?;
    (token.to_string() == text).then_some(token)
}

/// One answer to `DIRECTORY_PART`: `generation 0 child 0 child 0 ... [0]`.
///
/// An empty child ends the last part. Another generation than in the part before means that the
/// node has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    /// Which state of the node this is.
    pub(crate) generation: &'a [u8],
    /// Names, each with its zero byte.
    pub(crate) children: &'a [u8],
    /// Whether these are the last ones.
    pub(crate) is_last: bool,
}

impl<'a> Part<'a> {
    /// Reads a part; `None` for what is none.
    pub(crate) fn decode(payload: &'a [u8]) -> Option<Self> {
        let end = payload.iter().position(|byte| *byte == 0)?;
        let (generation, rest) = payload.split_at_checked(end)?;
        let rest = rest.strip_prefix(&[0])?;
        let without_one = rest.strip_suffix(&[0])?;
        // An empty name at the end: two zero bytes, or one alone.
        let is_last = without_one.is_empty() || without_one.ends_with(&[0]);
        Some(Self {
            generation,
            children: if is_last { without_one } else { rest },
            is_last,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_names_the_watch_by_its_token() {
        assert_eq!(event_token(b"/local/domain/7\x0012\0"), Some(12));
        assert_eq!(event_token(b"tessera/token\x000\0"), Some(0));
        for bad in [
            b"".as_slice(),
            b"12",
            b"a\0",
            b"a\x0012x\0",
            b"a\x00012\0",
            b"a\x00+1\0",
            b"a\0\xFF\0",
            b"a\x004294967296\0",
        ] {
            assert_eq!(event_token(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn parts_of_a_directory_have_an_end() {
        let part = |payload| Part::decode(payload).map(|part| (part.children, part.is_last));
        assert_eq!(
            part(b"5\x000\x001\0"),
            Some((b"0\x001\0".as_slice(), false))
        );
        assert_eq!(part(b"5\x0017\0\0"), Some((b"17\0".as_slice(), true)));
        assert_eq!(part(b"5\0\0"), Some((b"".as_slice(), true)));
        for bad in [b"".as_slice(), b"5", b"5\0", b"5\0a"] {
            assert_eq!(part(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn names_come_as_they_went(texts in vec("[a-z0-9/_@-]{1,20}", 0..10)) {
            let payload = terminated(texts.iter().map(String::as_str));
            prop_assert_eq!(names(&payload), Some(texts));
        }

        #[test]
        fn no_bytes_panic(payload in vec(any::<u8>(), 0..40)) {
            let _ = (names(&payload), event_token(&payload));
            if let Some(part) = Part::decode(&payload) {
                prop_assert!(part.children.is_empty() || part.children.ends_with(&[0]));
            }
        }
    }
}
