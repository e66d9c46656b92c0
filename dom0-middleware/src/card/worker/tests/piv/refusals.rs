//! What a card cannot do, does wrong, or is not used for.

use super::*;

#[test]
fn a_key_that_tls_does_not_take_is_left_alone_and_named_when_there_is_no_other() {
    let card = FakePivCard::new();
    let mut good = Held::curve(KeyAlgorithm::P256);
    good.certificate = of_version_1(&good.certificate);
    let old = Arc::new(good);
    let mut both = card;
    both.slots.insert(Slot::Authentication, Arc::clone(&old));
    let bench = Bench::new(both);
    let identities = bench.await_present();
    let names: Vec<_> = identities.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["9e"]);

    let bench = Bench::new(FakePivCard::with([(Slot::Authentication, old)]));
    let why = bench.await_unusable();
    let said = why.to_string();
    for word in ["slot 9a", "X.509 version 1", "openssl x509 -req"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(
        why.next_step(&"se-00".parse().expect("a SEID"), Door::Piv)
            .contains("slot 9a")
    );
    assert_eq!(bench.pins_sent(), 0);
}

/// The certificate without its version; nobody looks at its signature.
fn of_version_1(certificate: &[u8]) -> Vec<u8> {
    const SEQUENCE: u32 = 0x30;
    let outer = TlvReader::new(certificate).expect(SEQUENCE, "certificate");
    let mut parts = TlvReader::new(outer.expect("DER"));
    let signed = parts.expect(SEQUENCE, "what is signed").expect("DER");
    let mut elements = TlvReader::new(signed);
    elements.expect(0xA0, "version").expect("version 3");
    let mut kept = TlvWriter::new();
    while let Some(element) = elements.take_next().expect("DER") {
        // Extensions are version 3's.
        if element.tag != 0xA3 {
            kept = kept.with(element.tag, element.value);
        }
    }
    let mut all = TlvWriter::new().with(SEQUENCE, &kept.into_bytes());
    while let Some(part) = parts.take_next().expect("DER") {
        all = all.with(part.tag, part.value);
    }
    TlvWriter::new()
        .with(SEQUENCE, &all.into_bytes())
        .into_bytes()
}

#[test]
fn a_wrong_signature_fails_the_session_and_the_card_serves_the_next() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    bench.reader.lock().card.spoil = Some(|signature| signature[7] ^= 1);
    let use_id = bench.order(Slot::Authentication, SignatureScheme::RSA_PSS_SHA256);
    let slot = Slot::Authentication;
    let wrong = CardFault::Piv(PivFault::WrongSignature { slot });
    assert_eq!(bench.await_failure(use_id), SessionError::CardFailed(wrong));
    bench.await_free(use_id);
    bench.reader.lock().card.spoil = None;
    assert_eq!(bench.reader.lock().resets, 1);
    bench.sign();
}

#[test]
fn a_card_that_fails_or_leaves_in_a_signature_comes_back() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    for fault in [TransportError::TimedOut, TransportError::Reset] {
        bench.reader.lock().fault = Some(fault);
        let use_id = bench.order(Slot::Authentication, SignatureScheme::RSA_PSS_SHA256);
        let error = bench.await_failure(use_id);
        assert!(matches!(error, SessionError::CardFailed(_)), "{error:?}");
        bench.await_free(use_id);
        bench.sign();
    }
    bench.reader.lock().fault = Some(TransportError::Removed);
    let use_id = bench.order(Slot::Authentication, SignatureScheme::RSA_PSS_SHA256);
    assert_eq!(bench.await_failure(use_id), SessionError::CardRemoved);
    bench.await_free(use_id);
    bench.sign();
}

#[test]
fn an_identity_that_is_not_there_or_has_changed_is_not_used() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let scheme = SignatureScheme::RSA_PSS_SHA256;
    let use_id = bench.order_as(Slot::KeyManagement, scheme, [0; 32]);
    assert!(matches!(
        bench.await_failure(use_id),
        SessionError::Policy(_)
    ));
    bench.await_free(use_id);
    let use_id = bench.order_as(Slot::Authentication, scheme, [0; 32]);
    let error = bench.await_failure(use_id);
    assert!(
        matches!(error, SessionError::CardSwapped { .. }),
        "{error:?}"
    );
    bench.await_free(use_id);
    bench.sign();
}

#[test]
fn a_signature_the_key_cannot_make_is_not_asked_for() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let (slot, scheme) = (Slot::Authentication, SignatureScheme::ECDSA_NISTP256_SHA256);
    let sent = bench.reader.lock().card.log.len();
    let use_id = bench.order(slot, scheme);
    let fault = PolicyFault::SchemeNotOfKey { slot, scheme };
    assert_eq!(bench.await_failure(use_id), SessionError::Policy(fault));
    bench.await_free(use_id);
    assert_eq!(bench.reader.lock().card.log.len(), sent);
    bench.sign();
}

#[test]
fn another_card_in_the_reader_gets_no_pin() {
    let bench = Bench::new(FakePivCard::new());
    bench.await_present();
    bench.swap(|card| {
        card.chuid = Some(Chuid {
            guid: Some([2; 16]),
            ..Chuid::default()
        });
    });
    let unknown = |why: CardError| match why {
        CardError::UnknownCard { difference, .. } => difference,
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown(bench.await_unusable()), Difference::Chuid);
    let first = FakePivCard::new();
    bench.swap(|card| {
        card.chuid = first.chuid;
        let other = Held::curve(KeyAlgorithm::P256);
        card.slots.insert(Slot::Authentication, other.into());
    });
    assert_eq!(unknown(bench.await_unusable()), Difference::Identities);
    assert_eq!(bench.pins_sent(), 1, "certificates are seen before the PIN");
}

#[test]
fn a_stopped_worker_lets_the_card_go() {
    let bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let Bench { handle, reader, .. } = bench;
    handle.stop();
    assert_eq!(
        Arc::strong_count(&reader.shared),
        1,
        "it has let the card go"
    );
}

#[test]
fn a_card_that_signs_makes_no_handshake() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let use_id = UseId(99);
    let job = Job {
        use_id,
        domain: DomainUuid::from_bytes([1; 16]),
        identity: "9a".parse().expect("a name"),
        server_name: "server.example".to_owned(),
        alpn: Vec::new(),
        min_version: ProtocolVersion::TLS1_2,
        max_version: ProtocolVersion::TLS1_3,
        version_wish: false,
        resume: true,
        trust: Arc::new(Trust::load(&[], HashMap::new()).expect("no trust at all")),
        client_certificate_sha256: [0; 32],
        max_handshake_bytes: 1024,
    };
    let sent = bench.handle.send(WorkerCommand::Start(Box::new(job)));
    sent.expect("a worker");
    assert_eq!(bench.await_failure(use_id), SessionError::WrongDoor);
    bench.await_free(use_id);
    bench.sign();
}
