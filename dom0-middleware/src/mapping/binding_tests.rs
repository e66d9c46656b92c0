//! Bindings beside what cards hold, and the table of them.

use std::sync::Arc;

use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use proto::tls::ProtocolVersion;

use super::*;
use crate::time::UnixTime;

fn uuid(digit: char) -> DomainUuid {
    let text: String = "00000000-0000-4000-8000-000000000000".replace('0', &digit.to_string());
    text.parse().expect("a UUID")
}

fn seid(text: &str) -> Seid {
    text.parse().expect("a SEID")
}

fn name(text: &str) -> IdentityName {
    text.parse().expect("a name")
}

fn binding(domain: char, card: &str, identity: Option<&str>) -> Binding {
    Binding {
        domain: uuid(domain),
        seid: seid(card),
        identity: identity.map(name),
        certificate: None,
        tokens_from: UnixTime::default(),
        raw_apdu: None,
        terms: Terms {
            server_names: Vec::new(),
            min_version: ProtocolVersion::TLS1_2,
            resume: true,
        },
    }
}

fn holding(identity: &str, der: Option<&[u8]>) -> Holding {
    Holding {
        name: name(identity),
        certificate: der.map(|der| Certificate::new(der.to_vec())),
        schemes: Vec::new(),
    }
}

#[test]
fn a_binding_without_a_name_means_the_only_identity() {
    let unnamed = binding('1', "se-00", None);
    let fact = |held: Option<&[Holding]>| unnamed.fact(BindingId(0), held).identity;
    let one = [holding("web01", None)];
    let two = [holding("web01", None), holding("web02", None)];
    assert_eq!(fact(Some(&one)), IdentityFact::Named(name("web01")));
    assert_eq!(fact(Some(&two)), IdentityFact::NotTheOnlyOne);
    assert_eq!(fact(Some(&[])), IdentityFact::NotTheOnlyOne);
    assert_eq!(fact(None), IdentityFact::CardNotRead);
}

#[test]
fn a_named_identity_must_be_on_the_card_once_the_card_can_be_asked() {
    let named = binding('1', "se-00", Some("web02"));
    let fact = |held: Option<&[Holding]>| named.fact(BindingId(0), held).identity;
    let one = [holding("web01", None)];
    let two = [holding("web01", None), holding("web02", None)];
    assert_eq!(fact(None), IdentityFact::Named(name("web02")));
    assert_eq!(fact(Some(&two)), IdentityFact::Named(name("web02")));
    assert_eq!(fact(Some(&one)), IdentityFact::NotOnCard(name("web02")));
}

#[test]
fn the_certificate_comes_from_the_card_or_the_operator_and_must_be_one() {
    let mut named = binding('1', "se-00", Some("web01"));
    let hash = Certificate::new(b"A".to_vec()).sha256();
    let fact = |named: &Binding, der: Option<&[u8]>| {
        let held = [holding("web01", der)];
        named.fact(BindingId(0), Some(&held)).certificate
    };
    assert_eq!(fact(&named, None), CertificateFact::Unknown);
    let absent = named.fact(BindingId(0), None).certificate;
    assert_eq!(absent, CertificateFact::CardNotRead);
    assert_eq!(fact(&named, Some(b"A")), CertificateFact::Known(hash));
    named.certificate = Some(Certificate::new(b"A".to_vec()));
    assert_eq!(fact(&named, None), CertificateFact::Known(hash));
    assert_eq!(fact(&named, Some(b"A")), CertificateFact::Known(hash));
    assert_eq!(fact(&named, Some(b"B")), CertificateFact::Differs);
}

