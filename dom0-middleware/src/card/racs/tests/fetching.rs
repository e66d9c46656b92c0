//! Who fetches the rest of a long answer.

use super::*;

const FETCH: [u8; 4] = [0xA0, 0x12, 0, 0];

/// Announces 300 bytes to INS 80 and gives them to `fetch`, its INS; knows nothing else.
fn long_answers(fetch: u8) -> impl FnMut(Option<&CommandApdu>) -> ResponseApdu + Send + 'static {
    let mut left = Vec::new();
    move |command| {
        let said = |data: &[u8], sw| ResponseApdu::new(data.to_vec(), StatusWord(sw));
        match command.map(|command| command.ins) {
            None => said(&[], 0x9000),
            Some(0x80) => {
                left = vec![0x5A; 300];
                said(&[], 0x9F00)
            }
            Some(ins) if ins == fetch => {
                let block: Vec<u8> = left.drain(..left.len().min(256)).collect();
                let sw = u16::try_from(left.len()).expect("short");
                said(&block, if sw == 0 { 0x9000 } else { 0x9F00 | sw })
            }
            Some(_) => said(&[], 0x6D00),
        }
    }
}

/// One command of the driver, whose rest it fetches itself if nobody has done so: how many round trips
/// it took, and what came.
fn ask(card: &mut dyn CardTransport, fetch: u8) -> (usize, ResponseApdu) {
    let first = CommandApdu::new(0xA0, 0x80, 0, 0);
    let (mut trips, mut data) = (0, Vec::new());
    let mut command = first.with_data(&[1]).expect("fits");
    loop {
        let link = ChainLink {
            command,
            must_succeed: false,
            fetch: Some(FETCH),
        };
        let mut done = card.transmit_all(&[link], Duration::from_secs(5));
        assert_eq!(done.error, None);
        let answer = done.responses.pop().expect("an answer");
        trips += 1;
        data.extend_from_slice(answer.data());
        if answer.sw.sw1() != 0x9F {
            return (trips, ResponseApdu::new(data, answer.sw));
        }
        let le = match answer.sw.sw2() {
            0 => 256,
            le => le.into(),
        };
        command = CommandApdu::new(0xA0, fetch, 0, 0).with_le(le);
    }
}

fn whole() -> ResponseApdu {
    ResponseApdu::new(vec![0x5A; 300], StatusWord(0x9000))
}

#[test]
fn the_grid_fetches_once_the_card_was_seen_to_know_how() {
    let pki = Pki::new();
    let (mut source, seen) = grid(&pki, long_answers(0x12), |_| None);
    let mut card = card(&mut source);
    // The third command is left to the grid already: nothing is announced behind it.
    assert_eq!(ask(card.as_mut(), 0x12), (3, whole()));
    seen.requests();
    assert_eq!(ask(card.as_mut(), 0x12), (1, whole()));
    let asked = seen.requests().concat();
    assert!(asked.contains("MORE=9F FETCH=A0120000"), "{asked}");
    // What the driver sends otherwise is not followed by anything.
    let command = CommandApdu::new(0xA0, 0x80, 0, 0);
    let answer = card.transmit(&command, soon()).expect("an answer");
    assert_eq!(answer.sw, StatusWord(0x9F00));
}

#[test]
fn a_card_that_does_not_know_how_is_left_to_the_driver() {
    let pki = Pki::new();
    let (mut source, seen) = grid(&pki, long_answers(0xC0), |_| None);
    let mut card = card(&mut source);
    for _ in 0..2 {
        assert_eq!(ask(card.as_mut(), 0xC0), (3, whole()));
    }
    assert!(!seen.requests().concat().contains("MORE"));
}

#[test]
fn a_grid_that_does_not_fetch_gives_back_what_the_card_announces() {
    let pki = Pki::new();
    let mut plain = TinyGrid {
        seid: "remote",
        card: long_answers(0x12),
        powered: false,
    };
    let (mut source, _) = grid(&pki, echo, move |request| {
        Some(plain.answer(&request.replace(" MORE=9F FETCH=A0120000", "")))
    });
    let mut card = card(&mut source);
    for _ in 0..3 {
        assert_eq!(ask(card.as_mut(), 0x12), (3, whole()));
    }
}

#[test]
fn a_grid_without_room_is_not_asked_again() {
    let pki = Pki::new();
    let (mut source, seen) = grid(&pki, long_answers(0x12), |request| {
        let label = request.split_ascii_whitespace().nth(1)?;
        let said = format!("BEGIN {label}\r\n-706 001 too long\r\nEND\r\n");
        request
            .contains("MORE=")
            .then_some(Reply::Say(said.into_bytes()))
    });
    let mut first = card(&mut source);
    let mut one = |ins| {
        let link = ChainLink {
            command: CommandApdu::new(0xA0, ins, 0, 0).with_le(256),
            must_succeed: false,
            fetch: Some(FETCH),
        };
        first.transmit_all(&[link], Duration::from_secs(5)).error
    };
    // The second FETCH is left to the grid.
    assert_eq!([one(0x80), one(0x12)], [None, None]);
    assert_eq!(one(0x12), Some(TransportError::Removed));
    drop(first);
    seen.requests();
    source.forget_wait();
    let mut second = card(&mut source);
    for _ in 0..2 {
        assert_eq!(ask(second.as_mut(), 0x12), (3, whole()));
    }
}

#[test]
fn another_length_is_not_taken_for_the_first_commands() {
    let pki = Pki::new();
    let mut inner = long_answers(0x12);
    let mut fetches = 0;
    let (mut source, _) = grid(
        &pki,
        move |command| {
            fetches += usize::from(command.is_some_and(|command| command.ins == 0x12));
            match fetches {
                3 => ResponseApdu::new(Vec::new(), StatusWord(0x6C10)),
                _ => inner(command),
            }
        },
        |_| None,
    );
    let mut card = card(&mut source);
    ask(card.as_mut(), 0x12);
    let link = ChainLink {
        command: CommandApdu::new(0xA0, 0x80, 0, 0),
        must_succeed: false,
        fetch: Some(FETCH),
    };
    let unclear = card.transmit_all(&[link], Duration::from_secs(5));
    assert!(
        matches!(unclear.error, Some(TransportError::Refused(_))),
        "{unclear:?}"
    );
}
