//! What the operator is there for: cards that by design do not come back by themselves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::host::CARDS;
use crate::chain::Chain;

/// Looks at the cards now and then, and does what `card list` asks for.
#[derive(Debug, Default)]
pub(super) struct Operator {
    pub(super) did: BTreeMap<&'static str, usize>,
}

impl Operator {
    /// Looks once; whether every card is present.
    ///
    /// # Errors
    /// When a try of a PIN was spent that should not have been.
    pub(super) fn look(&mut self, chain: &mut Chain) -> Result<bool, String> {
        let output = chain.admin(&["card", "list", "--json"]);
        let Ok(Value::Array(cards)) = serde_json::from_slice(&output.stdout) else {
            return Err(format!("card list says {output:?}"));
        };
        let mut present = 0;
        for card in &cards {
            let (Some(seid), Some(state)) = (card["seid"].as_str(), card["state"].as_str()) else {
                return Err(format!("card list says {card}"));
            };
            present += usize::from(state == "present");
            let why = card["why"].as_str().unwrap_or_default();
            if state == "unusable" {
                self.help(chain, seid, why)?;
            }
        }
        Ok(present == CARDS.len())
    }

    fn help(&mut self, chain: &mut Chain, seid: &str, why: &str) -> Result<(), String> {
        if why.contains("one PIN try is left") || why.contains("blocked") {
            return Err(format!("{seid}: {why}"));
        }
        // Nobody knows what became of a PIN if the answer to it did not come.
        if why.contains("not tried again") || why.contains("was not accepted") {
            let pin = chain.pin_file(seid);
            let pin = pin.to_str().expect("UTF-8");
            // It may have been pulled meanwhile; then it is looked at again.
            let _ = chain.admin(&["card", "pin", seid, "--pin-file", pin]);
            self.note("card pin, after an answer to the PIN that did not come");
        }
        // It showed another certificate when it was opened.
        if why.contains("not the card that was adopted") {
            chain.pull(seid);
            chain.put_back(seid, &[]);
            self.note("card put back, after it looked like another one");
        }
        Ok(())
    }

    fn note(&mut self, what: &'static str) {
        *self.did.entry(what).or_default() += 1;
    }
}
