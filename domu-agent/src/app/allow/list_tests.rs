use super::super::table::AllowTable;
use super::*;

fn list(text: &str) -> AllowList {
    #[derive(serde::Deserialize)]
    struct Tables {
        #[serde(default)]
        allow: Vec<AllowTable>,
    }
    let tables: Tables = toml::from_str(text).expect(text);
    let rules = tables.allow.into_iter().map(AllowTable::resolve);
    AllowList::new(rules.collect::<Result<_, _>>().expect("known accounts"))
}

fn caller(uid: u32, gid: u32, groups: &[u32]) -> Caller {
    Caller {
        uid,
        gid,
        groups: groups.to_vec(),
        pid: Some(1),
    }
}

/// What the list says to user 1000: the identity it may ask dom0 for, or why not.
fn judge(
    list: &AllowList,
    mode: Mode,
    to: &str,
    identity: Option<&str>,
) -> Result<Option<String>, String> {
    let caller = caller(1000, 100, &[27]);
    let destination: Destination = to.parse().expect(to);
    let judged = list.rights(&caller).and_then(|rights| {
        let judged = rights.judge(Asked {
            mode,
            destination: &destination,
            identity,
        });
        judged.map(|identity| identity.map(str::to_owned))
    });
    judged.map_err(|denied| denied.to_string())
}

const TO: &str = "a.example:443";

#[test]
fn without_a_rule_everybody_may_use_everything_but_keys() {
    let list = list("");
    assert_eq!(list, AllowList::default());
    for mode in [Mode::Stream, Mode::Socket] {
        assert_eq!(judge(&list, mode, TO, None), Ok(None));
        let named = judge(&list, mode, "[::1]:1", Some("web01"));
        assert_eq!(named, Ok(Some("web01".to_owned())));
    }
    let keys = judge(&list, Mode::Keys, TO, None);
    let expected = "no [[allow]] for uid 1000 and gid 100 has mode \"keys\"";
    assert_eq!(keys, Err(expected.to_owned()));
}

#[test]
fn with_a_rule_nobody_else_may_do_anything() {
    let list = list("[[allow]]\nuid = 7\n");
    let error = judge(&list, Mode::Stream, TO, None).expect_err("another user");
    assert_eq!(error, "no [[allow]] is for uid 1000 and gid 100");
    assert!(list.rights(&caller(7, 100, &[])).is_ok());
    assert!(
        list.rights(&caller(0, 0, &[])).is_err(),
        "root is no exception"
    );
}

#[test]
fn a_rule_is_for_those_who_fit_user_and_group() {
    let rows = [
        ("uid = 1000", true),
        ("uid = 1001", false),
        ("gid = 100", true),
        ("gid = 27", true),
        ("gid = 28", false),
        ("uid = 1000\ngid = 27", true),
        ("uid = 1000\ngid = 28", false),
        ("uid = 1001\ngid = 27", false),
        ("", true),
    ];
    for (keys, fits) in rows {
        let list = list(&format!("[[allow]]\n{keys}\n"));
        let judged = judge(&list, Mode::Stream, TO, None);
        assert_eq!(judged.is_ok(), fits, "{keys}: {judged:?}");
        assert_eq!(list.names_a_group(), keys.contains("gid"), "{keys}");
    }
}

#[test]
fn every_mode_is_allowed_exactly_where_it_is_named() {
    let modes = [Mode::Stream, Mode::Socket, Mode::Keys];
    for set in 0..8_usize {
        let is_named = |at: usize| set & (1 << at) != 0;
        let named: Vec<_> = modes
            .iter()
            .enumerate()
            .filter(|(at, _)| is_named(*at))
            .map(|(_, mode)| format!("\"{mode}\""))
            .collect();
        let list = list(&format!("[[allow]]\nmodes = [{}]\n", named.join(",")));
        for (at, mode) in modes.into_iter().enumerate() {
            let judged = judge(&list, mode, TO, None);
            assert_eq!(judged.is_ok(), is_named(at), "{named:?} {mode}: {judged:?}");
        }
    }
}

