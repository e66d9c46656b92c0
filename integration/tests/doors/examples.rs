//! The example programs fetch a page, and say so when they cannot.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use integration::binaries;
use integration::chain::Chain;
use integration::openssl::{Mode, OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};

use crate::{NAME, chain};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../domu-agent/examples");

/// Runs the program against a server of each version, and one that nobody trusts.
fn fetches(program: impl Fn(&Path) -> Command) {
    fetches_with(program, &[]);
}

/// The same with arguments of its own at the end.
fn fetches_with(program: impl Fn(&Path) -> Command, arguments: &[&str]) {
    let pki = Pki::new();
    let chain = chain(&pki, "");
    let (good, foreign) = (
        pki.server(NAME, KeyKind::P256),
        pki.foreign_server(NAME, KeyKind::P256),
    );
    let page = |plan: ServerPlan<'_>| OpensslServer::start(&pki, &plan.mode(Mode::Page));
    for (server, version) in [
        (page(ServerPlan::new(&good)), "TLSv1.2"),
        (page(ServerPlan::new(&good).tls13()), "TLSv1.3"),
    ] {
        let output = run(program(chain.folder()), arguments, &chain, &server);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let page = String::from_utf8_lossy(&output.stdout);
        assert!(page.starts_with("HTTP/1.0 200 ok\r\n"), "{page}");
        assert!(page.trim_end().ends_with("</HTML>"), "{page}");
        assert!(page.contains(version), "{page}");
    }

    let server = page(ServerPlan::new(&foreign));
    let output = run(program(chain.folder()), arguments, &chain, &server);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("peer-untrusted"), "{said}");
    assert!(output.stdout.is_empty());
}

fn run(mut program: Command, arguments: &[&str], chain: &Chain, server: &OpensslServer) -> Output {
    program
        .arg(chain.guest("web01").socket())
        .arg(format!("127.0.0.1:{}", server.port()))
        .arg(NAME)
        .args(arguments);
    program.output().expect("it can be started")
}

fn rust_program() -> Command {
    binaries::example("domu-agent", "fetch")
}

/// Whether a program is there; says what is missed if not.
pub(crate) fn is_there(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: no {program}; install {package} (make deps does)");
    }
    found
}

#[test]
fn the_rust_program_fetches_over_a_stream() {
    fetches_with(|_| rust_program(), &["stream"]);
}

#[test]
fn the_rust_program_fetches_over_a_socket() {
    fetches_with(|_| rust_program(), &["socket"]);
}

#[test]
fn the_python_program_has_30_lines_and_fetches() {
    let path = PathBuf::from(EXAMPLES).join("fetch.py");
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.lines().count() <= 30);
    if is_there("python3", "python3") {
        fetches(|_| {
            let mut python = Command::new("python3");
            python.arg(&path);
            python
        });
    }
}

#[test]
fn the_python_program_with_a_socket_of_its_own_fetches() {
    if is_there("python3", "python3") {
        fetches(|_| {
            let mut python = Command::new("python3");
            python.arg(PathBuf::from(EXAMPLES).join("fetch_socket.py"));
            python
        });
    }
}

#[test]
fn the_c_program_builds_without_warnings_and_fetches_over_a_socket() {
    if !is_there("cc", "gcc and libc6-dev") {
        return;
    }
    fetches(|folder| Command::new(build_c_program(folder)));
}

/// Builds the C program into `folder`.
pub(crate) fn build_c_program(folder: &Path) -> PathBuf {
    let program = folder.join("fetch");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(PathBuf::from(EXAMPLES).join("fetch.c"));
    let output = compiler.output().expect("it is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    program
}
