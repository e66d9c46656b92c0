//! What comes of a command once its card has done something.

use std::collections::BTreeMap;

use proto::apdu::ResponseApdu;
use proto::hex;
use proto::id::Seid;
use proto::racs::{CommandNumber, FailureClass};
use zeroize::Zeroizing;

use super::apdu_run::{ApduRun, RunStep};
use super::commands::{Awaited, Ordered, Refused, Then, reset, transmit};
use super::order::{Outcome, RacsRefusal};
use super::rights::Rights;

/// What is next for a command.
pub(super) enum Came {
    /// It has this text, and is done.
    Text(Zeroizing<Vec<u8>>, bool),
    /// Something else is to be done.
    Ordered(Ordered),
}

/// Takes the outcome in, and what is held behind it.
pub(super) fn on_outcome(
    awaited: Awaited,
    outcome: Outcome,
    rights: &Rights,
    held: &mut BTreeMap<Seid, bool>,
) -> Result<Came, Refused> {
    let number = awaited.number();
    Ok(match (awaited, outcome) {
        (awaited, Outcome::Refused(why)) => {
            if let Some(seid) = awaited.seid()
                && why.ends_hold()
            {
                held.remove(seid);
            }
            return Err(refused(number, &why));
        }
        (Awaited::List { append }, Outcome::List(seids)) => {
            let seen = seids.iter().filter(|seid| rights.lists(seid));
            let names: Vec<&str> = seen.map(Seid::as_str).collect();
            text(names.join(" "), append)
        }
        (Awaited::PowerOn { seid, then }, Outcome::Powered { bound }) => {
            held.insert(seid.clone(), bound);
            match then {
                Then::Answer { append } => text(format!("SEID {seid} has been powered on"), append),
                Then::Reset { warm, append } => Came::Ordered(reset(seid, warm, append)),
                Then::Transmit(run) => {
                    rights.keys(&seid, bound, &run.apdu)?;
                    Came::Ordered(transmit(run))
                }
            }
        }
        (
            Awaited::PowerOn {
                seid,
                then: Then::Answer { append },
            },
            Outcome::Done,
        ) if held.contains_key(&seid) => text(
            format!("SEID {seid} was already powered on, nothing was done"),
            append,
        ),
        (Awaited::Shutdown { seid, append }, Outcome::Done) => {
            held.remove(&seid);
            text(format!("SEID {seid} has been powered off"), append)
        }
        (Awaited::Reset { seid, append }, Outcome::Done) => {
            text(format!("SEID {seid} has been reset"), append)
        }
        (Awaited::Apdu(run), Outcome::Answer(response)) => answered(*run, response)?,
        _ => {
            let text = "the outcome is that of another command";
            return Err(Refused::new(FailureClass::System, number, text));
        }
    })
}

fn answered(run: ApduRun, response: ResponseApdu) -> Result<Came, Refused> {
    let (append, continue_on) = (run.append, run.apdu.continue_on);
    let failed = |text: String| Refused::new(FailureClass::Execution, CommandNumber::Apdu, text);
    match run.on_response(response) {
        RunStep::Transmit(run) => Ok(Came::Ordered(transmit(Box::new(run)))),
        RunStep::TooLong => Err(failed("the card's answer has no end".to_owned())),
        RunStep::Complete(answer) => match continue_on {
            Some(wanted) if wanted != answer.sw => {
                let (wanted, sw) = (wanted.0, answer.sw.0);
                Err(failed(format!(
                    "status word {sw:04X}, CONTINUE wants {wanted:04X}"
                )))
            }
            _ => Ok(Came::Text(hex::encode_upper(&answer.encode()), append)),
        },
    }
}

fn refused(number: CommandNumber, why: &RacsRefusal) -> Refused {
    match why {
        RacsRefusal::Absent => Refused::invalid_seid(number),
        _ => Refused::new(why.class(), number, why.to_string()),
    }
}

fn text(text: String, append: bool) -> Came {
    Came::Text(text.into_bytes().into(), append)
}
