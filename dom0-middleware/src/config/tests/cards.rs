//! Cards and where they come from.

use super::*;

#[test]
fn a_card_needs_its_source_but_not_the_other_way_round() {
    refused_at(3, "no [[card_source]]", "\n[[card]]\nseid = \"se-07\"\n");
    let source = "[[card_source]]\nkind = \"vicc\"\nseid = \"se-00\"\nsocket = \"/x\"\n";
    // Without a [[card]] the operator must say which card is the right one.
    assert!(!parse(source).expect("enough").readers[0].card.configured);
    assert!(parse(CARD).expect("enough").readers[0].card.configured);
    refused_at(
        10,
        "described twice",
        &format!("{CARD}\n[[card]]\nseid = \"se-00\"\n"),
    );
    let another = source.replace("/x", "/y");
    refused_at(
        7,
        "has a card_source already",
        &format!("{source}{another}"),
    );
}

#[test]
fn a_source_has_one_place_of_its_own() {
    let with = |place: &str| CARD.replace("socket = \"/x/se-00.sock\"", place);
    refused_at(3, "either a socket or an address", &with(""));
    let both = "socket = \"/x\"\naddress = \"127.0.0.1:1\"";
    refused_at(3, "either a socket or an address", &with(both));
    refused_at(
        5,
        "not a loopback address",
        &with("address = \"192.0.2.1:1\""),
    );
    refused_at(
        5,
        "insecure_development",
        &with("address = \"127.0.0.1:1\""),
    );
    let allowed = format!(
        "[service]\ninsecure_development = true\n{}",
        with("address = \"127.0.0.1:1\"")
    );
    let config = parse(&allowed).expect("development");
    assert!(matches!(config.readers[0].place, ReaderPlace::Loopback(_)));
    let second = CARD.replace("se-00\"\n", "se-01\"\n");
    refused_at(11, "same place", &format!("{CARD}{}", second));
}

#[test]
fn a_reader_is_named_and_has_no_socket() {
    let with = |place: &str| {
        CARD.replace("kind = \"vicc\"", "kind = \"pcsc\"")
            .replace("socket = \"/x/se-00.sock\"", place)
    };
    let config = parse(&with("reader = \"Reader 00 00\"")).expect("a reader");
    let name = c"Reader 00 00".to_owned();
    assert_eq!(config.readers[0].place, ReaderPlace::Reader(name));
    refused_at(3, "give the reader's name", &with(""));
    let both = with("reader = \"Reader 00 00\"\nsocket = \"/x\"");
    refused_at(3, "nothing else", &both);
    let vicc = format!(
        "{}reader = \"a\"\n",
        CARD.replace("[[card]]\nseid = \"se-00\"\n", "")
    );
    refused_at(6, "only kind = \"pcsc\"", &vicc);
}
