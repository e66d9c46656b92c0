//! Every fact wrong alone, and every combination of wrong facts.

use proto::agent::RefusalCode;
use proto::hv::HvId;
use proto::id::{DomId, DomainUuid, IdentityName, Seid};

use super::*;
use crate::time::UnixTime;

const DOMID: DomId = DomId(7);
const NOW: u64 = 1_000_000;
const CERTIFICATE: [u8; 32] = [0xC1; 32];
const HOST: HvId = HvId([0xAA; 32]);
const FORMER_HOST: HvId = HvId([0xAB; 32]);

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn domain() -> DomainUuid {
    uuid("11111111-1111-4111-8111-111111111111")
}

fn stranger() -> DomainUuid {
    uuid("22222222-2222-4222-8222-222222222222")
}

fn uuid(text: &str) -> DomainUuid {
    text.parse().expect("a UUID")
}

fn seid() -> Seid {
    "se-00".parse().expect("a SEID")
}

fn name(text: &str) -> IdentityName {
    text.parse().expect("a name")
}

/// One value of one fact, and what it must lead to when everything else is right.
struct Case<T> {
    what: &'static str,
    value: T,
    refused: Option<RefusalCode>,
}

fn case<T>(what: &'static str, value: T, refused: impl Into<Option<RefusalCode>>) -> Case<T> {
    Case {
        what,
        value,
        refused: refused.into(),
    }
}

fn domains() -> Vec<Case<DomainFact>> {
    let known = |uuid| DomainFact::Known {
        uuid,
        name: "web01".to_owned(),
    };
    let shared = |uuid| DomainFact::Shared {
        uuid,
        other: DomId(9),
    };
    vec![
        case("the domain of the channel", known(domain()), None),
        case("gone", DomainFact::Gone, RefusalCode::NotBound),
        case(
            "unreadable",
            DomainFact::Unreadable(ReadFault::Late),
            RefusalCode::Internal,
        ),
        case("another UUID", known(stranger()), RefusalCode::NotBound),
        case("UUID twice", shared(domain()), RefusalCode::NotBound),
        case(
            "another UUID twice",
            shared(stranger()),
            RefusalCode::NotBound,
        ),
    ]
}

#[test]
fn a_channel_is_made_for_a_domain_that_is_there_alone_and_known() {
    for case in domains() {
        let made_for = made_for(DOMID, &case.value);
        let expected = match case.value {
            DomainFact::Known { uuid, .. } => Ok(uuid),
            _ => Err(case.refused.expect("only who is known is let in")),
        };
        let got = made_for.map_err(|reason| reason.code());
        assert_eq!(got, expected, "{}", case.what);
    }
}

enum Shown {
    Verified(VerifiedToken),
    Revoked(VerifiedToken),
    Rejected,
    Missing,
    SwitchedOff,
}

impl Shown {
    fn fact(&self) -> TokenFact<'_> {
        match self {
            Self::Verified(token) => TokenFact::Verified {
                token,
                revoked: false,
            },
            Self::Revoked(token) => TokenFact::Verified {
                token,
                revoked: true,
            },
            Self::Rejected => TokenFact::Rejected("its signature is not good"),
            Self::Missing => TokenFact::Missing,
            Self::SwitchedOff => TokenFact::SwitchedOff,
        }
    }
}

fn good_token() -> VerifiedToken {
    VerifiedToken {
        iss: HOST,
        sub: domain(),
        exp: at(NOW + 1),
        nbf: None,
        iat: at(NOW - 100),
        cti: [1; 16],
        cnf_matches_channel: true,
        vm_cert_sha256: vec![[7; 32], CERTIFICATE],
    }
}

fn token_with(change: impl FnOnce(&mut VerifiedToken)) -> Shown {
    let mut token = good_token();
    change(&mut token);
    Shown::Verified(token)
}

fn tokens() -> Vec<Case<Shown>> {
    use RefusalCode::{BadToken, TokenExpired, TokenRevoked};
    vec![
        case("a good token", Shown::Verified(good_token()), None),
        case("no token wanted", Shown::SwitchedOff, None),
        case(
            "valid from now on",
            token_with(|t| t.nbf = Some(at(NOW))),
            None,
        ),
        case(
            "a former key in its time",
            token_with(|t| t.iss = FORMER_HOST),
            None,
        ),
        case("none", Shown::Missing, BadToken),
        case("not verified", Shown::Rejected, BadToken),
        case("revoked", Shown::Revoked(good_token()), TokenRevoked),
        case(
            "another host",
            token_with(|t| t.iss = HvId([1; 32])),
            BadToken,
        ),
        case(
            "another domain",
            token_with(|t| t.sub = stranger()),
            BadToken,
        ),
        case(
            "another key",
            token_with(|t| t.cnf_matches_channel = false),
            BadToken,
        ),
        case("expired now", token_with(|t| t.exp = at(NOW)), TokenExpired),
        case(
            "expired long ago",
            token_with(|t| t.exp = at(1)),
            TokenExpired,
        ),
        case(
            "not yet valid",
            token_with(|t| t.nbf = Some(at(NOW + 1))),
            TokenExpired,
        ),
        case(
            "not yet issued",
            token_with(|t| t.iat = at(NOW + 1)),
            TokenExpired,
        ),
        case(
            "too old",
            token_with(|t| t.iat = at(NOW - 501)),
            TokenRevoked,
        ),
        case(
            "another certificate",
            token_with(|t| t.vm_cert_sha256.truncate(1)),
            BadToken,
        ),
        case(
            "no certificate",
            token_with(|t| t.vm_cert_sha256.clear()),
            BadToken,
        ),
    ]
}

