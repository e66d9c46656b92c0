//! What an operator has allowed and should not forget: said in the log at each start.

use std::collections::BTreeSet;

use tracing::warn;

use crate::config::{Config, ReaderPlace, UnixChannelConfig};
use crate::mapping::Table;

pub(super) fn warn_of_insecurity(config: &Config, table: &Table) {
    for channel in insecure(config) {
        warn!(path = %channel.path.display(), domid = %channel.domid,
              "insecure_development: no TLS and no token on this channel; whoever can open the \
               socket is taken for the domain");
    }
    for reader in &config.readers {
        if let ReaderPlace::Loopback(address) = reader.place {
            warn!(%address, seid = %reader.card.seid,
                  "insecure_development: every user of this host can connect as this card");
        }
    }
    if let Some(racs) = &config.racs {
        let raw = racs
            .users
            .values()
            .flatten()
            .filter(|card| card.raw_key_use && card.apdu);
        let raw: BTreeSet<_> = raw.map(|card| &card.seid).collect();
        for seid in raw {
            warn!(%seid, "raw_key_use: users of RACS may use, read and change the keys and PINs of \
                          this card");
        }
    }
    for reader in config.readers.iter().filter(|reader| reader.raw_key_use) {
        let seid = &reader.card.seid;
        let mut bound = table.on_card(seid).map(|(_, binding)| binding);
        if let Some(binding) = bound.find(|binding| binding.raw_apdu.is_some()) {
            warn!(%seid, domain = %binding.domain,
                  "raw_key_use: this domain may use, read and change the keys and PINs of the card by \
                   raw APDUs, where its list lets it");
        }
    }
    if table.iter().next().is_none() {
        warn!("no bindings: no guest may use any card");
    }
}

/// The channels without TLS and token.
pub(super) fn insecure(config: &Config) -> impl Iterator<Item = &UnixChannelConfig> {
    let channels = config.channels.iter();
    channels.filter(|channel| channel.insecure_development)
}
