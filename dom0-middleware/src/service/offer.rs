//! The key that a guest offers in xenstore, and a token for it if it is the one that was said.

use std::time::Duration;

use proto::id::{DomId, DomainUuid};
use proto::token::ConfirmationKey;
use tokio::time::timeout;
use xenstore_client::Xenstore;

use super::bind_request::no;
use super::issuing::{Issuing, Made, new_cti, sign};
use crate::admin::{Problem, ProblemCode};
use crate::error::Causes;
use crate::time::Now;
use crate::tokens::{Wish, enrolled_key};
use crate::xen::read_enrolment;

/// The time in which xenstored must have answered.
pub(super) const ASK_TIME: Duration = Duration::from_secs(5);

/// What is to be read and made for it.
pub(super) struct Order {
    pub(super) domid: DomId,
    /// `SHA256:` and 64 hexadecimal digits in lower case.
    pub(super) fingerprint: String,
    /// The domain for people.
    pub(super) who: String,
    /// In seconds.
    pub(super) life: u64,
}

/// Reads what the guest offers, once, compares it, and has a token for it signed.
pub(super) fn make(
    order: Order,
    issuing: &Issuing,
    domain: DomainUuid,
    certificates: Vec<[u8; 32]>,
) -> impl Future<Output = Result<Made, Problem>> + Send + 'static {
    let (hv, hv_key) = (issuing.hv.clone(), issuing.key.clone());
    async move {
        let key = offered(&order).await?;
        // Whose node it was does not matter any more: the token names the domain and the key that
        // the operator said, and is worth nothing without that key in that domain.
        let wish = Wish {
            domain,
            key,
            certificates,
            life: order.life,
        };
        let claims = wish.claims(&hv, new_cti()?, Now::read().unix).map_err(no)?;
        sign(claims, hv, hv_key, None).await
    }
}

/// The key that stands at the guest's node now, if it is the one that the operator says.
async fn offered(order: &Order) -> Result<ConfirmationKey, Problem> {
    let reading = async {
        let store = Xenstore::connect().await?;
        read_enrolment(&store, order.domid).await
    };
    let who = &order.who;
    let unavailable = |why: String| Problem {
        code: ProblemCode::Unavailable,
        message: format!("cannot read the key of {who} in xenstore: {why}"),
    };
    let read = timeout(ASK_TIME, reading).await;
    let read = read.map_err(|_| unavailable("no answer in time".to_owned()))?;
    let node = read.map_err(|error| unavailable(Causes(&error).to_string()))?;
    let Some(node) = node else {
        return Err(Problem {
            code: ProblemCode::NotFound,
            message: format!(
                "{who} offers no key: run domu-agent enroll in it, and compare what it prints with \
                 dom0-middleware vm list --pending"
            ),
        });
    };
    let key = enrolled_key(&node)
        .map_err(|why| no(format!("what {who} offers is no key of a channel: {why}")))?;
    match key.fingerprint() == order.fingerprint {
        true => Ok(key),
        false => Err(no(format!(
            "the key that {who} offers now is another one than {}: compare what domu-agent enroll \
             printed in the guest with dom0-middleware vm list --pending. If they differ, somebody \
             in the guest has changed it",
            order.fingerprint
        ))),
    }
}
