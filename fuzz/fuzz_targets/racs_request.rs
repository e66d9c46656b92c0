//! What a user of the RACS server sends, or a guest with its first line, against cards that answer
//! anything.
#![no_main]

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use dom0_middleware::racs::session::{
    ElementRights, Order, Outcome, RacsRefusal, RacsSession, Rights, Step,
};
use libfuzzer_sys::fuzz_target;
use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::id::Seid;
use proto::racs::{
    AllowList, ForbiddenInstructions, MAX_RESPONSE, MAX_TOKEN_LINE, Request, RequestLine,
    ResponseReader, TokenLineReader, token_line,
};
use tessera_fuzz::pieces::pieces;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else {
        return;
    };
    // The first piece may be an allow-list.
    let allow_list = pieces(rest).next().filter(|piece| piece.kind == ALLOW_LIST);
    let allow_list = allow_list.and_then(|piece| str::from_utf8(piece.bytes).ok()?.parse().ok());
    let mut cards = Cards {
        bound: choice & 1 != 0,
        raw_key_use: choice & 2 != 0,
        allow_list: allow_list.map(Arc::new),
        held: BTreeSet::new(),
        answers: VecDeque::new(),
    };
    let mut session = RacsSession::new(cards.rights());
    let mut door = (choice & 4 != 0).then(TokenLineReader::new);
    for piece in pieces(rest) {
        match piece.kind {
            0..8 if door.is_some() => {
                let Some(rest) = first_line(&mut door, piece.bytes) else {
                    return;
                };
                session.take(&rest);
                if cards.drive(&mut session) {
                    return;
                }
            }
            0..8 => {
                lines(piece.bytes);
                session.take(piece.bytes);
                if cards.drive(&mut session) {
                    return;
                }
            }
            8..ALLOW_LIST => cards.answers.extend(answer(piece.kind, piece.bytes)),
            _ => {}
        }
    }
});

/// Takes bytes of a guest until its first line is whole; what is behind it, or nothing if it is none.
fn first_line(door: &mut Option<TokenLineReader>, bytes: &[u8]) -> Option<Vec<u8>> {
    let reader = door.as_mut()?;
    reader.push(bytes);
    let Some(first) = reader.first_line().ok()? else {
        return Some(Vec::new());
    };
    assert!((1..=2_048).contains(&first.token.len()));
    let line = token_line(&first.token).expect("by its length");
    assert!(line.len() <= MAX_TOKEN_LINE + 1);
    let mut again = TokenLineReader::new();
    again.push(&line);
    let read = again.first_line().expect("a line").expect("whole");
    assert_eq!(read.token, first.token);
    *door = None;
    Some(first.rest.to_vec())
}

const ALLOW_LIST: u8 = 15;

/// What the session may and does use.
struct Cards {
    bound: bool,
    raw_key_use: bool,
    allow_list: Option<Arc<AllowList>>,
    held: BTreeSet<Seid>,
    /// The outcomes of orders to come.
    answers: VecDeque<Outcome>,
}

impl Cards {
    fn rights(&self) -> Rights {
        let all = ElementRights {
            inventory: true,
            power: true,
            apdu: true,
            allow_list: self.allow_list.clone(),
            raw_key_use: self.raw_key_use,
        };
        let listed = ElementRights {
            inventory: true,
            ..ElementRights::default()
        };
        let name = |name: &str| name.parse().expect("a name");
        Rights::from_iter([
            (name("0"), all.clone()),
            (name("1"), all),
            (name("2"), listed),
        ])
    }

