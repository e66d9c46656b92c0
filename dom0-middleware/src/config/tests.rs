//! Good configurations are understood, and each mistake is named with its line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proto::card::PinCharacters;
use proto::tls::ProtocolVersion;

use super::{Config, ConfigError, DomainSource, FileProblem, ReaderPlace};
use crate::card::{CardProfile, EapTlsProfile, PivProfile};
use crate::error::Causes;
use crate::limits::Limits;
use crate::time::UnixTime;

const EXAMPLE: &str = include_str!("../../../docs/examples/dom0-middleware.toml");

const CARD: &str = r#"
[[card_source]]
kind = "vicc"
seid = "se-00"
socket = "/x/se-00.sock"
[[card]]
seid = "se-00"
"#;

const DOMAIN: &str = r#"
[[domain]]
domid = 7
uuid = "7e55e2a0-0000-4000-8000-000000000007"
name = "web01"
"#;

const BINDING: &str = r#"
[[binding]]
vm = "web01"
card = "se-00"
trust = "ca.pem"
"#;

/// 2026-11-21T04:07:09Z
pub(super) const NOW: UnixTime = UnixTime::from_secs(1_795_234_029);

pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("test.toml"), text)
}

/// The message for a text with a mistake.
#[track_caller]
fn refused(text: &str) -> String {
    parse(text).expect_err("a mistake").to_string()
}

/// Checks that the mistake in `text` is found in `line` and explained by `words`.
#[track_caller]
pub(super) fn refused_at(line: usize, words: &str, text: &str) {
    let error = refused(text);
    assert!(error.starts_with(&format!("test.toml:{line}: ")), "{error}");
    assert!(error.contains(words), "{error}");
}

#[test]
fn the_example_shows_the_defaults() {
    let as_written = parse(EXAMPLE).expect("the example is good");
    // With every commented key in force nothing may change, but what excludes each other.
    let in_force: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if is_key(key) => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let spelled_out = parse(&in_force).expect("all keys are known");
    assert_eq!(spelled_out.limits, Limits::default());
    assert_eq!(spelled_out.admin_socket, as_written.admin_socket);
    assert_eq!(spelled_out.audit_file, as_written.audit_file);
    assert_eq!(spelled_out.state_file, as_written.state_file);
    assert_eq!(spelled_out.vchan, as_written.vchan);
    assert_eq!(spelled_out.tokens, as_written.tokens);
    assert_eq!(spelled_out.bindings[0].terms, as_written.bindings[0].terms);
    assert_eq!(as_written.limits, Limits::default());
    let [reader] = &as_written.readers[..] else {
        panic!("one card");
    };
    let other = in_force.replace("profile = \"eap-tls\"", "profile = \"other-card\"");
    let other = parse(&other).expect("it is there").readers[0].card.clone();
    let CardProfile::EapTls(mut profile) = other.profile else {
        panic!("a card that makes handshakes");
    };
    profile.name = "eap-tls".to_owned();
    assert_eq!(reader.card.profile, CardProfile::EapTls(profile));
    assert_eq!(reader.card.profile, CardProfile::eap_tls());
    assert_eq!(reader.card.apdu_timeout, Limits::default().apdu);
}

/// Whether a comment of the example is a key with its default, and not one of two alternatives or one
/// that is for some only.
fn is_key(line: &str) -> bool {
    let key = line.split(" = ").next().unwrap_or_default();
    let alternatives = [
        "address",
        "apdu_allow",
        "cert",
        "chain_file",
        "name",
        "pins",
        "raw_apdu",
        "reader",
        "resume_for_ms",
        "server_names",
    ];
    line.contains(" = ")
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && !alternatives.contains(&key)
}

#[test]
fn vchans_need_xenstore_and_an_hv_key() {
    let hv = "[[hv]]\ncert = \"/hv.pem\"\nkey = \"/hv.key\"\n";
    let enabled = "[vchan]\nenabled = true\n";
    assert!(!parse("[vchan]\nenabled = false\n").expect("good").vchan);
    assert!(!parse(XENSTORE).expect("good").vchan);
    let config = parse(&format!("{enabled}{XENSTORE}{hv}"));
    assert!(config.expect("good").vchan);
    refused_at(2, "xenstore.enabled", &format!("{enabled}{hv}"));
    refused_at(2, "[[hv]]", &format!("{enabled}{XENSTORE}"));
}

