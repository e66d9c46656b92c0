//! `vm approve`: a token for the key that a guest offers, if it is the one that the operator says.

use tokio::sync::oneshot;

use super::actor::Actor;
use super::bind_request::no;
use super::bindings::who;
use super::inbox::Told;
use super::issuing::{Made, Purpose, TokenMade};
use super::live::Live;
use super::offer::{Order, make};
use crate::admin::{
    AdminAnswer, AdminReply, ApproveRequest, MAX_DAYS, Problem, ProblemCode, VmApproved, VmView,
};
use crate::audit::IssuedBecause;
use crate::hex::hex;
use crate::time::{Now, UnixTime};

/// An approval under way.
#[derive(Debug)]
pub(super) struct Approval {
    vm: VmView,
    /// The domain for people.
    who: String,
    certificates: Vec<[u8; 32]>,
    notes: Vec<String>,
    answer: oneshot::Sender<AdminReply>,
}

impl Actor {
    /// Begins an approval; the operator is answered at once if it cannot be.
    pub(super) fn vm_approve(
        &mut self,
        request: &ApproveRequest,
        live: &Live,
        answer: oneshot::Sender<AdminReply>,
    ) {
        if let Err((problem, answer)) = self.begin_approval(request, live, answer) {
            let _ = answer.send(AdminAnswer::Error(problem).into());
        }
    }

    fn begin_approval(
        &mut self,
        request: &ApproveRequest,
        live: &Live,
        answer: oneshot::Sender<AdminReply>,
    ) -> Result<(), (Problem, oneshot::Sender<AdminReply>)> {
        let (order, vm, certificates) = match self.judge_approval(request, live) {
            Ok(judged) => judged,
            Err(problem) => return Err((problem, answer)),
        };
        let domain = vm.uuid;
        let notes = self.former_token(&vm).into_iter().collect();
        let Some(issuing) = &mut self.issuing else {
            return Err((no("this service issues no tokens"), answer));
        };
        if !issuing.under_way.insert(domain) {
            let message = format!("a token for {} is being made now: look again", order.who);
            return Err((no(message), answer));
        }
        let approval = Box::new(Approval {
            vm,
            who: order.who.clone(),
            certificates: certificates.clone(),
            notes,
            answer,
        });
        let making = make(order, issuing, domain, certificates);
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            let token = TokenMade {
                domain,
                made: making.await,
                purpose: Purpose::Approval(approval),
            };
            inbox.tell(Told::TokenMade(Box::new(token))).await;
        });
        Ok(())
    }

    /// Whether there can be a token for this domain now.
    fn judge_approval(
        &self,
        request: &ApproveRequest,
        live: &Live,
    ) -> Result<(Order, VmView, Vec<[u8; 32]>), Problem> {
        let fingerprint = parse_fingerprint(&request.fingerprint)?;
        if !(1..=MAX_DAYS).contains(&request.days) {
            return Err(no(format!("a token is good for 1 to {MAX_DAYS} days")));
        }
        let domain = live.find(&request.vm)?;
        self.issuing()?;
        let (vm, who) = (live.view(domain), who(live, domain));
        let domid = match vm.domids.as_slice() {
            [domid] => *domid,
            [] => {
                return Err(Problem {
                    code: ProblemCode::NotFound,
                    message: format!(
                        "{who} is not running, so there is no key to be approved; start it, or issue \
                         its token with token-tool issue"
                    ),
                });
            }
            several => {
                let domids: Vec<String> = several.iter().map(ToString::to_string).collect();
                return Err(no(format!(
                    "domains {} both have UUID {domain}: neither can be told from the other",
                    domids.join(" and ")
                )));
            }
        };
        let certificates = self.certificates_for(domain, &who)?;
        let life = request.days.saturating_mul(86_400);
        let order = Order {
            domid,
            fingerprint,
            who,
            life,
        };
        Ok((order, vm, certificates))
    }

    /// What has to be said of the token that the domain has already.
    fn former_token(&self, vm: &VmView) -> Option<String> {
        let issuing = self.issuing.as_ref()?;
        let token = issuing.token_of(vm.uuid, &self.revoked.now(), Now::read().unix)?;
        let (cti, exp) = (
            hex(&token.claims.cti),
            UnixTime::from_secs(token.claims.exp),
        );
        Some(format!(
            "its token before this one, {cti} for {}, is good until {exp}; to end it: \
             dom0-middleware token revoke {cti}",
            token.claims.cnf.fingerprint()
        ))
    }

    /// The token of an approval was signed, or not.
    pub(super) fn on_approval_made(&mut self, approval: Approval, made: Result<Made, Problem>) {
        let approved = made.and_then(|made| {
            // What was bound when it began may not be bound any more.
            if self.certificates_for(approval.vm.uuid, &approval.who)? != approval.certificates {
                return Err(no(format!(
                    "the bindings of {} have changed meanwhile: look again",
                    approval.who
                )));
            }
            self.hand_out(&made, IssuedBecause::Approved)?;
            Ok(made)
        });
        let folder = self.issuing.as_ref().map(|issuing| &issuing.folder);
        let said = match approved {
            Err(problem) => AdminAnswer::Error(problem),
            Ok(Made { claims, .. }) => AdminAnswer::VmApproved(Box::new(VmApproved {
                fingerprint: claims.cnf.fingerprint(),
                cti: hex(&claims.cti),
                exp: UnixTime::from_secs(claims.exp).to_string(),
                certificates: claims.vm_cert_sha256.iter().map(|hash| hex(hash)).collect(),
                file: folder.map_or_else(String::new, |folder| {
                    folder.file(claims.sub).display().to_string()
                }),
                vm: approval.vm,
                notes: approval.notes,
            })),
        };
        // An operator who does not wait for the answer does not need it.
        let _ = approval.answer.send(said.into());
    }
}

/// A fingerprint in its only spelling.
fn parse_fingerprint(text: &str) -> Result<String, Problem> {
    let digits = text.strip_prefix("SHA256:").unwrap_or_default();
    match digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(format!("SHA256:{}", digits.to_ascii_lowercase())),
        false => Err(no(
            "a fingerprint is SHA256: and 64 hexadecimal digits, as domu-agent enroll prints it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_one_whole_hash() {
        let lower = format!("SHA256:{}", "ab".repeat(32));
        for good in [lower.clone(), format!("SHA256:{}", "aB".repeat(32))] {
            assert_eq!(parse_fingerprint(&good), Ok(lower.clone()));
        }
        for bad in [
            "",
            "SHA256:",
            &lower[7..],
            &lower[..70],
            &format!("{lower}0"),
            &lower.replace("SHA256", "sha256"),
            &lower.replace("ab", "+1"),
            &format!("{lower}\n"),
        ] {
            assert!(parse_fingerprint(bad).is_err(), "{bad:?}");
        }
    }
}
