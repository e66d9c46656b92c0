//! Scripts that a card engineer can read: command, expected answer, and why.
//!
//! | Line | Means |
//! |---|---|
//! | `>> hex` | the command |
//! | `<< hex` | the answer; `..` stands for any bytes |
//! | `!! power` | the card is powered off and on |
//! | `# text` | a note |

use soft_card::{Applet, CardSettings};

use crate::pki::Ca;

#[test]
fn pins_behave_as_on_the_cards_of_the_traces() {
    run(&mut eap_tls(), "pin", include_str!("scripts/pin.apdu"));
}

#[test]
fn identities_behave_as_on_the_cards_of_the_traces() {
    let script = include_str!("scripts/identities.apdu");
    run(&mut eap_tls(), "identities", script);
}

#[test]
fn start_packets_chains_and_parameters_behave_as_specified() {
    run(&mut eap_tls(), "start", include_str!("scripts/start.apdu"));
}

fn eap_tls() -> impl Applet {
    Ca::new().card(CardSettings::default())
}

pub(crate) fn run(card: &mut dyn Applet, name: &str, script: &str) {
    let mut response = None;
    for (line, text) in script.lines().enumerate() {
        let place = format!("{name}.apdu:{}", line + 1);
        match text.split_at_checked(2) {
            Some((">>", command)) => {
                let command = hex(command);
                response = Some(card.transmit(&command).response);
            }
            Some(("<<", expected)) => {
                let response = response
                    .take()
                    .unwrap_or_else(|| panic!("{place}: no command"));
                assert!(matches(expected, &response), "{place}: {response:02X?}");
            }
            Some(("!!", _)) => card.reset(),
            _ => assert!(text.is_empty() || text.starts_with('#'), "{place}: {text}"),
        }
    }
    assert!(
        response.is_none(),
        "{name}.apdu: the last command has no answer"
    );
}

fn matches(expected: &str, response: &[u8]) -> bool {
    match expected.split_once("..") {
        None => hex(expected) == response,
        Some((start, end)) => {
            let (start, end) = (hex(start), hex(end));
            response.len() >= start.len() + end.len()
                && response.starts_with(&start)
                && response.ends_with(&end)
        }
    }
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("hex"))
        .collect()
}
