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

mod bindings;
mod cards;
mod domains;
mod files;
mod grids;
mod profiles;

const EXAMPLE: &str = include_str!("../../../../docs/examples/dom0-middleware.toml");

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

const XENSTORE: &str = "[xenstore]\nenabled = true\n";
