//! Two programs with nothing but a vchan between them.

use std::io::{Read, Write};
use std::process::{ChildStdout, Stdio};
use std::thread::{self, JoinHandle};

use integration::binaries;
use integration::payload::payload;
use integration::plain_vchan::PlainVchan;
use integration::process::Process;
use integration::wait;
use integration::xenstored::Xenstored;
use tempfile::TempDir;

/// Where the vchans of these tests are.
pub(crate) const PATH: &str = "/local/domain/0/data/pipe";

/// A host with both ends.
pub(crate) struct Pipes {
    pub(crate) vchan: PlainVchan,
    pub(crate) xenstored: Xenstored,
    folder: TempDir,
}

impl Pipes {
    pub(crate) fn new() -> Self {
        Self {
            vchan: PlainVchan::new(),
            xenstored: Xenstored::start(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// Starts one end, and another thing in its environment.
    pub(crate) fn start_with(&self, role: &str, more: &[(&str, &str)]) -> Process {
        let mut command = binaries::example("xen-channel", "vchan_pipe");
        let domid = if role == "server" { "7" } else { "0" };
        command.args([role, domid, PATH]);
        self.vchan.equip(&mut command, &self.xenstored);
        command.envs(more.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Process::start(role, &mut command, self.folder.path())
    }

    pub(crate) fn start(&self, role: &str) -> Process {
        self.start_with(role, &[])
    }

    /// Both ends, connected.
    pub(crate) fn connected(&self) -> (Process, Process) {
        let (server, client) = (self.start("server"), self.start("client"));
        for end in [&server, &client] {
            wait::until("both ends are connected", || {
                end.log().contains("connected").then_some(())
            });
        }
        (server, client)
    }

    /// Whether the server's keys are in xenstore.
    fn has_keys(&self) -> bool {
        let mut there = false;
        self.xenstored.change(|store| {
            there = store.read(&format!("{PATH}/ring-ref"))?.is_some();
            Ok(())
        });
        there
    }
}

/// Reads to the end on a thread of its own.
pub(crate) fn rest(mut stdout: ChildStdout) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).expect("a pipe");
        bytes
    })
}

#[test]
fn what_is_sent_right_before_the_end_arrives() {
    let pipes = Pipes::new();
    for (from, to) in [("client", "server"), ("server", "client")] {
        let mut ends = [pipes.start("server"), pipes.start("client")];
        if from == "client" {
            ends.reverse();
        }
        let [mut sender, mut taker] = ends;
        let received = rest(taker.stdout().expect("piped"));
        // Many rings full, and the end at once.
        let sent = payload(1 << 20);
        let mut stdin = sender.stdin().expect("piped");
        stdin.write_all(&sent).expect("it reads");
        drop(stdin);
        assert!(sender.await_end().success(), "{from}");
        assert!(taker.await_end().success(), "{to}");
        assert_eq!(received.join().expect("no panic"), sent, "{from} to {to}");
        wait::until("the server has taken its keys away", || {
            (!pipes.has_keys()).then_some(())
        });
    }
}

#[test]
fn an_end_that_is_killed_is_noticed_by_the_other() {
    for first in [0, 1] {
        let pipes = Pipes::new();
        let (server, client) = pipes.connected();
        let mut ends = [server, client];
        ends.rotate_left(first);
        let [mut killed, mut other] = ends;
        killed.kill();
        assert!(other.await_end().success());
    }
}

#[test]
fn one_server_serves_one_client() {
    let pipes = Pipes::new();
    let (mut server, mut client) = pipes.connected();
    client.kill();
    server.await_end();
    // A client that comes too early waits for its server.
    let mut client = pipes.start("client");
    let mut server = pipes.start("server");
    let mut stdin = client.stdin().expect("piped");
    let mut stdout = server.stdout().expect("piped");
    stdin.write_all(b"again").expect("it reads");
    let mut bytes = [0; 5];
    stdout.read_exact(&mut bytes).expect("it comes");
    assert_eq!(&bytes, b"again");
}

/// libxenvchan frees and unmaps what it has never set when opening fails halfway.
#[test]
fn a_server_that_cannot_be_opened_says_why_and_crashes_nothing() {
    let pipes = Pipes::new();
    let no_port = [("PLAIN_VCHAN_NO_PORT", "1"), ("MALLOC_PERTURB_", "165")];
    let mut server = pipes.start_with("server", &no_port);
    let ended = server.await_end();
    assert_eq!(ended.code(), Some(1), "{}", server.log());
    let log = server.log();
    assert!(
        log.contains(PATH) && log.contains("No such process"),
        "{log}"
    );
    assert!(log.contains("modprobe xen-gntalloc"), "{log}");
}
