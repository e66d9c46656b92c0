//! The program as an operator meets it.

use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dom0-middleware"));
    command.args(arguments).output().expect("it is built")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write(dir: &Path, text: &str) -> String {
    let path = dir.join("test.toml");
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn help_is_a_result_and_a_wrong_word_is_not() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("check-config"));
    assert_eq!(run(&["dance"]).status.code(), Some(64));
    assert_eq!(run(&["serve"]).status.code(), Some(64));
}

#[test]
fn the_example_configuration_is_accepted() {
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/examples/dom0-middleware.toml"
    );
    let checked = run(&["check-config", example]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert!(stdout(&checked).contains("good"));
    assert!(stderr(&checked).contains("not there yet"));
}

#[test]
fn a_bad_configuration_is_named_with_line_and_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let unknown = write(dir.path(), "[service]\ncolour = 1\n");
    for command in [
        &["check-config", &unknown][..],
        &["serve", "--config", &unknown],
    ] {
        let refused = run(command);
        assert_eq!(refused.status.code(), Some(78));
        let said = stderr(&refused);
        assert!(
            said.contains("test.toml") && said.contains("colour"),
            "{said}"
        );
        assert!(said.contains("line 2"), "{said}");
    }
    let card = write(dir.path(), "[[card]]\nseid = \"se-07\"\n");
    let said = stderr(&run(&["check-config", &card]));
    assert!(said.contains("test.toml:2: card.seid: "), "{said}");
    let missing = dir.path().join("nothing.toml").display().to_string();
    let said = run(&["check-config", &missing]);
    assert_eq!(said.status.code(), Some(78));
    assert!(stderr(&said).contains("nothing.toml"));
}

#[test]
fn without_a_service_its_commands_say_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("admin.sock").display().to_string();
    for command in [
        &["status"][..],
        &["card", "list"],
        &["card", "list", "--json"],
    ] {
        let refused = run(&[command, &["--admin", &socket]].concat());
        assert_eq!(refused.status.code(), Some(69));
        assert!(stderr(&refused).contains(&socket), "{}", stderr(&refused));
        assert_eq!(stdout(&refused), "");
    }
}
