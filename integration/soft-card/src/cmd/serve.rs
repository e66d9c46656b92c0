//! `soft-card serve`: the shell around a [`Device`]; sockets and waiting are here.

use std::io::{self, BufReader, Write};
use std::time::Duration;

use super::link::{Address, Link};
use crate::applet::Applet;
use crate::cli::{Failure, ServeArgs};
use crate::device::{Device, Then};
use crate::profile::Profile;
use crate::settings::CardSettings;
use crate::store::CardDirectory;
use crate::vpcd::{Request, read_frame, write_frame};

/// Opens the card and keeps it in the reader, until it goes away if that is asked for.
///
/// Prints the timing model, then one line `card ready` for each connection.
///
/// # Errors
/// The card cannot be opened; with `--once`, the reader cannot be reached.
pub fn run(args: &ServeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let address =
        Address::parse(&args.connect).ok_or_else(|| Failure::Address(args.connect.clone()))?;
    let directory = CardDirectory::open(&args.dir)?;
    let profile = args.profile.map_or_else(|| directory.profile(), Ok)?;
    let card: Box<dyn Applet> = match profile {
        Profile::EapTls => Box::new(directory.card(CardSettings {
            max_eap_packet: args.eap_packet,
            highest_version: args.max_version,
            extended_length: args.extended_length,
        })?),
        Profile::Piv => Box::new(directory.piv_card()?.with_metadata(args.metadata)),
    };
    let device = Device::new(card, args.timing, args.faults.clone());
    let mut device = device.speaking(args.protocol.into());
    say(out, format_args!("timing {}", args.timing));

    let mut backoff = FIRST_BACKOFF;
    loop {
        match address.connect() {
            Ok(link) => {
                backoff = FIRST_BACKOFF;
                say(out, format_args!("card ready: {}", args.connect));
                let left = attend(link, &mut device);
                device.on_reader_gone();
                match left {
                    Ok(Parting::ReaderGone) => tracing::info!("the reader went away"),
                    Ok(Parting::CardRemoved) => wait(REMOVED_FOR),
                    Err(err) => tracing::warn!("connection to the reader: {err}"),
                }
                if args.once {
                    return Ok(());
                }
            }
            Err(source) if args.once => {
                return Err(Failure::Reader {
                    address: args.connect.clone(),
                    source,
                });
            }
            Err(err) => tracing::debug!("reader {}: {err}", args.connect),
        }
        wait(backoff);
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
}

/// How a connection ended.
enum Parting {
    ReaderGone,
    CardRemoved,
}

/// Answers one reader until it goes away or the card does.
fn attend(link: Link, device: &mut Device) -> io::Result<Parting> {
    // Whole frames with one call each.
    let mut link = BufReader::new(link);
    while let Some(body) = read_frame(&mut link)? {
        let Some(request) = Request::from_body(body) else {
            tracing::warn!("unknown control code");
            continue;
        };
        let reaction = device.on_request(request);
        wait(reaction.delay);
        match reaction.then {
            Then::Respond(response) => write_frame(link.get_mut(), &response)?,
            Then::Nothing => {}
            Then::Leave => return Ok(Parting::CardRemoved),
        }
    }
    Ok(Parting::ReaderGone)
}

/// Results on stdout are for whoever started the card; nobody there is no reason to stop.
fn say(out: &mut impl Write, line: std::fmt::Arguments<'_>) {
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    if let Err(err) = written {
        tracing::debug!("stdout: {err}");
    }
}

/// The one place where the card takes its time.
fn wait(duration: Duration) {
    if !duration.is_zero() {
        #[expect(
            clippy::disallowed_methods,
            reason = "a slow card is slow; no test waits for it"
        )]
        std::thread::sleep(duration);
    }
}

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// How long a removed card stays out of the reader.
const REMOVED_FOR: Duration = Duration::from_secs(1);
