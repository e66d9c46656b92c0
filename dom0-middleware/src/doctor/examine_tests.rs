use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::admin::{ChannelView, HvKeyView, PinStatusView, ServiceView};
use crate::broker::{
    ConnectionView, Counters, IdentityView, PaceView, PacesView, RefusalView, SignatureView,
    Snapshot,
};
use crate::doctor::Level;
use crate::doctor::facts::{PcscFacts, PcscProblem};

fn card_view(state: CardState) -> CardView {
    CardView {
        seid: "se-00".parse().expect("a SEID"),
        state,
        elsewhere: None,
        why: None,
        next: None,
        atr: None,
        profile: None,
        identities: vec![IdentityView {
            name: "web01".parse().expect("a name"),
            certificate_sha256: None,
            bound_to: None,
        }],
        running: None,
        maintenance: false,
        held_by: None,
        waiting: 0,
        pace: PacesView::default(),
    }
}

fn uuid() -> proto::id::DomainUuid {
    proto::id::DomainUuid::from_bytes([7; 16])
}

fn status() -> StatusView {
    let domid = proto::id::DomId(7);
    StatusView {
        service: ServiceView {
            state_file: String::new(),
            notes: Vec::new(),
            hv_key: None,
            vchan: None,
            racs: None,
            version: "1.0.0".to_owned(),
            config: "/etc/x.toml".to_owned(),
            audit_file: "/x".to_owned(),
            channels: vec![ChannelView {
                kind: "unix".to_owned(),
                path: "/c".to_owned(),
                domid,
                domain: Some(uuid()),
                insecure_development: false,
            }],
            tokens: None,
            bindings: vec![crate::admin::BindingView {
                domain: uuid(),
                name: Some("web01".to_owned()),
                seid: "se-00".parse().expect("a SEID"),
                identity: None,
                origin: crate::admin::Origin::Config,
                shared: false,
                server_names: Vec::new(),
                min_version: "TLS 1.2".to_owned(),
                resume: true,
                raw_apdu: None,
                trust_sha256: None,
                bound_at: None,
            }],
        },
        uptime_s: 3,
        xenstore: None,
        state: Snapshot {
            cards: vec![card_view(CardState::Present)],
            connections: vec![ConnectionView {
                domid,
                domain: uuid(),
                admitted: true,
                racs: false,
                handshakes: 0,
            }],
            waiting: 0,
            running: 0,
            refusals: Vec::new(),
            counters: Counters::default(),
        },
    }
}

fn facts() -> Facts {
    Facts {
        service: Ok(status()),
        pins: Vec::new(),
        config: Some(Ok(ConfigFacts {
            path: "/etc/x.toml".into(),
            missing: Vec::new(),
            hv: Some((Duration::from_secs(100 * 86_400), UnixTime::default())),
            xenstore: None,
            vchan: false,
            hv_card: None,
            readers: vec![("se-00".parse().expect("a SEID"), "R 00".to_owned())],
            grids: Vec::new(),
        })),
        xenstore: Some(Ok(2)),
        vchan: None,
        pcsc: Some(PcscFacts {
            readers: Ok(vec![("R 00".to_owned(), true), ("R 01".to_owned(), false)]),
        }),
        grids: Vec::new(),
        listening: Some(vec!["127.0.0.1:35963".parse().expect("an address")]),
    }
}

/// What is not in order, as text.
fn wrong(facts: &Facts) -> Vec<String> {
    let found = examine(facts);
    let wrong = found.iter().filter(|finding| finding.level != Level::Ok);
    wrong
        .map(|finding| {
            let next = finding.next.as_deref().unwrap_or("-");
            format!(
                "{:?} {}: {} -> {next}",
                finding.level, finding.check, finding.message
            )
        })
        .collect()
}

/// Checks that one thing is wrong, and that all these words stand in what is said of it.
fn one_wrong(facts: &Facts, words: &[&str]) {
    let wrong = wrong(facts);
    let [only] = wrong.as_slice() else {
        panic!("one thing: {wrong:#?}");
    };
    for word in words {
        assert!(only.contains(word), "{word}: {only}");
    }
}

