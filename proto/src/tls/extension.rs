//! Extension blocks of hello messages.

use std::collections::BTreeSet;

use super::error::TlsError;
use crate::codec::Reader;

/// server_name, RFC 6066 §3.
pub(super) const SERVER_NAME: u16 = 0;
/// application_layer_protocol_negotiation, RFC 7301 §3.1.
pub(super) const ALPN: u16 = 16;
/// encrypt_then_mac, RFC 7366.
pub(super) const ENCRYPT_THEN_MAC: u16 = 22;
/// extended_master_secret, RFC 7627.
pub(super) const EXTENDED_MASTER_SECRET: u16 = 23;
/// session_ticket, RFC 5077 §3.2.
pub(super) const SESSION_TICKET: u16 = 35;
/// pre_shared_key, RFC 8446 §4.2.11.
pub(super) const PRE_SHARED_KEY: u16 = 41;
/// supported_versions, RFC 8446 §4.2.1.
pub(super) const SUPPORTED_VERSIONS: u16 = 43;

/// Walks over a block of extensions: `length2 (type2 length2 data)*`.
pub(super) struct Extensions<'a> {
    block: Reader<'a>,
    seen: BTreeSet<u16>,
}

impl<'a> Extensions<'a> {
    /// Takes the block that ends a hello. A hello without a block has no extensions.
    pub(super) fn of_hello(hello: &mut Reader<'a>) -> Result<Self, TlsError> {
        let block = if hello.is_empty() {
            &[]
        } else {
            hello.vec16("extensions")?
        };
        Ok(Self {
            block: Reader::new(block),
            seen: BTreeSet::new(),
        })
    }

    /// Code and data of the next extension.
    pub(super) fn next(&mut self) -> Result<Option<(u16, Reader<'a>)>, TlsError> {
        if self.block.is_empty() {
            return Ok(None);
        }
        let extension = self.block.u16("extension type")?;
        let data = self.block.vec16("extension")?;
        if !self.seen.insert(extension) {
            return Err(TlsError::DuplicateExtension { extension });
        }
        Ok(Some((extension, Reader::new(data))))
    }
}

/// Reads the list of protocol names in an ALPN extension: at least one, none empty.
pub(super) fn alpn_names(mut data: Reader<'_>) -> Result<Vec<Vec<u8>>, TlsError> {
    let mut list = Reader::new(data.vec16("ALPN protocols")?);
    data.finish("ALPN extension")?;
    let mut names = Vec::new();
    loop {
        let name = list.vec8("ALPN protocol")?;
        if name.is_empty() {
            return Err(empty("ALPN protocol"));
        }
        names.push(name.to_vec());
        if list.is_empty() {
            return Ok(names);
        }
    }
}

/// A field that must hold at least one byte.
pub(super) fn empty(what: &'static str) -> TlsError {
    crate::error::DecodeError::Truncated {
        what,
        need: 1,
        got: 0,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::samples::hex;

    fn codes(block: &[u8]) -> Result<Vec<u16>, TlsError> {
        let mut extensions = Extensions::of_hello(&mut Reader::new(block))?;
        let mut codes = Vec::new();
        while let Some((code, _)) = extensions.next()? {
            codes.push(code);
        }
        Ok(codes)
    }

    #[test]
    fn a_missing_block_and_an_empty_one_hold_nothing() {
        assert_eq!(codes(&[]).unwrap(), []);
        assert_eq!(codes(&hex("0000")).unwrap(), []);
    }

    #[test]
    fn one_extension_twice_is_refused() {
        assert_eq!(codes(&hex("0008 00170000 00230000")).unwrap(), [0x17, 0x23]);
        assert_eq!(
            codes(&hex("0008 00170000 00170000")),
            Err(TlsError::DuplicateExtension { extension: 0x17 })
        );
    }

    #[test]
    fn alpn_needs_names_with_bytes() {
        let names = |text| alpn_names(Reader::new(&hex(text)));
        assert_eq!(names("0006 026832 026833").unwrap(), [b"h2", b"h3"]);
        for text in [
            "",
            "0000",
            "0001 00",
            "0003 026832 00",
            "0004 026832",
            "0003 0268",
        ] {
            assert!(names(text).is_err(), "{text:?}");
        }
    }
}
