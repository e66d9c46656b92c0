use proptest::prelude::*;

use super::*;

fn domain(n: u8) -> DomainUuid {
    DomainUuid::from_bytes([n; 16])
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn fill(queue: &mut Queue<u32>, n: u8, keys: impl IntoIterator<Item = u32>) {
    for key in keys {
        assert_eq!(queue.push(domain(n), key), Pushed::Queued);
    }
}

/// Serves until nobody waits; each handshake of a domain costs what `cost` says.
fn serve(queue: &mut Queue<u32>, cost: impl Fn(DomainUuid) -> Duration) -> Vec<u32> {
    std::iter::from_fn(|| {
        let (domain, key) = queue.pop()?;
        queue.charge(domain, cost(domain));
        Some(key)
    })
    .collect()
}

#[test]
fn domains_take_turns_and_each_keeps_its_order() {
    let mut queue = Queue::new(64);
    fill(&mut queue, 1, 10..14);
    fill(&mut queue, 2, 20..22);
    fill(&mut queue, 3, 30..31);
    let order = serve(&mut queue, |_| seconds(1));
    assert_eq!(order, [10, 20, 30, 11, 21, 12, 13]);
}

#[test]
fn who_holds_the_card_ten_times_as_long_gets_a_tenth_of_the_turns() {
    let mut queue = Queue::new(64);
    fill(&mut queue, 1, 100..110);
    fill(&mut queue, 2, 200..230);
    let order = serve(&mut queue, |d| match d == domain(1) {
        true => seconds(10),
        false => seconds(1),
    });
    let slow_among_the_first = order.iter().take(22).filter(|key| **key < 200).count();
    assert_eq!(slow_among_the_first, 2);
}

#[test]
fn a_domain_that_comes_late_does_not_wait_for_a_flood() {
    let mut queue = Queue::new(64);
    fill(&mut queue, 1, 0..40);
    let (flooder, _) = queue.pop().expect("many wait");
    fill(&mut queue, 2, [99]);
    queue.charge(flooder, seconds(2));
    assert_eq!(queue.pop(), Some((domain(2), 99)));
}

#[test]
fn a_debt_is_not_forgotten_by_waiting_one_at_a_time() {
    let mut queue = Queue::new(64);
    fill(&mut queue, 1, [1]);
    fill(&mut queue, 2, [20, 21, 22, 23]);
    let (slow, _) = queue.pop().expect("two wait");
    queue.charge(slow, seconds(3));
    fill(&mut queue, 1, [2]);
    let order = serve(&mut queue, |_| seconds(1));
    assert_eq!(order, [20, 21, 22, 2, 23]);
}

#[test]
fn on_a_fast_card_as_on_a_slow_one_nobody_has_two_turns_while_another_waits() {
    for cost in [Duration::from_millis(2), seconds(2)] {
        let mut queue = Queue::new(64);
        fill(&mut queue, 0, 0..40);
        for n in 1..16 {
            fill(&mut queue, n, [u32::from(n) * 1_000]);
        }
        let mut turns_since = vec![[0_u32; 16]; 16];
        for _ in 0..400 {
            let (of, key) = queue.pop().expect("all wait");
            let n = usize::from(of.as_bytes()[0]);
            for (waiting, turns) in turns_since.iter_mut().enumerate() {
                turns[n] += 1;
                // It asked after the other had begun, which is no turn meanwhile.
                assert!(
                    waiting == n || turns[n] <= 2,
                    "{n} before {waiting}: {turns:?}"
                );
            }
            turns_since[n] = [0; 16];
            queue.charge(of, cost);
            fill(&mut queue, of.as_bytes()[0], [key + 1]);
        }
    }
}

#[test]
fn debts_are_forgotten_when_the_card_is_free_and_nobody_waits() {
    let mut queue = Queue::new(64);
    fill(&mut queue, 1, [1]);
    let (alone, _) = queue.pop().expect("one waits");
    queue.charge(alone, seconds(100));
    fill(&mut queue, 1, [2]);
    fill(&mut queue, 2, [3]);
    assert_eq!(serve(&mut queue, |_| seconds(1)), [2, 3]);
}

#[test]
fn a_flood_fills_only_its_own_places() {
    let mut queue = Queue::new(4);
    fill(&mut queue, 1, 0..4);
    assert_eq!(queue.push(domain(1), 4), Pushed::Full);
    assert_eq!(queue.push(domain(2), 20), Pushed::Displaced(3));
    assert_eq!(queue.push(domain(2), 21), Pushed::Displaced(2));
    assert_eq!(queue.push(domain(2), 22), Pushed::Full);
    assert_eq!(queue.len(), 4);
}

#[test]
fn what_was_taken_away_is_not_served() {
    let mut queue = Queue::new(64);
    fill(&mut queue, 1, [1, 2]);
    fill(&mut queue, 2, [3]);
    assert!(queue.remove(1));
    assert!(!queue.remove(1));
    assert!(queue.remove(3));
    assert_eq!(serve(&mut queue, |_| seconds(1)), [2]);
    fill(&mut queue, 1, [4, 5]);
    assert_eq!(queue.drain(), [4, 5]);
    assert!(queue.is_empty());
}

#[test]
fn the_running_handshake_counts_in_place_and_time() {
    let mut queue = Queue::new(64);
    fill(&mut queue, 1, [1]);
    let running = Some((domain(2), seconds(1), seconds(2)));
    let places = queue.forecast(running, |_| seconds(5));
    let expected = Place {
        key: 1,
        place: 1,
        expected: seconds(1),
    };
    assert_eq!(places, [expected]);
    assert_eq!(queue.forecast(None, |_| seconds(5))[0].place, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_forecast_is_the_order_of_service(
        pushes in proptest::collection::vec((0_u8..5, 1_u64..6), 1..40),
        charges in proptest::collection::vec((0_u8..5, 0_u64..9), 0..10),
    ) {
        let mut queue = Queue::new(64);
        for (key, (n, _)) in pushes.iter().enumerate() {
            fill(&mut queue, *n, [u32::try_from(key).expect("few")]);
        }
        for (n, cost) in charges {
            queue.charge(domain(n), seconds(cost));
        }
        let cost_of = |key: u32| seconds(pushes[key as usize].1);
        let places = queue.forecast(None, cost_of);
        let mut expected = Duration::ZERO;
        for (n, place) in places.iter().enumerate() {
            let (domain, key) = queue.pop().expect("as many as places");
            prop_assert_eq!(place.key, key);
            prop_assert_eq!(place.place as usize, n);
            prop_assert_eq!(place.expected, expected);
            queue.charge(domain, cost_of(key));
            expected += cost_of(key);
        }
        prop_assert!(queue.pop().is_none());
    }

    #[test]
    fn no_waiting_domain_gets_much_less_time_than_another(
        costs in proptest::collection::vec(1_u64..20, 2..5),
    ) {
        let mut queue = Queue::new(1_000);
        for n in 0..costs.len() {
            let n = u8::try_from(n).expect("few");
            fill(&mut queue, n, (0..100).map(|key| u32::from(n) * 1_000 + key));
        }
        let mut had = vec![Duration::ZERO; costs.len()];
        // While all still wait, nobody is more than one handshake and one round ahead.
        for _ in 0..100 {
            let (domain, key) = queue.pop().expect("all wait");
            let n = (key / 1_000) as usize;
            had[n] += seconds(costs[n]);
            queue.charge(domain, seconds(costs[n]));
        }
        let longest = costs.iter().max().expect("some");
        let spread = *had.iter().max().expect("some") - *had.iter().min().expect("some");
        prop_assert!(spread <= seconds(*longest + 1), "{had:?} for {costs:?}");
    }
}
