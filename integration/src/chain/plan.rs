//! What a chain is to be made of.

use std::path::{Path, PathBuf};

use crate::pcscd::Pcscd;
use crate::pki::KeyKind;
use crate::plain_vchan::PlainVchan;
use crate::wiretap::Wiretap;
use crate::xenstored::{Domain, Xenstored};

/// The cards of a host and its guests.
#[derive(Debug, Clone, Default)]
pub struct ChainPlan {
    pub(super) cards: Vec<CardPlan>,
    pub(super) guests: Vec<GuestPlan>,
    pub(super) limits: Vec<(String, u64)>,
    /// A daemon whose reader the only card is in.
    pub(super) pcscd: Option<Place>,
    /// A daemon whose reader the card with the HV key is in.
    pub(super) hv_card: Option<Place>,
    /// The socket of the xenstored that knows who the guests are.
    pub(super) xenstore: Option<PathBuf>,
    /// How programs come to have vchans, if guests reach the middleware over those.
    pub(super) vchan: Option<Vchan>,
    /// What the middleware is started by.
    pub(super) starter: Vec<String>,
    /// More of the middleware's configuration, at its end.
    pub(super) more_config: String,
}

/// What programs need in their environment to have vchans.
pub(super) type Vchan = [(&'static str, PathBuf); 2];

/// Where a daemon is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its process.
    pub(super) process: u32,
    /// Where its reader listens for a card.
    pub(super) port: u16,
}

impl From<&Pcscd> for Place {
    fn from(pcscd: &Pcscd) -> Self {
        Self {
            process: pcscd.id(),
            port: pcscd.port(),
        }
    }
}

/// One card.
#[derive(Debug, Clone)]
pub struct CardPlan {
    pub(super) seid: String,
    pub(super) identities: Vec<(String, KeyKind)>,
    pub(super) options: Vec<String>,
    /// More arguments for `soft-card personalise`.
    pub(super) personalised_with: Vec<String>,
    pub(super) profile: CardProfile,
    /// Whether the configuration has a `[[card]]` for it.
    pub(super) described: bool,
    pub(super) below_intermediate: bool,
    pub(super) raw_key_use: bool,
    pub(super) extended_length: bool,
    /// Where it is, if not in a reader of this host.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// A card of another host.
#[derive(Debug, Clone)]
pub(super) struct Elsewhere {
    /// The folder of that host's chain, which has its PIN and its certificates.
    pub(super) folder: PathBuf,
    /// What the configuration says of its source, but for its name on this host.
    pub(super) source: String,
}

/// What a card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CardProfile {
    EapTls,
    Piv,
}

impl CardProfile {
    /// As in the middleware's configuration.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::EapTls => "eap-tls",
            Self::Piv => "piv",
        }
    }
}

/// One guest.
#[derive(Debug, Clone)]
pub struct GuestPlan {
    pub(super) name: String,
    /// SEID and identity.
    pub(super) bindings: Vec<(String, String)>,
    /// The raw APDUs that it may send to its cards.
    pub(super) raw_apdu: Option<String>,
    /// What its agent's configuration says beyond the sockets.
    pub(super) agent_config: String,
    /// Whether an agent runs in it.
    pub(super) has_agent: bool,
    /// What the agent logs, as in `RUST_LOG`.
    pub(super) log: Option<String>,
    /// Whether its channel has TLS and asks for a token.
    pub(super) has_tls: bool,
    /// Whether the host's configuration binds it; otherwise the test does.
    pub(super) is_bound: bool,
    /// The socket of the xenstored where its agent looks for its token.
    pub(super) token_from: Option<PathBuf>,
}

impl ChainPlan {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The smallest useful one: the guest `web01`, bound to the identity `web01` of one card.
    #[must_use]
    pub fn single(key: KeyKind) -> Self {
        Self::new()
            .card(CardPlan::new("se-00").identity("web01", key))
            .guest(GuestPlan::new("web01").bound("se-00", "web01"))
    }