#[test]
fn what_is_in_order_is_said_and_nothing_else() {
    assert_eq!(wrong(&facts()), [""; 0]);
    let found = examine(&facts());
    let checks: Vec<&str> = found.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(
        checks,
        [
            "service",
            "configuration",
            "hv certificate",
            "xenstore",
            "pcscd",
            "reader R 00",
            "reader R 01",
            "card se-00",
            "channel /c"
        ]
    );
}

#[test]
fn a_card_with_few_pin_tries_is_warned_of() {
    let with = |pin: PinStatusView| Facts {
        pins: vec![("se-00".parse().expect("a SEID"), pin)],
        ..facts()
    };
    for fine in [
        PinStatusView::Verified,
        PinStatusView::Tries { left: 2 },
        PinStatusView::Ok,
    ] {
        assert_eq!(wrong(&with(fine)), [""; 0]);
    }
    let check = "Warn pin of card se-00";
    one_wrong(
        &with(PinStatusView::Tries { left: 1 }),
        &[
            check,
            "1 PIN try left",
            "verify the right PIN",
            "PUK",
            "service is stopped",
        ],
    );
    for none in [PinStatusView::Blocked, PinStatusView::Tries { left: 0 }] {
        one_wrong(
            &with(none),
            &[
                check,
                "no PIN try left",
                "PUK",
                "service is stopped",
                "card pin se-00",
            ],
        );
    }
}

#[test]
fn a_silent_service_is_named_with_its_socket() {
    let silent = |denied| Facts {
        service: Err(Silence {
            socket: "/run/admin.sock".into(),
            why: "No such file or directory".to_owned(),
            denied,
        }),
        config: None,
        ..facts()
    };
    let said = wrong(&silent(false));
    assert!(said[0].contains("Fail service: does not answer at /run/admin.sock: No such"));
    assert!(said[0].contains("dom0-middleware serve"), "{said:?}");
    assert!(said[1].contains("--config FILE"), "{said:?}");
    let said = wrong(&silent(true));
    assert!(
        said[0].contains("may not be asked") && said[0].contains("as root"),
        "{said:?}"
    );
}

#[test]
fn the_card_with_the_hv_key_is_looked_for() {
    let with = |problem: Option<&str>, has_card: &[(&str, bool)]| {
        let mut status = status();
        status.service.hv_key = Some(HvKeyView {
            card: "pcsc:H 00#9c".to_owned(),
            certificate_until: "2026-11-22T00:00:00.000Z".to_owned(),
            problem: problem.map(str::to_owned),
        });
        let mut facts = facts();
        facts.service = Ok(status);
        if let Some(Ok(config)) = &mut facts.config {
            config.hv_card = Some(("H 00".to_owned(), "pcsc:H 00#9c".to_owned()));
        }
        let others = [("R 00", true)];
        let readers = others.iter().chain(has_card);
        let readers = readers.map(|(name, card)| ((*name).to_owned(), *card));
        facts.pcsc = Some(PcscFacts {
            readers: Ok(readers.collect()),
        });
        facts
    };
    let good = with(None, &[("H 00", true)]);
    assert_eq!(wrong(&good), [""; 0]);
    let found = examine(&good);
    let reader = found.iter().find(|found| found.check == "reader H 00");
    assert_eq!(
        reader.expect("looked at").message,
        "has a card, of the HV key"
    );
    one_wrong(
        &with(None, &[("H 00", false)]),
        &["Fail reader H 00: is empty", "put the card in"],
    );
    let no_reader = with(None, &[]);
    one_wrong(
        &no_reader,
        &["Fail reader H 00: is not there", "hv.key", "there is: R 00"],
    );
    let failed = with(Some("the card did not accept the PIN"), &[("H 00", true)]);
    one_wrong(
        &failed,
        &[
            "Fail hv key: pcsc:H 00#9c: the card did",
            "until 2026-11-22",
        ],
    );
}

