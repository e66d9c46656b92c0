//! `vm list --pending`: running domains that offer a key and have no token for it.

use proto::id::{DomId, DomainUuid};
use tokio::sync::oneshot;
use tokio::time::timeout;
use xenstore_client::{Xenstore, XenstoreError};

use super::actor::Actor;
use super::bind_request::no;
use super::live::Live;
use super::offer::ASK_TIME;
use crate::admin::{AdminAnswer, AdminReply, PendingView, Problem, ProblemCode};
use crate::error::Causes;
use crate::time::Now;
use crate::tokens::enrolled_key;
use crate::xen::read_enrolment;

/// A running domain, before its node was read.
struct Row {
    view: PendingView,
    /// The key that its token names.
    has: Option<String>,
}

impl Actor {
    /// Has the nodes of all running domains read, and answers.
    pub(super) fn vm_pending(&self, live: &Live, answer: oneshot::Sender<AdminReply>) {
        let rows = match self.running(live) {
            Ok(rows) => rows,
            Err(problem) => {
                let _ = answer.send(AdminAnswer::Error(problem).into());
                return;
            }
        };
        tokio::spawn(async move {
            let said = match timeout(ASK_TIME, pending(rows)).await {
                Ok(Ok(views)) => AdminAnswer::VmPending(views),
                Ok(Err(error)) => unavailable(&Causes(&error)),
                Err(_) => unavailable(&"no answer in time"),
            };
            let _ = answer.send(said.into());
        });
    }

    fn running(&self, live: &Live) -> Result<Vec<Row>, Problem> {
        if self.names.is_some() {
            return Err(no(
                "the domains of this host are those of the configuration, and none of them can offer \
                 a key: that takes xenstore.enabled = true",
            ));
        }
        let domains = live.all()?;
        let has_twin = |domid: DomId, uuid: DomainUuid| {
            let mut others = domains.iter();
            others.any(|other| other.uuid == uuid && other.domid != domid)
        };
        let rows = domains.iter().map(|domain| Row {
            view: PendingView {
                domain: domain.uuid,
                name: domain.name.clone(),
                domid: domain.domid,
                bound: self.broker.table().of_domain(domain.uuid).next().is_some(),
                fingerprint: None,
                problem: has_twin(domain.domid, domain.uuid)
                    .then(|| "two running domains have this UUID".to_owned()),
            },
            has: self.key_with_token(domain.uuid),
        });
        Ok(rows.collect())
    }

    /// The fingerprint of the key that the token of a domain in the folder names, if it counts.
    fn key_with_token(&self, domain: DomainUuid) -> Option<String> {
        let issuing = self.issuing.as_ref()?;
        let token = issuing.token_of(domain, &self.revoked.now(), Now::read().unix)?;
        Some(token.claims.cnf.fingerprint())
    }
}

async fn pending(rows: Vec<Row>) -> Result<Vec<PendingView>, XenstoreError> {
    let store = Xenstore::connect().await?;
    let mut views = Vec::new();
    for row in rows {
        let node = match read_enrolment(&store, row.view.domid).await {
            // A node that cannot be read concerns its domain alone.
            Err(XenstoreError::Refused(_)) => continue,
            node => node?,
        };
        views.extend(node.and_then(|node| view(row, &node)));
    }
    Ok(views)
}

/// What the operator sees of what a guest offers; nothing if it has a token for it.
fn view(row: Row, node: &[u8]) -> Option<PendingView> {
    let Row { mut view, has } = row;
    match enrolled_key(node) {
        Ok(key) => {
            let fingerprint = key.fingerprint();
            if has.as_ref() == Some(&fingerprint) {
                return None;
            }
            view.fingerprint = Some(fingerprint);
        }
        Err(why) => view.problem = Some(format!("no key: {why}")),
    }
    Some(view)
}

fn unavailable(why: &dyn std::fmt::Display) -> AdminAnswer {
    let message = format!("cannot read what guests offer in xenstore: {why}");
    AdminAnswer::error(ProblemCode::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use proto::token::ConfirmationKey;

    use super::*;

    fn row(has: Option<String>) -> Row {
        let view = PendingView {
            domain: DomainUuid::from_bytes([1; 16]),
            name: Some("web01".to_owned()),
            domid: DomId(7),
            bound: true,
            fingerprint: None,
            problem: None,
        };
        Row { view, has }
    }

    #[test]
    fn a_key_without_a_token_is_shown_and_one_that_has_it_is_not() {
        let (key, other) = (
            ConfirmationKey::Ed25519([1; 32]),
            ConfirmationKey::Ed25519([2; 32]),
        );
        let shown = |has: Option<&ConfirmationKey>| {
            let has = has.map(ConfirmationKey::fingerprint);
            let view = view(row(has), key.to_pem().as_bytes())?;
            assert_eq!(view.problem, None);
            view.fingerprint
        };
        assert_eq!(shown(None), Some(key.fingerprint()));
        assert_eq!(shown(Some(&other)), Some(key.fingerprint()));
        assert_eq!(shown(Some(&key)), None);
    }

    #[test]
    fn what_is_no_key_is_shown_as_such_and_not_as_it_is() {
        for node in [&b"\x1b[2Jevil\xFF"[..], &[b'A'; 513]] {
            let view = view(row(None), node).expect("something is there");
            let problem = view.problem.expect("no key");
            assert!(problem.starts_with("no key: "), "{problem}");
            assert!(!problem.contains("evil") && !problem.contains('\u{1b}'));
            assert_eq!(view.fingerprint, None);
        }
    }
}
