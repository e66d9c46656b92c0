//! Guests that speak RACS: who is let in, and how raw APDUs and handshakes take turns on a card.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::{Dom0Message, RefusalCode};
use proto::id::{DomId, Seid};

use super::bench::{A, B, Bench, Seen, binding, card, certificate, other_card, token, uuid};
use crate::audit::{AuditEvent, ChannelEnd, LeaseEnd};
use crate::broker::guest_leases::{LEASE_PAUSE, OWN_LEASE_WAIT};
use crate::broker::{ConnId, Event, Holder, LeaseId, LeaseRefusal, RacsEnd};
use crate::card::{
    CardIdentity, Door, LoanEnd, TransportError, Trust, UseId, WorkerCommand, WorkerReport,
};
use crate::limits::Limits;
use crate::mapping::{Binding, BindingId, ShownToken, VerifiedToken};

impl Bench {
    /// Guest A is bound to the second card alone, may send it SELECTs, and the card is there.
    pub(super) fn with_raw_card(door: Door) -> Self {
        let mut bench = Self::with_card();
        bench.give_raw_card(door);
        bench
    }

    /// Makes it so.
    pub(super) fn give_raw_card(&mut self, door: Door) {
        let binding = Self::binding_of(A);
        self.handle(Event::Unbound { binding });
        self.bind_raw("FFFF0000 00A40000");
        self.plug_raw_card_in(door);
        self.seen.clear();
    }

