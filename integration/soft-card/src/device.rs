//! A card in its socket: powered, timed, and with faults where they were asked for.

use std::time::Duration;

use proto::apdu::Protocol;
use zeroize::Zeroizing;

use crate::applet::Applet;
use crate::fault::{Exchange, Fault, FaultKind, distort};
use crate::t0::T0;
use crate::timing::Timing;
use crate::vpcd::Request;

/// A card with its timing model and faults. It knows no clock: the shell waits.
pub struct Device {
    card: Box<dyn Applet>,
    /// What it keeps between commands when it speaks T=0.
    t0: Option<T0>,
    timing: Timing,
    /// Those that have not happened yet.
    faults: Vec<Fault>,
    /// The one that goes on.
    lasting: Option<FaultKind>,
    /// The last command was Process-EAP, and FETCH brings the answer.
    postponed_eap_packet: bool,
    commands: u64,
}

/// What the shell does about a request: wait, then act.
#[derive(Debug)]
pub struct Reaction {
    /// How long the card takes.
    pub delay: Duration,
    /// What it does then.
    pub then: Then,
}

/// What the device does.
#[derive(Debug)]
pub enum Then {
    /// Answers with these bytes.
    Respond(Zeroizing<Vec<u8>>),
    /// Answers nothing.
    Nothing,
    /// Leaves the reader.
    Leave,
}

impl Device {
    /// Puts a card into the socket.
    pub fn new(card: Box<dyn Applet>, timing: Timing, faults: Vec<Fault>) -> Self {
        Self {
            card,
            t0: None,
            timing,
            faults,
            lasting: None,
            postponed_eap_packet: false,
            commands: 0,
        }
    }

    /// Lets it speak another protocol than T=1.
    #[must_use]
    pub fn speaking(mut self, protocol: Protocol) -> Self {
        self.t0 = match protocol {
            Protocol::T0 => Some(T0::default()),
            Protocol::T1 => None,
        };
        self
    }

    /// Acts on one request of the reader.
    pub fn on_request(&mut self, request: Request) -> Reaction {
        match request {
            Request::PowerOff | Request::PowerOn | Request::Reset => {
                self.reset();
                Reaction {
                    delay: Duration::ZERO,
                    then: Then::Nothing,
                }
            }
            Request::Atr => Reaction {
                delay: Duration::ZERO,
                then: Then::Respond(Zeroizing::new(self.atr().to_vec())),
            },
            Request::Command(command) => self.on_command(&command),
        }
    }

    /// The reader went away: the card loses power.
    pub fn on_reader_gone(&mut self) {
        self.reset();
    }

    fn reset(&mut self) {
        self.lasting = None;
        self.postponed_eap_packet = false;
        self.card.reset();
        if let Some(t0) = &mut self.t0 {
            t0.reset();
        }
    }

    fn atr(&self) -> &'static [u8] {
        self.card.atr(match self.t0 {
            Some(_) => Protocol::T0,
            None => Protocol::T1,
        })
    }

    fn on_command(&mut self, command: &[u8]) -> Reaction {
        self.commands += 1;
        match self.take_due(|kind| kind.comes_before(command)) {
            Some(kind) if kind.happens_inside() => self.card.suffer(kind),
            Some(FaultKind::Removed) => {
                self.reset();
                return Reaction {
                    delay: Duration::ZERO,
                    then: Then::Leave,
                };
            }
            Some(_) => self.reset(),
            None => {}
        }
        let answer = match &mut self.t0 {
            Some(t0) => t0.transmit(&mut *self.card, command),
            None => self.card.transmit(command),
        };
        let delay = self.timing.price(&answer.cost);
        let exchange = Exchange {
            command,
            response: &answer.response,
            fetches_eap_packet: self.postponed_eap_packet,
        };
        self.postponed_eap_packet = exchange.postpones_eap_packet();
        let lasting = self.lasting;
        let kind = lasting.or_else(|| self.take_due(|kind| kind.fits(&exchange)));
        self.lasting = kind.filter(|kind| kind.lasts());
        let respond = |bytes: Vec<u8>| Then::Respond(Zeroizing::new(bytes));
        let (delay, then) = match kind {
            Some(FaultKind::Mute) => (delay, Then::Nothing),
            Some(FaultKind::Slow) => (delay + Fault::SLOW, Then::Respond(answer.response)),
            Some(kind) => (delay, respond(distort(kind, &answer.response))),
            None => (delay, Then::Respond(answer.response)),
        };
        Reaction { delay, then }
    }

    /// The first fault whose command has come and that may happen now; it does not happen again.
    fn take_due(&mut self, may_happen: impl Fn(FaultKind) -> bool) -> Option<FaultKind> {
        let commands = self.commands;
        let due = self
            .faults
            .iter()
            .position(|fault| fault.at.get() <= commands && may_happen(fault.kind))?;
        let fault = self.faults.remove(due);
        tracing::info!("fault {fault}");
        Some(fault.kind)
    }
}