fn good_binding() -> BindingFact {
    BindingFact {
        id: BindingId(3),
        seid: seid(),
        identity: IdentityFact::Named(name("web01")),
        certificate: CertificateFact::Known(CERTIFICATE),
        tokens_from: at(NOW - 500),
    }
}

fn binding_with(change: impl FnOnce(&mut BindingFact)) -> Vec<BindingFact> {
    let mut binding = good_binding();
    change(&mut binding);
    vec![binding]
}

fn bindings() -> Vec<Case<Vec<BindingFact>>> {
    use RefusalCode::{CardFailed, NoCard, NotBound};
    let mut second = good_binding();
    second.id = BindingId(4);
    second.identity = IdentityFact::Named(name("other"));
    vec![
        case("bound", vec![good_binding()], None),
        case("bound twice", vec![second.clone(), good_binding()], None),
        case("not bound", vec![], NotBound),
        case("bound to another identity", vec![second], NotBound),
        case(
            "the card is not there to ask",
            binding_with(|b| b.identity = IdentityFact::CardNotRead),
            NoCard,
        ),
        case(
            "the card holds several",
            binding_with(|b| b.identity = IdentityFact::NotTheOnlyOne),
            NotBound,
        ),
        case(
            "the card does not hold it",
            binding_with(|b| b.identity = IdentityFact::NotOnCard(name("web01"))),
            NotBound,
        ),
        case(
            "the card is not there to ask for the certificate",
            binding_with(|b| b.certificate = CertificateFact::CardNotRead),
            NoCard,
        ),
        case(
            "nobody knows the certificate",
            binding_with(|b| b.certificate = CertificateFact::Unknown),
            NotBound,
        ),
        case(
            "another certificate on the card",
            binding_with(|b| b.certificate = CertificateFact::Differs),
            CardFailed,
        ),
    ]
}

const ISSUERS: [Issuer; 2] = [
    Issuer {
        id: HOST,
        until: None,
    },
    Issuer {
        id: FORMER_HOST,
        until: Some(UnixTime::from_secs(NOW + 50)),
    },
];

fn facts<'a>(
    domain_fact: &'a DomainFact,
    shown: &'a Shown,
    bindings: &'a [BindingFact],
) -> Facts<'a> {
    Facts {
        channel: ChannelFact {
            domid: DOMID,
            made_for: domain(),
        },
        domain: domain_fact,
        token: shown.fact(),
        host: HostFact { issuers: &ISSUERS },
        bindings,
    }
}

fn verdict<T>(decision: Decision<T>) -> Option<RefusalCode> {
    match decision {
        Decision::Allow(_) => None,
        Decision::Refuse(reason) => Some(reason.code()),
    }
}

fn granted(decision: Decision) -> Grant {
    match decision {
        Decision::Allow(grant) => grant,
        Decision::Refuse(reason) => panic!("refused: {reason}"),
    }
}

fn refused<T>(decision: Decision<T>) -> Reason {
    match decision {
        Decision::Allow(_) => panic!("allowed"),
        Decision::Refuse(reason) => reason,
    }
}

fn usual_grant() -> Grant {
    Grant {
        admission: Admission {
            domid: DOMID,
            domain: domain(),
            name: "web01".to_owned(),
            until: Some(at(NOW + 1)),
        },
        binding: BindingId(3),
        seid: seid(),
        identity: name("web01"),
        certificate_sha256: CERTIFICATE,
    }
}