    pub(super) fn plug_raw_card_in(&mut self, door: Door) {
        let schemes = match door {
            Door::EapTls => Vec::new(),
            Door::Piv => vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256],
        };
        let identity = CardIdentity {
            name: "id-1".parse().expect("a name"),
            certificate: Some(certificate(A)),
            schemes,
        };
        self.plug_in_with(&other_card(), door, vec![identity]);
    }

    pub(super) fn bind_raw(&mut self, list: &str) {
        let binding = Binding {
            seid: other_card(),
            raw_apdu: Some(Arc::new(list.parse().expect("a list"))),
            ..binding(A)
        };
        let trust = Trust::load(&[], HashMap::new()).expect("no CA to refuse");
        let trust = Arc::new(trust);
        self.handle(Event::Bound { binding, trust });
    }

    pub(super) fn raw_binding(&self) -> BindingId {
        let table = self.broker.table();
        let mut raw = table.iter().filter(|(_, b)| b.raw_apdu.is_some());
        raw.next().expect("bound").0
    }

    pub(super) fn racs_hello(&mut self, conn: ConnId, of: DomId) {
        let token = match self.tokens.get(&of) {
            Some(token) => ShownToken::Verified(Arc::new(token.clone())),
            None => ShownToken::Missing,
        };
        self.handle(Event::RacsHello { conn, token });
    }

    /// A connection that speaks RACS; the cards it was let in for, or the code of the refusal.
    pub(super) fn speak_racs(&mut self, of: DomId) -> (ConnId, Result<Vec<Seid>, RefusalCode>) {
        let conn = self.connect(of);
        self.seen.clear();
        self.racs_hello(conn, of);
        let admitted = self.seen.iter().find_map(|seen| match seen {
            Seen::AdmittedToRacs(of, guest) if *of == conn => Some(guest),
            _ => None,
        });
        let admitted = admitted.map(|guest| {
            assert_eq!((guest.domid, guest.domain), (of, uuid(of)));
            guest.cards.iter().map(|(seid, _)| seid.clone()).collect()
        });
        let said = match admitted {
            Some(cards) => Ok(cards),
            None => {
                assert!(self.is_closed(conn), "{:?}", self.seen);
                let [(None, code)] = self.refusals()[..] else {
                    panic!("not one refusal");
                };
                Err(code)
            }
        };
        (conn, said)
    }

    /// The guest wants its card; what came of it if that is known. Everything seen is forgotten.
    fn take(
        &mut self,
        conn: ConnId,
        seid: &Seid,
        lease: u64,
    ) -> Option<Result<UseId, LeaseRefusal>> {
        self.seen.clear();
        let domain = uuid(A);
        self.handle(Event::LeaseWanted {
            lease: LeaseId(lease),
            seid: seid.clone(),
            holder: Holder::Guest { conn, domain },
        });
        self.came_of(lease)
    }

    fn came_of(&mut self, number: u64) -> Option<Result<UseId, LeaseRefusal>> {
        let came = |seen: Seen| match seen {
            Seen::Lent(lease, _, use_id) if lease.0 == number => Some(Ok(use_id)),
            Seen::NotLent(lease, why) if lease.0 == number => Some(Err(why)),
            _ => None,
        };
        let mut came = self.seen.drain(..).filter_map(came);
        let answer = came.next();
        assert!(came.next().is_none(), "one answer");
        answer
    }

    #[track_caller]
    fn taken(&mut self, conn: ConnId, lease: u64) -> UseId {
        if let Some(came) = self.take(conn, &other_card(), lease) {
            return came.expect("free");
        }
        // Leases follow each other after a pause.
        self.pass(LEASE_PAUSE);
        self.came_of(lease).expect("by now").expect("free")
    }

    /// The card is back and has come to rest.
    fn bring_back(&mut self, use_id: UseId) {
        let (apdus, end) = (3, LoanEnd::Returned);
        let seid = other_card();
        self.report_of(&seid, WorkerReport::LoanEnded { use_id, apdus, end });
        let card_time = Duration::ZERO;
        self.report_of(&seid, WorkerReport::Free { use_id, card_time });
    }

    /// The guest has left, by itself or because it was told to.
    fn leave_racs(&mut self, conn: ConnId) {
        let end = Box::new(RacsEnd {
            domid: A,
            domain: uuid(A),
            name: "guest-1".to_owned(),
            apdus_refused: 2,
            why: "the guest left".to_owned(),
        });
        self.handle(Event::RacsEnded { conn, end });
    }

    fn was_recalled(&self, use_id: UseId) -> bool {
        let recalls = |seen: &Seen| matches!(seen, Seen::Ordered(WorkerCommand::Recall { use_id: of }) if *of == use_id);
        self.seen.iter().any(recalls)
    }

    fn recorded(&self, is_it: impl Fn(&AuditEvent) -> bool) -> bool {
        let audited = |seen: &Seen| matches!(seen, Seen::Audited(event) if is_it(event));
        self.seen.iter().any(audited)
    }
}

#[test]
fn a_guest_is_let_in_for_its_own_card_and_that_is_on_record() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let (conn, said) = bench.speak_racs(A);
    assert_eq!(said, Ok(vec![other_card()]));
    let is_admission =
        |event: &AuditEvent| matches!(event, AuditEvent::GuestAdmitted(a) if a.domain == uuid(A));
    assert!(bench.recorded(is_admission));
    let is_visit = |event: &AuditEvent| {
        matches!(event, AuditEvent::RacsConnected(c)
            if c.domain == Some(uuid(A)) && c.user == "guest-1" && c.address == "domid 1")
    };
    assert!(bench.recorded(is_visit));
    let views = bench.broker.snapshot().connections;
    assert!(views.iter().any(|view| view.racs && view.admitted));
    let use_id = bench.taken(conn, 1);
    let cards = bench.broker.snapshot().cards;
    let view = cards.into_iter().find(|view| view.seid == other_card());
    let holder = view.and_then(|view| view.held_by).expect("held").holder;
    assert_eq!(holder, format!("guest {}", uuid(A)));
    bench.bring_back(use_id);
    // It is not asked for signs of life, and its end is on record.
    bench.seen.clear();
    bench.pass(Duration::from_secs(3_600));
    let is_told = |seen: &Seen| matches!(seen, Seen::Told(..));
    assert!(!bench.seen.iter().any(is_told), "{:?}", bench.seen);
    bench.leave_racs(conn);
    let is_end = |event: &AuditEvent| {
        matches!(event, AuditEvent::RacsClosed(c)
            if c.domain == Some(uuid(A)) && c.apdus_refused == 2 && c.why == "the guest left")
    };
    assert!(bench.recorded(is_end));
    assert!(bench.broker.snapshot().connections.is_empty());
}

