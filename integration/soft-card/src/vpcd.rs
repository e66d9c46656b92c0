//! The protocol between a virtual reader and a virtual card (vsmartcard's vpcd).
//!
//! The card connects to the reader. Both send frames: a 2-byte length, most significant byte
//! first, then the body. A body of one byte to the card is a control code, any other an APDU; the
//! ATR request and APDUs are answered with one frame each.
//!
//! | Control code | Meaning | Answer |
//! |---|---|---|
//! | 00 | power off | none |
//! | 01 | power on | none |
//! | 02 | reset | none |
//! | 04 | ATR wanted | the ATR |

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

/// What the reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Power off.
    PowerOff,
    /// Power on.
    PowerOn,
    /// Reset.
    Reset,
    /// The ATR.
    Atr,
    /// A command APDU.
    Command(Zeroizing<Vec<u8>>),
}

impl Request {
    /// Reads the body of a frame; `None` for a control code that nobody defined.
    pub fn from_body(body: Zeroizing<Vec<u8>>) -> Option<Self> {
        match body.as_slice() {
            [0x00] => Some(Self::PowerOff),
            [0x01] => Some(Self::PowerOn),
            [0x02] => Some(Self::Reset),
            [0x04] => Some(Self::Atr),
            [_] => None,
            _ => Some(Self::Command(body)),
        }
    }
}

/// Reads one frame; `None` if the reader closed the connection between two.
///
/// # Errors
/// The connection broke, or ended inside a frame.
pub fn read_frame(link: &mut impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut length = [0; 2];
    loop {
        match link.read(&mut length[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    link.read_exact(&mut length[1..])?;
    let mut body = Zeroizing::new(vec![0; usize::from(u16::from_be_bytes(length))]);
    link.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Writes one frame in one call, so that it leaves in one segment.
///
/// # Errors
/// The connection broke; [`io::ErrorKind::InvalidInput`] for a body over 65,535 bytes.
pub fn write_frame(link: &mut impl Write, body: &[u8]) -> io::Result<()> {
    let length =
        u16::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut frame = Zeroizing::new(Vec::with_capacity(body.len() + 2));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(body);
    link.write_all(&frame)?;
    link.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_frame_is_read_back() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &[0xA0, 0x19, 0, 0, 1]).expect("short");
        assert_eq!(wire, [0, 5, 0xA0, 0x19, 0, 0, 1]);
        let mut wire = wire.as_slice();
        let body = read_frame(&mut wire).expect("whole").expect("one frame");
        assert_eq!(body.as_slice(), [0xA0, 0x19, 0, 0, 1]);
        assert!(read_frame(&mut wire).expect("at its end").is_none());
    }

    #[test]
    fn a_frame_cut_anywhere_is_an_error() {
        let frame = [0, 3, 1, 2, 3];
        for cut in 1..frame.len() {
            assert!(read_frame(&mut &frame[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn one_byte_is_a_control_code() {
        let request = |body: &[u8]| Request::from_body(Zeroizing::new(body.to_vec()));
        assert_eq!(request(&[1]), Some(Request::PowerOn));
        assert_eq!(request(&[4]), Some(Request::Atr));
        assert_eq!(request(&[3]), None);
        assert!(matches!(request(&[]), Some(Request::Command(_))));
        assert!(matches!(
            request(&[0, 0xA4, 4, 0]),
            Some(Request::Command(_))
        ));
    }
}