#[test]
fn tokens_have_a_folder_and_are_renewed_unless_told() {
    let config = parse("").expect("nothing is wrong with it");
    let folder = Path::new("/var/lib/dom0-middleware/tokens");
    assert_eq!(config.tokens.folder, folder);
    assert!(config.tokens.renew);
    let config = parse("[tokens]\nfolder = \"/x\"\nrenew = false\n").expect("good");
    assert_eq!(config.tokens.folder, Path::new("/x"));
    assert!(!config.tokens.renew);
    refused("[tokens]\nrenewal = false\n");
}

#[test]
fn an_empty_file_is_a_service_without_cards() {
    let config = parse("").expect("nothing is wrong with it");
    assert!(config.readers.is_empty() && config.channels.is_empty());
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn unknown_keys_and_wrong_kinds_are_named_with_their_line() {
    let message = |text| {
        let error = parse(text).expect_err("a mistake");
        let ConfigError::Parse { source, .. } = error else {
            panic!("found later: {error}");
        };
        source.to_string()
    };
    for (words, text) in [
        ("colour", "[service]\ncolour = 1\n"),
        ("pipe", "[service]\n[[channel]]\nkind = \"pipe\"\n"),
        (
            "UUID",
            "[[domain]]\ndomid = 1\nuuid = \"X\"\nname = \"a\"\n",
        ),
        ("SEID", "[[card]]\nseid = \"a/b\"\n"),
        ("hello_ms", "[limits]\nhello_ms = 0\n"),
        ("domid", "[[domain]]\ndomid = 65536\n"),
    ] {
        let message = message(text);
        assert!(
            message.contains(words) && message.contains("line "),
            "{message}"
        );
    }
}

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
    assert_eq!(CardProfile::piv().pin_characters(), PinCharacters::Digits);
    refused_at(2, "only base", &token.replace("\"piv\"", "\"eap-tls\""));
    let misspelt = parse(&token.replace("printable", "letters")).expect_err("no such kind");
    assert!(misspelt.to_string().contains("test.toml"), "{misspelt}");
}

#[test]
fn a_domain_is_no_dom0_and_there_once() {
    refused_at(3, "dom0", &DOMAIN.replace("domid = 7", "domid = 0"));
    refused_at(
        8,
        "domid",
        &format!("{DOMAIN}{}", DOMAIN.replace("web01", "b")),
    );
    refused_at(
        8,
        "same UUID",
        &format!("{DOMAIN}{}", DOMAIN.replace("= 7", "= 8")),
    );
    refused_at(5, "control", &DOMAIN.replace("web01", "a\\nb"));
}

#[test]
fn a_channel_has_tls_or_says_that_it_is_for_development() {
    let channel = "[[channel]]\nkind = \"unix\"\npath = \"/x\"\ndomid = 7\n";
    refused_at(7, "needs a [[hv]]", &format!("{DOMAIN}{channel}"));
    let hv = "[[hv]]\ncert = \"hv.pem\"\nkey = \"hv.key\"\n";
    let config = parse(&format!("{hv}{DOMAIN}{channel}")).expect("with TLS");
    assert!(!config.channels[0].insecure_development);
    let meant = format!("{channel}insecure_development = true\n");
    refused_at(4, "no [[domain]] with domid 7", &meant);
    let config = parse(&format!("{DOMAIN}{meant}")).expect("meant so");
    assert_eq!(config.channels[0].domid.0, 7);
    assert!(config.channels[0].insecure_development);
    refused_at(13, "two channels", &format!("{DOMAIN}{meant}{meant}"));
}

#[test]
fn a_binding_names_a_vm_and_a_card_that_there_are() {
    let good = format!("{CARD}{DOMAIN}{BINDING}");
    let config = parse(&good).expect("good");
    let [binding] = &config.bindings[..] else {
        panic!("one binding");
    };
    assert_eq!(
        binding.domain.to_string(),
        "7e55e2a0-0000-4000-8000-000000000007"
    );
    assert_eq!(binding.terms.min_version, ProtocolVersion::TLS1_2);
    assert!(binding.terms.resume && binding.terms.server_names.is_empty());
    let by_uuid = good.replace(
        "vm = \"web01\"",
        "vm = \"0f6a2b9c-5d1e-4c3a-8b7f-112233445566\"",
    );
    assert!(parse(&by_uuid).is_ok(), "a domain need not be static");
    refused_at(
        15,
        "neither a UUID",
        &good.replace("vm = \"web01\"", "vm = \"web02\""),
    );
    refused_at(
        16,
        "there is \"se-00\"",
        &good.replace("card = \"se-00\"", "card = \"se-09\""),
    );
}

