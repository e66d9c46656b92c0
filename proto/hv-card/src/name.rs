//! What a key in a card is called.

use std::ffi::{CStr, CString};
use std::fmt;
use std::str::FromStr;

use proto::piv::{Slot, SlotError};

/// The place of a key: `pcsc:READER#SLOT`, with the reader's name as PC/SC has it and the slot as
/// PIV has it, `9c`. A reader's name may hold anything but a line's end; the last `#` ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardKeyName {
    reader: CString,
    slot: Slot,
}

impl CardKeyName {
    /// How the name of a key in a card begins, where a file could be named as well.
    pub const PREFIX: &str = "pcsc:";

    /// The reader, as PC/SC knows it.
    #[must_use]
    pub fn reader(&self) -> &CStr {
        &self.reader
    }

    /// The slot of the card.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }
}

impl fmt::Display for CardKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reader, slot) = (self.reader.to_string_lossy(), self.slot);
        write!(f, "{}{reader}#{slot}", Self::PREFIX)
    }
}

impl FromStr for CardKeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let place = text.strip_prefix(Self::PREFIX).ok_or(NameError::Prefix)?;
        let (reader, slot) = place.rsplit_once('#').ok_or(NameError::NoSlot)?;
        let is_name = !reader.is_empty()
            && reader.len() <= MAX_READER
            && !reader.contains(|letter: char| letter.is_control());
        if !is_name {
            return Err(NameError::Reader);
        }
        let reader = CString::new(reader).map_err(|_| NameError::Reader)?;
        let slot = slot.parse()?;
        Ok(Self { reader, slot })
    }
}

/// Not the name of a key in a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It begins otherwise.
    #[error("a key in a card is pcsc:READER#SLOT, such as \"pcsc:Alcor Micro AU9540 00 00#9c\"")]
    Prefix,
    /// No slot.
    #[error("no slot; a key in a card is pcsc:READER#SLOT, such as pcsc:READER#9c")]
    NoSlot,
    /// Nothing, or no name.
    #[error("no reader's name before the #; opensc-tool -l shows them")]
    Reader,
    /// Another slot than PIV has.
    #[error(transparent)]
    Slot(#[from] SlotError),
}

/// Longest name of a reader, in bytes: what PC/SC has (MAX_READERNAME), without the zero at its end.
const MAX_READER: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_reader_and_slot() {
        for (text, reader, slot) in [
            (
                "pcsc:Alcor Micro AU9540 00 00#9c",
                c"Alcor Micro AU9540 00 00",
                Slot::Signature,
            ),
            (
                "pcsc:A#1 [x] (7) 00 00#9A",
                c"A#1 [x] (7) 00 00",
                Slot::Authentication,
            ),
            ("pcsc:é#9e", c"é", Slot::CardAuthentication),
        ] {
            let name: CardKeyName = text.parse().expect("a name");
            assert_eq!((name.reader(), name.slot()), (reader, slot));
            assert_eq!(name.to_string(), text.replace("#9A", "#9a"));
        }
        let retired: CardKeyName = "pcsc:R#95".parse().expect("the last one");
        assert_eq!(retired.slot().key_reference(), 0x95);
    }

    #[test]
    fn other_texts_are_none_and_say_why() {
        let long = format!("pcsc:{}#9c", "r".repeat(128));
        for (text, why) in [
            ("hv.key.pem", NameError::Prefix),
            ("PCSC:R#9c", NameError::Prefix),
            ("pcsc:R", NameError::NoSlot),
            ("pcsc:#9c", NameError::Reader),
            ("pcsc:R\n#9c", NameError::Reader),
            ("pcsc:R\0#9c", NameError::Reader),
            (&long, NameError::Reader),
            ("pcsc:R#", NameError::Slot(SlotError)),
            ("pcsc:R#9b", NameError::Slot(SlotError)),
            ("pcsc:R#96", NameError::Slot(SlotError)),
            ("pcsc:R#9c ", NameError::Slot(SlotError)),
        ] {
            assert_eq!(text.parse::<CardKeyName>(), Err(why), "{text:?}");
        }
    }
}