    /// Does what the session says; returns whether it has ended.
    fn drive(&mut self, session: &mut RacsSession) -> bool {
        loop {
            match session.next_step() {
                Step::NeedBytes => return false,
                Step::Close => {
                    assert_eq!(session.next_step(), Step::Close);
                    return true;
                }
                Step::Respond(bytes) => {
                    assert!(bytes.len() <= MAX_RESPONSE);
                    let mut reader = ResponseReader::new();
                    reader.push(&bytes);
                    let response = reader.next_response();
                    let response = response.expect("well-formed").expect("complete");
                    assert!(reader.is_idle(), "one response");
                    let failed = response.lines.iter().any(|line| !line.code.success);
                    assert!(!failed || response.lines.len() == 1);
                }
                Step::Do(order) => {
                    let outcome = self.outcome(&order);
                    self.judge(&order, &outcome);
                    session.on_outcome(outcome);
                }
            }
        }
    }

    fn outcome(&mut self, order: &Order) -> Outcome {
        let bound = self.bound;
        match (self.answers.pop_front(), order) {
            // A card is of one kind as long as it is held.
            (Some(Outcome::Powered { .. }), _) => Outcome::Powered { bound },
            (Some(outcome), _) => outcome,
            (None, Order::List) => Outcome::List(vec!["0".parse().expect("a name")]),
            (None, Order::PowerOn(_)) => Outcome::Powered { bound },
            (None, Order::Shutdown(_) | Order::Reset { .. }) => Outcome::Done,
            (None, Order::Transmit { command, .. }) => {
                let data = command.data().to_vec();
                Outcome::Answer(ResponseApdu::new(data, StatusWord::SUCCESS))
            }
        }
    }

    /// What must be so, whatever was asked.
    fn judge(&mut self, order: &Order, outcome: &Outcome) {
        match order {
            Order::List => {}
            Order::PowerOn(seid) => {
                assert!(may_use(seid));
                if matches!(outcome, Outcome::Powered { .. }) {
                    self.held.insert(seid.clone());
                }
            }
            Order::Shutdown(seid) => {
                assert!(may_use(seid));
                if *outcome == Outcome::Done {
                    self.held.remove(seid);
                }
            }
            Order::Reset { seid, .. } => assert!(self.held.contains(seid)),
            Order::Transmit { seid, command } => {
                assert!(self.held.contains(seid));
                self.judge_apdu(command);
            }
        }
    }

    fn judge_apdu(&self, command: &CommandApdu) {
        let header = [command.cla, command.ins, command.p1, command.p2];
        let list = self.allow_list.as_deref();
        assert!(list.is_none_or(|list| list.permits(header)));
        if self.bound && !self.raw_key_use {
            assert_eq!(ForbiddenInstructions::check(header), Ok(()));
        }
    }
}

fn may_use(seid: &Seid) -> bool {
    matches!(seid.as_str(), "0" | "1")
}

fn answer(kind: u8, bytes: &[u8]) -> Option<Outcome> {
    let text = || String::from_utf8_lossy(bytes).into_owned();
    Some(match kind {
        8 => Outcome::Done,
        9 => Outcome::Powered { bound: false },
        10 => Outcome::Refused(match bytes.first()? % 7 {
            0 => RacsRefusal::Absent,
            1 => RacsRefusal::NotHeld,
            2 => RacsRefusal::InUse,
            3 => RacsRefusal::PoweredOff,
            4 => RacsRefusal::Hardware(text()),
            5 => RacsRefusal::System(text()),
            _ => RacsRefusal::Limit,
        }),
        11 => Outcome::List(
            text()
                .split(' ')
                .filter_map(|name| name.parse().ok())
                .collect(),
        ),
        _ => Outcome::Answer(ResponseApdu::decode(bytes).ok()?),
    })
}

/// A line that is understood is understood the same when it is written again.
fn lines(bytes: &[u8]) {
    for line in bytes.split(|&byte| byte == b'\n') {
        let Ok(RequestLine::Command(command)) = RequestLine::parse(line) else {
            continue;
        };
        let Ok(request) = Request::new([command.clone()]).encode() else {
            continue;
        };
        let mut written = request.split(|&byte| byte == b'\n').skip(1);
        let again = written.next().and_then(|line| line.strip_suffix(b"\r"));
        let again = RequestLine::parse(again.expect("CR LF"));
        assert_eq!(again, Ok(RequestLine::Command(command)));
    }
}
