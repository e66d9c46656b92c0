//! The identities of a card and their certificates.

use std::collections::VecDeque;

use proto::apdu::CommandApdu;
use proto::card::EapCardCommand;
use proto::id::IdentityName;
use x509_parser::parse_x509_certificate;

use super::machine::{Context, Next, State};
use super::pin_state::pin_wanted;
use super::probes::probe;
use crate::card::answer::Answer;
use crate::card::eap_tls::parameters::MAX_IDENTITIES;
use crate::card::error::CardError;
use crate::card::fault::CardStep;
use crate::card::report::CardIdentity;

/// Begins to list the identities, if that was asked for.
pub(super) fn list(context: &Context) -> Next {
    if !context.parameters.steps.inventory {
        return Next::Opened;
    }
    ask_next(context, ExpectName::new(ListForm::AnyLength))
}

/// Awaits one friendly name. The list ends when a name comes again (§5.3).
pub(super) struct ExpectName {
    form: ListForm,
    /// Names as the card gave them.
    seen: Vec<Vec<u8>>,
}

/// The expected length Get-Next-Identity is sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListForm {
    /// Le 00, the ordinary form.
    AnyLength,
    /// Le FF. On T=0 some cards stay at the same entry for ever with Le 00.
    MaxLength,
}

impl ExpectName {
    fn new(form: ListForm) -> Self {
        Self {
            form,
            seen: Vec::new(),
        }
    }

    pub(super) fn on_answer(
        mut self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if let Some(status) = answer.sw().pin_status() {
            return pin_wanted(context, status);
        }
        if !answer.is_success() && !answer.is_missing() {
            return Err(answer.refused().into());
        }
        let name = answer.data();
        let ended = !answer.is_success()
            || name.is_empty()
            || self.seen.iter().any(|seen| seen == name)
            || self.seen.len() == MAX_IDENTITIES;
        if !ended {
            self.seen.push(name.to_vec());
            return Ok(ask_next(context, self));
        }
        match (self.seen.len(), self.form) {
            // One name twice: a list of one, or a pointer that does not move.
            (1, ListForm::AnyLength) => Ok(ask_next(context, Self::new(ListForm::MaxLength))),
            // No list: there may still be an identity that is set.
            (0, _) => Ok(Next::Command(
                CardStep::CurrentIdentity,
                context.apdu(&EapCardCommand::CurrentIdentity),
                State::CurrentName(ExpectCurrentName),
            )),
            _ => visit_next(context, usable(self.seen)),
        }
    }
}

fn ask_next(context: &Context, state: ExpectName) -> Next {
    let plain = context.apdu(&EapCardCommand::NextIdentity);
    let command = match state.form {
        ListForm::AnyLength => plain,
        ListForm::MaxLength => plain.with_le(0xFF),
    };
    Next::Command(CardStep::NextIdentity, command, State::Name(state))
}

/// Names that can be told to a guest and an operator; others are the card's own affair.
fn usable(seen: Vec<Vec<u8>>) -> VecDeque<IdentityName> {
    seen.into_iter()
        .filter_map(|name| IdentityName::try_from(name.as_slice()).ok())
        .collect()
}

/// Awaits the name of the identity that is set, on a card that lists none.
pub(super) struct ExpectCurrentName;

impl ExpectCurrentName {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if let Some(status) = answer.sw().pin_status() {
            return pin_wanted(context, status);
        }
        let names = match answer.is_success() {
            true => usable(vec![answer.data().to_vec()]),
            false => VecDeque::new(),
        };
        visit_next(context, names)
    }
}

/// Sets the next identity, or goes on to the probes after the last.
fn visit_next(context: &Context, mut names: VecDeque<IdentityName>) -> Result<Next, CardError> {
    match names.pop_front() {
        Some(name) => {
            let command = context.apdu(&EapCardCommand::SetIdentity(name.clone()));
            let state = State::Identity(ExpectIdentity { name, rest: names });
            Ok(Next::Command(CardStep::SetIdentity, command, state))
        }
        None if context.identities.is_empty() => Err(CardError::NoIdentity),
        None => Ok(probe(context)),
    }
}

/// Awaits the answer to Set-Identity.
pub(super) struct ExpectIdentity {
    name: IdentityName,
    rest: VecDeque<IdentityName>,
}

impl ExpectIdentity {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        if let Some(status) = answer.sw().pin_status() {
            context.identities.clear();
            return pin_wanted(context, status);
        }
        if answer.is_unselected() {
            return Err(answer.refused().into());
        }
        // An identity that is listed and cannot be set is of no use to anyone.
        if !answer.is_success() {
            return visit_next(context, self.rest);
        }
        if !context.parameters.profile.read_certificates {
            return self.take(context, None);
        }
        let Self { name, rest } = self;
        Ok(Next::Command(
            CardStep::ReadCertificate,
            read_certificate(context),
            State::Certificate(ExpectCertificate(Self { name, rest })),
        ))
    }

    fn take(self, context: &mut Context, certificate: Option<Vec<u8>>) -> Result<Next, CardError> {
        context.identities.push(CardIdentity {
            name: self.name,
            certificate,
            schemes: Vec::new(),
        });
        visit_next(context, self.rest)
    }
}

fn read_certificate(context: &Context) -> CommandApdu {
    context.apdu(&EapCardCommand::ReadCertificate)
}

/// Awaits the certificate of the identity that is set. Not all cards give it (§5.8); one that was
/// reset meanwhile says so to the next command.
pub(super) struct ExpectCertificate(ExpectIdentity);

impl ExpectCertificate {
    pub(super) fn on_answer(
        self,
        context: &mut Context,
        answer: &Answer,
    ) -> Result<Next, CardError> {
        let certificate = match answer.is_success() {
            true => whole_certificate(answer.data()),
            false => None,
        };
        self.0.take(context, certificate)
    }
}

/// The certificate `data` begins with, if it begins with one; cards may pad.
fn whole_certificate(data: &[u8]) -> Option<Vec<u8>> {
    let (rest, _) = parse_x509_certificate(data).ok()?;
    let len = data.len().checked_sub(rest.len())?;
    data.get(..len).map(<[u8]>::to_vec)
}
