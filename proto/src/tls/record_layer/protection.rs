//! The two directions, whatever the version.

use super::direction::Direction;
use super::error::RecordError;
use super::tls12;
use super::tls13::Half;
use crate::tls::content_type::ContentType;

/// What we send.
pub(super) enum WriteHalf {
    Tls12(tls12::Sealer),
    Tls13(Half),
}

impl WriteHalf {
    pub(super) fn direction(&self) -> &Direction {
        match self {
            Self::Tls12(sealer) => sealer.direction(),
            Self::Tls13(half) => half.direction(),
        }
    }

    /// Appends one record to `out`, or nothing on an error.
    pub(super) fn seal(
        &mut self,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        match self {
            Self::Tls12(sealer) => sealer.seal(content_type, content, out),
            Self::Tls13(half) => half.seal(content_type, content, out),
        }
    }
}

/// What the peer sends.
pub(super) enum ReadHalf {
    Tls12(tls12::Opener),
    Tls13(Half),
}

impl ReadHalf {
    /// Gives the type and content of one record, decrypted where it lay.
    pub(super) fn open<'r>(
        &mut self,
        outer_type: ContentType,
        payload: &'r mut [u8],
    ) -> Result<(ContentType, &'r [u8]), RecordError> {
        match self {
            Self::Tls12(opener) => opener.open(outer_type, payload),
            Self::Tls13(half) => half.open(outer_type, payload),
        }
    }
}