#[test]
fn when_the_service_ends_every_end_goes_on_record() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let conns = [bench.speak_racs(A).0, bench.speak_racs(A).0];
    bench.handle(Event::Stopping);
    bench.seen.clear();
    for conn in conns {
        bench.leave_racs(conn);
    }
    let ends = bench.seen.iter().filter_map(|seen| match seen {
        Seen::Audited(AuditEvent::RacsClosed(closed)) => Some(closed.count),
        _ => None,
    });
    assert_eq!(ends.sum::<u64>(), 2, "{:?}", bench.seen);
}

#[test]
fn it_is_judged_as_at_hello_and_needs_a_list_besides() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    assert_eq!(bench.speak_racs(B).1, Err(RefusalCode::Policy));
    bench.tokens.remove(&A);
    assert_eq!(bench.speak_racs(A).1, Err(RefusalCode::BadToken));
    let mut old = token(A, bench.now);
    old.exp = bench.now.unix;
    bench.tokens.insert(A, old);
    assert_eq!(bench.speak_racs(A).1, Err(RefusalCode::TokenExpired));
    let mut other = token(A, bench.now);
    other.vm_cert_sha256 = vec![[7; 32]];
    bench.tokens.insert(A, other);
    assert_eq!(bench.speak_racs(A).1, Err(RefusalCode::BadToken));
    bench.tokens.insert(A, token(A, bench.now));
    bench.handle(Event::TokenRevoked { cti: [1; 16] });
    assert_eq!(bench.speak_racs(A).1, Err(RefusalCode::TokenRevoked));
    assert_eq!(bench.broker.snapshot().counters.refused, 5);
    // A first line that is none ends the connection too, and so does silence.
    let conn = bench.connect(A);
    bench.pass(Limits::default().hello);
    assert_eq!(bench.refusals(), [(None, RefusalCode::Timeout)]);
    bench.racs_hello(conn, A);
    bench.expect_nothing();
}

#[test]
fn a_domain_has_few_such_connections() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let limit = Limits::default().racs_per_domain;
    let conns: Vec<ConnId> = (0..limit)
        .map(|_| {
            let (conn, said) = bench.speak_racs(A);
            said.expect("room");
            conn
        })
        .collect();
    assert_eq!(bench.speak_racs(A).1, Err(RefusalCode::Limit));
    let conn = conns[0];
    bench.handle(Event::Disconnected { conn });
    bench.speak_racs(A).1.expect("room again");
    // Its other connections are for messages.
    bench.admitted(A);
}

#[test]
fn nobody_elses_card_and_none_without_a_list_is_lent_to_a_guest() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let (conn, said) = bench.speak_racs(A);
    said.expect("let in");
    let nowhere: Seid = "se-77".parse().expect("a SEID");
    for seid in [card(), nowhere] {
        let came = bench.take(conn, &seid, 1);
        assert_eq!(came, Some(Err(LeaseRefusal::NotPermitted)));
    }
    // A connection for messages borrows nothing, nor does one that is gone.
    let messages = bench.admitted(A);
    for conn in [messages, ConnId(999)] {
        let came = bench.take(conn, &other_card(), 2);
        assert_eq!(came, Some(Err(LeaseRefusal::NotPermitted)));
    }
    // Nor does a user of the server.
    bench.seen.clear();
    bench.handle(Event::LeaseWanted {
        lease: LeaseId(3),
        seid: other_card(),
        holder: Holder::RacsUser("alice".to_owned()),
    });
    assert_eq!(bench.came_of(3), Some(Err(LeaseRefusal::InUse)));
}