#[test]
fn each_way_in_which_pcscd_can_fail_has_its_cure() {
    let path = || PathBuf::from("/run/pcscd/pcscd.comm");
    let cases = [
        (PcscProblem::NoSocket(path()), "apt install pcscd"),
        (
            PcscProblem::NobodyListens(path()),
            "systemctl restart pcscd.socket",
        ),
        (PcscProblem::SocketDenied(path()), "as root"),
        (
            PcscProblem::AccessDenied,
            "org.debian.pcsc-lite.access_card",
        ),
        (
            PcscProblem::Other("Internal error".to_owned()),
            "Internal error",
        ),
    ];
    for (problem, cure) in cases {
        let readers = Err(problem);
        let facts = Facts {
            pcsc: Some(PcscFacts { readers }),
            ..facts()
        };
        one_wrong(&facts, &["Fail pcscd: ", cure]);
    }
}

#[test]
fn a_xenstored_that_does_not_answer_is_named() {
    let missing = XenstoreFault::Missing("/run/xenstored/socket".into());
    let facts = Facts {
        xenstore: Some(Err(missing)),
        ..facts()
    };
    one_wrong(
        &facts,
        &["Fail xenstore", "/run/xenstored/socket", "systemctl start"],
    );
}

#[test]
fn a_missing_reader_is_named_with_those_that_are_there() {
    let with = |readers: Vec<(String, bool)>| Facts {
        pcsc: Some(PcscFacts {
            readers: Ok(readers),
        }),
        ..facts()
    };
    let other = with(vec![("Other 00".to_owned(), true)]);
    one_wrong(&other, &["Fail reader R 00", "se-00", "there is: Other 00"]);
    let said = wrong(&with(Vec::new()));
    assert!(said[0].contains("sees no reader"), "{said:?}");
    assert!(said[1].contains("there is: none"), "{said:?}");
    // Sixteen may be all, or all that an old library can show.
    let sixteen = (0..16).map(|n| (format!("R {n:02X}"), false)).collect();
    one_wrong(&with(sixteen), &["Warn pcscd", "16 readers", "2.5.0"]);
}

#[test]
fn a_virtual_reader_the_network_can_reach_is_a_failure() {
    for address in ["0.0.0.0:35963", "[::]:35963", "192.0.2.1:1"] {
        let listening = Some(vec![address.parse().expect("an address")]);
        let facts = Facts {
            listening,
            ..facts()
        };
        one_wrong(&facts, &["Fail vpcd", address, "vicc"]);
    }
    let unseen = Facts {
        listening: None,
        ..facts()
    };
    one_wrong(&unseen, &["Warn vpcd", "as root"]);
}

#[test]
fn a_card_that_cannot_be_used_is_named_with_why_and_what_to_do() {
    let with = |card: CardView| {
        let mut status = status();
        status.state.cards = vec![card];
        Facts {
            service: Ok(status),
            ..facts()
        }
    };
    one_wrong(
        &with(card_view(CardState::Absent)),
        &["Fail card se-00: is not there"],
    );
    one_wrong(
        &with(card_view(CardState::Stuck)),
        &["Fail card se-00", "restart pcscd"],
    );
    let unusable = CardView {
        why: Some("not adopted".to_owned()),
        next: Some("card adopt se-00".to_owned()),
        ..card_view(CardState::Unusable)
    };
    one_wrong(
        &with(unusable),
        &["Fail card se-00: not adopted -> card adopt se-00"],
    );
    let empty = CardView {
        identities: Vec::new(),
        ..card_view(CardState::Present)
    };
    one_wrong(&with(empty), &["Warn card se-00", "personalise"]);
    let maintained = CardView {
        maintenance: true,
        ..card_view(CardState::Present)
    };
    one_wrong(
        &with(maintained),
        &[
            "Warn card se-00: is in maintenance",
            "card maintenance se-00 off",
        ],
    );
}

