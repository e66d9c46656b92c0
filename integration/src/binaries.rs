//! Where the programs are: beside the running test, in `target/<profile>/`.

use std::path::PathBuf;
use std::process::Command;

/// `dom0-middleware`, ready to take its arguments.
#[must_use]
pub fn middleware() -> Command {
    program("dom0-middleware")
}

/// `domu-agent`, ready to take its arguments.
#[must_use]
pub fn agent() -> Command {
    program("domu-agent")
}

/// `soft-card`, ready to take its arguments.
#[must_use]
pub fn soft_card() -> Command {
    program("soft-card")
}

/// `token-tool`, ready to take its arguments.
#[must_use]
pub fn token_tool() -> Command {
    program("token-tool")
}

/// An example program of a crate, ready to take its arguments. Tests of the whole workspace build it.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn example(package: &str, name: &str) -> Command {
    let path = folder().join("examples").join(name);
    assert!(
        path.is_file(),
        "{} is not there; build it first: cargo build -p {package} --examples",
        path.display(),
    );
    Command::new(path)
}

/// `target`, where results may be written.
///
/// # Panics
/// Never: a profile's folder lies in it.
#[must_use]
pub fn target_folder() -> PathBuf {
    let folder = folder();
    folder.parent().expect("target/<profile>").to_owned()
}

fn program(name: &str) -> Command {
    let folder = folder();
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is not there; build the programs first: cargo build {}-p dom0-middleware \
         -p domu-agent -p soft-card -p token-tool (make test does)",
        path.display(),
        if folder.ends_with("release") {
            "--release "
        } else {
            ""
        },
    );
    let mut command = Command::new(path);
    // What a developer wants to see of one program changes no test.
    command.env_remove("RUST_LOG");
    command
}

/// `target/<profile>`: tests run in `deps` below it, examples in `examples`.
fn folder() -> PathBuf {
    let executable = std::env::current_exe().expect("a running program has a path");
    let mut folder = executable
        .parent()
        .expect("a file lies in a folder")
        .to_owned();
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder.pop();
    }
    folder
}