#[test]
fn a_card_goes_to_one_connection_and_waits_to_be_at_rest() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let (first, second) = (bench.speak_racs(A).0, bench.speak_racs(A).0);
    let use_id = bench.taken(first, 1);
    let in_use = Some(Err(LeaseRefusal::InUse));
    assert_eq!(bench.take(second, &other_card(), 2), in_use);
    // Who comes back at once waits until the card is at rest.
    bench.handle(Event::Disconnected { conn: first });
    assert!(bench.was_recalled(use_id));
    assert_eq!(bench.take(second, &other_card(), 3), None);
    let third = bench.speak_racs(A).0;
    assert_eq!(bench.take(third, &other_card(), 4), in_use);
    bench.bring_back(use_id);
    bench.pass(LEASE_PAUSE);
    assert!(matches!(bench.came_of(3), Some(Ok(_))));
}

#[test]
fn raw_apdus_wait_for_handshakes_that_came_first_and_later_ones_wait_for_them() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let (messages, racs) = (bench.admitted(A), bench.speak_racs(A).0);
    let seid = other_card();
    bench.seen.clear();
    bench.open(messages, 1);
    let first = bench.started();
    bench.open(messages, 2);
    assert_eq!(bench.take(racs, &seid, 1), None, "two are before it");
    bench.open(messages, 3);
    let end = |bench: &mut Bench, use_id| {
        let session = Box::new(super::bench::session_with(1));
        bench.report_of(&other_card(), WorkerReport::Established { use_id, session });
        bench.seen.clear();
        let card_time = Duration::ZERO;
        bench.report_of(&other_card(), WorkerReport::Free { use_id, card_time });
    };
    end(&mut bench, first);
    let second = bench.started();
    end(&mut bench, second);
    let lent = bench.came_of(1).expect("its turn").expect("free");
    bench.seen.clear();
    bench.pass(Duration::from_secs(5));
    bench.bring_back(lent);
    bench.started();
}

#[test]
fn a_handshake_that_waits_for_its_own_domains_apdus_is_told_when_to_come_back() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let (messages, racs) = (bench.admitted(A), bench.speak_racs(A).0);
    let use_id = bench.taken(racs, 1);
    bench.open(messages, 1);
    assert!(bench.refusals().is_empty());
    bench.pass(OWN_LEASE_WAIT);
    let refused = bench.seen.iter().find_map(|seen| match seen {
        Seen::Told(_, Dom0Message::Refused(refused)) => Some(refused.clone()),
        _ => None,
    });
    let refused = refused.expect("refused");
    assert_eq!(refused.code, RefusalCode::NoCard);
    assert_eq!(refused.retry_after_ms, Some(1_000));
    assert!(refused.message.contains("RACS"), "{}", refused.message);
    // Nothing is left of it.
    assert_eq!(bench.broker.snapshot().waiting, 0);
    bench.seen.clear();
    bench.bring_back(use_id);
    bench.open(messages, 2);
    bench.started();
}

#[test]
fn a_guest_that_waits_for_its_own_handshakes_for_too_long_is_told_so() {
    let mut bench = Bench::with_raw_card(Door::Piv);
    let (messages, racs) = (bench.admitted(A), bench.speak_racs(A).0);
    // It will want a signature, and does not come to it.
    bench.open(messages, 1);
    assert_eq!(bench.take(racs, &other_card(), 1), None);
    bench.pass(Limits::default().handshake);
    let came = bench.came_of(1);
    assert!(
        matches!(came, Some(Err(LeaseRefusal::InUse) | Ok(_))),
        "{came:?}"
    );
}