#[test]
fn a_binding_believes_somebody() {
    let good = format!("{CARD}{DOMAIN}{BINDING}");
    refused_at(15, "without trust", &good.replace("trust = \"ca.pem\"", ""));
    let pinned = format!("pins = {{ \"a.example\" = \"{}\" }}", "ab".repeat(32));
    let config = parse(&good.replace("trust = \"ca.pem\"", &pinned)).expect("pinned");
    assert_eq!(config.bindings[0].pins["a.example"], [0xAB; 32]);
}

#[test]
fn broken_versions_must_be_asked_for_twice() {
    let good = format!("{CARD}{DOMAIN}{BINDING}");
    refused_at(
        18,
        "legacy = true",
        &format!("{good}min_version = \"1.0\"\n"),
    );
    let legacy = format!("{good}min_version = \"1.0\"\nlegacy = true\n");
    let config = parse(&legacy).expect("asked for twice");
    assert_eq!(
        config.bindings[0].terms.min_version,
        ProtocolVersion::TLS1_0
    );
}

#[test]
fn a_card_is_shared_only_when_every_binding_says_so() {
    let other = BINDING.replace(
        "vm = \"web01\"",
        "vm = \"0f6a2b9c-5d1e-4c3a-8b7f-112233445566\"",
    );
    let named = |binding: &str, name: &str| format!("{binding}identity = \"{name}\"\n");
    let (one, two) = (named(BINDING, "a"), named(&other, "b"));
    let both = |one: &str, two: &str| format!("{CARD}{DOMAIN}{one}{two}");
    let shared = "shared = true\n";
    refused_at(22, "shared = true", &both(&one, &two));
    refused_at(23, "shared = true", &both(&format!("{one}{shared}"), &two));
    refused_at(22, "shared = true", &both(&one, &format!("{two}{shared}")));
    let config = parse(&both(&format!("{one}{shared}"), &format!("{two}{shared}")));
    assert_eq!(config.expect("both say so").bindings.len(), 2);
}

#[test]
fn raw_apdus_are_for_a_card_that_is_not_shared() {
    let dir = tempfile::tempdir().expect("a directory");
    let list = dir.path().join("list.apdus");
    let raw = format!("raw_apdu = \"{}\"\n", list.display());
    let one = format!("{BINDING}{raw}");
    refused_at(
        18,
        "shared = true",
        &format!("{CARD}{DOMAIN}{one}shared = true\n"),
    );
    let config = parse(&format!("{CARD}{DOMAIN}{one}")).expect("good");
    let problem = || config.raw_apdu(&config.bindings[0]).expect_err("not good");
    assert!(matches!(problem(), ConfigError::File { line: 18, .. }));
    fs::write(&list, "# no row\n").expect("written");
    assert!(Causes(&problem()).to_string().contains("no row"));
    fs::write(&list, "FFFFFF00 00A40400 # SELECT\n").expect("written");
    let read = config.raw_apdu(&config.bindings[0]).expect("good");
    assert!(read.is_some_and(|list| list.permits([0x00, 0xA4, 0x04, 0x0C])));
}

#[test]
fn a_domain_may_have_several_identities_of_its_own_card() {
    let named = |name: &str| format!("{BINDING}identity = \"{name}\"\n");
    let text = format!("{CARD}{DOMAIN}{}{}", named("a"), named("b"));
    assert_eq!(parse(&text).expect("one domain").bindings.len(), 2);
}

/// A configuration in a directory of its own, with the files it names.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn write(&self, name: &str, content: &str, mode: u32) -> &Self {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
        self
    }

    fn config(&self, more: &str) -> Config {
        let at = |name: &str| format!("{:?}", self.0.path().join(name));
        let pin = format!("{CARD}pin_file = {}\n", at("pin"));
        let binding = BINDING.replace("\"ca.pem\"", &at("ca.pem"));
        parse(&format!("{pin}{DOMAIN}{binding}{more}")).expect("good")
    }
}

fn certificate() -> String {
    let key = rcgen::KeyPair::generate().expect("P-256");
    let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("a name");
    params.self_signed(&key).expect("a certificate").pem()
}

