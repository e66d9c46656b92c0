//! A card that does nothing but answer: what is measured behind it is the way to it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::linux::net::TcpStreamExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use integration::wait;

/// What such a card is told: eight bytes, which it gives back.
pub(super) const COMMAND: &str = "00100000080102030405060708";
/// What it says to that.
pub(super) const ANSWER: &str = "01020304050607089000";

/// Puts one into the reader that listens at this socket, on a thread that ends with the reader.
pub(super) fn into_socket(socket: &Path) {
    let link = wait::until("the reader of a card", || UnixStream::connect(socket).ok());
    serve(link, |_| Ok(()));
}

/// The same for a reader on a port.
pub(super) fn into_port(port: u16) {
    let at = (Ipv4Addr::LOCALHOST, port);
    let link = wait::until("the reader of a card", || TcpStream::connect(at).ok());
    link.set_nodelay(true).expect("a socket");
    // Without it the reader's driver, which writes length and body apart, waits 44 ms for each APDU.
    serve(link, |link| link.set_quickack(true));
}

fn serve<L>(mut link: L, before_read: impl Fn(&L) -> io::Result<()> + Send + 'static)
where
    L: Read + Write + Send + 'static,
{
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        let mut held = 0;
        while let Ok(()) = before_read(&link)
            && let Ok(count @ 1..) = link.read(&mut buffer[held..])
        {
            held += count;
            while let Some(length) = message(&buffer[..held]) {
                let reply = reply(&buffer[2..length]);
                if !reply.is_empty() && link.write_all(&reply).is_err() {
                    return;
                }
                buffer.copy_within(length..held, 0);
                held -= length;
            }
        }
    });
}

/// How long the first message is, its two bytes of length included, if it is there.
fn message(held: &[u8]) -> Option<usize> {
    let length = u16::from_be_bytes([*held.first()?, *held.get(1)?]);
    let length = usize::from(length) + 2;
    (held.len() >= length).then_some(length)
}

/// The answer to a message, as it goes out.
fn reply(body: &[u8]) -> Vec<u8> {
    let answer = match body {
        [4] => ATR.to_vec(),
        // Power and reset are not answered.
        [_] => return Vec::new(),
        [0x00, 0x10, _, _, 8, data @ ..] if data.len() == 8 => [data, &[0x90, 0x00]].concat(),
        // It is none of the cards that the service looks for.
        _ => vec![0x6D, 0x00],
    };
    let length = u16::try_from(answer.len()).expect("short");
    [&length.to_be_bytes()[..], &answer].concat()
}

const ATR: [u8; 4] = [0x3B, 0x80, 0x01, 0x81];
