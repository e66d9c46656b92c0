//! APDUs that nobody sends to a card whose keys are in use.

/// The instructions by which a user of APDUs could use or read a key, try or change a PIN, or plant
/// a session, on EAP-TLS cards and on PIV cards.
///
/// An allow-list does not lift this, only the administrator does, for a whole card. What is judged
/// is INS, under every CLA: a logical channel, secure messaging, chaining and a proprietary class
/// leave INS where it is. Besides what is listed these do not pass, because they would go round the
/// list:
///
/// | APDU | Why |
/// |---|---|
/// | the neighbour of a listed INS that differs in bit 1 | ISO/IEC 7816-4 gives it the same meaning with data in TLV (21 is VERIFY), and cards that speak T=0 may not look at that bit |
/// | INS C2 and C3, ENVELOPE | carries another APDU inside |
/// | CLA FF | no class; readers take it for commands of their own, some of which carry an APDU |
///
/// What FETCH names is an APDU too and is judged like one.
///
/// Source: design §6, raw APDUs; ISO/IEC 7816-4 §5.4, §5.5, §11.6.2.
#[derive(Debug, Clone, Copy)]
pub struct ForbiddenInstructions;

impl ForbiddenInstructions {
    /// Judges an APDU by its CLA INS P1 P2.
    ///
    /// # Errors
    /// [`Forbidden`] if it must not go to the card.
    pub fn check([cla, ins, _, _]: [u8; 4]) -> Result<(), Forbidden> {
        let pair = ins & !1;
        if FORBIDDEN_PAIRS.contains(&pair) {
            return Err(Forbidden::Instruction(ins));
        }
        if pair == ENVELOPE {
            return Err(Forbidden::Envelope);
        }
        if cla == INVALID_CLA {
            return Err(Forbidden::Class);
        }
        Ok(())
    }
}

/// Why an APDU does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Its instruction may use a key or a PIN.
    #[error("INS {0:02X} is not for users of this card")]
    Instruction(u8),
    /// It may hide another one.
    #[error("ENVELOPE is not for users of this card")]
    Envelope,
    /// It may be a command of the reader.
    #[error("CLA FF is not for cards")]
    Class,
}

/// Design §6: 16 20 24 2C 60 80 84 86 88 8A A6 B0 D0 D6, and 87 47 DB FF; each with bit 1 cleared.
const FORBIDDEN_PAIRS: [u8; 17] = [
    0x16, 0x20, 0x24, 0x2C, 0x60, 0x80, 0x84, 0x86, 0x88, 0x8A, 0xA6, 0xB0, 0xD0, 0xD6, 0x46, 0xDA,
    0xFE,
];
const ENVELOPE: u8 = 0xC2;
const INVALID_CLA: u8 = 0xFF;

#[cfg(test)]
mod tests {
    use super::*;

    /// As design §6 has them.
    const LISTED: [u8; 18] = [
        0x16, 0x20, 0x24, 0x2C, 0x60, 0x80, 0x84, 0x86, 0x88, 0x8A, 0xA6, 0xB0, 0xD0, 0xD6, 0x87,
        0x47, 0xDB, 0xFF,
    ];

    #[test]
    fn no_class_lifts_it() {
        for ins in LISTED {
            for cla in 0..=0xFF {
                for parameters in [[0, 0], [0x04, 0x00], [0xFF, 0xFF]] {
                    let [p1, p2] = parameters;
                    let judged = ForbiddenInstructions::check([cla, ins, p1, p2]);
                    assert_eq!(
                        judged,
                        Err(Forbidden::Instruction(ins)),
                        "{cla:02X} {ins:02X}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_goes_round_the_list_does_not_pass() {
        let check = |cla, ins| ForbiddenInstructions::check([cla, ins, 0, 0]);
        assert_eq!(check(0x00, 0x21), Err(Forbidden::Instruction(0x21)));
        assert_eq!(check(0x00, 0xB1), Err(Forbidden::Instruction(0xB1)));
        assert_eq!(check(0x00, 0xC2), Err(Forbidden::Envelope));
        assert_eq!(check(0x00, 0xC3), Err(Forbidden::Envelope));
        assert_eq!(check(0xFF, 0x00), Err(Forbidden::Class));
        assert_eq!(check(0xFF, 0xA4), Err(Forbidden::Class));
    }

    #[test]
    fn what_a_card_is_looked_at_with_passes() {
        // SELECT, GET RESPONSE, FETCH, GET DATA, MANAGE CHANNEL; INITIALIZE UPDATE, EXTERNAL
        // AUTHENTICATE, INSTALL, LOAD, GET STATUS, DELETE, STORE DATA of GlobalPlatform.
        for ins in [
            0xA4, 0xC0, 0x12, 0xCA, 0xCB, 0x70, 0x50, 0x82, 0xE6, 0xE8, 0xF2, 0xE4, 0xE2,
        ] {
            for cla in [0x00, 0x01, 0x80, 0x84, 0xA0] {
                assert_eq!(ForbiddenInstructions::check([cla, ins, 0, 0]), Ok(()));
            }
        }
        let passing =
            (0..=0xFF).filter(|&ins| ForbiddenInstructions::check([0, ins, 0, 0]).is_ok());
        assert_eq!(passing.count(), 256 - 2 * 18);
    }
}
