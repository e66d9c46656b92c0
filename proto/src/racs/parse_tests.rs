use proptest::prelude::*;

use super::*;
use crate::racs::{MAX_LINE, Request, VERSION};

fn parsed(line: &str) -> Result<RequestLine, String> {
    RequestLine::parse(line.as_bytes()).map_err(|error| error.code.to_string())
}

fn command(line: &str) -> Command {
    match parsed(line) {
        Ok(RequestLine::Command(CommandLine {
            command,
            append: false,
        })) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn seid(name: &str) -> SeidToken {
    SeidToken::try_from(name.as_bytes()).expect("a name")
}

#[test]
fn each_command_is_known() {
    assert_eq!(command("GET-VERSION"), Command::GetVersion);
    assert_eq!(command("SET-VERSION 0.2"), Command::SetVersion("0.2"));
    assert_eq!(command("SET-VERSION 0.3"), Command::SetVersion(VERSION));
    assert_eq!(command("LIST"), Command::List);
    let reset = |warm| Command::Reset {
        seid: seid("0"),
        warm,
    };
    assert_eq!(command("RESET 0"), reset(false));
    assert_eq!(command("RESET 0 WARM"), reset(true));
    assert_eq!(command("RESET 0 warm"), reset(false));
    assert_eq!(command("SHUTDOWN alpha"), Command::Shutdown(seid("alpha")));
    assert_eq!(command("  POWERON   0 "), Command::PowerOn(seid("0")));
    let echo = Label::try_from(&b"a"[..]).expect("a label");
    assert_eq!(command("ECHO a"), Command::Echo(echo));
    assert_eq!(command("SEN 0 name A000000001"), Command::Sen(seid("0")));
    assert_eq!(command("GET-SEN 0"), Command::GetSen(seid("0")));
    assert_eq!(command("QUIT"), Command::Quit);
    assert_eq!(command("XEND"), Command::Quit);
    assert_eq!(parsed("END"), Ok(RequestLine::End));
}

#[test]
fn an_apdu_has_its_options_in_any_order() {
    let expected = ApduCommand {
        continue_on: Some(StatusWord(0x9000)),
        more: Some(0x9F),
        fetch: [0xA0, 0x12, 0, 0],
        ..ApduCommand::new(seid("0"), CommandApdu::new(0, 0xA4, 4, 0).with_le(256))
    };
    for line in [
        "APDU 0 00a4040000 CONTINUE=9000 MORE=9F FETCH=A0120000",
        "APDU 0 00A4040000 FETCH=a0120000 UNKNOWN=1 MORE=9f continue=6985 CONTINUE=9000",
        "APDU 0 00A4040000 CONTINUE=9000 MORE=9F FETCH=A0120000 MORE=611 CONTINUE=90 FETCH= FOO",
    ] {
        assert_eq!(command(line), Command::Apdu(expected.clone()), "{line}");
    }
    let plain = ApduCommand::new(seid("0"), CommandApdu::new(0, 0xA4, 4, 0));
    assert_eq!(command("APDU 0 00A40400"), Command::Apdu(plain));
}

#[test]
fn append_is_the_last_parameter_of_any_command() {
    for line in [
        "ECHO a APPEND",
        "LIST APPEND ",
        "APDU 0 00A40400 MORE=61 APPEND",
    ] {
        let line = parsed(line).expect("a command");
        assert!(matches!(line, RequestLine::Command(line) if line.append));
    }
    let options = "APDU 0 00A40400 APPEND MORE=61";
    assert!(matches!(command(options), Command::Apdu(_)));
    // It is never a parameter as well.
    assert_eq!(parsed("ECHO APPEND"), Err("-509".to_owned()));
    assert_eq!(parsed("POWERON APPEND"), Err("-508".to_owned()));
    assert_eq!(parsed("APPEND"), Err("-100".to_owned()));
    // Nor is there a way to mean it: written again, it would be the keyword.
    assert_eq!(parsed("ECHO APPEND APPEND"), Err("-409".to_owned()));
    assert_eq!(parsed("RESET APPEND APPEND"), Err("-405".to_owned()));
    assert_eq!(parsed("RESET APPEND WARM"), Err("-405".to_owned()));
    assert_eq!(parsed("END APPEND"), Ok(RequestLine::End));
}

#[test]
fn begin_has_one_label_or_none() {
    let begin = |label: Option<&str>| {
        let label = label.map(|label| Label::try_from(label.as_bytes()).expect("a label"));
        Ok(RequestLine::Begin(label))
    };
    assert_eq!(parsed("BEGIN"), begin(None));
    assert_eq!(parsed("BEGIN "), begin(None));
    assert_eq!(parsed("BEGIN Marignan1515"), begin(Some("Marignan1515")));
    assert_eq!(parsed("BEGIN x APPEND"), begin(None));
    let longest = "x".repeat(63);
    assert_eq!(parsed(&format!("BEGIN {longest}")), begin(Some(&longest)));
    assert_eq!(parsed(&format!("BEGIN {longest}x")), Err("-302".to_owned()));
    assert_eq!(parsed("BEGIN \x01"), Err("-501".to_owned()));
}

#[test]
fn every_mistake_has_its_status() {
    let cases = [
        ("", "-100"),
        ("FOO bar", "-100"),
        ("list", "-100"),
        ("ECHO\tx", "-100"),
        ("GET-CERT 0", "-100"),
        ("SET-VERSION", "-503"),
        ("SET-VERSION 2.0", "-403"),
        ("RESET", "-505"),
        ("APDU", "-506"),
        ("APDU 0", "-506"),
        ("APDU 0 APPEND", "-506"),
        ("APDU 0 ZZ", "-506"),
        ("APDU 0 00A40", "-506"),
        ("APDU 0 00A4", "-506"),
        ("APDU 0 00A4040002A0", "-506"),
        ("APDU 0 00A404000000", "-506"),
        ("APDU 0 00A40400 CONTINUE=90x0", "-506"),
        ("SHUTDOWN", "-507"),
        ("POWERON", "-508"),
        ("ECHO", "-509"),
        ("ECHO \x07", "-409"),
        ("SEN", "-510"),
        ("GET-SEN", "-511"),
        ("RESET a\x01", "-405"),
        ("APDU a\x01 00A40400", "-406"),
        ("SHUTDOWN a\t", "-407"),
        ("POWERON é", "-408"),
    ];
    for (line, code) in cases {
        assert_eq!(parsed(line), Err(code.to_owned()), "{line}");
    }
    let long_name = format!("POWERON {}", "x".repeat(65));
    assert_eq!(parsed(&long_name), Err("-408".to_owned()));
}

#[test]
fn an_error_says_nothing_of_the_line() {
    let error = RequestLine::parse(b"APDU 0 0020008008SECRET").expect_err("not hexadecimal");
    assert!(!format!("{error} {error:?}").contains("SECRET"));
}

fn any_seid() -> impl Strategy<Value = SeidToken> {
    "[!-~]{1,64}"
        .prop_filter("a keyword", |name| name != "APPEND")
        .prop_map(|name| seid(&name))
}

fn any_apdu() -> impl Strategy<Value = ApduCommand> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 4..=5),
        (
            any::<[u8; 4]>(),
            prop::collection::vec(any::<u8>(), 1..=255)
        )
            .prop_map(|(header, data)| {
                let length = u8::try_from(data.len()).expect("short");
                [&header[..], &[length], &data].concat()
            }),
    ];
    let options = (any::<Option<u16>>(), any::<Option<u8>>(), any::<[u8; 4]>());
    (any_seid(), bytes, options).prop_map(|(seid, bytes, (continue_on, more, fetch))| {
        let command = CommandApdu::decode(&bytes).expect("well-formed");
        let continue_on = continue_on.map(StatusWord);
        ApduCommand {
            seid,
            command,
            continue_on,
            more,
            fetch,
        }
    })
}

