//! Any bytes, cut anywhere.

use proptest::prelude::*;
use proto::racs::{MAX_RESPONSE, ResponseReader};

use super::world::{User, World};

/// What comes back for bytes that arrive in pieces of these lengths, and whether that is the end.
fn responses(bytes: &[u8], cuts: &[usize]) -> (Vec<u8>, bool) {
    let mut world = World::with_cards(&["0", "1"]);
    let mut user = User::of("client", &["0", "1"]);
    let (mut written, mut rest, mut cuts) = (Vec::new(), bytes, cuts.iter().cycle());
    while !rest.is_empty() && !user.closed {
        let cut = cuts.next().map_or(rest.len(), |&cut| cut.min(rest.len()));
        let (piece, after) = rest.split_at(cut);
        written.extend(world.drive(&mut user, piece));
        rest = after;
    }
    (written, user.closed)
}

fn line() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        3 => Just("BEGIN x"),
        5 => Just("END"),
        1 => Just("BEGIN"),
        1 => Just(""),
        1 => Just("QUIT"),
        1 => Just("FOO"),
        2 => Just("POWERON 0"),
        1 => Just("POWERON 9"),
        1 => Just("SHUTDOWN 0 APPEND"),
        1 => Just("RESET 1 WARM"),
        2 => Just("LIST APPEND"),
        2 => Just("ECHO a APPEND"),
        2 => Just("APDU 0 0010000001AA APPEND"),
        2 => Just("APDU 1 00140110 MORE=61 CONTINUE=9000"),
        1 => Just("APDU 1 0018698200 CONTINUE=9000"),
        1 => Just("APDU 0 0020008000"),
        1 => Just("  APDU   0 0016000000  "),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn cuts_make_no_difference(
        lines in prop::collection::vec((line(), prop_oneof![Just("\r\n"), Just("\n")]), 0..40),
        cuts in prop::collection::vec(1..12usize, 1..20),
    ) {
        let text: String = lines.iter().map(|(line, end)| format!("{line}{end}")).collect();
        let whole = responses(text.as_bytes(), &[]);
        prop_assert_eq!(&responses(text.as_bytes(), &cuts), &whole);
        // Our own client understands all of it, and there is at most one response for each BEGIN.
        let mut reader = ResponseReader::new();
        reader.push(&whole.0);
        let mut count = 0;
        while let Some(response) = reader.next_response().expect("well-formed") {
            count += 1;
            let negative = response.lines.iter().filter(|line| !line.code.success).count();
            prop_assert!(negative == 0 || response.lines.len() == 1);
        }
        prop_assert!(reader.is_idle());
        let requests = text.matches("BEGIN").count() + usize::from(whole.1);
        prop_assert!(count <= requests, "{} responses for {} requests", count, requests);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (written, _) = responses(&bytes, &[7]);
        prop_assert!(written.len() <= MAX_RESPONSE);
    }

    #[test]
    fn no_bytes_of_a_request_panic(
        bytes in prop::collection::vec(
            prop_oneof![4 => Just(b' '), 4 => b'0'..=b'9', 1 => any::<u8>()], 0..80,
        ),
    ) {
        let text = [b"BEGIN\r\nAPDU 0 ", &bytes[..], b"\r\nEND\r\n"].concat();
        responses(&text, &[]);
    }
}
