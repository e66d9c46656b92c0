//! One EAP-TLS message to the card and its complete answer: fragments and segments out,
//! acknowledgements, single steps, fragments back.

use std::collections::VecDeque;

use proto::apdu::CommandApdu;
use proto::card::EapCardCommand;
use proto::eap::{self, Code, EapPacket, EapTls, Method, Reassembled, Reassembly};

use super::parameters::MAX_EMPTY_PACKETS;
use crate::card::answer::Answer;
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep, EapProblem};
use crate::card::profile::EapTlsProfile;
use crate::card::session_fault::HandshakeFault;

/// EAP identifiers of a run, one for each packet, wrapping.
#[derive(Debug, Clone)]
pub(super) struct Identifiers(u8);

impl Identifiers {
    pub(super) fn from(first: u8) -> Self {
        Self(first)
    }

    fn peek(&self) -> u8 {
        self.0
    }

    fn take(&mut self) -> u8 {
        let identifier = self.0;
        self.0 = identifier.wrapping_add(1);
        identifier
    }
}

/// What a message is cut by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    cla: u8,
    extended: bool,
    segment_len: usize,
    fragment_len: usize,
    /// The most TLS bytes taken from the card in one flight.
    max_flight: usize,
}

impl Sizes {
    pub(super) fn of(profile: &EapTlsProfile, max_flight: usize) -> Self {
        let extended = profile.extended_length;
        let longest = match extended {
            true => CommandApdu::MAX_LONG_DATA,
            false => CommandApdu::MAX_DATA,
        };
        Self {
            cla: profile.cla,
            extended,
            segment_len: profile.segment_len.clamp(1, longest),
            fragment_len: profile.fragment_len.clamp(MIN_PACKET, MAX_PACKET),
            max_flight,
        }
    }
}

/// A message being sent, or its answer being gathered.
#[derive(Debug)]
pub(super) struct Talk {
    step: CardStep,
    sizes: Sizes,
    /// Identifier of the packet at the card.
    identifier: u8,
    /// Segments of that packet still to go: whether more follow, and the bytes.
    segments: VecDeque<(bool, Vec<u8>)>,
    /// Packets still to go after it, with their identifiers.
    packets: VecDeque<(u8, Vec<u8>)>,
    reassembly: Reassembly,
    empty_packets: u32,
}

/// What an answer brings.
#[derive(Debug)]
pub(super) enum Talked {
    /// Send this and go on.
    Send(Talk, CommandApdu),
    /// The card's flight; empty for an empty EAP-TLS packet.
    Flight(Vec<u8>),
}

impl Talk {
    /// Begins with the start packet and the time.
    pub(super) fn start(
        sizes: Sizes,
        identifiers: &mut Identifiers,
        unix_time: u32,
    ) -> (Self, CommandApdu) {
        let identifier = identifiers.take();
        let packet = eap::start(identifier, unix_time);
        Self::begin(
            CardStep::Start,
            sizes,
            VecDeque::from([(identifier, packet)]),
        )
    }

    /// Begins with a server flight.
    pub(super) fn flight(
        step: CardStep,
        sizes: Sizes,
        identifiers: &mut Identifiers,
        flight: &[u8],
    ) -> (Self, CommandApdu) {
        let packets = eap::fragments(flight, identifiers.peek(), sizes.fragment_len)
            .into_iter()
            .map(|packet| (identifiers.take(), packet))
            .collect();
        Self::begin(step, sizes, packets)
    }

    fn begin(
        step: CardStep,
        sizes: Sizes,
        mut packets: VecDeque<(u8, Vec<u8>)>,
    ) -> (Self, CommandApdu) {
        let (identifier, first) = packets
            .pop_front()
            .expect("a message is at least one packet");
        let mut talk = Self {
            step,
            sizes,
            identifier,
            segments: VecDeque::new(),
            packets,
            reassembly: Reassembly::new(sizes.max_flight),
            empty_packets: 0,
        };
        let command = talk.load(identifier, &first);
        (talk, command)
    }

    /// The commands behind the one sent last that go out whatever the card answers, if it is 9000 and
    /// nothing else: the rest of the packet's segments.
    pub(super) fn following(&self) -> impl Iterator<Item = CommandApdu> {
        let segments = self.segments.iter();
        segments.map(|(more, segment)| self.process_eap(*more, segment.clone()))
    }