fn any_command() -> impl Strategy<Value = Command> {
    let label = "[!-~]{1,63}"
        .prop_filter("a keyword", |token| token != "APPEND")
        .prop_map(|token| Label::try_from(token.as_bytes()).expect("a label"));
    prop_oneof![
        Just(Command::GetVersion),
        Just(Command::SetVersion(VERSION)),
        Just(Command::List),
        Just(Command::Quit),
        (any_seid(), any::<bool>()).prop_map(|(seid, warm)| Command::Reset { seid, warm }),
        any_apdu().prop_map(Command::Apdu),
        any_seid().prop_map(Command::Shutdown),
        any_seid().prop_map(Command::PowerOn),
        label.prop_map(Command::Echo),
        any_seid().prop_map(Command::Sen),
        any_seid().prop_map(Command::GetSen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_encoded_is_read_again(
        commands in prop::collection::vec((any_command(), any::<bool>()), 0..8),
        label in prop::option::of("[!-~]{1,63}"),
    ) {
        let label = label.map(|label| Label::try_from(label.as_bytes()).expect("a label"));
        let lines: Vec<CommandLine> = commands
            .into_iter()
            .map(|(command, append)| CommandLine { command, append })
            .collect();
        let request = Request { label: label.clone(), lines: lines.clone() };
        let bytes = request.encode().expect("short");
        let mut read = Vec::new();
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let line = line.strip_suffix(b"\r").expect("CR LF");
            prop_assert!(tokens(line).count() <= 9);
            read.push(RequestLine::parse(line).expect("just encoded"));
        }
        let expected = lines.into_iter().map(RequestLine::Command);
        let expected = std::iter::once(RequestLine::Begin(label)).chain(expected);
        let expected: Vec<_> = expected.chain([RequestLine::End]).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = RequestLine::parse(&line);
    }

    #[test]
    fn no_line_of_known_words_panics(
        words in prop::collection::vec(
            prop_oneof![
                Just("APDU"), Just("RESET"), Just("APPEND"), Just("BEGIN"), Just("CONTINUE="),
                Just("MORE=61"), Just("FETCH=00C00000"), Just("00A40400"), Just("ECHO"), Just(""),
            ],
            0..12,
        ),
    ) {
        let _ = RequestLine::parse(words.join(" ").as_bytes());
    }
}

#[test]
fn the_longest_line_is_read_in_no_time() {
    let line = "APDU 0 00A40400".to_owned() + &" MORE=61".repeat(2_000);
    let line = &line[..MAX_LINE.min(line.len())];
    assert!(matches!(command(line), Command::Apdu(apdu) if apdu.more == Some(0x61)));
}
