//! Who has which card.

use super::*;

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
