//! Domains and the ways to them.

use super::*;

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