    /// The same with a PIV card, whose identity is the key in slot `9a`.
    #[must_use]
    pub fn single_piv(key: KeyKind) -> Self {
        Self::new()
            .card(CardPlan::piv("se-00").identity("9a", key))
            .guest(GuestPlan::new("web01").bound("se-00", "9a"))
    }

    /// One more card.
    #[must_use]
    pub fn card(mut self, card: CardPlan) -> Self {
        self.cards.push(card);
        self
    }

    /// One more guest.
    #[must_use]
    pub fn guest(mut self, guest: GuestPlan) -> Self {
        self.guests.push(guest);
        self
    }

    /// The card, of which there must be one, is in this daemon's reader.
    #[must_use]
    pub fn in_reader(mut self, pcscd: &Pcscd) -> Self {
        self.pcscd = Some(pcscd.into());
        self
    }

    /// The same, and what the card says on the way can be read.
    #[must_use]
    pub fn in_reader_through(mut self, pcscd: &Pcscd, wiretap: &Wiretap) -> Self {
        self.pcscd = Some(Place {
            process: pcscd.id(),
            port: wiretap.port(),
        });
        self
    }

    /// The HV key is in a card in this daemon's reader, slot 9c.
    #[must_use]
    pub fn hv_key_in_reader(mut self, pcscd: &Pcscd) -> Self {
        self.hv_card = Some(pcscd.into());
        self
    }

    /// Who the guests are is what this xenstored says. The channel of the first guest is that of
    /// domid 1, and its bindings are those of the first UUID; and so on.
    #[must_use]
    pub fn on_xenstore(mut self, xenstored: &Xenstored) -> Self {
        self.xenstore = Some(xenstored.socket());
        self
    }

    /// All guests reach the middleware over vchans; needs [`Self::on_xenstore`]. The domains must be
    /// there when the chain starts.
    #[must_use]
    pub fn over_vchan(mut self, vchan: &PlainVchan) -> Self {
        self.vchan = Some(vchan.environment());
        self
    }

    /// As [`Self::on_xenstore`], on which each guest so far is made a running domain: the first has
    /// domid 1 and the first UUID, and so on.
    ///
    /// # Panics
    /// When the daemon says no, or there are more guests than domids.
    #[must_use]
    pub fn as_domains_of(self, xenstored: &Xenstored) -> Self {
        for (number, guest) in (1..).zip(&self.guests) {
            let domid = u16::try_from(number).expect("a few guests");
            xenstored.create(&Domain::new(domid, number, &guest.name));
        }
        // What is longer than any test machine needs for a census.
        self.on_xenstore(xenstored).limit("domain_read_ms", 5_000)
    }

    /// As [`Self::on_xenstore`], through whoever listens at this socket.
    #[must_use]
    pub fn on_xenstore_at(mut self, socket: PathBuf) -> Self {
        self.xenstore = Some(socket);
        self
    }

    /// The middleware is started by this command, which is given the middleware's own behind these
    /// arguments.
    #[must_use]
    pub fn started_by(mut self, command: &[impl AsRef<str>]) -> Self {
        let words = command.iter().map(|word| word.as_ref().to_owned());
        self.starter = words.collect();
        self
    }

    /// More of the middleware's configuration: tables.
    #[must_use]
    pub fn more_config(mut self, toml: &str) -> Self {
        self.more_config.push_str(toml);
        self
    }

    /// A limit other than the default, by its key in the table `[limits]`.
    #[must_use]
    pub fn limit(mut self, key: &str, value: u64) -> Self {
        self.limits.push((key.to_owned(), value));
        self
    }
}

impl CardPlan {
    /// A card without identities.
    #[must_use]
    pub fn new(seid: &str) -> Self {
        Self {
            seid: seid.to_owned(),
            identities: Vec::new(),
            options: Vec::new(),
            personalised_with: Vec::new(),
            profile: CardProfile::EapTls,
            described: true,
            below_intermediate: false,
            raw_key_use: false,
            extended_length: false,
            elsewhere: None,
        }
    }

