//! The program as an operator meets it, with keys and certificates that OpenSSL made and reads.

mod support;

mod issue;
mod keygen;
mod passphrase;
mod show;
mod verify;

use support::{Dir, token_tool};

#[test]
fn help_is_a_result_and_a_wrong_word_is_not() {
    let dir = Dir::new();
    let help = dir.run("--help");
    assert_eq!(help.code, 0);
    assert!(help.out.contains("keygen"), "{}", help.out);
    for wrong in ["dance", "keygen", "issue", "show", "verify token"] {
        assert_eq!(dir.run(wrong).code, 64, "{wrong}");
    }
    assert_eq!(
        token_tool()
            .arg("--version")
            .status()
            .expect("it runs")
            .code(),
        Some(0)
    );
}
