//! Rules by who really asks: another user, as the kernel says.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use integration::chain::Chain;
use integration::openssl::{Mode, OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};

use crate::examples::{build_c_program, is_there};
use crate::{NAME, chain};

/// Nobody's, of the group that the agent's socket has.
const OTHER_UID: u32 = 65_534;

/// Runs the C program, which asks for a socket, as another user.
fn fetch_as_other(program: &Path, chain: &Chain, server: &OpensslServer) -> Output {
    let mut command = Command::new(program);
    command
        .uid(OTHER_UID)
        .gid(0)
        .arg(chain.guest("web01").socket())
        .arg(format!("127.0.0.1:{}", server.port()))
        .arg(NAME);
    command.output().expect("it can be started")
}

#[test]
fn another_user_gets_what_the_rules_give_it_and_no_more() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can ask as another user");
        return;
    }
    if !is_there("cc", "gcc and libc6-dev") {
        return;
    }
    let pki = Pki::new();
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).mode(Mode::Page));
    // The harness, which is root, asks as well.
    let others = format!("[[allow]]\nuid = 0\n[[allow]]\nuid = {OTHER_UID}\n");
    for (rules, is_allowed) in [
        ("", true),
        ("[[allow]]\nuid = 0\n", false),
        (others.as_str(), true),
        (&format!("{others}modes = [\"stream\"]\n"), false),
        (&format!("{others}identities = [\"web02\"]\n"), false),
        (&format!("{others}identities = [\"web01\"]\n"), true),
        (
            &format!("{others}destinations = [\"127.0.0.1:1\"]\n"),
            false,
        ),
        (
            "[[allow]]\ngid = \"root\"\ndestinations = [\"127.0.0.1:*\"]\n",
            true,
        ),
    ] {
        let chain = chain(&pki, rules);
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(chain.folder(), everybody).expect("our own folder");
        let program = build_c_program(chain.folder());
        let output = fetch_as_other(&program, &chain, &server);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), is_allowed, "{rules}: {said}");
        if is_allowed {
            assert!(output.stdout.starts_with(b"HTTP/1.0 200 ok"), "{rules}");
        } else {
            let is_refusal = said.contains("policy") || said.contains("not-bound");
            assert!(is_refusal, "{rules}: {said}");
        }
    }
}
