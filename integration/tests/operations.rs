//! Runs the commands of docs/operations.md in the order in which they stand there.
//!
//! A block `sh` is run, by one shell for all; a block `text` behind it is what it must print: these
//! lines in this order, `…` standing for anything, other lines in between. What is not printed yet is
//! asked for again: services take a moment to start. The host is a mount namespace with a reader and
//! folders of its own, so that the paths are those of the page.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use integration::binaries;
use integration::chain::{CardPlan, start_card};
use integration::pcscd::{Pcscd, enter};
use integration::pki::{KeyKind, Pki};
use integration::process::Process;
use integration::wait::PATIENCE;

const PAGE: &str = include_str!("../../docs/operations.md");

/// Folders that the page writes to, made fresh for this test alone.
const OWN_HOST: &str = "mount -t tmpfs tmpfs /var/log && mount -t tmpfs tmpfs /var/lib && \
    mkdir /run/etc && { cp -a /etc/. /run/etc 2>/dev/null || true; } && \
    mount --bind /run/etc /etc && exec 2>&1 && cd \"$0\" && exec sh";

/// A block of commands and what it prints.
#[derive(Debug, Default)]
struct Step {
    commands: String,
    printed: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block = None;
    for line in page.lines() {
        match (block, line) {
            (None, "```sh") => {
                steps.push(Step::default());
                block = Some("sh");
            }
            (None, "```text") => block = Some("text"),
            (None, fence) if fence.starts_with("```") => block = Some("other"),
            (Some(_), "```") => block = None,
            (Some("sh"), line) => {
                let step = steps.last_mut().expect("begun above");
                let _ = writeln!(step.commands, "{line}");
            }
            (Some("text"), line) => {
                let step = steps.last_mut().expect("behind commands");
                step.printed.push(line.to_owned());
            }
            _ => {}
        }
    }
    steps
}

/// Whether all `expected` lines stand in `printed`, in this order.
fn is_printed(expected: &[String], printed: &[String]) -> bool {
    let mut lines = printed.iter();
    expected
        .iter()
        .all(|expected| lines.any(|line| fits(expected, line)))
}

fn fits(expected: &str, line: &str) -> bool {
    let mut rest = line;
    let mut pieces = expected.split('…').map(str::trim);
    pieces.all(|piece| match rest.split_once(piece) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

/// One shell, and what it prints.
struct Shell {
    _process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Shell {
    fn start(pcscd: &Pcscd, folder: &Path) -> Self {
        let mut command = enter(pcscd.id(), "unshare");
        // All that the page starts ends with this shell.
        command.args(["--pid", "--fork", "--kill-child=KILL", "sh", "-c", OWN_HOST]);
        let programs = Path::new(binaries::middleware().get_program())
            .parent()
            .expect("in a folder")
            .display()
            .to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .arg(folder)
            .env("PATH", format!("{programs}:{path}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::start("operator", &mut command, folder);
        let stdin = process.stdin().expect("piped");
        let stdout = BufReader::new(process.stdout().expect("piped"));
        Self {
            _process: process,
            stdin,
            stdout,
        }
    }

    fn run(&mut self, commands: &str) -> Vec<String> {
        const END: &str = "--- end of block";
        write!(self.stdin, "{commands}\necho '{END}'\n").expect("the shell runs");
        let mut printed = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("text");
            assert_ne!(read, 0, "the shell has ended: {printed:#?}");
            match line.trim_end() {
                END => return printed,
                line => printed.push(line.to_owned()),
            }
        }
    }
}

#[test]
fn the_page_of_operations_does_what_it_says() {
    let pki = Pki::new();
    let pcscd = Pcscd::start_named("Alcor Micro AU9540");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let card = CardPlan::new("se-00").identity("web01", KeyKind::Rsa2048);
    let _card = start_card(&pki, &card, &pcscd, path);
    let certificate = path.join("se-00.web01.cert.pem");
    std::fs::copy(certificate, path.join("web01.pem")).expect("the card was made");
    let server = pki.server("www.example", KeyKind::Rsa2048).write(path, "s");
    std::fs::rename(server.certificate, path.join("server.pem")).expect("our own file");
    std::fs::rename(server.key, path.join("server.key")).expect("our own file");

    let mut shell = Shell::start(&pcscd, path);
    let steps = steps(PAGE);
    assert!(steps.len() > 10, "the page has its commands: {steps:#?}");
    for step in steps {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let printed = shell.run(&step.commands);
            if is_printed(&step.printed, &printed) {
                break;
            }
            let (commands, expected) = (&step.commands, step.printed.join("\n"));
            assert!(
                Instant::now() < deadline,
                "{commands}prints\n{}\nand not\n{expected}",
                printed.join("\n")
            );
        }
    }
}
