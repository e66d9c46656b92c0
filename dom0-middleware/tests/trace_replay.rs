//! The driver against recordings of cards that nobody here wrote, byte for byte.
//!
//! Each recording holds a whole life: select, PIN, identity, a full handshake, an abbreviated one,
//! the export of the keys after each. The driver must send exactly the recorded commands, and end
//! with the recorded key blocks.

mod trace_support;

use std::sync::{Arc, Mutex};

use dom0_middleware::card::eap_tls::handshake::{self, Completed, Failure};
use dom0_middleware::card::eap_tls::{
    Capabilities, DriverParameters, HandshakeRequest, OfferedSession, OptionalSteps, closing,
    opening,
};
use dom0_middleware::card::{
    CardFault, CardProfile, CardStep, PeerVerifier, SessionError, TrustError,
};
use proto::apdu::{ResponseApdu, StatusWord};
use proto::card::Pin;
use proto::id::{DomainUuid, IdentityName};
use proto::tls::{CipherSuite, ProtocolVersion, SessionKeys};
use trace_support::{Replay, Trace, hex, recorded_key_block};

/// What a recording fixes and the driver would otherwise choose.
#[derive(Clone, Copy)]
struct Recording {
    file: &'static str,
    /// Steps of the recording host that no handshake needs, by their notes.
    not_ours: &'static [&'static str],
    times: [u32; 2],
    suite: CipherSuite,
    fragment_len: usize,
    /// SHA-256 of the card's certificate.
    certificate: &'static str,
}

const AES_CERTIFICATE: &str = "FE36962E7DCAEF9A995C0769A421D6FD9542CB6DB6A7B733CB14A458A0A889A5";
const RC4_CERTIFICATE: &str = "07FCF9D444B0685BBAC1608F7A6774BC7DC5B3F5CDB8C24D866F6C68F3123F05";

const AES_T1: Recording = Recording {
    file: "ext-aes-t1.txt",
    not_ours: &[],
    times: [0x6B00_E297, 0x6B00_E299],
    suite: CipherSuite(0x002F),
    fragment_len: 4096,
    certificate: AES_CERTIFICATE,
};

const AES_T0: Recording = Recording {
    file: "ext-aes-t0.txt",
    times: [0x6B00_E28A, 0x6B00_E28C],
    ..AES_T1
};

const RC4_T1: Recording = Recording {
    file: "ext-rc4-t1.txt",
    not_ours: &[
        "Get-State: no identity set",
        "Get-State after reset",
        "Get-State while authenticating",
        "KeyBlock before a handshake",
        "KeyBlock after Reset-State",
        "unknown index",
    ],
    times: [0x6B00_E293, 0x6B00_E295],
    suite: CipherSuite(0x0004),
    fragment_len: 4096,
    certificate: RC4_CERTIFICATE,
};

const RC4_T0: Recording = Recording {
    file: "ext-rc4-t0.txt",
    times: [0x6B00_E286, 0x6B00_E288],
    ..RC4_T1
};

#[test]
fn the_aes_card_hands_over_its_recorded_keys_full_and_abbreviated() {
    replay_whole(AES_T1);
}

#[test]
fn the_aes_card_behind_t0_hands_over_its_recorded_keys() {
    replay_whole(AES_T0);
}

#[test]
fn the_rc4_card_hands_over_its_recorded_keys() {
    replay_whole(RC4_T1);
}

#[test]
fn the_rc4_card_behind_t0_hands_over_its_recorded_keys() {
    replay_whole(RC4_T0);
}

#[test]
fn an_untrusted_server_never_reaches_the_card() {
    let mut rig = Rig::new(AES_T1);
    rig.open();
    rig.verifier = Arc::new(Judge::refusing());
    let before_flight = rig.replay.sent() + 3; // Set-Identity, Reset-State, start
    let failure = rig
        .handshake(0, None)
        .expect_err("the server is not trusted");
    assert_eq!(
        failure.error,
        SessionError::PeerUntrusted(TrustError::UnknownIssuer)
    );
    assert_eq!(rig.replay.sent(), before_flight);
    let unknown_ca = [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x30];
    assert_eq!(failure.alert.as_deref(), Some(&unknown_ca[..]));
}

#[test]
fn a_card_with_another_certificate_gets_no_further() {
    let mut rig = Rig::new(Recording {
        certificate: RC4_CERTIFICATE,
        ..AES_T1
    });
    rig.open();
    let failure = rig
        .handshake(0, None)
        .expect_err("not the identity's certificate");
    assert!(
        matches!(failure.error, SessionError::CardSwapped { got } if hex(&got) == AES_CERTIFICATE)
    );
    assert!(rig.to_server.len() == 1, "only ClientHello has left");
}