#[test]
fn destinations_are_those_listed() {
    let list = list("[[allow]]\ndestinations = [\"*.example:443\", \"192.0.2.1:*\"]\n");
    for to in ["a.example:443", "192.0.2.1:8443"] {
        assert_eq!(judge(&list, Mode::Stream, to, None), Ok(None), "{to}");
    }
    let error = judge(&list, Mode::Stream, "a.example:444", None).expect_err("another port");
    let expected = "no [[allow]] for uid 1000 and gid 100 with mode \"stream\" has destination \
                    a.example:444";
    assert_eq!(error, expected);
}

#[test]
fn identities_are_those_listed_and_an_only_one_is_chosen() {
    let one = list("[[allow]]\nidentities = [\"web01\"]\n");
    let chosen = Ok(Some("web01".to_owned()));
    assert_eq!(judge(&one, Mode::Stream, TO, None), chosen);
    assert_eq!(judge(&one, Mode::Stream, TO, Some("web01")), chosen);
    let error = judge(&one, Mode::Stream, TO, Some("web02")).expect_err("another");
    assert!(
        error.ends_with("destination a.example:443 has identity \"web02\""),
        "{error}"
    );

    let two = list("[[allow]]\nidentities = [\"web01\", \"web02\"]\n");
    let error = judge(&two, Mode::Stream, TO, None).expect_err("which one?");
    let expected = "the request must name an identity; [[allow]] for uid 1000 and gid 100 has \
                    [\"web01\", \"web02\"]";
    assert_eq!(error, expected);
    assert_eq!(judge(&two, Mode::Stream, TO, Some("web01")), chosen);

    let none = list("[[allow]]\nidentities = []\n");
    assert!(judge(&none, Mode::Stream, TO, None).is_err());
    assert!(judge(&none, Mode::Stream, TO, Some("web01")).is_err());
}

#[test]
fn rules_add_up_but_their_parts_do_not() {
    let list = list(
        "[[allow]]\nidentities = [\"web01\"]\ndestinations = [\"a.example:443\"]\n\
         [[allow]]\nidentities = [\"web02\"]\ndestinations = [\"b.example:443\"]\nmodes = [\"keys\"]\n\
         [[allow]]\nuid = 7\n",
    );
    let web = |number: u8| Ok(Some(format!("web0{number}")));
    let (a, b) = ("a.example:443", "b.example:443");
    assert_eq!(judge(&list, Mode::Stream, a, None), web(1));
    assert_eq!(judge(&list, Mode::Keys, b, None), web(2));
    assert_eq!(judge(&list, Mode::Keys, b, Some("web02")), web(2));
    assert!(judge(&list, Mode::Keys, a, None).is_err());
    assert!(judge(&list, Mode::Stream, b, None).is_err());
    assert!(judge(&list, Mode::Keys, b, Some("web01")).is_err());
    assert!(judge(&list, Mode::Socket, a, Some("web02")).is_err());
}

#[test]
fn a_rule_without_identities_leaves_the_choice_to_dom0_only_for_what_it_allows() {
    let list = list(
        "[[allow]]\ndestinations = [\"a.example:443\"]\n\
         [[allow]]\nidentities = [\"web01\"]\n",
    );
    assert_eq!(judge(&list, Mode::Stream, TO, None), Ok(None));
    let elsewhere = judge(&list, Mode::Stream, "b.example:443", None);
    assert_eq!(elsewhere, Ok(Some("web01".to_owned())));
}

#[test]
fn the_same_identity_in_two_rules_is_one() {
    let rule = "[[allow]]\nidentities = [\"web01\"]\n";
    let judged = judge(&list(&rule.repeat(2)), Mode::Stream, TO, None);
    assert_eq!(judged, Ok(Some("web01".to_owned())));
}

#[test]
fn what_may_be_used_may_be_seen() {
    let list = list(
        "[[allow]]\nuid = 1\nidentities = [\"web01\"]\n\
         [[allow]]\nuid = 2\nmodes = []\n\
         [[allow]]\nuid = 3\n",
    );
    for (uid, sees) in [(1, [true, false]), (2, [false; 2]), (3, [true; 2])] {
        let caller = caller(uid, 0, &[]);
        let rights = list.rights(&caller).expect("a rule");
        let seen = ["web01", "web02"].map(|name| rights.may_see(name));
        assert_eq!(seen, sees, "uid {uid}");
    }
}
