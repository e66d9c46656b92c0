//! Cards of other hosts.

use super::*;

const GRID: &str = "[[card_source]]\nkind = \"racs\"\nseid = \"se-00\"\nhost = \"grid.example\"\n\
    certificate = \"/x/host.pem\"\nkey = \"/x/host.key\"\nca = \"/x/ca.pem\"\n";

#[test]
fn a_card_of_another_host_is_there_only_if_that_host_may_see_keys() {
    let trusted = format!("{GRID}trusted_with_keys = true\n");
    let config = parse(&trusted).expect("a grid");
    let ReaderPlace::Grid(place) = &config.readers[0].place else {
        panic!("a grid");
    };
    assert_eq!(place.grid.server_name, "grid.example");
    assert_eq!(place.seid.as_str(), "se-00");
    assert_eq!(
        config.readers[0].place.to_string(),
        "racs grid.example:7777 se-00"
    );
    refused_at(2, "PIN and the KeyBlocks", GRID);
    refused_at(
        2,
        "PIN and the KeyBlocks",
        &format!("{GRID}trusted_with_keys = false\n"),
    );

    let without = |key: &str| {
        let lines = trusted.lines().filter(|line| !line.starts_with(key));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    refused_at(2, "HOST", &without("host"));
    refused_at(2, "our certificate", &without("certificate"));
    refused_at(2, "key (PEM)", &without("key"));
    refused_at(2, "either ca", &without("ca"));
    let pin = format!("pin = \"{}\"\n", "ab".repeat(32));
    refused_at(2, "either ca", &format!("{trusted}{pin}"));
    parse(&format!("{}{pin}", without("ca"))).expect("a pin instead of a CA");
    let no_port = parse(&trusted.replace("grid.example", "grid.example:x")).expect_err("no port");
    let said = Causes(&no_port).to_string();
    assert!(
        said.contains("line 4") && said.contains("HOST:PORT"),
        "{said}"
    );
    refused_at(
        9,
        "nothing of this one",
        &format!("{trusted}reader = \"R 00\"\n"),
    );
    refused_at(9, "SEID", &format!("{trusted}remote_seid = \"a b\"\n"));
    let other = trusted.replace("se-00", "se-01") + "remote_seid = \"se-00\"\n";
    refused_at(11, "same place", &format!("{trusted}{other}"));
    let more = "remote_seid = \"alpha\"\nserver_name = \"other.example\"\nrules = \"tessera\"\n";
    let config = parse(&format!("{trusted}{more}")).expect("all keys");
    let shown = config.readers[0].place.to_string();
    assert_eq!(shown, "racs grid.example:7777 alpha");
    let config = parse(&format!("{trusted}rules = \"tessera\"\nbatches = false\n"));
    let config = config.expect("one at a time");
    let ReaderPlace::Grid(place) = &config.readers[0].place else {
        panic!("a grid");
    };
    let rules = place.grid.rules;
    assert!(!rules.batches && rules.session_life.is_none());

    let local = "[[card_source]]\nkind = \"pcsc\"\nseid = \"se-00\"\nreader = \"R 00\"\n";
    refused_at(
        5,
        "only kind = \"racs\"",
        &format!("{local}host = \"grid.example\"\n"),
    );
}

#[test]
fn the_files_for_a_grid_are_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("{GRID}trusted_with_keys = true\n");
    let text = text.replace("/x", &folder.path().display().to_string());
    let config = parse(&text).expect("good");
    let missing = config.check_files(NOW).expect("may come yet");
    assert!(missing[0].to_string().contains("ca.pem"), "{}", missing[0]);
    let refused = config.check_pin_files().expect_err("needed to serve");
    assert!(
        refused
            .to_string()
            .starts_with("test.toml:7: card_source.ca"),
        "{refused}"
    );
    let pki = crate::racs::client::testing::Pki::new();
    let put = |from: &str, to: &str| {
        fs::copy(pki.path(from), folder.path().join(to)).expect("copied");
    };
    put("ca.pem", "ca.pem");
    put("client.pem", "host.pem");
    put("client.key", "host.key");
    assert!(config.check_files(NOW).expect("good").is_empty());
    put("ca.pem", "host.key");
    let refused = config.check_files(NOW).expect_err("no key").to_string();
    assert!(
        refused.starts_with("test.toml:6: card_source.key"),
        "{refused}"
    );
}