#[test]
fn a_recorded_resumption_without_record_is_refused() {
    // The card offers its session; it has no command 8A, and C2 is not known to work.
    let mut rig = Rig::new(AES_T1);
    rig.open();
    let first = rig.handshake(0, None).expect("the recorded full handshake");
    rig.close();
    assert!(first.session.is_some());
    rig.steps.set_identity = false;
    rig.steps.reset_state = false;
    let failure = rig
        .handshake(1, None)
        .expect_err("no record stands behind it");
    assert!(
        matches!(failure.error, SessionError::Policy(_)),
        "{failure:?}"
    );
    assert!(rig.to_server.is_empty(), "the ClientHello stays here");
}

#[test]
fn large_flights_are_fragmented_and_put_together_as_recorded() {
    let mut rig = Rig::new(Recording {
        file: "a05-t0-large-flights.txt",
        times: [0x6B00_E26A, 0],
        fragment_len: 1010,
        certificate: "1B0D4DF312827DFD46C18F97E87A25EB1EA70B4015C7C1FDE0CEC863BC9203DA",
        not_ours: &[],
        ..RC4_T1
    });
    rig.first_identifier = 0x14;
    rig.steps.reset_state = false;
    rig.capabilities.state = false;
    // This card has no export commands: INS 86 is answered 6D00.
    rig.after_the_end = Some(StatusWord(0x6D00));
    rig.open();
    let failure = rig.handshake(0, None).expect_err("no export");
    let expected = CardFault::CannotExport {
        step: CardStep::CipherSuite,
        sw: StatusWord(0x6D00),
    };
    assert_eq!(failure.error, SessionError::CardFailed(expected));
    assert!(rig.replay.is_over());
    assert_eq!(rig.to_server[1].len(), 1800, "the card's flight");
}

fn replay_whole(recording: Recording) {
    let mut rig = Rig::new(recording);
    rig.open();

    let full = rig.handshake(0, None).expect("the recorded full handshake");
    rig.close();
    assert_established(&full, recording, "full handshake");
    assert!(!full.abbreviated);
    assert_eq!(rig.verifier.names(), ["server.example"]);
    assert_eq!(rig.to_server.len(), 2, "ClientHello, then one flight");
    assert_eq!(full.peer_certificates.len(), 2);
    let session = full.session.expect("the server gave a session id");

    rig.steps.set_identity = false;
    rig.steps.reset_state = false;
    let abbreviated = rig
        .handshake(1, Some(session.clone()))
        .expect("the recorded abbreviated handshake");
    rig.close();
    assert_established(&abbreviated, recording, "abbreviated handshake");
    assert!(abbreviated.abbreviated);
    assert_eq!(abbreviated.peer_certificates, full.peer_certificates);
    assert_eq!(abbreviated.session, Some(session));
    assert!(rig.replay.is_over(), "the whole recording was replayed");
}

fn assert_established(completed: &Completed, recording: Recording, what: &str) {
    let section = format!("{}: {what}", recording.file);
    let SessionKeys::KeyBlock(key_block) = &completed.keys.keys else {
        panic!("{section}: a key block");
    };
    assert_eq!(
        hex(key_block.as_bytes()),
        hex(&recorded_key_block(&section)),
        "{section}"
    );
    assert_eq!(completed.keys.version, ProtocolVersion::TLS1_0);
    assert_eq!(completed.keys.cipher_suite, recording.suite);
    assert_eq!(completed.keys.client_sequence, 1);
    assert_eq!(completed.keys.server_sequence, 1);
    assert_eq!(completed.keys.client_explicit_nonce, None);
    assert!(!completed.extended_master_secret && !completed.encrypt_then_mac);
}

/// A recording, the driver, and the server's side of it.
struct Rig {
    replay: Replay,
    server_flights: std::vec::IntoIter<Vec<u8>>,
    recording: Recording,
    verifier: Arc<Judge>,
    steps: OptionalSteps,
    capabilities: Capabilities,
    first_identifier: u8,
    /// What the card answers after the recording, if it may be asked more.
    after_the_end: Option<StatusWord>,
    /// What went to the server in the last handshake.
    to_server: Vec<Vec<u8>>,
}

