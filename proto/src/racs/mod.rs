//! RACS, Remote APDU Call Secure: commands for a grid of secure elements, as lines of text in TLS.
//!
//! # Primer
//!
//! A request is a batch of commands between BEGIN and END, and gets one response:
//!
//! ```text
//! BEGIN job7                                  BEGIN job7
//! POWERON se-00                               +006 002 6F109000
//! APDU se-00 00A4040005A000000001 APPEND      +006 003 9000
//! APDU se-00 0010000001AA CONTINUE=9000       END
//! END
//! ```
//!
//! A status line is a sign, a class, the number of the command, the number of its line and a text.
//! Only the last command's status line comes back, and those of commands that end in APPEND. The
//! first negative one ends the batch: it is sent at once, alone, and the lines up to END are
//! skipped. An answer of a card is data, whatever its status word, unless CONTINUE names the word
//! it must be.
//!
//! Elements have names (SEIDs). One session at a time holds an element: from POWERON on, or the
//! first RESET or APDU, until SHUTDOWN or the end of its TLS connection.
//!
//! Both ends are here, without I/O. Who serves reads [`RequestLine`]s from a [`LineReader`] and
//! judges APDUs by [`ForbiddenInstructions`] and an [`AllowList`]. Who asks encodes a [`Request`]
//! and reads [`Response`]s from a [`ResponseReader`]. APDUs may hold a PIN and answers a KeyBlock,
//! so all buffers are wiped.
//!
//! | Module | Holds |
//! |---|---|
//! | `line` | [`LineReader`]: bytes to lines |
//! | `token` | [`Label`], [`SeidToken`]: what a line is made of |
//! | `command` | [`Command`], [`ApduCommand`], [`CommandLine`], [`RequestLine`] |
//! | `parse` | a line to a [`RequestLine`], or a [`LineError`] |
//! | `request` | [`Request`]: a batch to bytes |
//! | `status` | [`StatusCode`], [`StatusLine`] |
//! | `response` | [`ResponseReader`]: bytes to [`Response`]s |
//! | `answer` | what status lines carry: [`apdu_answer`], [`list_answer`] |
//! | `allow_list`, `forbidden` | which APDUs pass |
//! | `version` | [`VERSION`] |
//! | `token_line` | the first word of a guest on its channel: [`TokenLineReader`] |
//! | `admission` | and dom0's: [`admitted`], [`refusal`] |
//!
//! Source: specs/racs.md §3 to §6; draft-urien-core-racs-02 to -15.

mod admission;
mod allow_list;
mod answer;
mod command;
mod forbidden;
mod line;
mod parse;
mod request;
mod response;
mod status;
mod token;
mod token_line;
mod version;

pub use self::admission::{ALPN, admitted, refusal, verdict};
pub use self::allow_list::{AllowList, AllowListError, ApduMask};
pub use self::answer::{AnswerError, apdu_answer, list_answer};
pub use self::command::{ApduCommand, Command, CommandLine, RequestLine};
pub use self::forbidden::{Forbidden, ForbiddenInstructions};
pub use self::line::{LineReader, LineTooLong, MAX_LINE};
pub use self::parse::LineError;
pub use self::request::{MAX_REQUEST, Request, RequestTooLong};
pub use self::response::{MAX_RESPONSE, Response, ResponseError, ResponseReader};
pub use self::status::{CommandNumber, FailureClass, StatusCode, StatusLine};
pub use self::token::{Label, SeidToken, TokenError};
pub use self::token_line::{
    FirstLine, MAX_TOKEN_LINE, TokenLineError, TokenLineReader, token_line,
};
pub use self::version::{ACCEPTED_VERSIONS, VERSION};
