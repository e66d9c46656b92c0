//! The version of the protocol.

/// What GET-VERSION answers.
///
/// The drafts from -02 to -15 call themselves 0.2; every published server since 2018 says 0.3 and
/// speaks the same format, with SEN and GET-SEN besides, which draft -15 has. A client that
/// compares knows the number that servers say.
///
/// Source: specs/racs.md §5, §13.
pub const VERSION: &str = "0.3";

/// What SET-VERSION accepts: our number, and that of the drafts, which have the same format.
pub const ACCEPTED_VERSIONS: [&str; 2] = ["0.2", VERSION];
