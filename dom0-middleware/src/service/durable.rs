//! The durable state at start: compared with the audit, put beside the configuration.

use std::path::Path;
use std::sync::Arc;

use tracing::{info, warn};

use super::error::ServiceError;
use crate::audit::{AuditEvent, AuditHead, AuditLog};
use crate::card::Trust;
use crate::config::{Bound, Config, FileProblem, certificates};
use crate::mapping::{Binding, BindingId, Certificate};
use crate::state::{AuditChanges, CatchUp, Former, State, StateError, StoredBinding};
use crate::time::UnixTime;

/// Brings the state to where the audit is; what the operator has to know of how it was found.
pub(super) fn open(
    config: &Config,
    state: &State,
    audit: &mut AuditLog,
    now: UnixTime,
) -> Result<Vec<String>, ServiceError> {
    let change = state.last_change();
    let changes = AuditChanges::read(&config.audit_file, change, state.audit_head()?)?;
    let mut notes = Vec::new();
    if let Some(behind) = changes.behind {
        let reason = behind.to_string();
        notes.push(format!("{reason}; see `dom0-middleware audit verify`"));
        let line = behind.noted;
        record(audit, &AuditEvent::AuditBehindState { line, reason }, now)?;
    }
    if let Some(ahead) = changes.ahead {
        notes.extend(catch_up(state, &ahead, change, audit, now)?);
    }
    for note in &notes {
        warn!("{note}");
    }
    import(state, config, audit, now)?;
    let pruned = state.prune(now)?;
    if pruned > 0 {
        info!(pruned, "forgot revocations of tokens that ended long ago");
    }
    Ok(notes)
}

/// Does again what takes rights away; what the operator has to know.
fn catch_up(
    state: &State,
    ahead: &CatchUp,
    had: u64,
    audit: &mut AuditLog,
    now: UnixTime,
) -> Result<Vec<String>, ServiceError> {
    let again: Vec<String> = ahead.again().collect();
    let missing: Vec<String> = ahead.missing.iter().map(ToString::to_string).collect();
    let mut notes = Vec::new();
    if !ahead.is_silent() {
        notes.push(format!(
            "the state was behind the audit: it had changes up to {had}, the audit up to {}",
            ahead.upto
        ));
        notes.extend(again.iter().map(|what| format!("done again: {what}")));
        let by_hand =
            |what: &String| format!("not there, to be done by hand if it is wanted: {what}");
        notes.extend(missing.iter().map(by_hand));
        for (again, missing) in portions(again, missing) {
            let event = AuditEvent::StateBehindAudit {
                had,
                upto: ahead.upto,
                again,
                missing,
            };
            record(audit, &event, now)?;
        }
    }
    state.catch_up(ahead)?;
    Ok(notes)
}

/// Both lists in portions that fit into a line of the audit each.
fn portions(
    mut again: Vec<String>,
    mut missing: Vec<String>,
) -> impl Iterator<Item = (Vec<String>, Vec<String>)> {
    std::iter::from_fn(move || {
        if again.is_empty() && missing.is_empty() {
            return None;
        }
        let take = |list: &mut Vec<String>| list.drain(..list.len().min(PORTION)).collect();
        Some((take(&mut again), take(&mut missing)))
    })
}

/// Changes of one kind in one record. The longest, a binding of many identities, has some 1,200
/// bytes, and a line of the audit has 64 KiB at most.
const PORTION: usize = 25;

/// Takes over what earlier versions kept beside the audit.
fn import(
    state: &State,
    config: &Config,
    audit: &mut AuditLog,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let folder = config.audit_file.parent().unwrap_or_else(|| Path::new(""));
    let read = Former::read(folder);
    let Some(former) = read.map_err(|(path, source)| ServiceError::Former { path, source })? else {
        return Ok(());
    };
    let event = |change| AuditEvent::StateImported {
        change,
        cards: former.cards.len(),
        pin_attempts: former.pin_attempts.len(),
    };
    state.change(
        |edit| edit.import(&former),
        |change, ()| append(audit, &event(change), now),
    )?;
    if let Err(error) = former.put_aside() {
        warn!(%error, "cannot rename files that were taken over into the state");
    }
    Ok(())
}

