//! The two files in which earlier versions kept what is in the state now.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use proto::id::Seid;
use rusqlite::params;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::change::Edit;
use super::open::sync_folder;
use super::value::to_json;
use crate::card::{AdoptedCard, PinStamp};

/// Which card belongs where.
const CARDS: &str = "cards.json";
/// Which PINs were sent and not accepted.
const PIN_ATTEMPTS: &str = "pin-attempts.json";

/// The longest file that is read, in bytes.
const MAX_FILE: usize = 1 << 20;

/// What earlier versions kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Former {
    /// Which card belongs where.
    pub cards: BTreeMap<Seid, AdoptedCard>,
    /// Which PINs were sent and not accepted.
    pub pin_attempts: BTreeMap<Seid, PinStamp>,
    files: Vec<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PinAttempts {
    pending: BTreeMap<Seid, PinStamp>,
}

impl Former {
    /// Reads what lies in `folder`; `None` when there is nothing.
    ///
    /// # Errors
    /// The file, and why it cannot be used.
    pub fn read(folder: &Path) -> Result<Option<Self>, (PathBuf, io::Error)> {
        let at = |name| {
            let path = folder.join(name);
            move |error| (path, error)
        };
        let cards = read(&folder.join(CARDS)).map_err(at(CARDS))?;
        let attempts = read::<PinAttempts>(&folder.join(PIN_ATTEMPTS)).map_err(at(PIN_ATTEMPTS))?;
        let is_there = [(CARDS, cards.is_some()), (PIN_ATTEMPTS, attempts.is_some())];
        let files = is_there.iter().filter(|(_, is_there)| *is_there);
        let files: Vec<PathBuf> = files.map(|(name, _)| folder.join(name)).collect();
        Ok((!files.is_empty()).then(|| Self {
            cards: cards.unwrap_or_default(),
            pin_attempts: attempts.unwrap_or_default().pending,
            files,
        }))
    }

    /// Renames the files, so that they are not read again.
    ///
    /// # Errors
    /// An [`io::Error`]; they are read again then, which does no harm.
    pub fn put_aside(&self) -> io::Result<()> {
        for file in &self.files {
            let mut name = file.as_os_str().to_owned();
            name.push(".imported");
            fs::rename(file, name)?;
        }
        self.files.first().map_or(Ok(()), |file| sync_folder(file))
    }
}

impl Edit<'_> {
    /// Takes over what is not in the state yet.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn import(&self, former: &Former) -> rusqlite::Result<()> {
        for (seid, card) in &former.cards {
            let select = "SELECT count(*) FROM card WHERE seid = ?1";
            let is_known = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(0)? > 0);
            if !self
                .transaction
                .query_row(select, [seid.as_str()], is_known)?
            {
                self.adopt(seid, card)?;
            }
        }
        for (seid, stamp) in &former.pin_attempts {
            let insert = "INSERT OR IGNORE INTO pin_attempt (seid, stamp) VALUES (?1, ?2)";
            let values = params![seid.as_str(), to_json(stamp)?];
            self.transaction.execute(insert, values)?;
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = Vec::new();
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut text)?;
    if text.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too long"));
    }
    Ok(serde_json::from_slice(&text).map(Some)?)
}

#[cfg(test)]
mod tests {
    use super::super::open::State;
    use super::super::pins::DurablePinLedger;
    use super::super::testing::{open, record};
    use super::*;
    use crate::card::{OfferedPin, PinLedger};

    const CARDS_OF_OLD: &str = r#"{"se-00":{"fingerprint":{"sight":{"atr":"3b00",
        "application":"00"},"identities":{"web01":null}},"pin_file":"/etc/pin"}}"#;
    const ATTEMPTS_OF_OLD: &str =
        r#"{"pending":{"se-01":{"device":1,"inode":2,"modified_s":3,"modified_ns":4}}}"#;

    fn import(state: &State, former: &Former) {
        let edit = |edit: &Edit<'_>| edit.import(former);
        state.change(edit, record).expect("made");
    }

    #[test]
    fn what_earlier_versions_kept_is_taken_over_once() {
        let (dir, state) = open();
        assert_eq!(Former::read(dir.path()).expect("nothing"), None);
        fs::write(dir.path().join(CARDS), CARDS_OF_OLD).expect("written");
        fs::write(dir.path().join(PIN_ATTEMPTS), ATTEMPTS_OF_OLD).expect("written");
        let former = Former::read(dir.path()).expect("readable").expect("there");
        // As after a crash before the files were renamed.
        import(&state, &former);
        import(&state, &former);
        former.put_aside().expect("renamed");
        assert_eq!(Former::read(dir.path()).expect("nothing"), None);
        assert!(dir.path().join("cards.json.imported").exists());
        assert_eq!(state.cards().expect("read"), former.cards);
        let ledger = DurablePinLedger::new(state).expect("randomness");
        let seid = "se-01".parse().expect("a SEID");
        let pin = OfferedPin::for_test("1234");
        assert_eq!(ledger.may_verify(&seid, &pin), Ok(false));
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        for (name, content) in [(CARDS, "[1]"), (PIN_ATTEMPTS, "{}"), (CARDS, "")] {
            let dir = tempfile::tempdir().expect("a directory");
            fs::write(dir.path().join(name), content).expect("written");
            let (path, _) = Former::read(dir.path()).expect_err("no record");
            assert!(path.ends_with(name));
            assert_eq!(fs::read_to_string(path).expect("there"), content);
        }
    }
}
