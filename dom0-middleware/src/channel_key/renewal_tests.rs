//! The channel's certificate over days, with the HV key in a card, on a clock of the test that is
//! looked at each minute.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::card::PinCharacters;
use tempfile::TempDir;

use super::testing::{FakeReader, HOUR, START, later};
use super::*;
use crate::admin::HvKeyView;
use crate::card::MemoryPinLedger;
use crate::doctor::{self, Level};
use crate::time::UnixTime;

const MINUTE: Duration = Duration::from_secs(60);
const KEY: &str = "pcsc:Test Reader 00 00#9c";

/// A service's channel key, whose HV key is in a card.
struct Host {
    reader: FakeReader,
    hv_key: HvKey,
    key: ChannelKey,
    /// How long the service has run.
    time: Duration,
    folder: TempDir,
}

impl Host {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let (reader, certificate) = FakeReader::new();
        let hv_key = HvKey::new(HvKeyPlace::Card(HvCardPlace {
            name: KEY.parse().expect("a name"),
            certificate: certificate.clone(),
            pin: Some(HvPinPlace::File(pin_file(&folder))),
            characters: PinCharacters::PivDigits,
            ledger: Arc::new(MemoryPinLedger::new().expect("randomness")),
            readers: Arc::new(reader.clone()),
        }));
        write_pin(&folder, "123456");
        let signer = hv_key.load(true).expect("it is in its reader");
        let key = ChannelKey::new(&*signer, certificate, START).expect("certified");
        Self {
            reader,
            hv_key,
            key,
            time: Duration::ZERO,
            folder,
        }
    }

    /// What comes of each look at the clock until that time, of those that were due.
    fn run_until(&mut self, time: Duration) -> Vec<Result<(), String>> {
        let mut outcomes = Vec::new();
        while self.time < time {
            self.time += MINUTE;
            self.hv_key.look();
            outcomes.extend(renew_if_due(&self.key, &self.hv_key, later(self.time)));
        }
        outcomes
    }

    fn can_serve(&self) -> bool {
        self.key.is_valid(later(self.time))
    }

    fn set_card_there(&self, is_there: bool) {
        self.reader.inside().is_there = is_there;
    }

    /// PINs that the card was sent, and tries that it has left.
    fn pins(&self) -> (usize, u8) {
        let inside = self.reader.inside();
        (inside.card.count(0x20), inside.card.tries)
    }

    /// What `doctor` says, of what `status` shows.
    fn doctor(&self) -> (Level, String) {
        let found = doctor::hv_key(&HvKeyView {
            card: self.hv_key.card().expect("it is in one"),
            certificate_until: self.key.not_after().to_string(),
            problem: self.hv_key.problem(),
        });
        (found.level, found.message)
    }

    fn expect_healthy(&self) {
        let healthy = (Level::Ok, format!("in its card, {KEY}"));
        assert_eq!(self.doctor(), healthy);
    }

    fn expect_problem(&self, words: &[&str]) {
        let (level, message) = self.doctor();
        assert_eq!(level, Level::Fail, "{message}");
        for word in words.iter().chain(&[KEY]) {
            assert!(message.contains(word), "{word}: {message}");
        }
    }
}

fn pin_file(folder: &TempDir) -> PathBuf {
    folder.path().join("hv.pin")
}

fn write_pin(folder: &TempDir, pin: &str) {
    let file = pin_file(folder);
    fs::write(&file, pin).expect("writable");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
}

#[test]
fn a_card_renews_it_at_half_its_life_again_and_again() {
    let mut host = Host::start();
    assert!(host.run_until(11 * HOUR).is_empty());
    for renewals in 1..=3 {
        let before = host.key.not_after();
        assert_eq!(host.run_until(renewals * 12 * HOUR), [Ok(())]);
        assert!(host.key.not_after() >= UnixTime(before.0 + 11 * HOUR));
        assert!(host.can_serve());
        host.expect_healthy();
    }
    // One PIN for each signature, the first included.
    assert_eq!(host.pins(), (4, 3));
}

#[test]
fn while_the_card_is_away_it_is_tried_each_minute_and_the_old_one_stays_to_its_end() {
    let mut host = Host::start();
    host.set_card_there(false);
    // The administrator learns of it before it matters.
    assert!(host.run_until(MINUTE).is_empty());
    host.expect_problem(&["no card in reader \"Test Reader 00 00\"", "put the card"]);
    let outcomes = host.run_until(24 * HOUR - MINUTE);
    assert!(outcomes.len() > 700, "each minute: {}", outcomes.len());
    let is_absence = |outcome: &Result<(), String>| {
        let error = outcome.as_ref().err();
        error.is_some_and(|error| error.contains("no card in reader"))
    };
    assert!(outcomes.iter().all(is_absence), "{:?}", outcomes.last());
    assert!(host.can_serve());
    assert_eq!(host.run_until(24 * HOUR).len(), 1);
    assert!(!host.can_serve());
    host.expect_problem(&["no card in reader"]);
    assert_eq!(host.pins(), (1, 3));

    host.set_card_there(true);
    assert_eq!(host.run_until(host.time + MINUTE), [Ok(())]);
    assert!(host.can_serve());
    host.expect_healthy();
}

#[test]
fn a_wrong_pin_is_sent_once_however_often_it_is_tried() {
    let mut host = Host::start();
    write_pin(&host.folder, "654321");
    let outcomes = host.run_until(20 * HOUR);
    let [Err(first), rest @ ..] = outcomes.as_slice() else {
        panic!("{:?}", outcomes.first());
    };
    assert!(first.contains("did not accept the PIN, tries left: 2"));
    assert!(rest.len() > 400, "each minute: {}", rest.len());
    for outcome in rest {
        let error = outcome.as_ref().expect_err("the same PIN");
        assert!(error.contains("not sent again"), "{error}");
    }
    assert_eq!(host.pins(), (2, 2));
    assert!(host.can_serve());
    host.expect_problem(&["not sent again", "hv.pin"]);

    write_pin(&host.folder, "123456");
    assert_eq!(host.run_until(host.time + MINUTE), [Ok(())]);
    assert_eq!(host.pins(), (3, 3));
    host.expect_healthy();
}

#[test]
fn the_last_try_is_not_spent_on_it() {
    let mut host = Host::start();
    host.reader.inside().card.tries = 1;
    let outcomes = host.run_until(13 * HOUR);
    assert!(outcomes.len() > 50, "each minute: {}", outcomes.len());
    for outcome in outcomes {
        let error = outcome.expect_err("right or wrong");
        assert!(error.contains("one PIN try is left"), "{error}");
    }
    assert_eq!(host.pins(), (1, 1));
    host.expect_problem(&["one PIN try is left", "PUK"]);
}
