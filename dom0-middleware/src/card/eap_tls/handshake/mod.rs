//! One TLS handshake on a card, from Set-Identity to the KeyBlock.
//!
//! ```text
//! begin -> IdentitySet -> StateReset -> [SessionOverwritten] -> [ParametersTaken]
//!       -> ClientHello --(a session it may not offer: made to forget, once more from the top)
//!       -> first server flight: checked here, then to the card
//!            full:         card's flight -> last server flight -> accepted
//!            abbreviated:  card's flight
//!            TLS 1.3:      record by record, until State says that the card is done
//!       -> [State] -> CipherSuite
//!            TLS 1.3:      -> ServerCertificates -> ClientCertificate -> Alpn
//!       -> KeyBlock -> Finished
//! ```
//!
//! Each state is a struct named for what it awaits and consumes itself: after an error there is no
//! half-advanced handshake to misuse. Whatever the end, [`closing`](super::closing) follows.

mod client_flight;
mod client_hello;
mod context;
mod export;
mod following;
mod machine;
mod preparation;
mod server_flight;
mod server_hello;
mod tls13;
mod tls13_export;

#[cfg(test)]
mod tests;

pub use self::machine::{AwaitCard, AwaitServer, Completed, Failure, Step, begin};