#[test]
fn only_four_facts_that_agree_give_a_card_and_one_wrong_fact_gives_its_code() {
    let wanted = name("web01");
    let before = usual_grant();
    for domain in domains() {
        for token in tokens() {
            for binding in bindings() {
                let facts = facts(&domain.value, &token.value, &binding.value);
                let wrong: Vec<_> = [domain.refused, token.refused, binding.refused]
                    .into_iter()
                    .flatten()
                    .collect();
                let what = format!("{} / {} / {}", domain.what, token.what, binding.what);
                let fresh = verdict(judge(&facts, Wish::Identity(Some(&wanted)), at(NOW)));
                let again = verdict(judge(&facts, Wish::Same(&before), at(NOW)));
                match wrong.as_slice() {
                    [] => assert_eq!((fresh, again), (None, None), "{what}"),
                    [code] => {
                        assert_eq!(fresh, Some(*code), "{what}");
                        assert!(again.is_some(), "{what}");
                    }
                    _ => {
                        let blamed = fresh.expect(&what);
                        assert!(wrong.contains(&blamed), "{what}: {blamed}");
                        assert!(again.is_some(), "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_grant_says_to_whom_what_and_until_when() {
    let domain_fact = &domains().remove(0).value;
    let good = [good_binding()];
    let shown = Shown::Verified(good_token());
    let facts = facts(domain_fact, &shown, &good);
    assert_eq!(
        granted(judge(&facts, Wish::Identity(None), at(NOW))),
        usual_grant()
    );
}

#[test]
fn a_right_under_a_former_key_ends_with_that_key() {
    let domain_fact = &domains().remove(0).value;
    let good = [good_binding()];
    let shown = token_with(|t| {
        t.iss = FORMER_HOST;
        t.exp = at(NOW + 1_000);
    });
    let facts = facts(domain_fact, &shown, &good);
    let grant = granted(judge(&facts, Wish::Identity(None), at(NOW)));
    assert_eq!(grant.admission.until, Some(at(NOW + 50)));
    let later = refused(judge(&facts, Wish::Identity(None), at(NOW + 50)));
    assert_eq!(later.code(), RefusalCode::TokenExpired);
}

#[test]
fn a_hello_needs_one_good_binding_and_three_good_facts() {
    for domain in domains() {
        for token in tokens() {
            let bound = [good_binding()];
            let facts = facts(&domain.value, &token.value, &bound);
            let expected = domain.refused.or(token.refused);
            let what = format!("{} / {}", domain.what, token.what);
            assert_eq!(verdict(admit(&facts, at(NOW))), expected, "{what}");
        }
    }
    let domain_fact = &domains().remove(0).value;
    let shown = Shown::Verified(good_token());
    let none = admit(&facts(domain_fact, &shown, &[]), at(NOW));
    assert_eq!(refused(none), Reason::NotBound);
    let mut foreign = good_binding();
    foreign.certificate = CertificateFact::Known([9; 32]);
    let two = [foreign, good_binding()];
    assert_eq!(
        verdict(admit(&facts(domain_fact, &shown, &two), at(NOW))),
        None
    );
}

#[test]
fn a_hello_is_not_refused_because_the_card_is_out() {
    let domain_fact = &domains().remove(0).value;
    let shown = Shown::Verified(good_token());
    let absent = binding_with(|b| {
        b.identity = IdentityFact::CardNotRead;
        b.certificate = CertificateFact::Unknown;
    });
    let facts = facts(domain_fact, &shown, &absent);
    assert_eq!(verdict(admit(&facts, at(NOW))), None);
}

#[test]
fn an_identity_may_be_left_out_only_when_there_is_one() {
    let domain_fact = &domains().remove(0).value;
    let mut second = good_binding();
    second.id = BindingId(4);
    second.identity = IdentityFact::Named(name("other"));
    let two = [good_binding(), second];
    let facts = facts(domain_fact, &Shown::SwitchedOff, &two);
    let unnamed = refused(judge(&facts, Wish::Identity(None), at(NOW)));
    assert_eq!(unnamed, Reason::IdentityNotNamed);
    let other = name("other");
    let named = granted(judge(&facts, Wish::Identity(Some(&other)), at(NOW)));
    assert_eq!(named.binding, BindingId(4));
}

#[test]
fn what_was_granted_once_is_not_granted_again_when_it_changed() {
    let domain_fact = &domains().remove(0).value;
    let before = usual_grant();
    let changed = |change: fn(&mut BindingFact)| {
        let bindings = binding_with(change);
        let facts = facts(domain_fact, &Shown::SwitchedOff, &bindings);
        refused(judge(&facts, Wish::Same(&before), at(NOW)))
    };
    assert_eq!(changed(|b| b.id = BindingId(8)), Reason::BindingRemoved);
    assert_eq!(
        changed(|b| b.certificate = CertificateFact::Known([2; 32])),
        Reason::CertificateDiffers { seid: seid() }
    );
    assert_eq!(
        changed(|b| b.identity = IdentityFact::Named(name("new"))),
        Reason::IdentityNotOnCard {
            seid: seid(),
            identity: name("web01")
        }
    );
}

#[test]
fn only_a_domain_that_is_no_more_ends_its_channel() {
    let shown = Shown::SwitchedOff;
    let bound = [good_binding()];
    let ends =
        |fact: &DomainFact| refused(admit(&facts(fact, &shown, &bound), at(NOW))).ends_channel();
    let verdicts: Vec<_> = domains().iter().skip(1).map(|c| ends(&c.value)).collect();
    assert_eq!(verdicts, [true, false, true, false, true]);
}
