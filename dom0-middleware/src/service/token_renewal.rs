//! Tokens that end soon, issued anew.

use std::sync::Arc;

use tracing::{error, info};

use super::actor::Actor;
use super::bind_request::no;
use super::inbox::Told;
use super::issuing::{Made, Purpose, TokenMade, new_cti, sign};
use crate::admin::Problem;
use crate::audit::IssuedBecause;
use crate::time::Now;
use crate::tokens::{NotRenewed, Renewal, Standing, TokenFile, renewed};

impl Actor {
    /// A token ends soon.
    pub(super) fn on_token_due(&mut self, former: Arc<TokenFile>) {
        let domain = former.claims.sub;
        if !matches!(self.judge_renewal(&former), Ok(Ok(()))) {
            // Not a fault of anybody: such a token is left to end.
            return;
        }
        let Some(issuing) = &mut self.issuing else {
            return;
        };
        let now = Now::read().unix;
        let Ok(cti) = new_cti() else {
            return error!("no random numbers, so no token is renewed");
        };
        let Some(claims) = renewed(&former.claims, cti, now, issuing.hv.not_after()) else {
            // It ends with the HV certificate, of which `doctor` warns.
            return;
        };
        if !issuing.under_way.insert(domain) {
            return;
        }
        let (hv, key, inbox) = (issuing.hv.clone(), issuing.key.clone(), self.inbox.clone());
        tokio::spawn(async move {
            let made = sign(claims, hv, key, Some(former.algorithm)).await;
            let purpose = Purpose::Renewal(former);
            let made = TokenMade {
                domain,
                purpose,
                made,
            };
            inbox.tell(Told::TokenMade(Box::new(made))).await;
        });
    }

    /// The token that follows was signed, or not.
    pub(super) fn on_renewal_made(&mut self, former: &TokenFile, made: Result<Made, Problem>) {
        if let Err(problem) = made.and_then(|made| self.renew(former, &made)) {
            error!(
                domain = %former.claims.sub, error = problem.message,
                "a token that ends soon was not renewed; it is tried again each minute"
            );
        }
    }

    fn renew(&mut self, former: &TokenFile, made: &Made) -> Result<(), Problem> {
        let domain = former.claims.sub;
        let held = self.issuing()?.folder.content(domain);
        let held = held.map_err(|error| no(format!("reading it once more: {error}")))?;
        let still = self.judge_renewal(former)?;
        if let Err(why) = still.and_then(|()| former.judge_held(held.as_deref())) {
            info!(%domain, %why, "a token is not renewed");
            return Ok(());
        }
        self.hand_out(made, IssuedBecause::Renewed)
    }

    /// Whether a token may be renewed as things stand now.
    fn judge_renewal(&self, former: &TokenFile) -> Result<Result<(), NotRenewed>, Problem> {
        let issuing = self.issuing()?;
        let mut bound = self.broker.table().of_domain(former.claims.sub);
        let renewal = Renewal {
            standing: Standing {
                issuers: &issuing.issuers,
                revocations: &self.revoked.now(),
                now: Now::read().unix,
            },
            signer: issuing.hv.id(),
            is_bound: bound.next().is_some(),
        };
        Ok(renewal.judge(&former.claims))
    }
}
