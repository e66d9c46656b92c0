//! Trust against certificates made for the purpose.

use std::collections::HashMap;
use std::time::Duration;

use proto::id::DomainUuid;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData as _,
    date_time_ymd,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use super::{Believed, Trust, TrustError};

/// A CA and a leaf for `server.example`, valid from 2020 to 2030.
struct Pki {
    ca: CertificateDer<'static>,
    leaf: Vec<u8>,
}

impl Pki {
    fn new() -> Self {
        let ca_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        let common_name = format!("CA {:02x?}", sha256(&ca_key.subject_public_key_info()));
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        set_dates(&mut params);
        let ca = params.self_signed(&ca_key).expect("a CA").der().clone();
        let issuer = Issuer::new(params, ca_key);
        let names = vec!["server.example".to_owned(), "192.0.2.7".to_owned()];
        let mut params = CertificateParams::new(names).expect("parameters");
        set_dates(&mut params);
        let key = KeyPair::generate().expect("a key");
        let leaf = params.signed_by(&key, &issuer).expect("a leaf");
        Self {
            ca,
            leaf: leaf.der().to_vec(),
        }
    }

    fn by_ca(&self) -> Trust {
        Trust::load(std::slice::from_ref(&self.ca), HashMap::new()).expect("a CA")
    }

    fn by_pin(&self, hash: [u8; 32]) -> Trust {
        let pins = HashMap::from([("Server.Example".to_owned(), hash)]);
        Trust::load(&[], pins).expect("a pin")
    }

    fn chain(&self) -> Vec<Vec<u8>> {
        vec![self.leaf.clone()]
    }
}

fn set_dates(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
}

