//! Names of VMs for `token-tool issue --vm`, looked up in a real xenstored.

use std::path::Path;
use std::process::{Command, Output};

use integration::binaries;
use integration::xenstored::{Domain, Xenstored, uuid};

use crate::web01;

/// The files of an operator, in a directory that goes when it is dropped.
struct Operator(tempfile::TempDir);

impl Operator {
    fn new() -> Self {
        let operator = Self(tempfile::tempdir().expect("a directory"));
        let mut keygen = binaries::token_tool();
        keygen.args(["keygen", "--name", "hv1", "--alg", "ed25519", "--out", "."]);
        operator.run(&mut keygen);
        for arguments in [
            "req -x509 -newkey ed25519 -nodes -keyout vm.key -out vm.pem -subj /CN=web01",
            "genpkey -algorithm ed25519 -out agent.key",
            "pkey -in agent.key -pubout -out agent.pub",
        ] {
            operator.run(Command::new("openssl").args(arguments.split(' ')));
        }
        operator
    }

    fn run(&self, command: &mut Command) {
        let output = command
            .current_dir(self.0.path())
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{command:?}: {output:?}");
    }

    /// Issues a token for `vm`, asking the daemon at `socket`.
    fn issue(&self, vm: &str, socket: &Path) -> Output {
        let mut issue = binaries::token_tool();
        let arguments = "issue --hv-cert hv.cert.pem --hv-key hv.key.pem --vm-cert vm.pem \
                         --agent-key agent.pub --out token --json --vm";
        issue.args(arguments.split_whitespace()).arg(vm);
        issue
            .current_dir(self.0.path())
            .env("XENSTORED_PATH", socket);
        issue.output().expect("it runs")
    }

    /// The UUID in a token issued for `vm`.
    fn uuid_of(&self, vm: &str, socket: &Path) -> String {
        let output = self.issue(vm, socket);
        assert!(output.status.success(), "{output:?}");
        let made: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        made["vm"].as_str().expect("text").to_owned()
    }

    /// The exit code and the reason of no token for `vm`.
    fn refusal(&self, vm: &str, socket: &Path) -> (Option<i32>, String) {
        let output = self.issue(vm, socket);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), why)
    }
}

#[test]
fn a_token_is_for_the_running_vm_with_that_name() {
    let xenstored = Xenstored::start();
    let operator = Operator::new();
    xenstored.create(&web01(1));
    xenstored.create(&Domain::new(2, 2, "mail"));
    let socket = xenstored.socket();
    assert_eq!(operator.uuid_of("mail", &socket), uuid(2));
    assert_eq!(
        operator.uuid_of("web01", &socket),
        web01(1).uuid.to_string()
    );
    xenstored.rename(&Domain::new(2, 2, "mail"), "post");
    assert_eq!(operator.uuid_of("post", &socket), uuid(2));

    let (code, why) = operator.refusal("mail", &socket);
    assert_eq!(code, Some(69), "{why}");
    assert!(why.contains("no VM called \"mail\" is running"), "{why}");
    assert!(why.contains("web01") && why.contains("post"), "{why}");
    // Two of one name are told apart by their UUIDs only.
    xenstored.create(&Domain::new(3, 3, "post"));
    let (code, why) = operator.refusal("post", &socket);
    assert_eq!(code, Some(77), "{why}");
    assert!(why.contains(&uuid(2)) && why.contains(&uuid(3)), "{why}");
}

#[test]
fn without_a_daemon_the_uuid_is_enough() {
    let operator = Operator::new();
    let nobody = operator.0.path().join("nobody");
    assert_eq!(operator.uuid_of(&uuid(7), &nobody), uuid(7));
    let (code, why) = operator.refusal("web01", &nobody);
    assert_eq!(code, Some(69), "{why}");
    assert!(why.contains("give the VM's UUID instead"), "{why}");
}