#[test]
fn a_card_that_has_become_slow_is_told_with_the_work_it_is_slow_at() {
    let pace = |drifted| PaceView {
        expected_ms: 700,
        measured: 40,
        card_ms: Some(650),
        usual_ms: Some(300),
        drifted,
    };
    let with = |paces: PacesView| {
        let mut status = status();
        status.state.cards[0].pace = paces;
        Facts {
            service: Ok(status),
            ..facts()
        }
    };
    let handshakes = |full, resumed| PacesView {
        full: Some(pace(full)),
        resumed: Some(pace(resumed)),
        signatures: Vec::new(),
    };
    assert_eq!(wrong(&with(handshakes(false, false))), [""; 0]);
    let cure = "-> clean its contacts, try another reader, look who else uses it";
    let full = "Warn card se-00: has become slow: a full handshake takes 650 ms, 300 ms at first";
    one_wrong(&with(handshakes(true, false)), &[full, cure]);
    let resumed =
        "Warn card se-00: has become slow: a resumed handshake takes 650 ms, 300 ms at first";
    one_wrong(&with(handshakes(false, true)), &[resumed, cure]);
    let other = "; a resumed handshake takes 650 ms, 300 ms at first";
    one_wrong(&with(handshakes(true, true)), &[full, other, cure]);

    let of = |identity: &str, drifted| SignatureView {
        identity: identity.parse().expect("a name"),
        pace: pace(drifted),
    };
    let signs = |slow| PacesView {
        signatures: vec![of("9a", false), of("9c", slow)],
        ..PacesView::default()
    };
    assert_eq!(wrong(&with(signs(false))), [""; 0]);
    let signature = "slow: a signature of 9c takes 650 ms, 300 ms at first";
    one_wrong(&with(signs(true)), &[signature, cure]);
}

#[test]
fn a_guest_that_does_not_get_in_is_named_with_the_reason() {
    let mut alone = status();
    alone.state.connections.clear();
    let mut refused = alone.clone();
    refused.state.refusals.push(RefusalView {
        domid: proto::id::DomId(7),
        time: "2026-11-21T08:00:00.000Z".to_owned(),
        code: "not-bound".to_owned(),
        reason: "no binding".to_owned(),
    });
    let with = |status| Facts {
        service: Ok(status),
        ..facts()
    };
    one_wrong(
        &with(alone),
        &["Warn channel /c: nobody is connected", "domu-agent status"],
    );
    one_wrong(
        &with(refused),
        &["Fail channel /c", "08:00:00", "not-bound: no binding"],
    );

    let mut unbound = status();
    unbound.service.bindings.clear();
    one_wrong(&with(unbound), &["Warn bindings: none"]);
    let mut elsewhere = status();
    elsewhere.service.bindings[0].domain = proto::id::DomainUuid::from_bytes([8; 16]);
    one_wrong(&with(elsewhere), &["Warn binding web01", "no channel"]);
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_failure() {
    let bad = Facts {
        config: Some(Err("/etc/x.toml:3: binding.card: no card".to_owned())),
        ..facts()
    };
    let said = wrong(&bad);
    assert!(
        said[0].contains("Fail configuration: /etc/x.toml:3"),
        "{said:?}"
    );
    let mut with_missing = facts();
    if let Some(Ok(config)) = &mut with_missing.config {
        config.missing = vec!["/etc/x.toml:3: card.pin_file: /pin: not there yet".to_owned()];
    }
    one_wrong(
        &with_missing,
        &["Fail configuration", "/pin", "write that file"],
    );
}

#[test]
fn an_hv_certificate_that_ends_soon_is_worth_a_word() {
    let mut facts = facts();
    let Some(Ok(config)) = &mut facts.config else {
        panic!("good");
    };
    let end = UnixTime::from_secs(1_795_234_029);
    config.hv = Some((Duration::from_secs(3 * 86_400 + 7), end));
    let wrong = wrong(&facts);
    let [warning] = wrong.as_slice() else {
        panic!("{wrong:?}");
    };
    assert!(warning.contains("ends at 2026-11-21T04:07:09"), "{warning}");
    assert!(
        warning.contains("in 3 days") && warning.contains("hv_pins"),
        "{warning}"
    );
}

#[test]
fn tokens_that_reach_nobody_are_worth_a_word() {
    let finding = |problems: &[&str]| {
        let view = TokensView {
            folder: "/tokens".to_owned(),
            given: 2,
            problems: problems
                .iter()
                .map(|problem| (*problem).to_owned())
                .collect(),
        };
        tokens(&view)
    };
    let good = finding(&[]);
    assert_eq!(good[0].level, Level::Ok);
    let two = finding(&["a.token: the token was revoked; issue another", "x"]);
    assert_eq!(two.len(), 2);
    assert!(two.iter().all(|finding| finding.level == Level::Warn));
    assert!(two[0].message.contains("a.token"), "{two:?}");
}
