//! The domains and cards, and who may show which certificate.

use std::collections::BTreeMap;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use crate::pki::{KeyKind, Pki};

/// A card, with the identities on it.
pub(super) struct Card {
    pub(super) seid: &'static str,
    pub(super) profile: Profile,
    identities: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    EapTls,
    Piv,
}

/// A domain, with the identity that it is bound to, on one card or on each of a pool.
pub(super) struct Domain {
    pub(super) name: &'static str,
    pub(super) identity: &'static str,
    pub(super) cards: &'static [usize],
}

/// One of either kind is shared, one of the first kind is not, and two of the second are a pool.
pub(super) const CARDS: [Card; 5] = [
    Card {
        seid: "se-00",
        profile: Profile::EapTls,
        identities: &["web-a", "web-b"],
    },
    Card {
        seid: "se-01",
        profile: Profile::EapTls,
        identities: &["web-c"],
    },
    Card {
        seid: "se-02",
        profile: Profile::Piv,
        identities: &["9a", "9d"],
    },
    Card {
        seid: "se-03",
        profile: Profile::Piv,
        identities: &["9a"],
    },
    Card {
        seid: "se-04",
        profile: Profile::Piv,
        identities: &["9a"],
    },
];

pub(super) const DOMAINS: [Domain; 6] = [
    Domain {
        name: "guest-a",
        identity: "web-a",
        cards: &[0],
    },
    Domain {
        name: "guest-b",
        identity: "web-b",
        cards: &[0],
    },
    Domain {
        name: "guest-c",
        identity: "web-c",
        cards: &[1],
    },
    Domain {
        name: "guest-d",
        identity: "9a",
        cards: &[2],
    },
    Domain {
        name: "guest-e",
        identity: "9d",
        cards: &[2],
    },
    Domain {
        name: "guest-f",
        identity: "9a",
        cards: &[3, 4],
    },
];

impl Domain {
    /// What its cards are.
    pub(super) fn profile(&self) -> Profile {
        CARDS[self.cards[0]].profile
    }

    fn seids(&self) -> impl Iterator<Item = &'static str> {
        self.cards.iter().map(|card| CARDS[*card].seid)
    }

    /// Whether a session of its own may be on this card with this identity.
    pub(super) fn may_use(&self, seid: &str, identity: &str) -> bool {
        self.identity == identity && self.seids().any(|own| own == seid)
    }
}

/// Starts the host with all of them. Its patience with cards and servers is short, so that much can
/// go wrong in little time.
pub(super) fn start(pki: &Pki) -> Chain {
    let plan = CARDS.iter().fold(ChainPlan::new(), |plan, card| {
        let empty = match card.profile {
            Profile::EapTls => CardPlan::new(card.seid),
            Profile::Piv => CardPlan::piv(card.seid),
        };
        let identities = card.identities.iter();
        plan.card(identities.fold(empty, |card, name| card.identity(name, KeyKind::P256)))
    });
    let plan = DOMAINS.iter().fold(plan, |plan, domain| {
        let guest = GuestPlan::new(domain.name);
        let seids = domain.seids();
        let guest = seids.fold(guest, |guest, seid| guest.bound(seid, domain.identity));
        plan.guest(guest)
    });
    let plan = LIMITS
        .iter()
        .fold(plan, |plan, (limit, millis)| plan.limit(limit, *millis));
    Chain::start(pki, &plan)
}

const LIMITS: [(&str, u64); 4] = [
    ("apdu_ms", 1_000),
    ("handshake_ms", 5_000),
    ("peer_wait_ms", 400),
    ("peer_wait_alone_ms", 1_000),
];

/// Whose certificates they are, by the name of the domain.
pub(super) fn certificates(chain: &Chain) -> BTreeMap<String, Vec<CertificateDer<'static>>> {
    let of = |domain: &Domain| {
        let files = domain
            .seids()
            .map(|seid| chain.certificate_file(seid, domain.identity));
        let read = files.map(|file| CertificateDer::from_pem_file(file).expect("it was made"));
        (domain.name.to_owned(), read.collect())
    };
    DOMAINS.iter().map(of).collect()
}