#[test]
fn an_identity_of_a_card_belongs_to_one_binding() {
    let mut table = Table::default();
    table
        .insert(binding('1', "se-00", Some("web01")))
        .expect("free");
    table
        .insert(binding('2', "se-00", Some("web02")))
        .expect("free");
    table
        .insert(binding('2', "se-01", Some("web01")))
        .expect("another card");
    assert_eq!(
        table.insert(binding('2', "se-00", Some("web01"))),
        Err(TableError::IdentityTaken { domain: uuid('1') })
    );
    assert_eq!(
        table.insert(binding('1', "se-00", Some("web01"))),
        Err(TableError::IdentityTaken { domain: uuid('1') })
    );
    assert_eq!(
        table.insert(binding('3', "se-01", None)),
        Err(TableError::IdentityNotNamed { domain: uuid('2') })
    );
    assert_eq!(table.of_domain(uuid('2')).count(), 2);
    assert_eq!(table.on_card(&seid("se-00")).count(), 2);
}

#[test]
fn a_card_for_raw_apdus_is_one_domains_and_has_one_list() {
    let raw = |domain, identity: &str, list: &str| Binding {
        raw_apdu: Some(Arc::new(list.parse().expect("a list"))),
        ..binding(domain, "se-00", Some(identity))
    };
    let (select, any) = ("FFFF0000 00A40000", "00000000 00000000");
    let mut table = Table::default();
    table.insert(raw('1', "a", select)).expect("free");
    let other = binding('2', "se-00", Some("b"));
    let shared = TableError::RawApduShared { domain: uuid('1') };
    assert_eq!(table.check(&other), Err(shared));
    assert_eq!(table.check(&raw('2', "b", select)), Err(shared));
    let differs = Err(TableError::RawApduDiffers);
    assert_eq!(table.check(&raw('1', "b", any)), differs);
    table.insert(raw('1', "b", select)).expect("the same list");
    table
        .insert(binding('1', "se-00", Some("c")))
        .expect("its own card");
    let list = table.raw_apdu(uuid('1'), &seid("se-00"));
    assert!(list.is_some_and(|list| list.permits([0, 0xA4, 0, 0])));
    assert_eq!(table.raw_apdu(uuid('2'), &seid("se-00")), None);
    assert_eq!(table.raw_apdu(uuid('1'), &seid("se-01")), None);

    let mut table = Table::default();
    table.insert(other).expect("free");
    let shared = TableError::RawApduShared { domain: uuid('2') };
    assert_eq!(table.check(&raw('1', "a", select)), Err(shared));
}

#[test]
fn a_binding_made_again_is_another_one() {
    let mut table = Table::default();
    let first = table.insert(binding('1', "se-00", None)).expect("free");
    assert!(table.remove(first).is_some());
    let second = table
        .insert(binding('1', "se-00", None))
        .expect("free again");
    assert_ne!(first, second);
    assert!(table.binding(first).is_none());
}

#[test]
fn a_static_domid_uuid_and_name_are_given_once() {
    let mut domains = StaticDomains::default();
    let domain = |digit, name: &str| StaticDomain {
        uuid: uuid(digit),
        name: name.to_owned(),
    };
    domains.insert(DomId(7), domain('1', "a")).expect("free");
    assert_eq!(
        domains.insert(DomId(7), domain('2', "b")),
        Err(StaticDomainsError::DomidTaken { domid: DomId(7) })
    );
    assert_eq!(
        domains.insert(DomId(8), domain('1', "b")),
        Err(StaticDomainsError::UuidTaken { other: DomId(7) })
    );
    assert_eq!(
        domains.insert(DomId(8), domain('2', "a")),
        Err(StaticDomainsError::NameTaken { other: DomId(7) })
    );
    assert_eq!(domains.fact(DomId(8)), DomainFact::Gone);
    assert_eq!(
        domains.fact(DomId(7)),
        DomainFact::Known {
            uuid: uuid('1'),
            name: "a".to_owned()
        }
    );
}

#[test]
fn no_server_names_means_any_server_the_trust_vouches_for() {
    let mut terms = binding('1', "se-00", None).terms;
    assert!(terms.allow_server("anything.example"));
    terms.server_names = vec!["*.example.org".parse().expect("a pattern")];
    assert!(terms.allow_server("www.example.org"));
    assert!(!terms.allow_server("anything.example"));
}