#[test]
fn a_handshake_does_not_wait_for_ever_for_a_card_that_does_not_come_to_rest() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let (messages, racs) = (bench.admitted(A), bench.speak_racs(A).0);
    let use_id = bench.taken(racs, 1);
    let (apdus, end) = (1, LoanEnd::Returned);
    let seid = other_card();
    bench.report_of(&seid, WorkerReport::LoanEnded { use_id, apdus, end });
    bench.open(messages, 1);
    assert!(bench.refusals().is_empty());
    let limits = Limits::default();
    bench.pass(limits.handshake + limits.apdu);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::CardFailed)]);
    // It comes back after all.
    let card_time = Duration::ZERO;
    bench.report_of(&seid, WorkerReport::Free { use_id, card_time });
    bench.open(messages, 2);
    bench.started();
}

#[test]
fn a_guest_that_takes_its_card_again_and_again_is_slowed_down() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let racs = bench.speak_racs(A).0;
    let began = bench.now.monotonic;
    for lease in 0..10 {
        let use_id = bench.taken(racs, lease);
        bench.bring_back(use_id);
    }
    assert_eq!(bench.now.monotonic.duration_since(began), LEASE_PAUSE * 9);
}

#[test]
fn another_guests_card_is_not_delayed() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let (racs, other) = (bench.speak_racs(A).0, bench.admitted(B));
    bench.taken(racs, 1);
    bench.open(other, 1);
    bench.started();
}

#[test]
fn every_end_of_a_right_ends_it_at_once_and_takes_the_card() {
    type End = fn(&mut Bench);
    let ends: [(End, RefusalCode); 6] = [
        (
            |bench| {
                let binding = bench.raw_binding();
                bench.handle(Event::Unbound { binding });
            },
            RefusalCode::NotBound,
        ),
        (
            |bench| {
                let trust = Trust::load(&[], HashMap::new()).expect("no CA to refuse");
                let trust = Arc::new(trust);
                let binding = binding(A);
                bench.handle(Event::Bound { binding, trust });
            },
            RefusalCode::Policy,
        ),
        (
            |bench| bench.handle(Event::TokenRevoked { cti: [1; 16] }),
            RefusalCode::TokenRevoked,
        ),
        (
            |bench| {
                let from = bench.now.after(Duration::from_secs(1)).unix;
                let domain = uuid(A);
                bench.handle(Event::TokensFrom { domain, from });
            },
            RefusalCode::TokenRevoked,
        ),
        (
            |bench| bench.pass(Duration::from_secs(3_600)),
            RefusalCode::TokenExpired,
        ),
        (
            |bench| {
                bench.handle(Event::DomainEnded {
                    domid: A,
                    domain: uuid(A),
                    successor: None,
                });
            },
            RefusalCode::NotBound,
        ),
    ];
    for (end, code) in ends {
        let mut bench = Bench::with_raw_card(Door::EapTls);
        let exp = bench.now.after(Duration::from_secs(3_600)).unix;
        bench.tokens.insert(
            A,
            VerifiedToken {
                exp,
                ..token(A, bench.now)
            },
        );
        let conn = bench.speak_racs(A).0;
        let use_id = bench.taken(conn, 1);
        bench.seen.clear();
        end(&mut bench);
        assert!(bench.was_recalled(use_id), "{code}");
        assert!(bench.is_closed(conn), "{code}");
        let told = bench.seen.iter().find_map(|seen| match seen {
            Seen::Told(of, Dom0Message::Refused(refused)) if *of == conn => Some(refused.code),
            Seen::Told(of, Dom0Message::Revoked { code }) if *of == conn => Some(*code),
            _ => None,
        });
        assert_eq!(told, Some(code));
        let is_end = |event: &AuditEvent| {
            matches!(
                event,
                AuditEvent::RightEnded { .. } | AuditEvent::DomainEnded { .. }
            )
        };
        assert!(bench.recorded(is_end), "{code}");
        let came = bench.take(conn, &other_card(), 2);
        assert_eq!(came, Some(Err(LeaseRefusal::NotPermitted)), "{code}");
    }
}

