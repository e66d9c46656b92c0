//! Who may do what.

use integration::chain::{CardPlan, Chain, ChainPlan};
use integration::pki::{Credential, EXPIRED, KeyKind, Pki};
use integration::racs_user::{ALL, RacsDesk, address, user_of};
use integration::wait;

use super::{Grid, OK, VERIFY, select, wait_for_all};

#[test]
fn a_user_sees_and_does_what_the_configuration_says() {
    let pki = Pki::new();
    let desk = RacsDesk::new(&pki);
    let list = desk.file("list", "FFFFFF00 00A40400 # SELECT by AID\n");
    let listed = format!("operations = [\"apdu\"]\napdu_allow = {list:?}");
    let users = [
        user_of("all", &[("se-00", ALL), ("se-01", ALL)]),
        user_of("looks", &[("se-01", "operations = [\"inventory\"]")]),
        user_of("selects", &[("se-00", &listed)]),
    ];
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let plan = ChainPlan::new()
        .card(CardPlan::new("se-00").identity("nobody", KeyKind::P256))
        .card(CardPlan::new("se-01").identity("nobody", KeyKind::P256))
        .more_config(&desk.config("", &users));
    let chain = Chain::start(&pki, &plan);
    let mut all = desk.user(&chain, "all");
    wait_for_all(&mut all, &["se-00", "se-01"]);

    let mut looks = desk.user(&chain, "looks");
    assert_eq!(looks.say("LIST"), "+004 001 se-01");
    assert_eq!(looks.code("POWERON se-01"), "-608 001");
    assert_eq!(looks.code("APDU se-01 00A40400"), "-606 001");
    let unknown = looks.say("POWERON se-99");
    let forbidden = looks.say("POWERON se-00");
    assert_eq!(
        forbidden.replace("se-00", "se-99"),
        unknown,
        "nobody can tell"
    );
    assert!(unknown.starts_with("-408 001"), "{unknown}");

    let mut selects = desk.user(&chain, "selects");
    assert_eq!(selects.say("LIST"), "+004 001");
    assert_eq!(selects.apdu("se-00", &select()), OK);
    // Neither another instruction, nor the same one by another class or with other parameters.
    for apdu in [VERIFY, "00A4000000", "80A4040000", "A018000000"] {
        assert_eq!(
            selects.code(&format!("APDU se-00 {apdu}")),
            "-606 001",
            "{apdu}"
        );
    }
    assert_eq!(selects.code("POWERON se-00"), "-608 001");
    selects.leave();
    let refused = wait::until("what was refused is on record", || {
        let closed = chain.audited("racs-closed");
        let of_user = closed.iter().find(|record| record["user"] == "selects")?;
        of_user["apdus_refused"].as_u64()
    });
    assert_eq!(refused, 4);

    // Whoever has a certificate and is not listed is let in, to nothing.
    let mut stranger = desk.user(&chain, "stranger");
    assert_eq!(stranger.say("LIST"), "+004 001");
    for line in [
        "POWERON se-00",
        "SHUTDOWN se-00",
        "RESET se-00",
        "APDU se-00 00A40400",
    ] {
        assert!(stranger.code(line).starts_with("-40"), "{line}");
    }
    let connected = chain.audited("racs-connected");
    let is_listed = |user: &str| {
        let mut records = connected.iter();
        records
            .find(|record| record["user"] == user)
            .map(|record| record["listed"].clone())
    };
    assert_eq!(is_listed("stranger"), Some(false.into()));
    assert_eq!(is_listed("looks"), Some(true.into()));

    let output = chain.admin(&["status"]);
    let status = String::from_utf8(output.stdout).expect("text");
    assert!(status.contains("3 users known"), "{status}");
    assert!(status.contains("stranger from 127.0.0.1:"), "{status}");
}

#[test]
fn only_users_of_the_ca_are_let_in() {
    let grid = Grid::start(&["se-00"], "", &["one"]);
    let pki = Pki::new();
    let address = address(&grid.chain);
    let works = |shown: Option<&Credential>| {
        let user = grid.desk.connect(address, shown);
        user.and_then(|mut user| {
            user.send(b"BEGIN\r\nLIST\r\nEND\r\n")?;
            user.response()
        })
        .is_ok()
    };
    let good = grid.desk.users.identity("one", KeyKind::P256);
    assert!(works(Some(&good)));
    assert!(!works(None), "no certificate");
    let foreign = pki.ca.identity("one", KeyKind::P256);
    assert!(!works(Some(&foreign)), "another CA");
    let expired = grid.desk.users.client("one", KeyKind::P256, EXPIRED);
    assert!(!works(Some(&expired)), "expired");
    let server = grid
        .desk
        .users
        .server(&["one"], KeyKind::P256, integration::pki::VALID);
    assert!(!works(Some(&server)), "a server's");
    assert!(works(Some(&good)), "and nobody minds");
    let refused = wait::until("it is on record", || {
        grid.chain.audited("racs-refused").pop()
    });
    assert_eq!(refused["because"], "tls");
}

#[test]
fn a_card_without_guests_is_its_users_own() {
    let grid = Grid::start(&["se-00"], "", &["one"]);
    let mut user = grid.user("one");
    assert_eq!(user.apdu("se-00", &select()), OK);
    assert_eq!(user.apdu("se-00", VERIFY), OK);
}
