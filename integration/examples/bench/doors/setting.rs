//! All that takes part: a host with its guests and cards, a token behind PKCS#11, and the servers.

use integration::chain::{Chain, ChainPlan, GuestPlan};
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};

use super::case::{Case, Contender, Kind, Version};
use super::client::Client;
use super::in_file::InFile;
use super::pkcs11::Pkcs11;
use super::through_chain::ThroughChain;
use crate::NAME;
use crate::door::Door;
use crate::figures::Times;

pub(super) struct Setting<'p> {
    pki: &'p Pki,
    key: KeyKind,
    chain: Chain,
    pkcs11: Option<Pkcs11>,
    tls12: TlsServer,
    tls13: TlsServer,
}

impl<'p> Setting<'p> {
    /// Starts everything. Each domain has a card of either kind for itself.
    pub(super) fn start(pki: &'p Pki, domains: usize, key: KeyKind) -> Self {
        let plan = (0..domains).fold(ChainPlan::new(), |plan, number| {
            let guest = GuestPlan::new(&domain(number));
            let guest = Door::BOTH.into_iter().fold(guest, |guest, door| {
                guest.bound(&seid(door, number), door.identity(0))
            });
            let cards =
                Door::BOTH.map(|door| door.card(&seid(door, number), 1, key).extended_length());
            let plan = cards.into_iter().fold(plan, ChainPlan::card);
            plan.guest(guest)
        });
        let credential = pki.server(NAME, key);
        let [tls12, tls13] = [Version::Tls12, Version::Tls13]
            .map(|version| TlsServer::start(pki, &credential, version.of_rustls(), echo));
        Self {
            pki,
            key,
            chain: Chain::start(pki, &plan),
            pkcs11: Pkcs11::start(pki, key),
            tls12,
            tls13,
        }
    }

    /// One client for each domain; `None` when there are no such handshakes by this contender.
    pub(super) fn clients(&self, who: Contender, case: &Case) -> Option<Vec<Box<dyn Client + '_>>> {
        if !who.can(case) {
            return None;
        }
        let port = self.port(case);
        let one = |number| -> Option<Box<dyn Client + '_>> {
            let through = |door: Door| ThroughChain {
                guest: self.chain.guest(&domain(number)),
                identity: door.identity(0),
                port,
                kind: case.kind,
            };
            Some(match who {
                Contender::InFile => Box::new(InFile::new(self.pki, self.key, port, case)),
                Contender::Pkcs11 => Box::new(self.pkcs11.as_ref()?.client(port, case.version)?),
                Contender::EapTls => Box::new(through(Door::EapTls)),
                Contender::Piv => Box::new(through(Door::Piv)),
            })
        };
        (0..case.domains).map(one).collect()
    }

    /// What the processor does at the client's end for one handshake with a key in memory, in
    /// milliseconds.
    pub(super) fn client_share(&self, case: &Case) -> f64 {
        let mut client = InFile::new(self.pki, self.key, self.port(case), case);
        client.prepare();
        let mut times = Times::default();
        for _ in 0..SHARES {
            times.add(client.once().1);
        }
        times.median()
    }

    /// What a card took of the latest such handshakes, in milliseconds.
    pub(super) fn card_share(&self, who: Contender, kind: Kind) -> f64 {
        let door = match who {
            Contender::EapTls => Door::EapTls,
            _ => Door::Piv,
        };
        let (seid, is_resumed) = (seid(door, 0), kind == Kind::Resumed);
        let mut times = Times::default();
        let records = self.chain.audited("session-established");
        let own = records.iter().rev().filter(|record| {
            record["seid"] == seid.as_str() && record["abbreviated"] == is_resumed
        });
        for record in own.take(SHARES) {
            let micros = record["card_us"].as_u64().expect("a number");
            times.add(std::time::Duration::from_micros(micros));
        }
        times.median()
    }

    fn port(&self, case: &Case) -> u16 {
        match case.version {
            Version::Tls12 => self.tls12.port(),
            Version::Tls13 => self.tls13.port(),
        }
    }
}

fn domain(number: usize) -> String {
    format!("guest-{number:02}")
}

fn seid(door: Door, number: usize) -> String {
    match door {
        Door::EapTls => format!("se-{number:02}"),
        Door::Piv => format!("piv-{number:02}"),
    }
}

/// Handshakes that a share is the median of.
const SHARES: usize = 200;
