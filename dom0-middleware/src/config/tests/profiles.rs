//! Kinds of cards.

use super::*;

#[test]
fn an_unknown_profile_is_refused_with_those_there_are() {
    refused_at(8, "\"eap-tls\"", &format!("{CARD}profile = \"java\"\n"));
}

#[test]
fn a_profile_is_the_built_in_one_with_differences() {
    let profile = "[[profile]]\nname = \"java\"\ncla = 0x80\nsegment_len = 255\n\
                   export_key_block = \"A0 86 00 00 01 02\"\n";
    let text = format!("{profile}{CARD}profile = \"java\"\n");
    let config = parse(&text).expect("good");
    let CardProfile::EapTls(java) = &config.readers[0].card.profile else {
        panic!("a card that makes handshakes");
    };
    assert_eq!(
        (java.name.as_str(), java.cla, java.segment_len),
        ("java", 0x80, 255)
    );
    let export = java.export_key_block.to_apdu(java.cla);
    assert_eq!(export.encode()[..], [0x80, 0x86, 0, 0, 1, 2]);
    let built_in = EapTlsProfile::builtin();
    assert_eq!(java.aid, built_in.aid);
    assert_eq!(java.export_suite, built_in.export_suite);

    refused_at(2, "built in", &profile.replace("java", "eap-tls"));
    refused_at(7, "twice", &format!("{profile}{profile}"));
    refused_at(4, "1 to 255", &profile.replace("= 255", "= 256"));
    refused_at(5, "not a command", &profile.replace("01 02", "05 02"));
    let misspelt = format!("{profile}{CARD}profile = \"jawa\"\n");
    refused_at(13, "\"eap-tls\", \"piv\", \"java\"", &misspelt);

    let piv = parse(&format!("{CARD}profile = \"piv\"\n")).expect("good");
    assert_eq!(piv.readers[0].card.profile, CardProfile::piv());
    let other = "[[profile]]\nname = \"other\"\nbase = \"piv\"\nextended_length = true\n";
    let config = parse(&format!("{other}{CARD}profile = \"other\"\n")).expect("good");
    let expected = PivProfile {
        name: "other".to_owned(),
        extended_length: true,
        ..PivProfile::builtin()
    };
    let profile = &config.readers[0].card.profile;
    assert_eq!(*profile, CardProfile::Piv(expected));
    refused_at(2, "nothing else", &format!("{other}cla = 0x80\n"));

    let long = other.replace("\"piv\"", "\"eap-tls\"");
    let read = |more: &str| {
        let config = parse(&format!("{long}{more}{CARD}profile = \"other\"\n")).expect("good");
        match &config.readers[0].card.profile {
            CardProfile::EapTls(profile) => (profile.extended_length, profile.segment_len),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(""), (true, 65_535));
    assert_eq!(read("segment_len = 2000\n"), (true, 2000));
    refused_at(
        5,
        "1 to 255",
        &long.replace("true", "false\nsegment_len = 256"),
    );

    let token = other.replace("extended_length = true", "pin_characters = \"printable\"");
    let config = parse(&format!("{token}{CARD}profile = \"other\"\n")).expect("good");
    let characters = config.readers[0].card.profile.pin_characters();
    assert_eq!(characters, PinCharacters::Printable);
    assert_eq!(
        CardProfile::piv().pin_characters(),
        PinCharacters::PivDigits
    );
    refused_at(2, "only base", &token.replace("\"piv\"", "\"eap-tls\""));
    let misspelt = parse(&token.replace("printable", "letters")).expect_err("no such kind");
    assert!(misspelt.to_string().contains("test.toml"), "{misspelt}");
}
