//! The status words that the cards answer with.
//!
//! Source: EAP-TLS card specification §3, §9.2; NIST SP 800-73-4 part 2 §3; ISO/IEC 7816-4 §5.1.3.

use proto::apdu::StatusWord;

/// Success; also for a packet that was ignored.
pub(crate) const OK: StatusWord = StatusWord(0x9000);
/// Wrong length.
pub(crate) const WRONG_LENGTH: StatusWord = StatusWord(0x6700);
/// Another command where the rest of a chain was expected.
pub(crate) const CHAIN_BROKEN: StatusWord = StatusWord(0x6883);
/// A PIN or another authentication is missing.
pub(crate) const SECURITY_STATUS: StatusWord = StatusWord(0x6982);
/// No try of a PIN is left.
pub(crate) const BLOCKED: StatusWord = StatusWord(0x6983);
/// Conditions not satisfied: every TLS failure, an unknown identity name.
pub(crate) const CONDITIONS: StatusWord = StatusWord(0x6985);
/// No application selected.
pub(crate) const NOT_SELECTED: StatusWord = StatusWord(0x6986);
/// Malformed or unsupported value in the data.
pub(crate) const WRONG_DATA: StatusWord = StatusWord(0x6A80);
/// Unknown method function.
pub(crate) const UNKNOWN_FUNCTION: StatusWord = StatusWord(0x6A81);
/// No application of that name.
pub(crate) const UNKNOWN_APPLICATION: StatusWord = StatusWord(0x6A82);
/// No such data object.
pub(crate) const UNKNOWN_OBJECT: StatusWord = UNKNOWN_APPLICATION;
/// No memory for it.
pub(crate) const FULL: StatusWord = StatusWord(0x6A84);
/// P1 or P2 makes no sense here.
pub(crate) const INCORRECT_PARAMETERS: StatusWord = StatusWord(0x6A86);
/// No such key or PIN.
pub(crate) const UNKNOWN_REFERENCE: StatusWord = StatusWord(0x6A88);
/// No such exported parameter.
pub(crate) const UNKNOWN_INDEX: StatusWord = StatusWord(0x6A88);
/// Wrong P1 or P2.
pub(crate) const WRONG_PARAMETERS: StatusWord = StatusWord(0x6B00);
/// Unknown INS.
pub(crate) const UNKNOWN_INS: StatusWord = StatusWord(0x6D00);
/// Unknown class.
pub(crate) const UNKNOWN_CLASS: StatusWord = StatusWord(0x6E00);
/// Technical problem: FETCH with nothing to fetch, memory that cannot be written.
pub(crate) const TECHNICAL: StatusWord = StatusWord(0x6F00);

/// `9Fxx`: `next` bytes follow, 00 standing for a whole block of 256.
pub(crate) fn more(next: usize) -> StatusWord {
    StatusWord(0x9F00 | low_byte(next))
}

/// `61xx`: GET RESPONSE brings `next` bytes more, 00 standing for 256 or more.
pub(crate) fn get_response(next: usize) -> StatusWord {
    StatusWord(0x6100 | low_byte(next))
}

/// `63Cx`: so many tries of a PIN are left.
pub(crate) fn tries(left: u8) -> StatusWord {
    StatusWord(0x63C0 | u16::from(left & 0x0F))
}

/// `63xx` with `xx` as given.
pub(crate) fn pin(tries: u8) -> StatusWord {
    StatusWord(0x6300 | u16::from(tries))
}

/// The length of a block in SW2: 1 to 255, and 00 for 256 or more.
fn low_byte(length: usize) -> u16 {
    u16::from(u8::try_from(length).unwrap_or(0))
}
