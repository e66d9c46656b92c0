//! Cards for raw APDUs: who gets one, who not and why, and how it comes back.

use std::sync::Arc;
use std::time::Duration;

use proto::agent::{Dom0Message, RefusalCode};
use proto::hv::HvId;
use proto::id::Seid;

use super::bench::{A, B, Bench, Seen, binding, card, other_card};
use crate::audit::{AuditEvent, LeaseEnd};
use crate::broker::{CardState, Event, Holder, LeaseId, LeaseRefusal};
use crate::card::{
    CardError, CardIdentity, Door, LoanEnd, TransportError, Trust, UseId, WorkerCommand,
    WorkerReport,
};
use crate::limits::Limits;
use crate::mapping::{Certificate, Issuer};

impl Bench {
    /// Somebody wants a card; the use that is ordered, or the reason why not. Everything seen is
    /// forgotten.
    fn want(&mut self, seid: &Seid, number: u64) -> Result<UseId, LeaseRefusal> {
        self.seen.clear();
        self.handle(Event::LeaseWanted {
            lease: LeaseId(number),
            seid: seid.clone(),
            holder: Holder::RacsUser("alice".to_owned()),
        });
        let seen = std::mem::take(&mut self.seen);
        let answer = |seen: Seen| match seen {
            Seen::Lent(lease, of, use_id) if lease.0 == number && of == *seid => Some(Ok(use_id)),
            Seen::NotLent(lease, why) if lease.0 == number => Some(Err(why)),
            _ => None,
        };
        let answers: Vec<_> = seen.into_iter().filter_map(answer).collect();
        let [answer] = <[_; 1]>::try_from(answers).expect("one answer");
        answer
    }

    fn end_loan(&mut self, seid: &Seid, use_id: UseId, apdus: u64, end: LoanEnd) {
        self.report_of(seid, WorkerReport::LoanEnded { use_id, apdus, end });
    }

    fn free_of(&mut self, seid: &Seid, use_id: UseId) {
        let card_time = Duration::ZERO;
        self.report_of(seid, WorkerReport::Free { use_id, card_time });
    }

    fn set_maintenance(&mut self, on: bool) {
        let seid = card();
        self.handle(Event::MaintenanceSet { seid, on });
    }

    /// Whether this was recalled, once; everything seen is forgotten.
    fn is_recalled(&mut self, use_id: UseId) -> bool {
        let recalls = |seen: &Seen| matches!(seen, Seen::Ordered(WorkerCommand::Recall { use_id: of }) if *of == use_id);
        let count = self.seen.drain(..).filter(recalls).count();
        assert!(count <= 1, "recalled {count} times");
        count == 1
    }

    /// The end of a lease among what was seen.
    fn lease_end(&self) -> Option<(LeaseEnd, u64, Option<u64>)> {
        self.seen.iter().find_map(|seen| match seen {
            Seen::Audited(AuditEvent::CardReturned {
                end,
                held_ms,
                apdus,
                ..
            }) => Some((*end, *held_ms, *apdus)),
            _ => None,
        })
    }

    /// Nobody is bound to the second card.
    fn plug_other_in(&mut self) {
        self.add_to_pool(A, &other_card(), Door::EapTls);
        let id = Self::binding_of(A);
        let pool = self.broker.table().on_card(&other_card()).next();
        let other = pool.map(|(id, _)| id).expect("bound");
        assert_ne!(id, other);
        self.handle(Event::Unbound { binding: other });
        self.seen.clear();
    }
}

#[test]
fn a_free_card_goes_to_one_holder_and_comes_back() {
    let mut bench = Bench::with_card();
    bench.plug_other_in();
    let seid = other_card();
    let use_id = bench.want(&seid, 1).expect("free");
    assert_eq!(bench.want(&seid, 2), Err(LeaseRefusal::InUse));
    bench.pass(Duration::from_secs(12));
    let held_by = |bench: &Bench| {
        let cards = bench.broker.snapshot().cards;
        cards.into_iter().find(|view| view.seid == seid)?.held_by
    };
    let view = held_by(&bench).expect("held");
    assert_eq!(
        (view.holder.as_str(), view.recalled),
        ("RACS user alice", false)
    );
    // Somebody else's numbers change nothing.
    bench.end_loan(&seid, UseId(999), 1, LoanEnd::Returned);
    bench.free_of(&seid, UseId(999));
    assert_eq!(bench.lease_end(), None);
    bench.end_loan(&seid, use_id, 7, LoanEnd::Returned);
    assert_eq!(
        bench.lease_end(),
        Some((LeaseEnd::Returned, 12_000, Some(7)))
    );
    // It is still being brought to rest.
    assert_eq!(bench.want(&seid, 3), Err(LeaseRefusal::ComingToRest));
    bench.free_of(&seid, use_id);
    assert_eq!(held_by(&bench), None);
    bench.want(&seid, 4).expect("free again");
}

