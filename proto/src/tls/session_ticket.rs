//! The NewSessionTicket message up to TLS 1.2.

use super::error::TlsError;
use crate::codec::Reader;

/// Reads the body of a NewSessionTicket: `lifetime4 length2 ticket` (RFC 5077 §3.3).
///
/// Nothing if the ticket is empty: the server has promised one and gives none after all.
pub(super) fn decode(body: &[u8]) -> Result<Option<Vec<u8>>, TlsError> {
    let mut reader = Reader::new(body);
    reader.u32("lifetime of a session ticket")?;
    let ticket = reader.vec16("session ticket")?;
    reader.finish("NewSessionTicket message")?;
    Ok((!ticket.is_empty()).then(|| ticket.to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::samples::{hex, ticket_body};

    #[test]
    fn an_empty_ticket_is_none() {
        assert_eq!(decode(&hex("00000000 0000")).unwrap(), None);
        assert_eq!(
            decode(&hex("00001C20 0002 ABCD")).unwrap(),
            Some(vec![0xAB, 0xCD])
        );
        assert!(decode(&hex("00001C20 0002 ABCD 00")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn tickets_survive_and_their_strict_prefixes_do_not(
            ticket in prop::collection::vec(any::<u8>(), 1..200), cut in any::<prop::sample::Index>(),
        ) {
            let body = ticket_body(&ticket);
            prop_assert_eq!(decode(&body).unwrap(), Some(ticket));
            prop_assert!(decode(&body[..cut.index(body.len())]).is_err());
        }
    }
}