    /// Takes the answer to the command sent last.
    pub(super) fn on_answer(
        mut self,
        answer: &Answer,
        identifiers: &mut Identifiers,
    ) -> Result<Talked, SessionError> {
        let silent = self.judge_status(answer)?;
        if let Some((more, segment)) = self.segments.pop_front() {
            if !silent {
                return Err(self.eap_fault(EapProblem::EarlyAnswer));
            }
            let command = self.process_eap(more, segment);
            return Ok(Talked::Send(self, command));
        }
        if silent {
            return self.step_on(identifiers);
        }
        let fragment = self.read(answer.data())?;
        if let Some((identifier, packet)) = self.packets.pop_front() {
            if !fragment.data.is_empty() || fragment.flags.more_fragments() {
                return Err(self.eap_fault(EapProblem::NotAcknowledged));
            }
            let command = self.load(identifier, &packet);
            return Ok(Talked::Send(self, command));
        }
        match self.reassembly.push(&fragment) {
            Ok(Reassembled::NeedMore) => {
                let command = self.empty_packet(identifiers);
                Ok(Talked::Send(self, command))
            }
            Ok(Reassembled::Flight(flight)) => Ok(Talked::Flight(flight)),
            Ok(Reassembled::Empty) => Ok(Talked::Flight(Vec::new())),
            Err(error) => Err(self.eap_fault(error.into())),
        }
    }

    /// Whether the card had nothing to say; an error if it said no. A flight it refuses may be the
    /// server's fault, a start packet it refuses is its own.
    fn judge_status(&self, answer: &Answer) -> Result<bool, SessionError> {
        match answer.sw().0 {
            0x9000 => Ok(answer.data().is_empty()),
            DISCARDED if answer.data().is_empty() => Ok(true),
            CONDITIONS_NOT_SATISFIED | AUTHENTICATION_FAILURE if self.step != CardStep::Start => {
                Err(HandshakeFault::RefusedByCard { step: self.step }.into())
            }
            _ => Err(answer.failure()),
        }
    }

    /// Success without data in the middle of a handshake: a single-step card wants to be asked on.
    /// Not between fragments, where an empty packet would be taken for the last of them.
    fn step_on(mut self, identifiers: &mut Identifiers) -> Result<Talked, SessionError> {
        if !self.packets.is_empty() {
            return Err(self.eap_fault(EapProblem::NotAcknowledged));
        }
        self.empty_packets += 1;
        if self.empty_packets > MAX_EMPTY_PACKETS {
            return Err(CardFault::NoProgress {
                step: self.step,
                max: MAX_EMPTY_PACKETS,
            }
            .into());
        }
        let command = self.empty_packet(identifiers);
        Ok(Talked::Send(self, command))
    }

    fn read<'a>(&self, data: &'a [u8]) -> Result<EapTls<'a>, SessionError> {
        let problem = |problem: EapProblem| self.eap_fault(problem);
        let packet = EapPacket::decode(data).map_err(|error| problem(error.into()))?;
        if packet.code != Code::Response {
            let got = packet.code.into();
            return Err(problem(EapProblem::Code { got }));
        }
        if packet.identifier != self.identifier {
            return Err(problem(EapProblem::Identifier {
                expected: self.identifier,
                got: packet.identifier,
            }));
        }
        match packet.method {
            Some(Method::EapTls) => {}
            Some(Method::Nak) => return Err(problem(EapProblem::Nak)),
            other => {
                let got = other.map_or(0, u8::from);
                return Err(problem(EapProblem::Method { got }));
            }
        }
        EapTls::decode(&packet).map_err(|error| problem(error.into()))
    }

    /// Makes `packet` the one at the card and returns its first segment's command.
    fn load(&mut self, identifier: u8, packet: &[u8]) -> CommandApdu {
        self.identifier = identifier;
        self.segments = eap::segments(packet, self.sizes.segment_len)
            .map(|(more, segment)| (more, segment.to_vec()))
            .collect();
        let (more, first) = self.segments.pop_front().expect("a packet is never empty");
        self.process_eap(more, first)
    }

    fn empty_packet(&mut self, identifiers: &mut Identifiers) -> CommandApdu {
        let identifier = identifiers.take();
        self.load(identifier, &eap::acknowledge(identifier))
    }

    fn process_eap(&self, more: bool, data: Vec<u8>) -> CommandApdu {
        let command = EapCardCommand::ProcessEap { more, data }
            .to_apdu(self.sizes.cla)
            .expect("a segment is at most 65,535 bytes");
        match self.sizes.extended && !more {
            true => command.with_le(CommandApdu::MAX_LONG_LE),
            false => command,
        }
    }

    fn eap_fault(&self, problem: EapProblem) -> SessionError {
        CardFault::Eap {
            step: self.step,
            problem,
        }
        .into()
    }
}

/// EAP-TLS header with total length (§6), and one byte behind it.
const MIN_PACKET: usize = 11;
/// What the length field of EAP can say.
const MAX_PACKET: usize = 65_535;

/// EAP packet silently discarded; like success without data.
const DISCARDED: u16 = 0x7000;
/// Authentication failure, of the drafts.
const AUTHENTICATION_FAILURE: u16 = 0x7001;
/// Every TLS failure of the known cards.
const CONDITIONS_NOT_SATISFIED: u16 = 0x6985;
