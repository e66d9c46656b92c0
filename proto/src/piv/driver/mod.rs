//! The driver of PIV cards, sans-IO: it says which APDU comes next and takes the response.
//!
//! | Task | From | To |
//! |---|---|---|
//! | [`opening`] | a card just powered up | application selected, its keys known; no PIN is sent |
//! | [`verification`] | an open card | its PIN verified |
//! | [`look`] | an open card | how its PIN stands; no PIN is sent |
//! | [`signing`] | an open card and a [`SignRequest`] | a signature that is still to be checked, or a reason |
//!
//! All run in one frame: a [`Step`] says what is wanted next, an [`AwaitCard`] takes the response
//! to a command, chains and `61xx` are followed, and every loop a card could keep going is counted. No
//! task waits, reads a clock or draws randomness. [`run`] goes through all steps with what sends an
//! APDU and a [`PinKeeper`].
//!
//! # The PIN
//!
//! A wrong PIN costs a try, and the last one is never spent. [`AwaitPin`] makes that impossible: nothing
//! else sends a PIN; there is none but after a look at the card that showed two tries or more, or that
//! the PIN is verified, which has given the card all its tries back; it takes the PIN from the keeper,
//! whose account has the attempt by then; and it is used up by that one VERIFY, which is not repeated
//! even if the card asks for another length. A card that does not show its tries gets no PIN.
//!
//! What the card signs is a padded block (RSA) or a digest (elliptic curves), made here; what comes back
//! is checked under the certificate's key before anyone gets it.
//!
//! Source: NIST SP 800-73-4 Part 2 and SP 800-78-4; RFC 8017 for the padding.

pub mod look;
pub mod opening;
pub mod signing;
pub mod verification;

mod fault;
mod frame;
mod key;
mod pin;

pub use self::fault::{PivFault, PivStep};
pub use self::frame::{AwaitCard, Step, run, run_in_rows};
pub use self::key::{CertifiedKey, KeyError, PivKey};
pub use self::opening::{Inventory, Opened, Unusable};
pub use self::pin::{AwaitPin, PinKeeper, Verified};
pub use self::signing::{SignRequest, Signature};