#[test]
fn who_gets_a_card_is_on_record_before_it_goes() {
    let mut bench = Bench::with_card();
    bench.plug_other_in();
    let seid = other_card();
    bench.handle(Event::LeaseWanted {
        lease: LeaseId(1),
        seid,
        holder: Holder::RacsUser("eve\n{\"event\"".to_owned()),
    });
    let [
        Seen::Audited(AuditEvent::CardLent { holder, .. }),
        Seen::Lent(..),
    ] = bench.seen.as_slice()
    else {
        panic!("{:?}", bench.seen);
    };
    assert_eq!(holder, "RACS user eve\\n{\\\"event\\\"");
}

#[test]
fn each_reason_for_a_no_is_told() {
    let mut bench = Bench::new();
    let nowhere: Seid = "se-77".parse().expect("a SEID");
    assert_eq!(bench.want(&nowhere, 1), Err(LeaseRefusal::Unknown));
    assert_eq!(bench.want(&other_card(), 2), Err(LeaseRefusal::Absent));
    bench.plug_in();
    assert_eq!(bench.want(&card(), 3), Err(LeaseRefusal::InUse), "bound");
    bench.handle(Event::Stopping);
    assert_eq!(bench.want(&other_card(), 4), Err(LeaseRefusal::Stopping));
}

#[test]
fn a_card_that_signs_tokens_is_neither_listed_nor_lent() {
    let mut bench = Bench::with_card();
    bench.plug_other_in();
    let names = |bench: &Bench| {
        let entries = bench.broker.lendable().into_iter();
        entries
            .map(|entry| (entry.seid, entry.present))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&bench), [(card(), true), (other_card(), true)]);
    let certificate = b"the certificate of the HV".to_vec();
    let hash = Certificate::new(certificate.clone()).sha256();
    bench.broker.issuers.push(Issuer {
        id: HvId(hash),
        until: None,
    });
    let identity = CardIdentity {
        name: "9c".parse().expect("a name"),
        certificate: Some(certificate),
        schemes: Vec::new(),
    };
    bench.plug_in_with(&other_card(), Door::Piv, vec![identity]);
    assert_eq!(names(&bench), [(card(), true)]);
    assert_eq!(bench.want(&other_card(), 1), Err(LeaseRefusal::HvKeyCard));
}

#[test]
fn a_card_that_guests_cannot_use_can_be_lent() {
    let mut bench = Bench::with_card();
    bench.plug_other_in();
    let seid = other_card();
    let why = CardError::NoIdentity;
    bench.report_of(&seid, WorkerReport::Unusable { why });
    bench
        .want(&seid, 1)
        .expect("somebody may put an identity on it");
}

#[test]
fn in_maintenance_guests_are_told_to_come_back_and_others_get_the_card() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.set_maintenance(true);
    bench.open(conn, 1);
    let refused = bench.seen.iter().find_map(|seen| match seen {
        Seen::Told(_, Dom0Message::Refused(refused)) => Some(refused.clone()),
        _ => None,
    });
    let refused = refused.expect("refused");
    assert_eq!(refused.code, RefusalCode::NoCard);
    assert_eq!(refused.retry_after_ms, Some(5_000));
    let use_id = bench.want(&card(), 1).expect("in maintenance");
    bench.open(conn, 2);
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::NoCard)]);

    bench.set_maintenance(false);
    assert!(bench.is_recalled(use_id));
    // It waits until the card is back.
    bench.open(conn, 3);
    assert!(bench.refusals().is_empty());
    bench.end_loan(&card(), use_id, 0, LoanEnd::Recalled);
    bench.free_of(&card(), use_id);
    bench.started();
}

#[test]
fn who_waits_is_refused_when_maintenance_begins_and_who_has_the_card_ends_well() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.open(b, 2);
    bench.seen.clear();
    bench.set_maintenance(true);
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::NoCard)]);
    assert_eq!(bench.want(&card(), 1), Err(LeaseRefusal::InUse));
    bench.establish(use_id);
    bench.expect_delivered(a, 1);
    bench.free(use_id);
    bench.want(&card(), 2).expect("the handshake is over");
}

#[test]
fn a_signature_that_a_handshake_waits_for_is_made_before_the_card_is_lent() {
    let mut bench = Bench::with_signing_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    bench.set_maintenance(true);
    assert_eq!(bench.want(&card(), 1), Err(LeaseRefusal::InUse));
    bench.engine_says_client_hello(conn, 1);
    bench.engine_wants_signature(conn, 1, 7);
    let signs = |seen: &Seen| matches!(seen, Seen::Ordered(WorkerCommand::Sign(_)));
    assert!(bench.seen.iter().any(signs), "{:?}", bench.seen);
    assert_eq!(bench.want(&card(), 2), Err(LeaseRefusal::InUse));
    // A new one does not begin.
    bench.open(conn, 2);
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::NoCard)]);
}

