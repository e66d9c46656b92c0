//! `docs/threat-model.md` names the test that shows each mitigation: they must exist.

use std::path::Path;

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = std::fs::read_to_string(root.join("docs/threat-model.md")).expect("it is there");
    let mut named = 0;
    for name in model.split('`').skip(1).step_by(2) {
        let (file, test) = match name.split_once("::") {
            Some((file, test)) => (file, Some(test)),
            None => (name, None),
        };
        if !file.ends_with(".rs") {
            continue;
        }
        let source = std::fs::read_to_string(root.join(file));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        match test {
            Some(test) => assert!(source.contains(&format!("fn {test}(")), "{file}: no {test}"),
            None => assert!(source.contains("#[test]"), "{file}: no test in it"),
        }
        named += 1;
    }
    assert!(named > 40, "only {named} tests are named");
}