    /// A PIV card: its identities are named by their slots, `9a`.
    #[must_use]
    pub fn piv(seid: &str) -> Self {
        Self {
            profile: CardProfile::Piv,
            ..Self::new(seid)
        }
    }

    /// Its certificates are of a CA that servers do not know, whose certificate the configuration
    /// names.
    #[must_use]
    pub fn below_intermediate(mut self) -> Self {
        self.below_intermediate = true;
        self
    }

    /// Users of RACS may use its keys.
    #[must_use]
    pub fn raw_key_use(mut self) -> Self {
        self.raw_key_use = true;
        self
    }

    /// It takes extended APDUs, and its profile says so.
    #[must_use]
    pub fn extended_length(mut self) -> Self {
        self.extended_length = true;
        if self.profile == CardProfile::EapTls {
            self.options.push("--extended-length".to_owned());
        }
        self
    }

    /// The configuration names its source and says nothing of the card: it must be adopted before
    /// a guest sees it.
    #[must_use]
    pub fn undescribed(mut self) -> Self {
        self.described = false;
        self
    }

    /// It is the card of the same name in the chain of this folder, which has made it; `source` is what
    /// the configuration says of where it comes from.
    #[must_use]
    pub fn elsewhere(mut self, folder: &Path, source: &str) -> Self {
        self.elsewhere = Some(Elsewhere {
            folder: folder.to_owned(),
            source: source.to_owned(),
        });
        self
    }

    /// One more identity.
    #[must_use]
    pub fn identity(mut self, name: &str, key: KeyKind) -> Self {
        self.identities.push((name.to_owned(), key));
        self
    }

    /// More arguments for `soft-card personalise`: `--gzip`.
    #[must_use]
    pub fn personalised_with(mut self, options: &[&str]) -> Self {
        self.personalised_with
            .extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// More arguments for `soft-card serve`: `--timing paper`, `--fault mute@20`.
    #[must_use]
    pub fn options(mut self, options: &[&str]) -> Self {
        self.options
            .extend(options.iter().map(|option| (*option).to_owned()));
        self
    }
}

impl GuestPlan {
    /// A guest that is bound to nothing.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bindings: Vec::new(),
            raw_apdu: None,
            agent_config: String::new(),
            has_agent: true,
            log: None,
            has_tls: true,
            is_bound: true,
            token_from: None,
        }
    }

    /// Its token does not come by file: whoever puts it into this xenstored is the test. To that
    /// daemon the agent is dom0, so what is its own node is dom0's.
    #[must_use]
    pub fn token_from(mut self, xenstored: &Xenstored) -> Self {
        self.token_from = Some(xenstored.socket());
        self
    }

    /// What its agent logs, as in `RUST_LOG`.
    #[must_use]
    pub fn logging(mut self, filter: &str) -> Self {
        self.log = Some(filter.to_owned());
        self
    }

    /// Its channel is for development: without TLS and without a token.
    #[must_use]
    pub fn insecure(mut self) -> Self {
        self.has_tls = false;
        self
    }

    /// Its bindings are not in the host's configuration: only its token speaks of them.
    #[must_use]
    pub fn not_yet_bound(mut self) -> Self {
        self.is_bound = false;
        self
    }

    /// No agent is started in it: the test speaks to its channel itself.
    #[must_use]
    pub fn without_agent(mut self) -> Self {
        self.has_agent = false;
        self
    }

    /// One more binding. (SEID, identity) belongs to one guest.
    #[must_use]
    pub fn bound(mut self, seid: &str, identity: &str) -> Self {
        self.bindings.push((seid.to_owned(), identity.to_owned()));
        self
    }

    /// The raw APDUs that it may send to its cards, rows of mask and value.
    #[must_use]
    pub fn raw_apdu(mut self, list: &str) -> Self {
        self.raw_apdu = Some(list.to_owned());
        self
    }

    /// More of its agent's configuration: keys of `[agent]` first, then tables.
    #[must_use]
    pub fn agent_config(mut self, toml: &str) -> Self {
        self.agent_config.push_str(toml);
        self
    }
}
