//! The key of a host in a PIV card, in the reader of a daemon.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binaries;
use crate::hypervisor::Hypervisor;
use crate::pcscd::{Pcscd, READER, enter};
use crate::pki;
use crate::process::Process;

/// A card with an HV key. It is in its reader until it is pulled or dropped.
#[derive(Debug)]
pub struct HvCard {
    folder: PathBuf,
    slot: String,
    /// Where the reader listens for a card.
    port: u16,
    pcscd: u32,
    running: Option<Process>,
}

impl HvCard {
    /// Puts a host's key and certificate into a slot of a new card, and the card into the reader.
    ///
    /// # Panics
    /// When the card cannot be made.
    #[must_use]
    pub fn start(hv: &Hypervisor, slot: &str, pcscd: &Pcscd, folder: &Path) -> Self {
        let card = Self::start_at(hv, slot, (pcscd.id(), pcscd.port()), folder);
        pcscd.wait_card();
        card
    }

    /// A new card without a key in that slot: it has one in another.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_without_key(slot: &str, pcscd: &Pcscd, folder: &Path) -> Self {
        let other = Hypervisor::new(folder, "other-slot");
        let mut card = Self::start(&other, "82", pcscd, folder);
        slot.clone_into(&mut card.slot);
        card
    }

    /// As [`Self::start`] in the reader of a daemon with this process id, which listens at this port. It may
    /// take a moment until it is seen there.
    pub(crate) fn start_at(
        hv: &Hypervisor,
        slot: &str,
        (pcscd, port): (u32, u16),
        folder: &Path,
    ) -> Self {
        let mut card = Self {
            folder: folder.to_owned(),
            slot: slot.to_owned(),
            port,
            pcscd,
            running: None,
        };
        pki::write_secret(folder, PIN_FILE, PIN);
        let pin = pki::write_secret(folder, "hv-card.personal.pin", PIN);
        let mut command = binaries::soft_card();
        command.args(["personalise", "--slot", slot, "--dir"]);
        command.arg(card.memory()).arg("--key").arg(hv.key_file());
        command.arg("--cert").arg(hv.certificate_file());
        let output = command.arg("--pin-file").arg(pin).output();
        let output = output.expect("it is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "soft-card personalise: {said}");
        card.plug_in();
        card
    }

    /// The folder that is the card: what it has made lies there.
    #[must_use]
    pub fn memory(&self) -> PathBuf {
        self.folder.join("hv-card")
    }

    /// What programs call the key.
    #[must_use]
    pub fn key_name(&self) -> String {
        format!("pcsc:{READER}#{}", self.slot)
    }

    /// The file with the card's PIN, as its users have it.
    #[must_use]
    pub fn pin_file(&self) -> PathBuf {
        self.folder.join(PIN_FILE)
    }

    /// Writes this PIN into that file. The card keeps its own.
    pub fn write_pin(&self, pin: &str) {
        pki::write_secret(&self.folder, PIN_FILE, pin);
    }

    /// Writes the right PIN into that file.
    pub fn write_right_pin(&self) {
        self.write_pin(PIN);
    }

    /// A program in the namespace of the reader.
    #[must_use]
    pub fn beside(&self, command: &Command) -> Command {
        let program = command.get_program().to_string_lossy();
        let mut entered = enter(self.pcscd, &program);
        entered.args(command.get_args());
        entered
    }

    /// Takes the card out.
    ///
    /// # Panics
    /// When it is not there.
    pub fn pull(&mut self) {
        self.running.take().expect("it is in the reader").kill();
    }

    /// Puts the card in.
    ///
    /// # Panics
    /// When it is there.
    pub fn plug_in(&mut self) {
        self.plug_in_with(&[]);
    }

    /// The same with these options for `soft-card serve`, this time.
    ///
    /// # Panics
    /// When it is there.
    pub fn plug_in_with(&mut self, options: &[&str]) {
        assert!(self.running.is_none(), "it is in the reader");
        let mut command = binaries::soft_card();
        command.args(["serve", "--connect", &format!("127.0.0.1:{}", self.port)]);
        command.arg("--dir").arg(self.memory()).args(options);
        self.running = Some(Process::start_silent("hv-card", &mut command, &self.folder));
    }
}

/// Where the users of the card find its PIN.
const PIN_FILE: &str = "hv-card.pin";
const PIN: &str = "123456\n";
