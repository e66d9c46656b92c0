//! The server's end of a record layer, for fuzz targets: it says whatever it is told to.

use super::error::RecordError;
use super::layer::RecordLayer;
use super::limits::{KeyLimit, MAX_PLAINTEXT};
use super::protection::WriteHalf;
use super::setup::Side;
use crate::tls::content_type::ContentType;
use crate::tls::established::Established;

/// Seals any content of any type with the keys of the server.
pub struct ServerEnd(RecordLayer);

impl ServerEnd {
    /// The peer of the layer that [`RecordLayer::new`] makes of the same.
    ///
    /// # Errors
    /// As there.
    pub fn new(established: Established) -> Result<Self, RecordError> {
        RecordLayer::on_side(established, Side::Server, KeyLimit::of).map(Self)
    }

    /// Appends one record to `out`; of `content` no more than fits into one is taken.
    ///
    /// # Errors
    /// [`RecordError::LimitReached`] if the key is used up.
    pub fn seal(
        &mut self,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let content = content.get(..MAX_PLAINTEXT).unwrap_or(content);
        self.0.write.seal(content_type, content, out)
    }

    /// TLS 1.3: goes over to the next key, as after a KeyUpdate.
    pub fn change_key(&mut self) {
        if let WriteHalf::Tls13(half) = &mut self.0.write {
            half.update();
        }
    }
}
