//! For how long sessions may be resumed.

use std::time::Duration;

use proto::agent::Door;

use super::bench::{A, Bench, Seen, card, token, uuid};
use crate::broker::{Event, Unresumable};
use crate::card::WorkerCommand;
use crate::limits::Limits;
use crate::mapping::VerifiedToken;

const LIMIT: Duration = Duration::from_secs(10);

fn bench(door: Door, resume_for: Option<Duration>) -> Bench {
    let mut bench = Bench::with(Limits {
        resume_for,
        ..Limits::default()
    });
    bench.plug_in_as(door);
    bench.seen.clear();
    bench
}

/// Whether engines and card were told to forget, since the last time.
fn forgotten(bench: &mut Bench) -> (bool, bool) {
    let seen = std::mem::take(&mut bench.seen);
    let engines =
        |seen: &Seen| matches!(seen, Seen::Unresumable(Unresumable::Card(of)) if *of == card());
    let worker = |seen: &Seen| matches!(seen, Seen::Ordered(WorkerCommand::ForgetSession));
    (seen.iter().any(engines), seen.iter().any(worker))
}

#[test]
fn what_was_made_with_a_card_is_forgotten_when_its_time_is_over() {
    for door in [Door::EapTls, Door::Piv] {
        let mut bench = bench(door, Some(LIMIT));
        let conn = bench.admitted(A);
        let mut session = 0;
        let mut handshake = |bench: &mut Bench, after: Duration| {
            bench.pass(after);
            bench.seen.clear();
            session += 1;
            bench.open(conn, session);
            let told = forgotten(bench);
            bench.close(conn, session);
            let given_up = bench.seen.iter().find_map(|seen| match seen {
                Seen::Ordered(WorkerCommand::Cancel { use_id }) => Some(*use_id),
                _ => None,
            });
            given_up.into_iter().for_each(|use_id| bench.free(use_id));
            told
        };
        let almost = LIMIT - Duration::from_millis(1);
        assert_eq!(handshake(&mut bench, Duration::ZERO), (false, false));
        assert_eq!(handshake(&mut bench, almost), (false, false), "{door:?}");
        assert_eq!(
            handshake(&mut bench, Duration::from_millis(1)),
            (true, true),
            "{door:?}"
        );
        // From then on anew.
        assert_eq!(handshake(&mut bench, almost), (false, false), "{door:?}");
        assert_eq!(handshake(&mut bench, LIMIT), (true, true), "{door:?}");
    }
}

#[test]
fn without_a_limit_nothing_is_forgotten() {
    let mut bench = bench(Door::Piv, None);
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    bench.pass(Duration::from_secs(50));
    bench.open(conn, 2);
    assert_eq!(forgotten(&mut bench), (false, false));
}

#[test]
fn a_right_that_ends_leaves_nothing_to_resume_at_either_door() {
    for door in [Door::EapTls, Door::Piv] {
        let mut bench = bench(door, None);
        bench.admitted(A);
        bench.seen.clear();
        let cti = bench.tokens[&A].cti;
        bench.handle(Event::TokenRevoked { cti });
        assert!(has_forgotten_domain(&bench), "{door:?}");
        assert!(forgotten(&mut bench).1, "{door:?}");
    }
}

fn has_forgotten_domain(bench: &Bench) -> bool {
    let of_domain =
        |seen: &Seen| matches!(seen, Seen::Unresumable(Unresumable::Domain(of)) if *of == uuid(A));
    bench.seen.iter().any(of_domain)
}

#[test]
fn it_does_so_where_the_guest_speaks_racs_alone_by_then() {
    let ends: [fn(&mut Bench); 2] = [
        |bench| bench.handle(Event::TokenRevoked { cti: [1; 16] }),
        |bench| bench.pass(Duration::from_secs(3_600)),
    ];
    for end in ends {
        let mut bench = Bench::with_raw_card(Door::EapTls);
        show_until(&mut bench, Duration::from_secs(3_600));
        let conn = bench.admitted(A);
        let (_, admitted) = bench.speak_racs(A);
        admitted.expect("it may");
        bench.handle(Event::Disconnected { conn });
        bench.seen.clear();
        end(&mut bench);
        assert!(has_forgotten_domain(&bench));
    }
}

/// From now on guest A shows a token that ends after so long.
fn show_until(bench: &mut Bench, lasts: Duration) {
    let exp = bench.now.after(lasts).unix;
    let token = VerifiedToken {
        exp,
        ..token(A, bench.now)
    };
    bench.tokens.insert(A, token);
}

#[test]
fn a_right_that_ends_while_the_guest_is_away_leaves_nothing_either() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let mut bench = bench(Door::Piv, None);
    let mut come_and_go = |after: Duration, token_lasts: Duration| {
        bench.pass(after);
        show_until(&mut bench, token_lasts);
        bench.seen.clear();
        let conn = bench.admitted(A);
        bench.handle(Event::Disconnected { conn });
        has_forgotten_domain(&bench)
    };
    assert!(!come_and_go(Duration::ZERO, HOUR));
    // Another token before the first one has ended, and there again with it.
    assert!(!come_and_go(HOUR / 2, HOUR));
    assert!(!come_and_go(HOUR / 4 * 3, HOUR / 4));
    // It had none for a while.
    assert!(come_and_go(HOUR / 4, HOUR));
    assert!(!come_and_go(HOUR / 2, HOUR));
}