#[test]
fn in_a_pool_the_other_cards_serve_while_one_is_in_maintenance() {
    let mut bench = Bench::with_card();
    bench.add_to_pool(A, &other_card(), Door::EapTls);
    let conn = bench.admitted(A);
    bench.set_maintenance(true);
    bench.open(conn, 1);
    let use_id = bench.started();
    assert_eq!(bench.placed.get(&use_id), Some(&other_card()));
}

#[test]
fn a_card_that_is_bound_while_it_is_lent_goes_to_its_guest() {
    let mut bench = Bench::with_card();
    bench.plug_other_in();
    let seid = other_card();
    let use_id = bench.want(&seid, 1).expect("free");
    let trust = Trust::load(&[], std::collections::HashMap::new()).expect("no CA to refuse");
    let binding = crate::mapping::Binding {
        seid: seid.clone(),
        ..binding(B)
    };
    let trust = Arc::new(trust);
    bench.handle(Event::Bound { binding, trust });
    assert!(bench.is_recalled(use_id));
    bench.end_loan(&seid, use_id, 3, LoanEnd::Recalled);
    let end = bench.lease_end().expect("on record");
    assert_eq!((end.0, end.2), (LeaseEnd::Recalled, Some(3)));
    bench.free_of(&seid, use_id);
    assert_eq!(bench.want(&seid, 2), Err(LeaseRefusal::InUse), "bound");
}

#[test]
fn a_card_that_is_unbound_is_anybodys() {
    let mut bench = Bench::with_card();
    for domid in [A, B] {
        assert_eq!(bench.want(&card(), 1), Err(LeaseRefusal::InUse));
        let binding = Bench::binding_of(domid);
        bench.handle(Event::Unbound { binding });
    }
    bench.want(&card(), 2).expect("nobody's");
}

#[test]
fn what_was_not_lent_after_all_is_free() {
    let mut bench = Bench::with_card();
    bench.plug_other_in();
    let seid = other_card();
    // The audit could not be written.
    bench.want(&seid, 1).expect("free");
    let lease = LeaseId(1);
    bench.handle(Event::LeaseEnded { lease });
    // The card did not come up.
    let use_id = bench.want(&seid, 2).expect("free");
    bench.end_loan(&seid, use_id, 0, LoanEnd::NotLent);
    assert_eq!(bench.lease_end(), Some((LeaseEnd::Failed, 0, Some(0))));
    let why = TransportError::Removed.into();
    bench.report_of(&seid, WorkerReport::Gone { why });
    bench.free_of(&seid, use_id);
    assert_eq!(bench.want(&seid, 3), Err(LeaseRefusal::Absent));
}

#[test]
fn a_recalled_card_that_does_not_come_back_is_stuck_until_it_does() {
    let mut bench = Bench::with_card();
    bench.plug_other_in();
    let seid = other_card();
    let use_id = bench.want(&seid, 1).expect("free");
    // A holder may have it for as long as it likes.
    bench.pass(Duration::from_secs(3_600));
    let state = |bench: &Bench| {
        let cards = bench.broker.snapshot().cards;
        let card = cards.into_iter().find(|view| view.seid == seid);
        card.map(|view| view.state)
    };
    assert_eq!(state(&bench), Some(CardState::Present));
    bench.handle(Event::MaintenanceSet {
        seid: seid.clone(),
        on: true,
    });
    bench.handle(Event::MaintenanceSet {
        seid: seid.clone(),
        on: false,
    });
    assert!(bench.is_recalled(use_id));
    let limits = Limits::default();
    bench.pass(limits.handshake + limits.apdu);
    assert_eq!(state(&bench), Some(CardState::Stuck));
    bench.end_loan(&seid, use_id, 1, LoanEnd::Recalled);
    bench.free_of(&seid, use_id);
    assert_eq!(state(&bench), Some(CardState::Present));
}

#[test]
fn a_holder_whose_call_hangs_makes_the_card_stuck_at_once() {
    let mut bench = Bench::with_card();
    bench.set_maintenance(true);
    let use_id = bench.want(&card(), 1).expect("in maintenance");
    bench.report(WorkerReport::LoanOverdue { use_id });
    let [view, _] = <[_; 2]>::try_from(bench.broker.snapshot().cards).expect("two cards");
    assert_eq!(view.state, CardState::Stuck);
    assert!(view.held_by.is_some_and(|held| held.recalled));
    bench.set_maintenance(false);
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::CardFailed)]);
}

#[test]
fn when_the_service_ends_cards_are_recalled_and_that_is_on_record() {
    let mut bench = Bench::with_card();
    bench.plug_other_in();
    let use_id = bench.want(&other_card(), 1).expect("free");
    bench.handle(Event::Stopping);
    assert_eq!(bench.lease_end(), Some((LeaseEnd::ServiceStopped, 0, None)));
    assert!(bench.is_recalled(use_id));
}