#[test]
fn what_is_there_and_good_is_put_to_use() {
    let files = Files::new();
    files
        .write("ca.pem", &certificate(), 0o644)
        .write("pin", "1234\n", 0o600);
    let config = files.config("");
    config.check_pin_files().expect("for its owner alone");
    let bound = config.bind().expect("good");
    assert_eq!(bound.table.iter().count(), 1);
    assert_eq!(bound.trust.len(), 1);
    assert!(config.check_files(NOW).expect("good").is_empty());
}

#[test]
fn missing_files_are_an_error_to_serve_and_a_note_to_check() {
    let config = Files::new().config("");
    let ConfigError::File { line, key, .. } = config.bind().expect_err("no CA") else {
        panic!("another error");
    };
    assert_eq!((line, key), (18, "binding.trust"));
    assert!(config.check_pin_files().is_err());
    let missing = config.check_files(NOW).expect("may come later");
    assert_eq!(missing.len(), 2);
    assert!(missing[0].to_string().contains("ca.pem: not there yet"));
}

#[test]
fn a_pin_that_others_can_read_is_refused() {
    let files = Files::new();
    files.write("ca.pem", &certificate(), 0o644);
    for mode in [0o640, 0o604, 0o660] {
        files.write("pin", "1234\n", mode);
        let error = files.config("").check_pin_files().expect_err("exposed");
        let ConfigError::File { source, .. } = error else {
            panic!("another error");
        };
        assert!(matches!(source, FileProblem::Exposed { mode: m } if m == mode));
    }
}

#[test]
fn a_trust_file_without_a_certificate_is_refused() {
    let files = Files::new();
    for content in ["", "hello\n", "-----BEGIN CERTIFICATE-----\n!!\n"] {
        files.write("ca.pem", content, 0o644);
        let error = files.config("").bind().expect_err("no certificate");
        let ConfigError::File { source, .. } = error else {
            panic!("another error");
        };
        assert!(
            matches!(source, FileProblem::NoCertificate(_)),
            "{content:?}"
        );
    }
}

#[test]
fn an_identity_has_one_certificate() {
    let files = Files::new();
    let both = format!("{}{}", certificate(), certificate());
    files
        .write("ca.pem", &certificate(), 0o644)
        .write("id.pem", &both, 0o644);
    let cert = format!("cert = {:?}\n", files.0.path().join("id.pem"));
    let error = files.config(&cert).bind().expect_err("which one?");
    assert!(matches!(
        error,
        ConfigError::File {
            source: FileProblem::SeveralCertificates,
            key: "binding.cert",
            ..
        }
    ));
}

const XENSTORE: &str = "[xenstore]\nenabled = true\n";

#[test]
fn a_domain_has_one_channel() {
    let channel = |path: &str| {
        format!(
            "[[channel]]\nkind = \"unix\"\npath = \"{path}\"\ndomid = 7\n\
             insecure_development = true\n"
        )
    };
    let two = format!("{XENSTORE}{}{}", channel("/x/a"), channel("/x/b"));
    refused_at(11, "has a channel already", &two);
}

#[test]
fn with_xenstore_domains_are_named_by_uuid_and_none_is_written_here() {
    let channel = "[[channel]]\nkind = \"unix\"\npath = \"/x/a\"\ndomid = 7\n\
                   insecure_development = true\n";
    let by_uuid = BINDING.replace("web01", "7e55e2a0-0000-4000-8000-000000000007");
    let config = parse(&format!("{XENSTORE}{CARD}{channel}{by_uuid}")).expect("good");
    assert_eq!(config.domains, DomainSource::Xenstore);
    assert_eq!(config.channels[0].domid.0, 7);

    refused_at(5, "xenstore says who", &format!("{XENSTORE}{DOMAIN}"));
    let by_name = format!("{XENSTORE}{CARD}{BINDING}");
    refused_at(12, "xl domid web01", &by_name);
    let upper = by_uuid.replace("7e55e2a0", "7E55E2A0");
    refused_at(12, "lower case", &format!("{XENSTORE}{CARD}{upper}"));
    let dom0 = channel.replace("= 7", "= 0");
    refused_at(6, "dom0 itself", &format!("{XENSTORE}{dom0}"));

    let off = parse(&format!("[xenstore]\nenabled = false\n{DOMAIN}")).expect("good");
    assert!(off.domains.named().is_some());
}

