//! Both doors of one host, each with a guest of its own.

use domu_agent::client::{AppError, EstablishedAnswer};
use integration::chain::{CardPlan, Chain, ChainPlan, Guest, GuestPlan, Session, request};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};
use integration::wait;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::NAME;
use KeyKind::{P256, Rsa2048};

/// One door: the guest behind it, and the identities of its card.
pub(crate) struct Door {
    guest: &'static str,
    pub(crate) seid: &'static str,
    rsa: &'static str,
    p256: &'static str,
    /// Whether sessions of TLS 1.3 are resumed.
    pub(crate) resumes_tls13: bool,
}

/// The card makes the handshake; the card signs.
pub(crate) static DOORS: [Door; 2] = [
    Door {
        guest: "web01",
        seid: "se-00",
        rsa: "rsa",
        p256: "p256",
        resumes_tls13: false,
    },
    Door {
        guest: "web02",
        seid: "se-01",
        rsa: "9a",
        p256: "9e",
        resumes_tls13: true,
    },
];

/// A host with both doors.
pub(crate) fn start(pki: &Pki) -> Chain {
    let [eap_tls, piv] = &DOORS;
    let cards = [CardPlan::new(eap_tls.seid), CardPlan::piv(piv.seid)];
    let mut plan = ChainPlan::new();
    for (card, door) in cards.into_iter().zip(&DOORS) {
        let guest = GuestPlan::new(door.guest)
            .bound(door.seid, door.rsa)
            .bound(door.seid, door.p256);
        plan = plan
            .guest(guest)
            .card(card.identity(door.rsa, Rsa2048).identity(door.p256, P256));
    }
    Chain::start(pki, &plan)
}

/// Each door with each of `things`.
pub(crate) fn each<T: Copy, const N: usize>(
    things: [T; N],
) -> impl Iterator<Item = (&'static Door, T)> {
    DOORS
        .iter()
        .flat_map(move |door| things.map(|thing| (door, thing)))
}

impl Door {
    /// The guest behind it.
    pub(crate) fn guest<'c>(&self, chain: &'c Chain) -> &'c Guest {
        chain.guest(self.guest)
    }

    /// The identity with a key of that kind, which is also the name in its certificate.
    pub(crate) fn identity(&self, key: KeyKind) -> &'static str {
        if key == P256 { self.p256 } else { self.rsa }
    }

    /// DER of that identity's certificate.
    pub(crate) fn certificate(&self, chain: &Chain, key: KeyKind) -> Vec<u8> {
        let file = chain.certificate_file(self.seid, self.identity(key));
        let certificate = CertificateDer::from_pem_file(file).expect("it was made");
        certificate.to_vec()
    }

    /// Asks for a connection with the key of that kind.
    pub(crate) fn ask(&self, chain: &Chain, port: u16, key: KeyKind) -> Result<Session, AppError> {
        let mut wish = request(port, NAME);
        wish.identity = Some(self.identity(key).to_owned());
        self.guest(chain).ask(wish)
    }

    /// A connection to a server that echoes, from its beginning to its end in order.
    pub(crate) fn converse(&self, chain: &Chain, port: u16, key: KeyKind) -> EstablishedAnswer {
        let session = self.ask(chain, port, key);
        let mut session = session.unwrap_or_else(|no| {
            let refused = chain.audited("session-refused");
            panic!("{}: {no}: {:?}", self.guest, refused.last());
        });
        session.send(&payload(5_000));
        assert_eq!(session.read(5_000), payload(5_000), "{}", self.guest);
        let established = session.established.clone();
        let is_late = established.version == "TLS 1.3" && !established.abbreviated;
        assert_eq!(established.verdict.is_some(), is_late, "{established:?}");
        session.close();
        established
    }

    /// Connections until one is resumed: the tickets of TLS 1.3 take their way through the guest.
    pub(crate) fn converse_until_resumed(&self, chain: &Chain, port: u16, key: KeyKind) {
        wait::until("a session that is resumed", || {
            let established = self.converse(chain, port, key);
            established.abbreviated.then_some(())
        });
    }

    /// Fails unless the card is free for the next one, which a good server gets.
    pub(crate) fn expect_free(&self, chain: &Chain, pki: &Pki) {
        let credential = pki.server(NAME, P256);
        let server = TlsServer::start(pki, &credential, &rustls::version::TLS13, echo);
        for key in [Rsa2048, P256] {
            self.converse(chain, server.port(), key);
        }
    }
}
