//! Which certificates the token of a domain names: those of all identities that it is bound to.

use proto::id::{DomainUuid, Seid};
use proto::token::MAX_CERTIFICATES;

use super::actor::Actor;
use super::bind_request::no;
use crate::admin::{Problem, ProblemCode};
use crate::mapping::CertificateFact;

impl Actor {
    /// SHA-256 of the certificates that the token of a domain names; `who` is the domain for people.
    ///
    /// # Errors
    /// When it is not bound, when one is not known, or when they are too many for a token.
    pub(super) fn certificates_for(
        &self,
        domain: DomainUuid,
        who: &str,
    ) -> Result<Vec<[u8; 32]>, Problem> {
        let certificates = self.certificates_of(domain)?;
        match certificates.len() {
            0 => Err(no(format!(
                "{who} is not bound, so a token would be good for nothing: \
                 dom0-middleware vm bind {domain} --card SEID --trust FILE"
            ))),
            1..=MAX_CERTIFICATES => Ok(certificates),
            count => Err(no(format!(
                "{who} is bound to {count} identities, and a token names {MAX_CERTIFICATES} \
                 certificates at most: say which with token-tool issue"
            ))),
        }
    }

    /// SHA-256 of the certificates of all identities that a domain is bound to, or why one of them
    /// is not known.
    fn certificates_of(&self, domain: DomainUuid) -> Result<Vec<[u8; 32]>, Problem> {
        let mut hashes = Vec::new();
        for fact in self.broker.binding_facts(domain) {
            match fact.certificate {
                CertificateFact::Known(hash) => hashes.push(hash),
                unknown => return Err(without_certificate(&fact.seid, unknown)),
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(hashes)
    }
}

/// That nobody knows which certificate an identity has.
fn without_certificate(seid: &Seid, fact: CertificateFact) -> Problem {
    let (code, message) = match fact {
        CertificateFact::CardNotRead => (
            ProblemCode::NoCard,
            format!(
                "the certificate of the identity on card {seid} is not known, for the card is not \
                 there: put it in, or bind with vm bind --cert FILE"
            ),
        ),
        CertificateFact::Differs => (
            ProblemCode::Refused,
            format!("card {seid} holds another certificate than its binding gives"),
        ),
        CertificateFact::Unknown | CertificateFact::Known(_) => (
            ProblemCode::Refused,
            format!(
                "the certificate of the identity on card {seid} is not known: the card does not hold \
                 that identity, or does not let its certificate be read; bind with vm bind --cert FILE"
            ),
        ),
    };
    Problem { code, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_certificate_says_what_helps() {
        let seid: Seid = "se-00".parse().expect("a SEID");
        let problem = |fact| without_certificate(&seid, fact);
        let absent = problem(CertificateFact::CardNotRead);
        assert_eq!(absent.code, ProblemCode::NoCard);
        assert!(absent.message.contains("put it in") && absent.message.contains("--cert"));
        assert!(problem(CertificateFact::Unknown).message.contains("--cert"));
    }
}
