//! What `vm bind` says, examined by itself: nothing here looks at other bindings.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use proto::id::{DomainUuid, IdentityName, Seid};
use proto::racs::AllowList;
use proto::tls::ProtocolVersion;
use x509_parser::parse_x509_certificate;

use crate::admin::{BindRequest, MAX_CERTIFICATE, MAX_RAW_APDU, MAX_TRUST, Problem, ProblemCode};
use crate::card::Trust;
use crate::config::certificates;
use crate::mapping::{NamePattern, Terms};
use crate::state::StoredBinding;
use crate::time::UnixTime;

/// The most cards, identities and server names of one request.
const MAX_CARDS: usize = 16;
const MAX_IDENTITIES: usize = 16;
const MAX_SERVER_NAMES: usize = 64;

/// Bindings that are wanted, of one domain to a card or a pool of cards.
#[derive(Debug)]
pub(super) struct Wanted {
    /// One for each card and identity.
    pub(super) bindings: Vec<StoredBinding>,
    /// Whom all of them believe.
    pub(super) trust: Arc<Trust>,
}

/// Reads a request about `domain`.
pub(super) fn read(
    request: BindRequest,
    domain: DomainUuid,
    now: UnixTime,
) -> Result<Wanted, Problem> {
    if domain.as_bytes() == &[0; 16] {
        return Err(no("this UUID is dom0's, which is no guest"));
    }
    let cards = cards(request.cards)?;
    if cards.len() > 1 && request.certificate.is_some() {
        return Err(no(
            "--cert is the certificate of one card's identity: bind one card after the other",
        ));
    }
    let trust = trust(&request.trust)?;
    let terms = Terms {
        server_names: server_names(&request.server_names)?,
        min_version: min_version(request.min_version.as_deref())?,
        resume: request.resume,
    };
    let certificate = request.certificate.map(certificate).transpose()?;
    let raw_apdu = request.raw_apdu.as_deref().map(raw_apdu).transpose()?;
    let raw_apdu = raw_apdu.map(Arc::new);
    if raw_apdu.is_some() && request.shared {
        return Err(no(
            "--raw-apdu and --shared exclude each other: a card to which a domain sends raw APDUs \
             is for that domain alone",
        ));
    }
    let binding = |seid| StoredBinding {
        domain,
        seid,
        identity: None,
        trust: request.trust.clone(),
        certificate: certificate.clone(),
        terms: terms.clone(),
        raw_apdu: raw_apdu.clone(),
        shared: request.shared,
        bound_at: UnixTime::from_secs(now.as_secs()),
    };
    let mut bindings = Vec::new();
    for seid in cards {
        bindings.extend(one_for_each(request.identities.clone(), binding(seid))?);
    }
    Ok(Wanted {
        bindings,
        trust: Arc::new(trust),
    })
}

/// The cards of a pool; mostly one.
fn cards(cards: Vec<Seid>) -> Result<Vec<Seid>, Problem> {
    let distinct: BTreeSet<&Seid> = cards.iter().collect();
    if cards.is_empty() {
        return Err(no("name a card: --card SEID"));
    }
    if distinct.len() < cards.len() {
        return Err(no("a card is named twice"));
    }
    if cards.len() > MAX_CARDS {
        return Err(no(format!("at most {MAX_CARDS} cards at once")));
    }
    Ok(cards)
}

fn one_for_each(
    identities: Vec<IdentityName>,
    binding: StoredBinding,
) -> Result<Vec<StoredBinding>, Problem> {
    let distinct: BTreeSet<&IdentityName> = identities.iter().collect();
    if distinct.len() < identities.len() {
        return Err(no("an identity is named twice"));
    }
    if identities.len() > MAX_IDENTITIES {
        return Err(no(format!("at most {MAX_IDENTITIES} identities at once")));
    }
    if identities.len() > 1 && binding.certificate.is_some() {
        return Err(no(
            "--cert is the certificate of one identity: bind one after the other",
        ));
    }
    if identities.is_empty() {
        return Ok(vec![binding]);
    }
    let named = |identity| StoredBinding {
        identity: Some(identity),
        ..binding.clone()
    };
    Ok(identities.into_iter().map(named).collect())
}

