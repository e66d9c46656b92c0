//! ISO 7816-4 commands and responses, and what names a card.
//!
//! ```text
//! command    CLA INS P1 P2            case 1: nothing in, nothing out
//!            CLA INS P1 P2 Le         case 2: data out
//!            CLA INS P1 P2 Lc data    case 3: data in
//!            CLA INS P1 P2 Lc data Le case 4: both
//! response   data SW1 SW2
//! ```
//!
//! In the short form Lc is 1 to 255 and Le is 1 to 256, where 00 stands for 256. In the extended
//! form a 00 follows the header, and both have two bytes: 1 to 65,535, and 1 to 65,536 with 0000 for
//! the last. What takes more than a short command can also go as a chain of them.
//!
//! | Module | Holds |
//! |---|---|
//! | `command` | [`CommandApdu`] |
//! | `chain` | [`CommandApdu::chained`], [`CommandChain`] |
//! | `response` | [`ResponseApdu`] |
//! | `status` | [`StatusWord`], [`PinStatus`] |
//! | `protocol` | [`Protocol`] |
//! | `aid`, `atr` | [`Aid`], [`Atr`] |

mod aid;
mod atr;
mod chain;
mod command;
mod protocol;
mod response;
mod status;

pub use self::aid::{Aid, AidError};
pub use self::atr::Atr;
pub use self::chain::{ChainError, CommandChain};
pub use self::command::{ApduError, CommandApdu};
pub use self::protocol::Protocol;
pub use self::response::ResponseApdu;
pub use self::status::{PinStatus, StatusWord};
