//! A recording, the driver, and the server's side of it.

use std::sync::{Arc, Mutex};

use dom0_middleware::card::eap_tls::handshake::{self, Completed, Failure};
use dom0_middleware::card::eap_tls::{
    Capabilities, DriverParameters, HandshakeRequest, OfferedSession, OptionalSteps, closing,
    opening,
};
use dom0_middleware::card::{CardError, EapTlsProfile, PeerVerifier, TrustError};
use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::card::Pin;
use proto::id::{DomainUuid, IdentityName};
use proto::tls::ProtocolVersion;

use super::{Replay, Trace};

/// The driver against one recording. What the recording leaves open is a field.
pub(crate) struct Rig {
    pub(crate) replay: Replay,
    pub(crate) server_flights: std::vec::IntoIter<Vec<u8>>,
    pub(crate) verifier: Arc<Judge>,
    pub(crate) profile: EapTlsProfile,
    pub(crate) steps: OptionalSteps,
    pub(crate) capabilities: Capabilities,
    pub(crate) stand_in: [u8; 32],
    pub(crate) identity: &'static str,
    pub(crate) resume: bool,
    /// SHA-256 of the card's certificate.
    pub(crate) certificate: [u8; 32],
    pub(crate) export: Export,
    /// What went to the server in the last handshake.
    pub(crate) to_server: Vec<Vec<u8>>,
    /// How often the PIN was sent.
    pub(crate) verifies: usize,
}

/// Who answers the export commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Export {
    /// The recording.
    Recorded,
    /// Nobody: 6D00, which `a05-t0-loose-parsing.txt` shows for INS 86.
    Missing,
    /// The test, with this suite and a key block of zeros: a stand-in for a card that can export,
    /// to get at the record of a handshake.
    Grafted(u16),
}

/// Where a handshake stops without failing.
#[derive(Debug)]
pub(crate) enum Outcome {
    Completed(Box<Completed>),
    /// The recording has no more of the server.
    AwaitsServer,
}

impl Rig {
    pub(crate) fn of(trace: Trace, certificate: &str) -> Self {
        Self {
            server_flights: trace.server_flights().into_iter(),
            replay: Replay::of(trace),
            verifier: Arc::new(Judge::default()),
            profile: EapTlsProfile {
                fragment_len: 4096,
                ..EapTlsProfile::builtin()
            },
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
            stand_in: [0; 32],
            identity: "alice",
            resume: true,
            certificate: digest(certificate),
            export: Export::Recorded,
            to_server: Vec::new(),
            verifies: 0,
        }
    }

    /// A card without Get-State, Reset-State and export.
    pub(crate) fn of_old_card(trace: Trace, certificate: &str) -> Self {
        let mut rig = Self::of(trace, certificate);
        rig.profile.reset_state = false;
        rig.profile.draft26_states = false;
        rig.profile.probe_parameters = false;
        rig.capabilities = Capabilities::default();
        rig.export = Export::Missing;
        rig
    }

    pub(crate) fn open(&mut self, pin: &str) -> Result<opening::Opened, CardError> {
        let mut step = opening::begin(self.parameters())?;
        loop {
            step = match step {
                opening::Step::Transmit(opening, command) => {
                    opening.on_response(self.transmit(&command))?
                }
                opening::Step::NeedPin(opening) => {
                    self.verifies += 1;
                    opening.with_pin(&Pin::new(pin.as_bytes()).expect("a PIN"))?
                }
                opening::Step::PinAccepted(opening) => opening.proceed()?,
                opening::Step::Opened(opened) => return Ok(opened),
            };
        }
    }

    pub(crate) fn handshake(
        &mut self,
        session: Option<OfferedSession>,
    ) -> Result<Outcome, Box<Failure>> {
        self.to_server.clear();
        let mut step = handshake::begin(
            self.request(),
            self.parameters(),
            self.capabilities,
            Arc::clone(&self.verifier) as Arc<dyn PeerVerifier>,
            session,
        )?;
        loop {
            step = match step {
                handshake::Step::Transmit(handshake, command) => {
                    handshake.on_response(self.transmit(&command))?
                }
                handshake::Step::SendToServer(records, then) => {
                    self.to_server.push(records);
                    *then
                }
                handshake::Step::AwaitServer(handshake) => match self.server_flights.next() {
                    Some(flight) => handshake.on_records(&flight)?,
                    None => return Ok(Outcome::AwaitsServer),
                },
                handshake::Step::Finished(completed) => return Ok(Outcome::Completed(completed)),
            };
        }
    }

    /// A handshake that ends in keys.
    pub(crate) fn complete(
        &mut self,
        session: Option<OfferedSession>,
    ) -> Result<Box<Completed>, Box<Failure>> {
        self.handshake(session).map(|outcome| match outcome {
            Outcome::Completed(completed) => completed,
            Outcome::AwaitsServer => panic!("a recorded flight"),
        })
    }

    pub(crate) fn close(&mut self) {
        let mut step = closing::begin(&self.profile, self.steps, self.name()).expect("begun");
        while let closing::Step::Transmit(closing, command) = step {
            let response = self.transmit(&command);
            step = closing.on_response(response).expect("the recorded end");
        }
    }

    fn parameters(&self) -> DriverParameters {
        let (identifier, unix_time) = self.replay.next_start().unwrap_or((1, 0));
        DriverParameters {
            steps: self.steps,
            ..DriverParameters::new(self.profile.clone(), identifier, unix_time, self.stand_in)
        }
    }

    fn transmit(&mut self, command: &CommandApdu) -> ResponseApdu {
        if command.ins != 0x86 {
            return self.replay.transmit(command);
        }
        match self.export {
            Export::Recorded => self.replay.transmit(command),
            Export::Missing => ResponseApdu::new(Vec::new(), StatusWord(0x6D00)),
            Export::Grafted(suite) => {
                let data = match command.data() {
                    [0x81] => suite.to_be_bytes().to_vec(),
                    _ => vec![0; 255],
                };
                ResponseApdu::new(data, StatusWord(0x9000))
            }
        }
    }

    fn name(&self) -> IdentityName {
        self.identity.parse().expect("a friendly name")
    }

    fn request(&self) -> HandshakeRequest {
        HandshakeRequest {
            domain: DomainUuid::from_bytes([7; 16]),
            identity: self.name(),
            server_name: "server.example".to_owned(),
            alpn: Vec::new(),
            min_version: ProtocolVersion::TLS1_0,
            max_version: ProtocolVersion::TLS1_2,
            version_wish: false,
            resume: self.resume,
            trust: [1; 32],
            client_certificate_sha256: self.certificate,
            max_bytes: 256 * 1024,
        }
    }
}

/// Accepts every server or none, and remembers whom it was asked about.
#[derive(Default)]
pub(crate) struct Judge {
    refuse: bool,
    asked: Mutex<Vec<String>>,
}

impl Judge {
    pub(crate) fn refusing() -> Self {
        Self {
            refuse: true,
            ..Self::default()
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
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

/// A digest from its digits; zeros for none.
fn digest(digits: &str) -> [u8; 32] {
    match digits {
        "" => [0; 32],
        _ => super::trace::bytes(digits)
            .try_into()
            .expect("64 hexadecimal digits"),
    }
}