#[test]
fn a_wish_is_answered_however_it_ends() {
    // The connection ends; maintenance begins; the card leaves; the service ends.
    type End = fn(&mut Bench, ConnId);
    let ends: [(End, LeaseRefusal); 4] = [
        (
            |bench, conn| bench.handle(Event::Disconnected { conn }),
            LeaseRefusal::NotPermitted,
        ),
        (
            |bench, _| {
                let seid = other_card();
                bench.handle(Event::MaintenanceSet { seid, on: true });
            },
            LeaseRefusal::InUse,
        ),
        (
            |bench, _| {
                let why = TransportError::Removed.into();
                bench.report_of(&other_card(), WorkerReport::Gone { why });
            },
            LeaseRefusal::Absent,
        ),
        (
            |bench, _| bench.handle(Event::Stopping),
            LeaseRefusal::NotPermitted,
        ),
    ];
    for (end, why) in ends {
        let mut bench = Bench::with_raw_card(Door::EapTls);
        let (messages, racs) = (bench.admitted(A), bench.speak_racs(A).0);
        bench.open(messages, 1);
        assert_eq!(bench.take(racs, &other_card(), 1), None);
        end(&mut bench, racs);
        assert_eq!(bench.came_of(1), Some(Err(why)));
    }
    // Also while it is judged.
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let conn = bench.speak_racs(A).0;
    bench.reads_hang = true;
    assert_eq!(bench.take(conn, &other_card(), 1), None);
    bench.handle(Event::Disconnected { conn });
    assert_eq!(bench.came_of(1), Some(Err(LeaseRefusal::NotPermitted)));
    bench.answer_reads();
    bench.expect_nothing();
}

#[test]
fn maintenance_takes_the_card_from_its_guest() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let conn = bench.speak_racs(A).0;
    let use_id = bench.taken(conn, 1);
    let seid = other_card();
    bench.handle(Event::MaintenanceSet { seid, on: true });
    assert!(bench.was_recalled(use_id));
    bench.bring_back(use_id);
    let in_use = Some(Err(LeaseRefusal::InUse));
    assert_eq!(bench.take(conn, &other_card(), 2), in_use);
    let seid = other_card();
    bench.handle(Event::MaintenanceSet { seid, on: false });
    bench.taken(conn, 3);
}

#[test]
fn who_is_behind_the_channel_is_read_afresh_for_each_lease() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let conn = bench.speak_racs(A).0;
    let stranger = crate::mapping::DomainFact::Known {
        uuid: uuid(DomId(9)),
        name: "stranger".to_owned(),
    };
    bench.domains.insert(A, stranger);
    let came = bench.take(conn, &other_card(), 1);
    assert_eq!(came, Some(Err(LeaseRefusal::NotPermitted)));
    assert!(
        bench.broker.snapshot().connections.is_empty(),
        "it ends the channel"
    );
}

#[test]
fn what_the_guest_has_and_for_how_long_is_on_record() {
    let mut bench = Bench::with_raw_card(Door::EapTls);
    let conn = bench.speak_racs(A).0;
    let use_id = bench.taken(conn, 1);
    bench.pass(Duration::from_secs(2));
    bench.bring_back(use_id);
    let is_return = |event: &AuditEvent| {
        matches!(event, AuditEvent::CardReturned { holder, end: LeaseEnd::Returned, held_ms: 2_000, apdus: Some(3), .. }
            if *holder == format!("guest {}", uuid(A)))
    };
    assert!(bench.recorded(is_return), "{:?}", bench.seen);
    bench.handle(Event::TokenRevoked { cti: [1; 16] });
    let is_closed = |event: &AuditEvent| matches!(event, AuditEvent::ChannelClosed(c) if c.by == ChannelEnd::RightEnded);
    assert!(bench.recorded(is_closed), "{:?}", bench.seen);
}
