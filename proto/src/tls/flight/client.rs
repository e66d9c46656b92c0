//! The card's own flights after ClientHello, up to TLS 1.2.

use super::error::{FlightError, FlightItem, grammar};
use crate::tls::alert::Alert;
use crate::tls::certificate::CertificateList;
use crate::tls::content_type::ContentType;
use crate::tls::handshake::{HandshakeReader, HandshakeType};
use crate::tls::record::Record;

/// Which flight a card has given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFlightKind {
    /// `[Certificate], ClientKeyExchange, [CertificateVerify], CCS`, one encrypted record.
    Full,
    /// `CCS`, one encrypted record.
    Abbreviated,
}

/// A whole flight of a card that ends with its Finished.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientFlight {
    /// The list the card shows the server; empty if it was asked and has none, nothing if it
    /// sends no Certificate message.
    pub certificates: Option<CertificateList>,
    /// The encrypted record after CCS, whole: the card's Finished.
    pub finished_record: Vec<u8>,
    /// The flight as the card gave it.
    pub bytes: Vec<u8>,
}

impl ClientFlight {
    /// Reads a flight: whole records that hold it and nothing else, all of one version.
    ///
    /// # Errors
    /// [`FlightError`] if anything else is in them.
    pub fn read(bytes: &[u8], kind: ClientFlightKind) -> Result<Self, FlightError> {
        let mut reader = ClientFlightReader {
            state: match kind {
                ClientFlightKind::Full => State::ExpectCertificateOrKeyExchange,
                ClientFlightKind::Abbreviated => State::ExpectCcs,
            },
            messages: HandshakeReader::new(bytes.len()),
            certificates: None,
        };
        let mut version = None;
        let mut finished_record = None;
        for record in Record::decode_all(bytes)? {
            let expected = reader.state.expected();
            if *version.get_or_insert_with(|| record.version()) != record.version() {
                return Err(grammar(
                    expected,
                    FlightItem::RecordVersion(record.version()),
                ));
            }
            if record.payload().is_empty() {
                return Err(grammar(
                    expected,
                    FlightItem::EmptyRecord(record.content_type()),
                ));
            }
            match record.content_type() {
                ContentType::Handshake if reader.state == State::ExpectEncrypted => {
                    reader.state = State::Ended;
                    finished_record = Some(record.into_bytes());
                }
                ContentType::Handshake if reader.state.is_in_clear() => {
                    reader.on_handshake(&record)?;
                }
                ContentType::ChangeCipherSpec => reader.on_change_cipher_spec(&record)?,
                ContentType::Alert if reader.state.is_in_clear() => {
                    return Err(FlightError::Alert(Alert::decode(record.payload())?));
                }
                other => return Err(grammar(expected, FlightItem::Record(other))),
            }
        }
        let finished_record =
            finished_record.ok_or_else(|| grammar(reader.state.expected(), FlightItem::End))?;
        Ok(Self {
            certificates: reader.certificates,
            finished_record,
            bytes: bytes.to_vec(),
        })
    }
}

struct ClientFlightReader {
    state: State,
    messages: HandshakeReader,
    certificates: Option<CertificateList>,
}

impl ClientFlightReader {
    fn on_handshake(&mut self, record: &Record) -> Result<(), FlightError> {
        let mut payload = record.payload();
        while let Some(message) = self.messages.read(&mut payload)? {
            use HandshakeType as Kind;
            self.state = match (self.state, message.kind()) {
                (State::ExpectCertificateOrKeyExchange, Kind::Certificate) => {
                    self.certificates = Some(CertificateList::decode(message.body())?);
                    State::ExpectKeyExchange
                }
                (
                    State::ExpectCertificateOrKeyExchange | State::ExpectKeyExchange,
                    Kind::ClientKeyExchange,
                ) if self
                    .certificates
                    .as_ref()
                    .is_some_and(|list| !list.0.is_empty()) =>
                {
                    State::ExpectVerifyOrCcs
                }
                (
                    State::ExpectCertificateOrKeyExchange | State::ExpectKeyExchange,
                    Kind::ClientKeyExchange,
                ) => State::ExpectCcs,
                (State::ExpectVerifyOrCcs, Kind::CertificateVerify) => State::ExpectCcs,
                (state, kind) => return Err(grammar(state.expected(), FlightItem::Message(kind))),
            };
        }
        Ok(())
    }

    fn on_change_cipher_spec(&mut self, record: &Record) -> Result<(), FlightError> {
        if self.messages.is_mid_message() {
            return Err(grammar(
                "the rest of a message",
                FlightItem::UnfinishedMessage,
            ));
        }
        let expected = self.state.expected();
        if !matches!(self.state, State::ExpectVerifyOrCcs | State::ExpectCcs) {
            return Err(grammar(
                expected,
                FlightItem::Record(ContentType::ChangeCipherSpec),
            ));
        }
        if record.payload() != [1] {
            return Err(grammar(expected, FlightItem::BadChangeCipherSpec));
        }
        self.state = State::ExpectEncrypted;
        Ok(())
    }
}

/// Where in its flight the card is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    ExpectCertificateOrKeyExchange,
    ExpectKeyExchange,
    ExpectVerifyOrCcs,
    ExpectCcs,
    ExpectEncrypted,
    Ended,
}

