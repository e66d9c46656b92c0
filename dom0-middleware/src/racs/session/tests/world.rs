//! Cards, who holds them, and the driver of sessions that a server is.

use std::collections::BTreeMap;

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::id::Seid;

use crate::racs::session::{ElementRights, Order, Outcome, RacsRefusal, RacsSession, Rights, Step};

/// All cards and who holds them.
#[derive(Default)]
pub(super) struct World {
    cards: BTreeMap<Seid, Card>,
    /// Whether guests use the cards.
    pub(super) bound: bool,
    /// All orders, as they came.
    pub(super) orders: Vec<Order>,
    /// What is answered to the next order instead of doing it.
    pub(super) refuse_next: Option<RacsRefusal>,
}

/// The card of specs/racs.md §16: INS 10 echoes its data, 14 announces P1P2 bytes with 61xx, 16
/// wants Le of 08, 18 answers P1P2, A4 answers 9000.
#[derive(Default)]
struct Card {
    holder: Option<&'static str>,
    announced: Vec<u8>,
}

/// One user with a session.
pub(super) struct User {
    name: &'static str,
    pub(super) session: RacsSession,
    pub(super) closed: bool,
}

impl World {
    /// Cards with these names.
    pub(super) fn with_cards(names: &[&str]) -> Self {
        Self {
            cards: names
                .iter()
                .map(|name| (seid(name), Card::default()))
                .collect(),
            ..Self::default()
        }
    }

    /// Gives bytes to a session and does what it says; returns what it responds.
    pub(super) fn drive(&mut self, user: &mut User, bytes: &[u8]) -> Vec<u8> {
        let mut written = Vec::new();
        user.session.take(bytes);
        loop {
            match user.session.next_step() {
                Step::NeedBytes => return written,
                Step::Respond(response) => written.extend_from_slice(&response),
                Step::Do(order) => {
                    let outcome = self.outcome(user.name, &order);
                    self.orders.push(order);
                    user.session.on_outcome(outcome);
                }
                Step::Close => {
                    user.closed = true;
                    self.release(user.name);
                    return written;
                }
            }
        }
    }

    /// The lines that come back for these lines.
    pub(super) fn ask(&mut self, user: &mut User, lines: &[&str]) -> Vec<String> {
        let bytes: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let written = self.drive(user, bytes.as_bytes());
        let text = String::from_utf8(written).expect("ASCII");
        assert!(text.is_empty() || text.ends_with("\r\n"));
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    /// The code and the line of the one status that comes back for a request of these lines.
    pub(super) fn status(&mut self, user: &mut User, lines: &[&str]) -> String {
        let request = [&["BEGIN"], lines, &["END"]].concat();
        let answer = self.ask(user, &request);
        let [begin, status, end] = answer.as_slice() else {
            panic!("{lines:?}: {answer:?}");
        };
        assert_eq!(
            (begin.as_str(), end.as_str()),
            ("BEGIN", "END"),
            "{lines:?}"
        );
        status.chars().take("+001 001".len()).collect()
    }

    /// The end of a user's connection.
    pub(super) fn release(&mut self, user: &'static str) {
        let held = self
            .cards
            .values_mut()
            .filter(|card| card.holder == Some(user));
        held.for_each(|card| card.holder = None);
    }

    /// How many APDUs reached cards.
    pub(super) fn transmitted(&self) -> usize {
        let is_apdu = |order: &&Order| matches!(order, Order::Transmit { .. });
        self.orders.iter().filter(is_apdu).count()
    }

    fn outcome(&mut self, user: &'static str, order: &Order) -> Outcome {
        if let Some(why) = self.refuse_next.take() {
            if why.ends_hold() {
                self.release(user);
            }
            return Outcome::Refused(why);
        }
        let seid = match order {
            Order::List => return Outcome::List(self.cards.keys().cloned().collect()),
            Order::PowerOn(seid) | Order::Shutdown(seid) => seid,
            Order::Reset { seid, .. } | Order::Transmit { seid, .. } => seid,
        };
        let Some(card) = self.cards.get_mut(seid) else {
            return Outcome::Refused(RacsRefusal::Absent);
        };
        if card.holder.is_some_and(|holder| holder != user) {
            return Outcome::Refused(RacsRefusal::InUse);
        }
        match order {
            Order::PowerOn(_) if card.holder.is_some() => {}
            Order::PowerOn(_) => {
                card.holder = Some(user);
                return Outcome::Powered { bound: self.bound };
            }
            Order::Shutdown(_) => card.holder = None,
            _ if card.holder.is_none() => return Outcome::Refused(RacsRefusal::NotHeld),
            Order::Transmit { command, .. } => return Outcome::Answer(card.transmit(command)),
            Order::Reset { .. } | Order::List => {}
        }
        Outcome::Done
    }
}

impl Card {
    fn transmit(&mut self, command: &CommandApdu) -> ResponseApdu {
        let answer = |data: Vec<u8>, sw| ResponseApdu::new(data, StatusWord(sw));
        let parameters = u16::from_be_bytes([command.p1, command.p2]);
        match command.ins {
            0xA4 => answer(Vec::new(), 0x9000),
            0x10 => answer(command.data().to_vec(), 0x9000),
            0x14 => {
                self.announced = (0..parameters).map(|n| n.to_be_bytes()[1]).collect();
                answer(Vec::new(), self.more())
            }
            0xC0 => {
                let le = command.le().unwrap_or(256) as usize;
                let rest = self.announced.split_off(le.min(self.announced.len()));
                let block = std::mem::replace(&mut self.announced, rest);
                let sw = if self.announced.is_empty() {
                    0x9000
                } else {
                    self.more()
                };
                answer(block, sw)
            }
            0x16 if command.le() == Some(8) => answer((1..=8).collect(), 0x9000),
            0x16 => answer(Vec::new(), 0x6C08),
            0x18 => answer(Vec::new(), parameters),
            _ => answer(Vec::new(), 0x6D00),
        }
    }

    fn more(&self) -> u16 {
        0x6100 | u16::try_from(self.announced.len()).map_or(0, |left| left & 0x00FF)
    }
}

impl User {
    /// A user who may do everything with these cards, as long as they are not those of guests.
    pub(super) fn of(name: &'static str, cards: &[&str]) -> Self {
        Self::with(
            name,
            cards.iter().map(|card| (seid(card), ElementRights::all())),
        )
    }

    /// A user with these rights.
    pub(super) fn with(
        name: &'static str,
        rights: impl IntoIterator<Item = (Seid, ElementRights)>,
    ) -> Self {
        let session = RacsSession::new(rights.into_iter().collect::<Rights>());
        Self {
            name,
            session,
            closed: false,
        }
    }
}

/// Inventory, power and APDUs.
pub(super) fn seid(name: &str) -> Seid {
    name.parse().expect("a name")
}
