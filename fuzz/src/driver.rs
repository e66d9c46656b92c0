//! The driver of EAP-TLS cards against any card and any server.

use std::sync::Arc;

use dom0_middleware::card::eap_tls::handshake::{self, Completed, Failure};
use dom0_middleware::card::eap_tls::{
    Capabilities, DriverParameters, HandshakeRequest, OfferedSession, opening,
};
use dom0_middleware::card::{CardError, EapTlsProfile, PeerVerifier};
use proto::apdu::{CommandApdu, PinStatus, ResponseApdu};
use proto::card::Pin;

/// A card and a server.
pub trait World {
    /// What the card answers; nothing when it is gone.
    fn card(&mut self, command: &CommandApdu) -> Option<ResponseApdu>;

    /// Takes records for the server.
    fn to_server(&mut self, records: &[u8]);

    /// What the server says next; nothing when it is gone.
    fn from_server(&mut self) -> Option<Vec<u8>>;
}

/// Parameters for a card of the built-in profile. `identifier` is that of the start packet.
pub fn parameters(identifier: u8) -> DriverParameters {
    let unix_time = 1_795_219_200;
    DriverParameters::new(EapTlsProfile::builtin(), identifier, unix_time, [9; 32])
}

/// Opens a card; nothing when it left meanwhile.
///
/// Panics when the PIN goes out twice, or to a card that may have one try left.
pub fn open(
    world: &mut impl World,
    parameters: DriverParameters,
) -> Option<Result<opening::Opened, CardError>> {
    let mut step = opening::begin(parameters);
    let mut verified = false;
    let mut last_try = false;
    loop {
        step = match step {
            Err(error) => return Some(Err(error)),
            Ok(opening::Step::Opened(opened)) => return Some(Ok(opened)),
            Ok(opening::Step::PinAccepted(opening)) => opening.proceed(),
            Ok(opening::Step::NeedPin(opening)) => {
                assert!(!last_try, "the last try is the bearer's");
                opening.with_pin(&Pin::new(b"0000").expect("digits"))
            }
            Ok(opening::Step::Transmit(opening, command)) => {
                if command.ins == INS_VERIFY {
                    assert!(!verified, "the PIN is sent once");
                    assert!(!last_try, "the last try is the bearer's");
                    verified = true;
                }
                let response = world.card(&command)?;
                last_try = matches!(
                    response.sw.pin_status(),
                    Some(PinStatus::TriesLeft(0 | 1) | PinStatus::Blocked)
                );
                opening.on_response(response)
            }
        };
    }
}

/// Runs one handshake; nothing when card or server left meanwhile.
pub fn handshake(
    world: &mut impl World,
    request: HandshakeRequest,
    parameters: DriverParameters,
    capabilities: Capabilities,
    verifier: Arc<dyn PeerVerifier>,
    session: Option<OfferedSession>,
) -> Option<Result<Box<Completed>, Box<Failure>>> {
    let max_bytes = request.max_bytes;
    let mut sent = 0;
    let mut step = handshake::begin(request, parameters, capabilities, verifier, session);
    loop {
        step = match step {
            Err(failure) => return Some(Err(failure)),
            Ok(handshake::Step::Finished(completed)) => return Some(Ok(completed)),
            Ok(handshake::Step::Transmit(handshake, command)) => {
                handshake.on_response(world.card(&command)?)
            }
            Ok(handshake::Step::SendToServer(records, then)) => {
                sent += records.len();
                assert!(sent <= max_bytes, "{sent} bytes to the server");
                world.to_server(&records);
                Ok(*then)
            }
            Ok(handshake::Step::AwaitServer(handshake)) => {
                handshake.on_records(&world.from_server()?)
            }
        };
    }
}

const INS_VERIFY: u8 = 0x20;