fn trust(pem: &str) -> Result<Trust, Problem> {
    let failed = |why: &dyn Display| no(format!("the trust file cannot be used: {why}"));
    if pem.len() > MAX_TRUST {
        return Err(failed(&format!("longer than {MAX_TRUST} bytes")));
    }
    let authorities = certificates(pem.as_bytes()).map_err(|why| failed(&why))?;
    Trust::load(&authorities, HashMap::new()).map_err(|why| failed(&why))
}

fn certificate(pem: String) -> Result<Vec<u8>, Problem> {
    let failed =
        |why: &dyn Display| no(format!("the identity's certificate cannot be used: {why}"));
    if pem.len() > MAX_CERTIFICATE {
        return Err(failed(&format!("longer than {MAX_CERTIFICATE} bytes")));
    }
    let found = certificates(pem.as_bytes()).map_err(|why| failed(&why))?;
    let [only] = found.as_slice() else {
        return Err(failed(&"more than one, only the identity's own is meant"));
    };
    match parse_x509_certificate(only) {
        Ok(([], _)) => Ok(only.to_vec()),
        _ => Err(failed(&"malformed")),
    }
}

fn server_names(names: &[String]) -> Result<Vec<NamePattern>, Problem> {
    if names.len() > MAX_SERVER_NAMES {
        return Err(no(format!("at most {MAX_SERVER_NAMES} server names")));
    }
    let read = |name: &String| {
        let shown: String = name.chars().take(64).collect();
        name.parse()
            .map_err(|why| no(format!("server name {shown:?}: {why}")))
    };
    names.iter().map(read).collect()
}

fn min_version(text: Option<&str>) -> Result<ProtocolVersion, Problem> {
    let version: ProtocolVersion = match text {
        None => return Ok(ProtocolVersion::TLS1_2),
        Some(text) => text.parse().map_err(no)?,
    };
    if version < ProtocolVersion::TLS1_2 {
        let message = format!(
            "{version} is broken; to use it nevertheless, write a [[binding]] with legacy = true \
             into the configuration"
        );
        return Err(no(message));
    }
    Ok(version)
}

fn raw_apdu(text: &str) -> Result<AllowList, Problem> {
    let failed = |why: &dyn Display| no(format!("the list of raw APDUs cannot be used: {why}"));
    if text.len() > MAX_RAW_APDU {
        return Err(failed(&format!("longer than {MAX_RAW_APDU} bytes")));
    }
    let list: AllowList = text.parse().map_err(|why| failed(&why))?;
    match list.rows() {
        [] => Err(failed(
            &"it has no row, so no APDU would pass; leave --raw-apdu out",
        )),
        _ => Ok(list),
    }
}

