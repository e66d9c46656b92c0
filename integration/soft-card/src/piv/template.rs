//! The dynamic authentication template, in which GENERAL AUTHENTICATE speaks both ways.

use proto::piv::{TlvReader, TlvWriter};

/// What a template holds. An element with an empty value asks for it.
///
/// Source: NIST SP 800-73-4 part 2 table 7.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Template<'a> {
    /// 80: a nonce that the card made.
    pub(super) witness: Option<&'a [u8]>,
    /// 81: what is to be signed or encrypted.
    pub(super) challenge: Option<&'a [u8]>,
    /// 82: what came of it.
    pub(super) response: Option<&'a [u8]>,
}

impl<'a> Template<'a> {
    /// Reads a command's template; `None` for another element, one that comes twice, or cut bytes.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let mut elements = TlvReader::new(only(TEMPLATE, data)?);
        let mut template = Self::default();
        while let Some(element) = elements.take_next().ok()? {
            let place = match element.tag {
                WITNESS => &mut template.witness,
                CHALLENGE => &mut template.challenge,
                RESPONSE => &mut template.response,
                _ => return None,
            };
            if place.replace(element.value).is_some() {
                return None;
            }
        }
        Some(template)
    }
}

/// A template with a witness alone.
pub(super) fn witness(value: &[u8]) -> Vec<u8> {
    template(WITNESS, value)
}

/// A template with a challenge alone.
pub(super) fn challenge(value: &[u8]) -> Vec<u8> {
    template(CHALLENGE, value)
}

/// A template with a response alone.
pub(super) fn response(value: &[u8]) -> Vec<u8> {
    template(RESPONSE, value)
}

fn template(tag: u32, value: &[u8]) -> Vec<u8> {
    let element = TlvWriter::new().with(tag, value).into_bytes();
    TlvWriter::new().with(TEMPLATE, &element).into_bytes()
}

/// The value of the one data object that `bytes` are, if it has this tag.
pub(super) fn only(tag: u32, bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = TlvReader::new(bytes);
    let object = reader.take_next().ok()??;
    let is_alone = matches!(reader.take_next(), Ok(None));
    (object.tag == tag && is_alone).then_some(object.value)
}

const TEMPLATE: u32 = 0x7C;
const WITNESS: u32 = 0x80;
const CHALLENGE: u32 = 0x81;
const RESPONSE: u32 = 0x82;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_in_any_order_and_once() {
        let read = Template::read(&[0x7C, 5, 0x82, 0, 0x81, 1, 9]).expect("a template");
        assert_eq!(read.response, Some(&[][..]));
        assert_eq!(read.challenge, Some(&[9][..]));
        assert_eq!(read.witness, None);
        let other_order = Template::read(&[0x7C, 5, 0x81, 1, 9, 0x82, 0]);
        assert_eq!(other_order, Some(read));
        for bytes in [
            &[0x7C, 4, 0x82, 0, 0x82, 0][..],
            &[0x7C, 3, 0x82, 0, 0x81],
            &[0x7C, 2, 0x85, 0],
            &[0x7C, 2, 0x82, 0, 0],
        ] {
            assert_eq!(Template::read(bytes), None, "{bytes:02X?}");
        }
    }
}
