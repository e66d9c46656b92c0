//! What the fuzz targets share.
//!
//! | Module | Holds |
//! |---|---|
//! | [`pieces`] | several messages in one input |
//! | [`driver`] | the driver of EAP-TLS cards against any card and any server |
//! | [`partners`] | a card and a TLS server that keep to the rules |
//! | [`hv`] | hosts that sign tokens |
//! | [`signing`] | the engine for cards that only sign, such a card, that server |
//! | [`meddler`] | somebody between them who does not |
//! | [`piv`] | a PIV card that answers anything |
//! | [`world`] | all of them together |

#![forbid(unsafe_code)]

pub mod driver;
pub mod hv;
pub mod meddler;
pub mod partners;
pub mod pieces;
pub mod piv;
pub mod signing;
pub mod world;
