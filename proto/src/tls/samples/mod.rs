//! TLS bytes for tests: built by hand, and recorded from card programs that nobody here wrote.

mod bytes;
mod hellos;
mod recorded;

pub(in crate::tls) use bytes::{
    certificate_body, full_client_flight, hex, message, record, split_records, ticket_body,
};
pub(in crate::tls) use hellos::{ClientHelloSample, ServerHelloSample};
pub(in crate::tls) use recorded::{Direction, ext_aes_flights, vectors};
