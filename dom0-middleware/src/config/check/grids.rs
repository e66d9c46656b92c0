//! Elements of other hosts' grids.

use std::ops::Range;

use proto::racs::SeidToken;
use toml::Spanned;

use super::Check;
use super::readers::GridPlace;
use crate::config::error::ConfigError;
use crate::config::file::{CardSourceTable, GridRules};
use crate::racs::client::{Grid, GridFiles, ServerRules, ServerTrust};

/// Where the configuration names the files of a grid.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct GridLines {
    pub(in crate::config) certificate: usize,
    pub(in crate::config) key: usize,
    pub(in crate::config) trust: usize,
}

impl Check<'_> {
    pub(super) fn grid_place(&self, source: &CardSourceTable) -> Result<GridPlace, ConfigError> {
        let kind = source.kind.span();
        if let Some((key, span)) = local_key(source) {
            let problem = "kind = \"racs\" has a host, and nothing of this one";
            return Err(self.error(span, key, problem));
        }
        if !source.trusted_with_keys {
            let problem = "that host sees the card's PIN and the KeyBlocks of every connection made \
                           with it; if it may, say trusted_with_keys = true";
            return Err(self.error(kind, "card_source.trusted_with_keys", problem));
        }
        let host = self.needed(
            &source.host,
            &kind,
            "card_source.host",
            "the grid's HOST or HOST:PORT",
        )?;
        let address = host.get_ref().0.clone();
        let said = "our certificate (PEM)";
        let certificate =
            self.needed(&source.certificate, &kind, "card_source.certificate", said)?;
        let key = self.needed(
            &source.key,
            &kind,
            "card_source.key",
            "the certificate's key (PEM)",
        )?;
        let (trust, trust_at) = match (&source.ca, &source.pin) {
            (Some(ca), None) => (ServerTrust::Ca(ca.get_ref().clone()), ca.span()),
            (None, Some(pin)) => (ServerTrust::Pin(pin.get_ref().0.0), pin.span()),
            _ => {
                let problem = "give either ca, a file with the CA of the grid's server, or pin, the \
                               SHA-256 of its certificate";
                return Err(self.error(kind, "card_source.ca", problem));
            }
        };
        let rules = match source.rules.as_ref().map(Spanned::get_ref) {
            Some(GridRules::Tessera) => ServerRules::TESSERA,
            Some(GridRules::Published) | None => ServerRules::PUBLISHED,
        };
        let batches = source.batches.as_ref().map(Spanned::get_ref).copied();
        let server_name = source.server_name.as_ref();
        let grid = Grid {
            server_name: server_name
                .map_or_else(|| address.host().to_owned(), |name| name.get_ref().clone()),
            address,
            files: GridFiles {
                certificate: certificate.get_ref().clone(),
                key: key.get_ref().clone(),
                trust,
            },
            rules: ServerRules {
                batches: batches.unwrap_or(rules.batches),
                ..rules
            },
        };
        let (seid, span) = match &source.remote_seid {
            Some(seid) => (seid.get_ref().as_str(), seid.span()),
            None => (source.seid.get_ref().as_str(), source.seid.span()),
        };
        let seid = SeidToken::try_from(seid.as_bytes())
            .map_err(|error| self.error(span, "card_source.remote_seid", error))?;
        let lines = GridLines {
            certificate: self.line(&certificate.span()),
            key: self.line(&key.span()),
            trust: self.line(&trust_at),
        };
        Ok(GridPlace { grid, seid, lines })
    }

    /// That a card of this host has no keys of a grid.
    pub(super) fn no_grid_keys(&self, source: &CardSourceTable) -> Result<(), ConfigError> {
        let spans = [
            source.host.as_ref().map(Spanned::span),
            source.remote_seid.as_ref().map(Spanned::span),
            source.certificate.as_ref().map(Spanned::span),
            source.key.as_ref().map(Spanned::span),
            source.ca.as_ref().map(Spanned::span),
            source.pin.as_ref().map(Spanned::span),
            source.server_name.as_ref().map(Spanned::span),
            source.rules.as_ref().map(Spanned::span),
            source.batches.as_ref().map(Spanned::span),
        ];
        match spans.into_iter().flatten().next() {
            None => Ok(()),
            Some(span) => {
                let problem = "only kind = \"racs\" has this key";
                Err(self.error(span, "card_source", problem))
            }
        }
    }

    fn needed<'a, T>(
        &self,
        value: &'a Option<Spanned<T>>,
        kind: &Range<usize>,
        key: &'static str,
        what: &str,
    ) -> Result<&'a Spanned<T>, ConfigError> {
        let missing = || self.error(kind.clone(), key, format!("give {what}"));
        value.as_ref().ok_or_else(missing)
    }
}

/// A key of a card of this host.
fn local_key(source: &CardSourceTable) -> Option<(&'static str, Range<usize>)> {
    let reader = source.reader.as_ref();
    let address = source.address.as_ref();
    let socket = source.socket.as_ref().map(|_| source.kind.span());
    reader
        .map(|reader| ("card_source.reader", reader.span()))
        .or_else(|| address.map(|address| ("card_source.address", address.span())))
        .or_else(|| socket.map(|span| ("card_source.socket", span)))
}