const GRID: &str = "[[card_source]]\nkind = \"racs\"\nseid = \"se-00\"\nhost = \"grid.example\"\n\
    certificate = \"/x/host.pem\"\nkey = \"/x/host.key\"\nca = \"/x/ca.pem\"\n";

#[test]
fn a_card_of_another_host_is_there_only_if_that_host_may_see_keys() {
    let trusted = format!("{GRID}trusted_with_keys = true\n");
    let config = parse(&trusted).expect("a grid");
    let ReaderPlace::Grid(place) = &config.readers[0].place else {
        panic!("a grid");
    };
    assert_eq!(place.grid.server_name, "grid.example");
    assert_eq!(place.seid.as_str(), "se-00");
    assert_eq!(
        config.readers[0].place.to_string(),
        "racs grid.example:7777 se-00"
    );
    refused_at(2, "PIN and the KeyBlocks", GRID);
    refused_at(
        2,
        "PIN and the KeyBlocks",
        &format!("{GRID}trusted_with_keys = false\n"),
    );

    let without = |key: &str| {
        let lines = trusted.lines().filter(|line| !line.starts_with(key));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    refused_at(2, "HOST", &without("host"));
    refused_at(2, "our certificate", &without("certificate"));
    refused_at(2, "key (PEM)", &without("key"));
    refused_at(2, "either ca", &without("ca"));
    let pin = format!("pin = \"{}\"\n", "ab".repeat(32));
    refused_at(2, "either ca", &format!("{trusted}{pin}"));
    parse(&format!("{}{pin}", without("ca"))).expect("a pin instead of a CA");
    let no_port = parse(&trusted.replace("grid.example", "grid.example:x")).expect_err("no port");
    let said = Causes(&no_port).to_string();
    assert!(
        said.contains("line 4") && said.contains("HOST:PORT"),
        "{said}"
    );
    refused_at(
        9,
        "nothing of this one",
        &format!("{trusted}reader = \"R 00\"\n"),
    );
    refused_at(9, "SEID", &format!("{trusted}remote_seid = \"a b\"\n"));
    let other = trusted.replace("se-00", "se-01") + "remote_seid = \"se-00\"\n";
    refused_at(11, "same place", &format!("{trusted}{other}"));
    let more = "remote_seid = \"alpha\"\nserver_name = \"other.example\"\nrules = \"tessera\"\n";
    let config = parse(&format!("{trusted}{more}")).expect("all keys");
    let shown = config.readers[0].place.to_string();
    assert_eq!(shown, "racs grid.example:7777 alpha");
    let config = parse(&format!("{trusted}rules = \"tessera\"\nbatches = false\n"));
    let config = config.expect("one at a time");
    let ReaderPlace::Grid(place) = &config.readers[0].place else {
        panic!("a grid");
    };
    let rules = place.grid.rules;
    assert!(!rules.batches && rules.session_life.is_none());

    let local = "[[card_source]]\nkind = \"pcsc\"\nseid = \"se-00\"\nreader = \"R 00\"\n";
    refused_at(
        5,
        "only kind = \"racs\"",
        &format!("{local}host = \"grid.example\"\n"),
    );
}

#[test]
fn the_files_for_a_grid_are_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("{GRID}trusted_with_keys = true\n");
    let text = text.replace("/x", &folder.path().display().to_string());
    let config = parse(&text).expect("good");
    let missing = config.check_files(NOW).expect("may come yet");
    assert!(missing[0].to_string().contains("ca.pem"), "{}", missing[0]);
    let refused = config.check_pin_files().expect_err("needed to serve");
    assert!(
        refused
            .to_string()
            .starts_with("test.toml:7: card_source.ca"),
        "{refused}"
    );
    let pki = crate::racs::client::testing::Pki::new();
    let put = |from: &str, to: &str| {
        fs::copy(pki.path(from), folder.path().join(to)).expect("copied");
    };
    put("ca.pem", "ca.pem");
    put("client.pem", "host.pem");
    put("client.key", "host.key");
    assert!(config.check_files(NOW).expect("good").is_empty());
    put("ca.pem", "host.key");
    let refused = config.check_files(NOW).expect_err("no key").to_string();
    assert!(
        refused.starts_with("test.toml:6: card_source.key"),
        "{refused}"
    );
}