/// A no.
pub(super) fn no(message: impl ToString) -> Problem {
    Problem {
        code: ProblemCode::Refused,
        message: message.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::VmName;

    pub(super) fn pem() -> String {
        let key = rcgen::KeyPair::generate().expect("P-256");
        let params = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]);
        let ca = params.and_then(|params| params.self_signed(&key));
        ca.expect("a certificate").pem()
    }

    fn request() -> BindRequest {
        BindRequest {
            vm: VmName("web01".to_owned()),
            cards: vec!["se-00".parse().expect("a SEID")],
            identities: vec!["web01".parse().expect("a name")],
            trust: pem(),
            server_names: vec!["*.example.org".to_owned()],
            certificate: None,
            min_version: Some("1.3".to_owned()),
            resume: false,
            shared: true,
            raw_apdu: None,
        }
    }

    fn read_request(request: BindRequest) -> Result<Wanted, Problem> {
        let domain = DomainUuid::from_bytes([1; 16]);
        read(request, domain, UnixTime::from_secs(7))
    }

    fn refused(change: impl FnOnce(&mut BindRequest)) -> String {
        let mut request = request();
        change(&mut request);
        let problem = read_request(request).expect_err("not good");
        assert_eq!(problem.code, ProblemCode::Refused);
        problem.message
    }

    #[test]
    fn all_that_is_said_is_in_the_binding() {
        let mut full = request();
        full.certificate = Some(pem());
        let wanted = read_request(full.clone()).expect("good");
        let [binding] = wanted.bindings.as_slice() else {
            panic!("one identity");
        };
        assert_eq!(
            binding.identity.as_ref().map(IdentityName::as_str),
            Some("web01")
        );
        assert_eq!(binding.trust, full.trust);
        assert_eq!(binding.terms.server_names[0].to_string(), "*.example.org");
        assert_eq!(binding.terms.min_version, ProtocolVersion::TLS1_3);
        assert!(binding.certificate.is_some());
        assert!(!binding.terms.resume && binding.shared);
    }

    #[test]
    fn raw_apdus_are_a_list_for_a_card_that_is_not_shared() {
        let mut raw = request();
        raw.shared = false;
        raw.raw_apdu = Some("FFFFFF00 00A40400 # SELECT\n".to_owned());
        raw.cards.push("se-01".parse().expect("a SEID"));
        let wanted = read_request(raw).expect("good");
        for binding in &wanted.bindings {
            let list = binding.raw_apdu.as_ref().expect("a list");
            assert_eq!(list.to_string(), "FFFFFF00 00A40400\n");
        }
        let with = |text: &str| {
            let text = text.to_owned();
            refused(|r| (r.shared, r.raw_apdu) = (false, Some(text)))
        };
        assert!(with("# nothing\n").contains("no row"));
        assert!(with("00A40400").contains("line 1"));
        assert!(with(&"#".repeat(MAX_RAW_APDU + 1)).contains("longer than"));
        let shared = refused(|r| r.raw_apdu = Some("FFFFFF00 00A40400".to_owned()));
        assert!(shared.contains("--shared"), "{shared}");
    }

    #[test]
    fn each_identity_is_a_binding_and_none_is_the_only_one() {
        let mut request = request();
        request.identities.push("b".parse().expect("a name"));
        assert_eq!(
            read_request(request.clone()).expect("good").bindings.len(),
            2
        );
        request.identities.clear();
        let wanted = read_request(request).expect("good");
        assert_eq!(wanted.bindings.len(), 1);
        assert_eq!(wanted.bindings[0].identity, None);
    }

    #[test]
    fn a_pool_has_each_identity_on_each_card() {
        let mut request = request();
        request.cards.push("se-01".parse().expect("a SEID"));
        request.identities.push("b".parse().expect("a name"));
        let wanted = read_request(request).expect("good");
        let bound = wanted.bindings.iter();
        let bound: Vec<String> = bound
            .map(|b| {
                format!(
                    "{} {}",
                    b.seid,
                    b.identity.as_ref().expect("named").as_str()
                )
            })
            .collect();
        assert_eq!(bound, ["se-00 web01", "se-00 b", "se-01 web01", "se-01 b"]);
    }

    #[test]
    fn what_is_not_good_is_refused_with_the_reason() {
        let same = |request: &mut BindRequest| {
            let twice = request.identities[0].clone();
            request.identities.push(twice);
        };
        assert!(refused(same).contains("twice"));
        assert!(refused(|r| r.cards.clear()).contains("--card"));
        let twice = |r: &mut BindRequest| r.cards.push("se-00".parse().expect("a SEID"));
        assert!(refused(twice).contains("a card is named twice"));
        let cert = |r: &mut BindRequest| {
            r.cards.push("se-01".parse().expect("a SEID"));
            r.certificate = Some(pem());
        };
        assert!(refused(cert).contains("one card after the other"));
        for trust in [
            String::new(),
            "no PEM".to_owned(),
            "x".repeat(MAX_TRUST + 1),
        ] {
            assert!(refused(|r| r.trust = trust).contains("trust file"));
        }
        let twice = format!("{}{}", pem(), pem());
        for certificate in [String::new(), twice, "x".repeat(MAX_CERTIFICATE + 1)] {
            let message = refused(|r| r.certificate = Some(certificate));
            assert!(message.contains("certificate cannot be used"), "{message}");
        }
        assert!(refused(|r| r.min_version = Some("1.0".to_owned())).contains("legacy"));
        assert!(refused(|r| r.min_version = Some("2".to_owned())).contains("known are"));
        assert!(refused(|r| r.server_names.push("*".to_owned())).contains("server name"));
        let dom0 = read(
            request(),
            DomainUuid::from_bytes([0; 16]),
            UnixTime::default(),
        );
        assert!(dom0.is_err());
    }
}