impl Rig {
    fn new(recording: Recording) -> Self {
        let trace = Trace::load(recording.file).without(recording.not_ours);
        Self {
            server_flights: trace.server_flights().into_iter(),
            replay: Replay::of(trace),
            recording,
            verifier: Arc::new(Judge::default()),
            steps: OptionalSteps {
                probe_pin: false,
                inventory: false,
                set_identity: true,
                reset_state: true,
                set_identity_at_end: false,
            },
            capabilities: Capabilities {
                tls13: false,
                state: true,
                ..Capabilities::default()
            },
            first_identifier: 0x21,
            after_the_end: None,
            to_server: Vec::new(),
        }
    }

    fn parameters(&self, unix_time: u32) -> DriverParameters {
        let profile = CardProfile {
            segment_len: 240,
            fragment_len: self.recording.fragment_len,
            ..CardProfile::eap_tls()
        };
        DriverParameters {
            steps: self.steps,
            ..DriverParameters::new(profile, self.first_identifier, unix_time, [0; 32])
        }
    }

    fn transmit(&mut self, command: &proto::apdu::CommandApdu) -> ResponseApdu {
        match self.after_the_end {
            Some(sw) if self.replay.is_over() => ResponseApdu::new(Vec::new(), sw),
            _ => self.replay.transmit(command),
        }
    }

    fn open(&mut self) {
        let mut step = opening::begin(self.parameters(0)).expect("begun");
        loop {
            step = match step {
                opening::Step::Transmit(opening, command) => {
                    let response = self.transmit(&command);
                    opening.on_response(response).expect("the recorded opening")
                }
                opening::Step::NeedPin(opening) => {
                    let pin = Pin::new(b"0000").expect("a PIN");
                    opening.with_pin(&pin).expect("VERIFY")
                }
                opening::Step::PinAccepted(opening) => opening.proceed().expect("an open card"),
                opening::Step::Opened(_) => return,
            };
        }
    }

    fn handshake(
        &mut self,
        number: usize,
        session: Option<OfferedSession>,
    ) -> Result<Completed, Box<Failure>> {
        self.to_server.clear();
        let mut step = handshake::begin(
            self.request(),
            self.parameters(self.recording.times[number]),
            self.capabilities,
            Arc::clone(&self.verifier) as Arc<dyn PeerVerifier>,
            session,
        )?;
        loop {
            step = match step {
                handshake::Step::Transmit(handshake, command) => {
                    let response = self.transmit(&command);
                    handshake.on_response(response)?
                }
                handshake::Step::SendToServer(records, then) => {
                    self.to_server.push(records);
                    *then
                }
                handshake::Step::AwaitServer(handshake) => {
                    let flight = self.server_flights.next().expect("a recorded flight");
                    handshake.on_records(&flight)?
                }
                handshake::Step::Finished(completed) => return Ok(*completed),
            };
        }
    }

    fn close(&mut self) {
        let profile = CardProfile::eap_tls();
        let mut step = closing::begin(&profile, self.steps, identity()).expect("begun");
        while let closing::Step::Transmit(closing, command) = step {
            let response = self.transmit(&command);
            step = closing.on_response(response).expect("the recorded end");
        }
    }

    fn request(&self) -> HandshakeRequest {
        let digits = self.recording.certificate;
        let mut certificate = [0; 32];
        for (index, byte) in certificate.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[index * 2..][..2], 16).expect("hexadecimal");
        }
        HandshakeRequest {
            domain: DomainUuid::from_bytes([7; 16]),
            identity: identity(),
            server_name: "server.example".to_owned(),
            alpn: Vec::new(),
            min_version: ProtocolVersion::TLS1_0,
            max_version: ProtocolVersion::TLS1_2,
            version_wish: false,
            resume: true,
            trust: [1; 32],
            client_certificate_sha256: certificate,
            max_bytes: 256 * 1024,
        }
    }
}

fn identity() -> IdentityName {
    "alice".parse().expect("a friendly name")
}

/// Accepts every server or none, and remembers whom it was asked about.
#[derive(Default)]
struct Judge {
    refuse: bool,
    asked: Mutex<Vec<String>>,
}

impl Judge {
    fn refusing() -> Self {
        Self {
            refuse: true,
            ..Self::default()
        }
    }

    fn names(&self) -> Vec<String> {
        self.asked.lock().expect("no panic under the lock").clone()
    }
}

impl PeerVerifier for Judge {
    fn verify_peer(&self, chain: &[Vec<u8>], server_name: &str) -> Result<(), TrustError> {
        assert!(!chain.is_empty());
        self.asked
            .lock()
            .expect("no panic under the lock")
            .push(server_name.to_owned());
        match self.refuse {
            true => Err(TrustError::UnknownIssuer),
            false => Ok(()),
        }
    }
}
