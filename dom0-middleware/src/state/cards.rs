//! Which card belongs where.

use std::collections::BTreeMap;

use proto::id::Seid;
use rusqlite::params;

use super::change::Edit;
use super::error::StateError;
use super::open::State;
use super::value::{int, json, parsed, to_json};
use crate::card::AdoptedCard;

impl State {
    /// The cards that were adopted.
    ///
    /// # Errors
    /// [`StateError`] when they cannot be read.
    pub fn cards(&self) -> Result<BTreeMap<Seid, AdoptedCard>, StateError> {
        self.lock().run(|connection| {
            let mut select = connection.prepare("SELECT seid, adopted FROM card")?;
            let rows = select.query_map((), |row| Ok((parsed(row, 0)?, json(row, 1)?)))?;
            rows.collect()
        })
    }
}

impl Edit<'_> {
    /// Makes a card the one that belongs to a SEID.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn adopt(&self, seid: &Seid, card: &AdoptedCard) -> rusqlite::Result<()> {
        let insert = "INSERT OR REPLACE INTO card (seid, adopted, change) VALUES (?1, ?2, ?3)";
        let values = params![seid.as_str(), to_json(card)?, int(self.change)];
        self.transaction.execute(insert, values).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use proto::apdu::Atr;

    use super::super::testing::{open, open_again, record};
    use super::*;
    use crate::card::Sight;

    fn card(byte: u8) -> AdoptedCard {
        let atr = Atr::decode(&[0x3B, byte]).expect("an ATR");
        AdoptedCard {
            fingerprint: Sight::new(&atr, &[0; 32]).with_identities(&[]),
            pin_file: Some("/etc/pin".into()),
        }
    }

    #[test]
    fn an_adopted_card_is_known_after_a_restart() {
        let (dir, state) = open();
        let seid: Seid = "se-00".parse().expect("a SEID");
        for byte in 1..=2 {
            let adopt = |edit: &Edit<'_>| edit.adopt(&seid, &card(byte));
            state.change(adopt, record).expect("made");
        }
        drop(state);
        let cards = open_again(&dir).cards().expect("read");
        assert_eq!(cards, [(seid, card(2))].into());
    }
}
