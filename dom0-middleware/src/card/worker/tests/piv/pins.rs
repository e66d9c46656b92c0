//! When a PIN is sent, and when it is only looked at.

use super::*;

#[test]
fn signatures_follow_each_other_under_one_pin() {
    let mut bench = Bench::new(FakePivCard::new());
    let identities = bench.await_present();
    let names: Vec<_> = identities.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["9a", "9e"]);
    assert_eq!(
        identities[1].schemes,
        [SignatureScheme::ECDSA_NISTP256_SHA256]
    );
    bench.sign();
    bench.sign();
    let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
    let use_id = bench.order(Slot::CardAuthentication, scheme);
    bench.await_signed(use_id);
    assert_eq!(bench.pins_sent(), 1);
    assert_eq!(bench.reader.lock().resets, 0);
}

#[test]
fn slot_9c_gets_its_pin_each_time_through_the_ledger() {
    let mut bench = Bench::new(FakePivCard::with([(Slot::Signature, Held::rsa())]));
    bench.await_present();
    let scheme = SignatureScheme::RSA_PKCS1_SHA384;
    for pins in 2..4 {
        let use_id = bench.order(Slot::Signature, scheme);
        bench.await_signed(use_id);
        assert_eq!(bench.pins_sent(), pins);
    }
    // The PIN was changed behind our back: one try, and none after it until the file changes.
    bench.reader.lock().card.pin = b"654321".to_vec();
    let use_id = bench.order(Slot::Signature, scheme);
    assert_eq!(bench.await_failure(use_id), SessionError::PinRequired);
    let tries_left = Some(2);
    assert_eq!(
        bench.await_unusable(),
        CardError::PinRejected { tries_left }
    );
    bench.await_free(use_id);
    let use_id = bench.order(Slot::Signature, scheme);
    assert_eq!(bench.await_failure(use_id), SessionError::PinRequired);
    bench.await_free(use_id);
    assert_eq!((bench.pins_sent(), bench.reader.lock().card.tries), (4, 2));
    write_pin(&bench.pin_file, "654321");
    bench.await_present();
    let use_id = bench.order(Slot::Signature, scheme);
    bench.await_signed(use_id);
}

#[test]
fn a_card_sees_the_same_commands_if_they_come_together() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let mut seen = |together: Option<Vec<usize>>, forgets| {
        let mut shared = bench.reader.lock();
        shared.card.log.clear();
        shared.card.forgets = forgets;
        shared.together = together;
        drop(shared);
        bench.sign();
        let mut shared = bench.reader.lock();
        let headers: Vec<_> = shared.card.log.iter().map(CommandApdu::header).collect();
        (headers, shared.together.take().unwrap_or_default())
    };
    for forgets in [0, 1] {
        let (alone, none) = seen(None, forgets);
        let (all, together) = seen(Some(Vec::new()), forgets);
        assert_eq!((alone, none), (all, Vec::new()));
        // The two links of each command.
        assert_eq!(together, vec![2; 1 + forgets]);
    }
}

#[test]
fn a_card_that_forgot_its_pin_gets_it_once() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    bench.reader.lock().card.forgets = 1;
    bench.sign();
    assert_eq!(bench.pins_sent(), 2);
}

#[test]
fn a_look_at_the_pin_shows_its_tries_and_spends_none() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    assert_eq!(bench.look_at_pin(), Some(PinLook::Verified));
    bench.reader.lock().card.verified = false;
    assert_eq!(bench.look_at_pin(), Some(PinLook::Tries(3)));
    assert_eq!(bench.pins_sent(), 1);
    // The card is where it was: it gets its PIN when it signs.
    bench.sign();
    assert_eq!((bench.pins_sent(), bench.reader.lock().resets), (2, 0));

    // One that cannot be used shows them too, and from reset on.
    bench.swap(|card| card.pin = b"654321".to_vec());
    let tries_left = Some(2);
    assert_eq!(
        bench.await_unusable(),
        CardError::PinRejected { tries_left }
    );
    assert_eq!(bench.look_at_pin(), Some(PinLook::Tries(2)));
    for (tries, why, look) in [
        (1, CardError::LastPinTry, PinLook::Tries(1)),
        (0, CardError::PinBlocked, PinLook::Blocked),
    ] {
        bench.swap(|card| card.tries = tries);
        assert_eq!(bench.await_unusable(), why);
        for _ in 0..3 {
            assert_eq!(bench.look_at_pin(), Some(look));
        }
        assert_eq!(
            (bench.pins_sent(), bench.reader.lock().card.tries),
            (3, tries)
        );
    }
}

#[test]
fn a_card_that_is_not_there_or_not_known_is_not_asked_for_its_pin() {
    let bench = Bench::new(FakePivCard::new());
    bench.await_present();
    bench.swap(|card| card.chuid = None);
    assert!(matches!(
        bench.await_unusable(),
        CardError::UnknownCard { .. }
    ));
    assert_eq!(bench.look_at_pin(), None);
    bench.reader.lock().present = false;
    assert!(matches!(bench.next(), WorkerReport::Gone { .. }));
    assert_eq!(bench.look_at_pin(), None);
}
