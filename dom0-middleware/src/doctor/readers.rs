//! What is wrong with the readers and their daemon.

use super::facts::{ConfigFacts, PcscFacts, PcscProblem};
use super::finding::Finding;

/// Readers that are missing, and what is in those that are there.
pub(super) fn readers(pcsc: &PcscFacts, config: Option<&ConfigFacts>) -> Vec<Finding> {
    let readers = match &pcsc.readers {
        Ok(readers) => readers,
        Err(problem) => return vec![silent_pcscd(problem)],
    };
    let wanted = config
        .map(|config| config.readers.as_slice())
        .unwrap_or_default();
    let mut findings = Vec::new();
    match readers.len() {
        0 => findings.push(
            Finding::fail("pcscd", "runs and sees no reader")
                .next("plug one in; if there is one, install its driver (libccid for most)"),
        ),
        OLD_MAX_READERS => findings.push(
            Finding::warn(
                "pcscd",
                format!("shows {OLD_MAX_READERS} readers; before pcsc-lite 2.5.0 it shows no more, however many there are"),
            )
            .next("with more readers than that, update pcsc-lite to 2.5.0 and libccid to 1.8.0"),
        ),
        count => findings.push(Finding::ok("pcscd", format!("runs, readers: {count}"))),
    }
    let hv_card = config.and_then(|config| config.hv_card.as_ref());
    findings.extend(hv_card.and_then(|(reader, _)| hv_reader(reader, readers)));
    for (seid, name) in wanted {
        if !readers.iter().any(|(reader, _)| reader == name) {
            findings.push(
                Finding::fail(
                    format!("reader {name}"),
                    format!("is not there, and card {seid} should be in it"),
                )
                .next(format!(
                    "plug it in, or correct its name in the configuration; there is: {}",
                    listed(readers)
                )),
            );
        }
    }
    for (name, has_card) in readers {
        let card = if *has_card { "has a card" } else { "is empty" };
        let user = wanted.iter().find(|(_, reader)| reader == name);
        let user = match user {
            Some((seid, _)) => format!("of {seid}"),
            None if hv_card.is_some_and(|(reader, _)| reader == name) => "of the HV key".to_owned(),
            None => "no card_source names it".to_owned(),
        };
        findings.push(Finding::ok(
            format!("reader {name}"),
            format!("{card}, {user}"),
        ));
    }
    findings
}

/// The reader of the card with the HV key, if that is not in it.
fn hv_reader(reader: &str, readers: &[(String, bool)]) -> Option<Finding> {
    let check = format!("reader {reader}");
    match readers.iter().find(|(name, _)| name == reader) {
        Some((_, true)) => None,
        Some((_, false)) => {
            let finding = Finding::fail(
                check,
                "is empty, and the card with the HV key should be in it",
            );
            Some(finding.next("put the card in"))
        }
        None => {
            let what = "is not there, and the card with the HV key should be in it";
            Some(Finding::fail(check, what).next(format!(
                "plug it in, or correct hv.key in the configuration; there is: {}",
                listed(readers)
            )))
        }
    }
}

fn listed(readers: &[(String, bool)]) -> String {
    let names: Vec<&str> = readers.iter().map(|(name, _)| name.as_str()).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}

fn silent_pcscd(problem: &PcscProblem) -> Finding {
    let (message, next) = match problem {
        PcscProblem::NoSocket(path) => (
            format!("does not run: {} is not there", path.display()),
            "install and start it: apt install pcscd, systemctl enable --now pcscd.socket",
        ),
        PcscProblem::NobodyListens(path) => (
            format!("does not run: nobody listens at {}", path.display()),
            "start it: systemctl restart pcscd.socket",
        ),
        PcscProblem::SocketDenied(path) => (
            format!("{} may not be opened", path.display()),
            "run this as root, or as the user that the service runs as",
        ),
        PcscProblem::AccessDenied => (
            "lets us in no further: access denied by polkit".to_owned(),
            "allow this user org.debian.pcsc-lite.access_pcsc and org.debian.pcsc-lite.access_card in a rule of polkit",
        ),
        PcscProblem::Other(error) => (
            format!("cannot be asked: {error}"),
            "look into its log: journalctl -u pcscd",
        ),
    };
    Finding::fail("pcscd", message).next(next)
}

/// What pcsc-lite before 2.5.0 shows at most.
const OLD_MAX_READERS: usize = 16;
