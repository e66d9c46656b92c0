//! A crash at each step of each kind of change, with the files as they are then.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use proto::apdu::Atr;
use proto::id::DomainUuid;
use tempfile::TempDir;

use super::testing::{binding, open_again};
use super::{AuditChanges, CatchUp, Edit, State};
use crate::audit::{AuditEvent, AuditHead, AuditLog, BoundTo, Rotation};
use crate::card::{AdoptedCard, Sight};
use crate::time::UnixTime;

const CTI: [u8; 16] = [7; 16];

/// How far a change comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    BeforeRecord,
    /// The record is in the file, and not more.
    AfterRecord,
    /// All is done, and nobody was told.
    AfterCommit,
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Bind,
    Unbind,
    Revoke,
    TokensFrom,
    Adopt,
}

/// A state in which domain 1 is bound, and its audit.
struct Host {
    dir: TempDir,
    state: State,
    audit: AuditLog,
}

fn now() -> UnixTime {
    UnixTime::from_secs(1_000)
}

fn domain(number: u8) -> DomainUuid {
    DomainUuid::from_bytes([number; 16])
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let audit = open_audit(&dir);
        let mut host = Self {
            state: open_again(&dir),
            audit,
            dir,
        };
        host.bind(1, Crash::AfterCommit);
        host
    }

    fn change(
        &mut self,
        crash: Crash,
        edit: impl FnOnce(&Edit<'_>) -> rusqlite::Result<()>,
        event: impl FnOnce(u64) -> AuditEvent,
    ) {
        let audit = &mut self.audit;
        let record = |change, &(): &()| -> io::Result<AuditHead> {
            assert_ne!(crash, Crash::BeforeRecord, "killed");
            audit.append(&event(change), now())?;
            audit.sync()?;
            assert_ne!(crash, Crash::AfterRecord, "killed");
            Ok(audit.head().expect("a line"))
        };
        let state = self.state.clone();
        let killed = catch_unwind(AssertUnwindSafe(|| {
            state.change(edit, record).expect("there is room");
        }));
        assert_eq!(killed.is_err(), crash != Crash::AfterCommit);
    }

    fn bind(&mut self, number: u8, crash: Crash) {
        let seid = format!("se-{number}");
        let binding = binding(number, &seid, None);
        let event = |change| AuditEvent::BindingAdded {
            change,
            domain: binding.domain,
            seid: binding.seid.clone(),
            pool: Vec::new(),
            identities: Vec::new(),
            shared: false,
            server_names: Vec::new(),
            raw_apdu_sha256: None,
            trust_sha256: String::new(),
        };
        self.change(crash, |edit| edit.bind(&binding), event);
    }

    fn make(&mut self, what: What, crash: Crash) {
        match what {
            What::Bind => self.bind(2, crash),
            What::Unbind => {
                let event = |change| AuditEvent::BindingRemoved {
                    change,
                    domain: domain(1),
                    bindings: vec![BoundTo {
                        seid: "se-1".parse().expect("a SEID"),
                        identity: None,
                    }],
                };
                self.change(crash, |edit| edit.unbind(domain(1)).map(drop), event);
            }
            What::Revoke => {
                let event = |change| AuditEvent::TokenRevoked {
                    change,
                    cti: crate::hex::hex(&CTI),
                    domain: None,
                    exp: None,
                };
                self.change(crash, |edit| edit.revoke(CTI, None, now()).map(drop), event);
            }
            What::TokensFrom => {
                let event = |change| AuditEvent::TokensFromSet {
                    change,
                    domain: domain(1),
                    from: now().to_string(),
                };
                self.change(crash, |edit| edit.set_tokens_from(domain(1), now()), event);
            }
            What::Adopt => {
                let (seid, card) = ("se-1".parse().expect("a SEID"), card());
                let event = |change| AuditEvent::CardAdopted {
                    change,
                    seid: "se-1".parse().expect("a SEID"),
                    fingerprint: card.fingerprint.to_string(),
                    pin_file: None,
                };
                self.change(crash, |edit| edit.adopt(&seid, &card), event);
            }
        }
    }

    /// Starts again, as the service does; what had to be caught up with.
    fn restart(self) -> (Self, Option<CatchUp>) {
        let Self { dir, state, audit } = self;
        drop((state, audit));
        let audit = open_audit(&dir);
        let state = open_again(&dir);
        let head = state.audit_head().expect("read");
        let changes = AuditChanges::read(&audit_file(&dir), state.last_change(), head);
        let changes = changes.expect("readable");
        assert_eq!(changes.behind, None);
        if let Some(ahead) = &changes.ahead {
            state.catch_up(ahead).expect("written");
        }
        (Self { dir, state, audit }, changes.ahead)
    }

    /// Whether it is so, as the state has it.
    fn is_made(&self, what: What) -> bool {
        let bound = self.state.bindings().expect("read");
        let is_bound = |number| bound.iter().any(|binding| binding.domain == domain(number));
        match what {
            What::Bind => is_bound(2),
            What::Unbind => !is_bound(1),
            What::Revoke => self.state.revoked().expect("read").contains_key(&CTI),
            What::TokensFrom => !self.state.tokens_from().expect("read").is_empty(),
            What::Adopt => !self.state.cards().expect("read").is_empty(),
        }
    }
}

fn audit_file(dir: &TempDir) -> PathBuf {
    dir.path().join("audit.jsonl")
}

fn open_audit(dir: &TempDir) -> AuditLog {
    AuditLog::open(&audit_file(dir), Rotation::default(), now()).expect("usable")
}

fn card() -> AdoptedCard {
    let atr = Atr::decode(&[0x3B, 0]).expect("an ATR");
    AdoptedCard {
        fingerprint: Sight::new(&atr, &[0; 32]).with_identities(&[]),
        pin_file: None,
    }
}

#[test]
fn a_crash_at_any_step_leaves_a_change_whole_or_undone() {
    let kinds = [
        What::Bind,
        What::Unbind,
        What::Revoke,
        What::TokensFrom,
        What::Adopt,
    ];
    for what in kinds {
        for crash in [Crash::BeforeRecord, Crash::AfterRecord, Crash::AfterCommit] {
            let mut host = Host::new();
            host.make(what, crash);
            let (host, ahead) = host.restart();
            let takes_away = !matches!(what, What::Bind | What::Adopt);
            let is_made = match crash {
                Crash::BeforeRecord => false,
                Crash::AfterRecord => takes_away,
                Crash::AfterCommit => true,
            };
            assert_eq!(host.is_made(what), is_made, "{what:?}, {crash:?}");
            let missing = ahead.as_ref().map(|ahead| ahead.missing.len());
            let expected = (crash == Crash::AfterRecord).then_some(usize::from(!takes_away));
            assert_eq!(missing, expected, "{what:?}, {crash:?}");
            // Nothing else was touched, and there is nothing left to do.
            for other in kinds.into_iter().filter(|other| *other != what) {
                assert!(!host.is_made(other), "{what:?}, {crash:?}: {other:?}");
            }
            let (mut host, ahead) = host.restart();
            assert_eq!(ahead, None, "{what:?}, {crash:?}");
            // The next change has a number of its own.
            host.bind(3, Crash::AfterCommit);
            let used = match crash {
                Crash::BeforeRecord => 1,
                Crash::AfterRecord | Crash::AfterCommit => 2,
            };
            assert_eq!(host.state.last_change(), used + 1, "{what:?}, {crash:?}");
        }
    }
}
