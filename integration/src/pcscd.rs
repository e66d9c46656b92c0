//! A private `pcscd` with one virtual reader, in a mount namespace of its own.
//!
//! The daemon's socket has a fixed place, `/run/pcscd`; so it gets a `/run` of its own, and who
//! wants to speak to it must be in the same namespace. Its reader is `vpcd`, to which a soft card
//! connects over TCP; the driver takes the port given and the next one.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::{pki, ports, wait};

/// The name of the reader: the driver has two slots, this is the first.
pub const READER: &str = "Test Reader 00 00";

/// The driver of virtual readers.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/// What the daemon is told of a reader that listens at this port and the next one.
fn reader_config(name: &str, port: u16, driver: &Path) -> String {
    format!(
        "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:{port:#x}\nLIBPATH {}\nCHANNELID {port:#x}\n",
        driver.display()
    )
}

/// A running daemon.
#[derive(Debug)]
pub struct Pcscd {
    process: Process,
    port: u16,
    folder: TempDir,
}

impl Pcscd {
    /// Starts a daemon and waits until its reader listens for a card.
    ///
    /// # Panics
    /// When it is not installed, or namespaces are not to be had.
    #[must_use]
    pub fn start() -> Self {
        Self::start_named("Test Reader")
    }

    /// The same with a reader of another name, behind which the daemon puts ` 00 00`.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_named(reader: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = ports::two_free();
        let config = reader_config(reader, port, Path::new(DRIVER));
        pki::write(folder.path(), "reader.conf", &config);
        Self::start_in(folder, port)
    }

    /// The same with several readers, and where a card for each connects. The driver serves one pair of
    /// ports for each file that it is loaded from, so each has a copy of its own.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with_readers(count: usize) -> (Self, Vec<u16>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut ports = Vec::new();
        let mut config = String::new();
        for number in 0..count {
            let port = wait::until("ports of its own", || {
                let port = ports::two_free();
                (!ports.contains(&port)).then_some(port)
            });
            ports.push(port);
            let driver = folder.path().join(format!("vpcd-{number}.so"));
            std::fs::copy(DRIVER, &driver).expect("vsmartcard-vpcd is installed");
            config += &reader_config(&format!("Reader {number}"), port, &driver);
        }
        pki::write(folder.path(), "reader.conf", &config);
        (Self::start_in(folder, ports[0]), ports)
    }

    fn start_in(folder: TempDir, port: u16) -> Self {
        let mut command = Command::new("unshare");
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = "mount -t tmpfs tmpfs /run && mkdir /run/pcscd && \
                      exec pcscd --foreground --config \"$0\"";
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", script])
            .arg(folder.path().join("reader.conf"));
        let process = Process::start_silent("pcscd", &mut command, folder.path());
        let mut pcscd = Self {
            process,
            port,
            folder,
        };
        pcscd.wait_ready();
        pcscd
    }

    fn wait_ready(&mut self) {
        let port = self.port;
        wait::until("the reader listens; is vsmartcard-vpcd installed?", || {
            self.process.expect_running();
            ports::is_listened_at(port).then_some(())
        });
    }

    /// Kills the daemon.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts another daemon in the namespace of the killed one, which `keeper` is in as well: a
    /// namespace lives as long as somebody is in it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self, keeper: u32) {
        self.start_with(keeper, "reader.conf");
        self.wait_ready();
    }

    /// The same, with the reader unplugged.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again_without_reader(&mut self, keeper: u32) {
        pki::write(self.folder.path(), "no-reader.conf", "");
        self.start_with(keeper, "no-reader.conf");
    }

    fn start_with(&mut self, keeper: u32, config: &str) {
        let mut command = enter(keeper, "sh");
        let script = "rm -rf /run/pcscd/*; exec pcscd --foreground --config \"$0\"";
        command
            .args(["-c", script])
            .arg(self.folder.path().join(config));
        self.process = Process::start_silent("pcscd-again", &mut command, self.folder.path());
    }

    /// Waits until the daemon has noticed that there is no card. It looks a few times a second, and
    /// `vpcd` is confused by a card that comes before that.
    ///
    /// # Panics
    /// When it does not notice.
    pub fn wait_empty(&self) {
        wait::until("the reader is empty", || {
            (self.says_of_card()? == "No").then_some(())
        });
    }

    /// Waits until the daemon has seen the card.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_card(&self) {
        wait::until("there is a card in the reader", || {
            (self.says_of_card()? == "Yes").then_some(())
        });
    }

    /// Waits until the daemon has seen so many cards, and returns the names of their readers.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn wait_cards(&self, count: usize) -> Vec<String> {
        wait::until("there are cards in the readers", || {
            let listed = self.listed()?;
            // `Nr.  Card  Features  Name`, the name to the end of the line.
            let with_card = listed.lines().filter_map(|line| {
                let mut words = line.split_whitespace();
                (words.nth(1) == Some("Yes")).then_some(())?;
                let at = line.find("Reader ")?;
                Some(line[at..].trim_end().to_owned())
            });
            let names: Vec<String> = with_card.collect();
            (names.len() == count).then_some(names)
        })
    }

    fn listed(&self) -> Option<String> {
        let output = enter(self.id(), "opensc-tool")
            .arg("--list-readers")
            .output();
        Some(String::from_utf8_lossy(&output.ok()?.stdout).into_owned())
    }

    fn says_of_card(&self) -> Option<String> {
        let listed = self.listed()?;
        let line = listed.lines().find(|line| line.contains(READER))?;
        // `Nr.  Card  Features  Name`
        line.split_whitespace().nth(1).map(str::to_owned)
    }

    /// The process to enter the namespace of.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where a card connects, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// `program` in the namespace of a process.
#[must_use]
pub fn enter(process: u32, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &process.to_string(), "--mount"]);
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    command.args(["--", program]);
    command
}
