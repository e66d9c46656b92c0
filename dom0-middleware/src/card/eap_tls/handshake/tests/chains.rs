//! Which commands are said to follow. That each of them does, every test of a handshake sees.

use super::*;

/// The chains of a handshake that begin with another command than the one before ended with: INS of each
/// command, and whether it must succeed.
fn chains(rig: &mut Rig) -> Vec<Vec<(u8, bool)>> {
    chains_of(rig, Chains::All)
}

/// The same, on a transport that takes such ones.
fn chains_of(rig: &mut Rig, taken: Chains) -> Vec<Vec<(u8, bool)>> {
    let mut chains = Vec::new();
    let mut flights = std::mem::take(&mut rig.flights).into_iter();
    let begun = begin(
        rig.request.clone(),
        rig.parameters.clone(),
        rig.capabilities,
        Arc::clone(&rig.verifier),
        rig.session.take(),
    );
    let mut step = begun.expect("begun");
    let mut left = 0;
    loop {
        step = match step {
            Step::Transmit(handshake, command) => {
                let chain = handshake.chain(&command, taken);
                if left == 0 {
                    left = chain.len().max(1);
                    let links = chain
                        .iter()
                        .map(|link| (link.command.ins, link.must_succeed));
                    chains.push(links.collect());
                }
                left -= 1;
                let next = handshake.on_response(rig.card.transmit(&command));
                next.expect("a good card")
            }
            Step::SendToServer(_, then) => *then,
            Step::AwaitServer(handshake) => {
                let flight = flights.next().expect("a flight");
                handshake.on_records(&flight).expect("a good server")
            }
            Step::Finished(_) => return chains,
        };
    }
}

#[test]
fn the_preparation_and_each_packet_are_chains() {
    let found = chains(&mut Rig::new());
    // Set-Identity, Reset-State, parameters, start.
    let preparation = [(0x16, true), (0x19, false), (0x8A, true), (0x80, false)];
    assert_eq!(found[0], preparation);
    let packets: Vec<_> = found
        .iter()
        .filter(|chain| chain.len() > 1 && chain[0].0 == 0x80)
        .collect();
    assert!(
        !packets.is_empty(),
        "a server's flight has several segments"
    );
    for packet in packets {
        let (last, before) = packet.split_last().expect("not empty");
        assert_eq!(*last, (0x80, false));
        assert!(
            before.iter().all(|link| *link == (0x80, true)),
            "{packet:02X?}"
        );
    }
}

#[test]
fn a_card_that_must_forget_by_overwriting_may_lack_that() {
    let mut rig = Rig::new().without_parameters();
    rig.request.resume = false;
    let found = chains(&mut rig);
    let inss: Vec<bool> = found[0]
        .iter()
        .map(|(_, must_succeed)| *must_succeed)
        .collect();
    assert_eq!(inss, [true, false, false, false]);
}

#[test]
fn what_is_read_at_the_end_goes_together_where_answers_come_by_themselves() {
    // Get-State, suite, KeyBlock.
    let read = [(0x19, false), (0x86, false), (0x86, false)];
    let longer = |found: Vec<Vec<_>>| found.into_iter().filter(|chain| chain.len() > 1);
    let found: Vec<_> = longer(chains_of(&mut Rig::new(), Chains::All)).collect();
    assert_eq!(found[found.len() - 1], read);
    let found: Vec<_> = longer(chains_of(&mut Rig::new(), Chains::Independent)).collect();
    assert_eq!(found, [read]);
    let found = chains_of(&mut Rig::new(), Chains::Silent);
    assert!(found.len() > 3);
    assert!(longer(found).all(|chain| chain[0].0 != 0x19));
}
