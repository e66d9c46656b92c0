//! What operators change and see of bindings and tokens.
//!
//! One order for all changes: judged against what stands now, recorded, made durable, told to the
//! broker, answered. So once a command has answered, what it took away is gone, and no key follows.

use tokio::sync::oneshot;
use tracing::warn;

use super::actor::Actor;
use super::bind_request::no;
use super::error::ServiceError;
use super::live::Live;
use crate::admin::{AdminAnswer, AdminReply, AdminRequest, Problem, ProblemCode};
use crate::error::Causes;
use crate::mapping::VerifiedToken;
use crate::state::{ChangeError, StateError};
use crate::time::Now;

/// Why a request is not done.
pub(super) enum No {
    /// The operator is told why.
    Problem(Problem),
    /// The service ends.
    Service(ServiceError),
}

/// What an operator is told.
pub(super) type Said = Result<AdminAnswer, No>;

impl Actor {
    /// Finds out who is running, then does what an operator asks for.
    pub(super) fn ask_who_lives(&self, request: AdminRequest, answer: oneshot::Sender<AdminReply>) {
        let inbox = self.inbox.clone();
        let list = move |live| inbox.tell_of_live(request, live, answer);
        self.domains.list(Box::new(list));
    }

    /// Does what an operator asks for, now that it is known who is running.
    pub(super) fn on_live(
        &mut self,
        request: AdminRequest,
        live: &Live,
        answer: oneshot::Sender<AdminReply>,
    ) -> Result<(), ServiceError> {
        let said = match request {
            AdminRequest::VmPending {} => {
                self.vm_pending(live, answer);
                return Ok(());
            }
            AdminRequest::VmApprove(request) => {
                self.vm_approve(&request, live, answer);
                return Ok(());
            }
            AdminRequest::VmList {} => Ok(self.vm_list(live)),
            AdminRequest::VmShow { vm } => live
                .find(&vm)
                .map_err(No::from)
                .and_then(|uuid| self.vm_show(uuid, live)),
            AdminRequest::VmBind(request) => self.vm_bind(*request, live),
            AdminRequest::VmUnbind { vm } => live
                .find(&vm)
                .map_err(No::from)
                .and_then(|uuid| self.vm_unbind(uuid, live)),
            AdminRequest::TokenList {} => self.token_list(live),
            AdminRequest::TokenRevoke { cti } => self.token_revoke(&cti, live),
            AdminRequest::TokensRevoke { vm, before } => live
                .find(&vm)
                .map_err(No::from)
                .and_then(|uuid| self.tokens_revoke(uuid, before.as_deref(), live)),
            // All others are done without knowing who is running.
            other => return self.on_request(other, answer),
        };
        let said = match said {
            Ok(said) => said,
            Err(No::Problem(problem)) => AdminAnswer::Error(problem),
            Err(No::Service(error)) => return Err(error),
        };
        let _ = answer.send(said.into());
        Ok(())
    }

    /// A guest was let in with a token.
    pub(super) fn on_token_seen(&mut self, token: &VerifiedToken) {
        self.sightings.note(token, Now::read());
    }

    /// Writes down which tokens were seen.
    pub(super) fn write_sightings(&mut self) {
        if let Err(error) = self.sightings.write(&self.state, Now::read()) {
            warn!(error = %Causes(&error), "cannot write down which tokens were shown");
        }
    }
}

/// A no of another kind than a refusal.
pub(super) fn problem(code: ProblemCode, message: String) -> No {
    No::Problem(Problem { code, message })
}

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ServiceError> for No {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<ChangeError> for No {
    fn from(error: ChangeError) -> Self {
        let causes = Causes(&error);
        no(format!("nothing was changed: {causes}")).into()
    }
}

impl From<StateError> for No {
    fn from(error: StateError) -> Self {
        no(Causes(&error)).into()
    }
}
