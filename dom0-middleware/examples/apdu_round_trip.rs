//! How long one command to a card takes, there and back, through what the service reaches cards by.
//!
//! ```sh
//! apdu_round_trip vicc SOCKET COUNT [APDU]      # a virtual card must connect to SOCKET
//! apdu_round_trip pcsc READER COUNT [APDU]
//! ```
//!
//! Sends COUNT commands that the card does not know, once without data and once with 255 bytes, and
//! prints two medians in microseconds. With APDU, in hexadecimal, it sends that, and prints the median and
//! the time that 99 of a hundred stay below.

use std::error::Error;
use std::ffi::CString;
use std::path::Path;
use std::time::{Duration, Instant};

use dom0_middleware::card::pcsc::PcscSource;
use dom0_middleware::card::vicc::ViccListener;
use dom0_middleware::card::{CardSource, CardTransport};
use proto::apdu::CommandApdu;

/// How long a card may take to come, and one command.
const PATIENCE: Duration = Duration::from_secs(30);
/// An instruction that no card has.
const UNKNOWN_INS: u8 = 0xFE;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, place, count, apdu @ ..] = arguments.as_slice() else {
        return Err("apdu_round_trip vicc|pcsc PLACE COUNT [APDU]".into());
    };
    let source: Box<dyn CardSource> = match kind.as_str() {
        "vicc" => Box::new(ViccListener::bind_unix(Path::new(place))?),
        "pcsc" => Box::new(PcscSource::new(CString::new(place.as_str())?)),
        other => return Err(format!("{other}: neither vicc nor pcsc").into()),
    };
    let mut card = arrival(source)?;
    let count = count.parse()?;
    if let [apdu] = apdu {
        let bytes = proto::hex::decode_any_case(apdu.as_bytes()).ok_or("APDU: not hexadecimal")?;
        let times = times(card.as_mut(), &CommandApdu::decode(&bytes)?, count)?;
        println!("{} {}", at(&times, 50)?, at(&times, 99)?);
        return Ok(());
    }
    let short = CommandApdu::new(0xA0, UNKNOWN_INS, 0, 0);
    let long = short.clone().with_data(&[0; CommandApdu::MAX_DATA])?;
    for command in [short, long] {
        println!("{}", at(&times(card.as_mut(), &command, count)?, 50)?);
    }
    Ok(())
}

fn arrival(mut source: Box<dyn CardSource>) -> Result<Box<dyn CardTransport>, Box<dyn Error>> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(card) = source.poll(until)? {
            return Ok(card);
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Err("no card came".into())
}

/// How long each command took, the shortest first.
fn times(
    card: &mut dyn CardTransport,
    command: &CommandApdu,
    count: usize,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        card.transmit(command, begun + PATIENCE)?;
        times.push(begun.elapsed());
    }
    times.sort();
    Ok(times)
}

/// The time that so many of a hundred stay below, in microseconds.
fn at(times: &[Duration], share: usize) -> Result<f64, Box<dyn Error>> {
    let time = times.get(times.len() * share / 100).ok_or("COUNT is 0")?;
    Ok(time.as_secs_f64() * 1e6)
}