fn record(
    audit: &mut AuditLog,
    event: &AuditEvent,
    now: UnixTime,
) -> Result<AuditHead, ServiceError> {
    append(audit, event, now).map_err(ServiceError::AuditWrite)
}

/// Writes a record and waits until it is on disk.
pub(super) fn append(
    audit: &mut AuditLog,
    event: &AuditEvent,
    now: UnixTime,
) -> std::io::Result<AuditHead> {
    audit.append(event, now)?;
    audit.sync()?;
    audit
        .head()
        .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// Adds the bindings of the state to those of the configuration.
pub(super) fn bind(
    config: &Config,
    state: &State,
    bound: &mut Bound,
) -> Result<Vec<(BindingId, StoredBinding)>, ServiceError> {
    let mut made = Vec::new();
    for stored in state.bindings()? {
        let (domain, seid) = (stored.domain, stored.seid.clone());
        let path = || config.path.clone();
        if config
            .bindings
            .iter()
            .any(|binding| binding.domain == domain)
        {
            let config = path();
            return Err(ServiceError::BoundTwice { domain, config });
        }
        let mut readers = config.readers.iter();
        match readers.find(|reader| reader.card.seid == seid) {
            None => {
                warn!(%domain, %seid, "bound to a card that no card_source of the configuration has");
            }
            Some(reader) if reader.raw_key_use && stored.shared => {
                let config = path();
                return Err(ServiceError::RawKeyUse { seid, config });
            }
            Some(_) => {}
        }
        let trust = trust(&stored).map_err(|source| ServiceError::Trust {
            domain,
            seid: seid.clone(),
            source,
        })?;
        let id = bound.table.insert(binding(&stored)).map_err(|source| {
            let config = path();
            ServiceError::Binding {
                domain,
                seid,
                config,
                source,
            }
        })?;
        bound.trust.insert(id, Arc::new(trust));
        made.push((id, stored));
    }
    Ok(made)
}

/// What the broker is told of a binding of the state.
pub(super) fn binding(stored: &StoredBinding) -> Binding {
    Binding {
        domain: stored.domain,
        seid: stored.seid.clone(),
        identity: stored.identity.clone(),
        certificate: stored.certificate.clone().map(Certificate::new),
        tokens_from: UnixTime::default(),
        terms: stored.terms.clone(),
        raw_apdu: stored.raw_apdu.clone(),
    }
}

/// Whom a binding of the state believes.
pub(super) fn trust(stored: &StoredBinding) -> Result<Trust, FileProblem> {
    let authorities = certificates(stored.trust.as_bytes())?;
    Ok(Trust::load(&authorities, std::collections::HashMap::new())?)
}

/// Remembers how far the audit is on disk.
pub(super) fn note_audit_head(state: &State, audit: &AuditLog) -> Result<(), StateError> {
    match audit.head() {
        Some(head) => state.note_audit_head(head),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Rotation;
    use crate::state::Missing;

    #[test]
    fn however_much_is_done_again_it_fits_into_the_audit() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State::open(&dir.path().join("state.db")).expect("made");
        let path = dir.path().join("audit.jsonl");
        let now = UnixTime::from_secs(1);
        let mut audit = AuditLog::open(&path, Rotation::default(), now).expect("opened");
        let token = |number: u32| {
            let mut cti = [0; 16];
            cti[..4].copy_from_slice(&number.to_be_bytes());
            (cti, (now, None))
        };
        let what = "x".repeat(1_200);
        let missing = |change| Missing {
            change,
            what: what.clone(),
        };
        let ahead = CatchUp {
            upto: 5_000,
            revoke: (0..2_000).map(token).collect(),
            missing: (0..1_000).map(missing).collect(),
            ..CatchUp::default()
        };
        let notes = catch_up(&state, &ahead, 0, &mut audit, now).expect("written");
        assert_eq!(notes.len(), 1 + 2_000 + 1_000);
        assert_eq!(state.revoked().expect("read").len(), 2_000);
        assert_eq!(state.last_change(), 5_000);
        drop(audit);
        let text = std::fs::read_to_string(&path).expect("there");
        assert!(text.lines().all(|line| line.len() < 60_000));
        assert_eq!(text.matches("revocation of token").count(), 2_000);
        assert_eq!(text.matches(&what).count(), 1_000);
        AuditLog::open(&path, Rotation::default(), now).expect("an audit still");
    }
}