impl State {
    fn expected(self) -> &'static str {
        match self {
            Self::ExpectCertificateOrKeyExchange => "Certificate or ClientKeyExchange",
            Self::ExpectKeyExchange => "ClientKeyExchange",
            Self::ExpectVerifyOrCcs => "CertificateVerify or ChangeCipherSpec",
            Self::ExpectCcs => "ChangeCipherSpec",
            Self::ExpectEncrypted => "an encrypted handshake record",
            Self::Ended => "nothing more",
        }
    }

    fn is_in_clear(self) -> bool {
        !matches!(self, Self::ExpectEncrypted | Self::Ended)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::samples::{
        certificate_body, ext_aes_flights, full_client_flight, hex, message, record, split_records,
    };

    fn full(bytes: &[u8]) -> Result<ClientFlight, FlightError> {
        ClientFlight::read(bytes, ClientFlightKind::Full)
    }

    #[test]
    fn the_recorded_full_flight_is_read() {
        let recorded = &ext_aes_flights()[2];
        let flight = full(&recorded.bytes).unwrap();
        let certificates = flight.certificates.unwrap();
        assert_eq!(certificates.0.len(), 1);
        assert_eq!(certificates.leaf().unwrap().len(), 0x371);
        assert_eq!(flight.finished_record[..5], hex("1603010030"));
        assert_eq!(
            flight.finished_record[flight.finished_record.len() - 2..],
            hex("5F80")
        );
        assert_eq!(flight.bytes, recorded.bytes);
    }

    #[test]
    fn the_recorded_abbreviated_flight_is_read() {
        let recorded = &ext_aes_flights()[6];
        let flight = ClientFlight::read(&recorded.bytes, ClientFlightKind::Abbreviated).unwrap();
        assert_eq!(flight.certificates, None);
        assert_eq!(flight.finished_record, recorded.bytes[6..]);
        assert!(full(&recorded.bytes).is_err());
    }

    #[test]
    fn a_card_may_have_no_certificate_message_or_an_empty_one() {
        let ccs = record(20, 0x0303, &[1]);
        let finished = record(22, 0x0303, &[0xEE; 40]);
        let exchange = message(16, &[1; 10]);
        let bare = [record(22, 0x0303, &exchange), ccs.clone(), finished.clone()].concat();
        assert_eq!(full(&bare).unwrap().certificates, None);

        let empty = [message(11, &certificate_body(&[])), exchange.clone()].concat();
        let shown = [record(22, 0x0303, &empty), ccs.clone(), finished.clone()].concat();
        assert_eq!(
            full(&shown).unwrap().certificates,
            Some(CertificateList::default())
        );

        // Nothing to verify without a certificate.
        let verify = [empty, message(15, &[2; 10])].concat();
        assert!(full(&[record(22, 0x0303, &verify), ccs, finished].concat()).is_err());
    }

    #[test]
    fn messages_may_span_records() {
        let [certificate, exchange, verify] = full_client_flight();
        let messages = [certificate, exchange, verify].concat();
        for size in [1, 3, 17] {
            let flight = [
                split_records(22, 0x0303, &messages, size),
                record(20, 0x0303, &[1]),
                record(22, 0x0303, &[0xEE; 40]),
            ];
            assert!(full(&flight.concat()).is_ok(), "{size}");
        }
    }

    #[test]
    fn an_alert_of_the_card_is_told() {
        assert_eq!(
            full(&hex("15 0303 0002 0230")),
            Err(FlightError::Alert(Alert::decode(&[2, 48]).unwrap()))
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let [certificate, exchange, verify] = &full_client_flight();
        let hs = |messages: &[&Vec<u8>]| {
            record(
                22,
                0x0303,
                &messages
                    .iter()
                    .copied()
                    .flatten()
                    .copied()
                    .collect::<Vec<_>>(),
            )
        };
        let ccs = record(20, 0x0303, &[1]);
        let finished = record(22, 0x0303, &[0xEE; 40]);
        let good = [
            hs(&[certificate, exchange, verify]),
            ccs.clone(),
            finished.clone(),
        ];
        assert!(full(&good.concat()).is_ok());

        let wrong: [&[Vec<u8>]; 14] = [
            &[],
            &[good[0].clone()],
            &[good[0].clone(), ccs.clone()],
            &[good[0].clone(), finished.clone()],
            &[ccs.clone(), finished.clone()],
            &[hs(&[exchange, certificate]), ccs.clone(), finished.clone()],
            &[
                hs(&[certificate, verify, exchange]),
                ccs.clone(),
                finished.clone(),
            ],
            &[
                hs(&[certificate, certificate, exchange]),
                ccs.clone(),
                finished.clone(),
            ],
            &[
                hs(&[certificate, exchange, verify, verify]),
                ccs.clone(),
                finished.clone(),
            ],
            &[good[0].clone(), record(20, 0x0303, &[2]), finished.clone()],
            &[good[0].clone(), record(20, 0x0301, &[1]), finished.clone()],
            &[good[0].clone(), ccs.clone(), ccs.clone(), finished.clone()],
            &[
                good[0].clone(),
                ccs.clone(),
                finished.clone(),
                finished.clone(),
            ],
            &[
                good[0].clone(),
                record(22, 0x0303, &[]),
                ccs.clone(),
                finished.clone(),
            ],
        ];
        for records in wrong {
            assert!(full(&records.concat()).is_err(), "{records:02X?}");
        }
        let cut = [
            record(22, 0x0303, &[&exchange[..], &[15, 0]].concat()),
            ccs,
            finished,
        ];
        assert_eq!(
            full(&cut.concat()),
            Err(grammar(
                "the rest of a message",
                FlightItem::UnfinishedMessage
            ))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_strict_prefix_of_a_recorded_flight_is_refused(cut in any::<prop::sample::Index>()) {
            let recorded = &ext_aes_flights()[2].bytes;
            prop_assert!(full(&recorded[..cut.index(recorded.len())]).is_err());
        }

        #[test]
        fn a_flipped_byte_does_not_panic(at in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = ext_aes_flights()[2].bytes.clone();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _either = full(&bytes);
        }
    }
}