/// Unix seconds of a year's beginning, leap days included well enough.
fn year(year: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[test]
fn a_chain_to_the_ca_is_accepted_for_its_names_only() {
    let pki = Pki::new();
    let trust = pki.by_ca();
    assert_eq!(
        trust.verify(&pki.chain(), "server.example", year(2026)),
        Ok(())
    );
    assert_eq!(
        trust.verify(&pki.chain(), "SERVER.example", year(2026)),
        Ok(())
    );
    assert_eq!(trust.verify(&pki.chain(), "192.0.2.7", year(2026)), Ok(()));
    let Err(TrustError::NameMismatch {
        server_name,
        presented,
    }) = trust.verify(&pki.chain(), "other.example", year(2026))
    else {
        panic!("another name");
    };
    assert_eq!(server_name, "other.example");
    assert!(
        presented.iter().any(|name| name == "server.example"),
        "{presented:?}"
    );
    assert!(matches!(
        trust.verify(&pki.chain(), "not a name", year(2026)),
        Err(TrustError::NotAName { .. })
    ));
}

#[test]
fn dates_are_checked_against_the_clock_given() {
    let pki = Pki::new();
    for trust in [pki.by_ca(), pki.by_pin(sha256(&pki.leaf))] {
        let verify = |now| trust.verify(&pki.chain(), "server.example", now);
        assert_eq!(verify(year(2026)), Ok(()));
        assert_eq!(
            verify(year(2031)),
            Err(TrustError::Expired {
                not_after: 1_893_456_000
            })
        );
        assert_eq!(
            verify(year(2019)),
            Err(TrustError::NotYetValid {
                not_before: 1_577_836_800
            })
        );
    }
}

#[test]
fn another_ca_is_an_unknown_issuer() {
    let (pki, other) = (Pki::new(), Pki::new());
    assert_eq!(
        other
            .by_ca()
            .verify(&pki.chain(), "server.example", year(2026)),
        Err(TrustError::UnknownIssuer)
    );
}

#[test]
fn a_pinned_name_is_believed_by_its_pin_alone() {
    let pki = Pki::new();
    let got = sha256(&pki.leaf);
    assert_eq!(
        pki.by_pin(got)
            .verify(&pki.chain(), "server.example", year(2026)),
        Ok(())
    );
    assert_eq!(
        pki.by_pin([0; 32])
            .verify(&pki.chain(), "SERVER.EXAMPLE", year(2026)),
        Err(TrustError::PinMismatch { got })
    );
    // The CA's word does not count for a pinned name.
    let pins = HashMap::from([("server.example".to_owned(), [0; 32])]);
    let both = Trust::load(std::slice::from_ref(&pki.ca), pins).expect("CA and pin");
    assert_eq!(
        both.verify(&pki.chain(), "server.example", year(2026)),
        Err(TrustError::PinMismatch { got })
    );
}

#[test]
fn trust_without_content_accepts_nothing() {
    let pki = Pki::new();
    let nobody = Trust::load(&[], HashMap::new()).expect("no content is no error");
    assert!(matches!(
        nobody.verify(&pki.chain(), "server.example", year(2026)),
        Err(TrustError::NoTrustFor { .. })
    ));
    // A pin is for its own name only.
    assert!(matches!(
        pki.by_pin(sha256(&pki.leaf))
            .verify(&pki.chain(), "other.example", year(2026)),
        Err(TrustError::NoTrustFor { .. })
    ));
}

#[test]
fn garbage_is_refused_with_a_reason() {
    let pki = Pki::new();
    assert_eq!(
        pki.by_ca().verify(&[], "server.example", year(2026)),
        Err(TrustError::NoCertificate)
    );
    let garbage = vec![vec![0x30, 0x03, 1, 2, 3]];
    assert!(
        pki.by_ca()
            .verify(&garbage, "server.example", year(2026))
            .is_err()
    );
    let pinned = pki.by_pin(sha256(&garbage[0]));
    assert_eq!(
        pinned.verify(&garbage, "server.example", year(2026)),
        Err(TrustError::Malformed)
    );
    let bad_ca = CertificateDer::from(vec![1, 2, 3]);
    assert!(Trust::load(&[bad_ca], HashMap::new()).is_err());
}

#[test]
fn the_fingerprint_tells_trusts_apart_and_not_their_order() {
    let (one, other) = (Pki::new(), Pki::new());
    let load = |ca: &[CertificateDer<'static>], pin: u8| {
        let pins = HashMap::from([("a.example".to_owned(), [pin; 32])]);
        Trust::load(ca, pins).expect("trust").fingerprint()
    };
    let (a, b) = (one.ca.clone(), other.ca.clone());
    assert_eq!(
        load(&[a.clone(), b.clone()], 1),
        load(&[b.clone(), a.clone()], 1)
    );
    assert_ne!(
        load(&[a.clone(), b.clone()], 1),
        load(std::slice::from_ref(&a), 1)
    );
    assert_ne!(load(&[a.clone(), b.clone()], 1), load(&[a, b], 2));
}

#[test]
fn a_chain_that_was_believed_is_so_for_a_minute_and_for_nothing_else() {
    let pki = Pki::new();
    let (trust, believed) = (pki.by_ca(), Believed::default());
    let (one, other) = (domain(1), domain(2));
    let at = |seconds: u64| {
        let start = year(2026).as_secs() + seconds;
        UnixTime::since_unix_epoch(Duration::from_secs(start))
    };
    let verify = |trust: &Trust, chain: &[Vec<u8>], name: &str, now| {
        believed.verify(trust, one, chain, name, now)
    };
    assert_eq!(
        verify(&trust, &pki.chain(), "server.example", at(0)),
        Ok(())
    );
    assert!(believed.has(&trust, one, &pki.chain(), "server.example", at(60)));
    for (what, has) in [
        (
            "later",
            believed.has(&trust, one, &pki.chain(), "server.example", at(61)),
        ),
        (
            "a clock set back",
            believed.has(&trust, one, &pki.chain(), "server.example", year(2025)),
        ),
        (
            "another domain",
            believed.has(&trust, other, &pki.chain(), "server.example", at(1)),
        ),
        (
            "another name",
            believed.has(&trust, one, &pki.chain(), "192.0.2.7", at(1)),
        ),
        (
            "a longer chain",
            believed.has(
                &trust,
                one,
                &[pki.chain(), pki.chain()].concat(),
                "server.example",
                at(1),
            ),
        ),
        (
            "another trust",
            believed.has(
                &Pki::new().by_ca(),
                one,
                &pki.chain(),
                "server.example",
                at(1),
            ),
        ),
    ] {
        assert!(!has, "{what}");
    }
    // It is looked at again, whatever it is remembered for.
    assert!(verify(&trust, &pki.chain(), "other.example", at(1)).is_err());
    assert!(verify(&Pki::new().by_ca(), &pki.chain(), "server.example", at(1)).is_err());
}

#[test]
fn a_chain_is_not_believed_past_its_end() {
    let pki = Pki::new();
    let (trust, believed) = (pki.by_ca(), Believed::default());
    let end = UnixTime::since_unix_epoch(Duration::from_secs(1_893_456_000));
    let verify = |now| believed.verify(&trust, domain(1), &pki.chain(), "server.example", now);
    let before = UnixTime::since_unix_epoch(Duration::from_secs(end.as_secs() - 10));
    let after = UnixTime::since_unix_epoch(Duration::from_secs(end.as_secs() + 1));
    assert_eq!(verify(before), Ok(()));
    assert!(matches!(verify(after), Err(TrustError::Expired { .. })));
}

#[test]
fn what_is_refused_is_not_remembered_and_few_are() {
    let (pki, believed) = (Pki::new(), Believed::default());
    let (trust, stranger) = (pki.by_ca(), Pki::new());
    let now = year(2026);
    assert!(
        believed
            .verify(&trust, domain(1), &stranger.chain(), "server.example", now)
            .is_err()
    );
    assert!(!believed.has(&trust, domain(1), &stranger.chain(), "server.example", now));
    for number in 0..=8 {
        assert_eq!(
            believed.verify(&trust, domain(number), &pki.chain(), "server.example", now),
            Ok(())
        );
    }
    let has = |number| believed.has(&trust, domain(number), &pki.chain(), "server.example", now);
    assert!(!has(0) && has(1) && has(8));
}

fn domain(number: u8) -> DomainUuid {
    DomainUuid::from_bytes([number; 16])
}
