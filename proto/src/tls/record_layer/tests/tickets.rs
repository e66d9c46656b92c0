//! NewSessionTicket in TLS 1.3: passed on whole.

use super::pair::{Event, Pair};
use crate::tls::record_layer::post_handshake::key_update;
use crate::tls::samples::message;

fn ticket(fill: u8) -> Vec<u8> {
    message(4, &[fill; 300])
}

#[test]
fn a_ticket_over_many_records_comes_out_whole() {
    for size in [1, 3, 100, 303, 304] {
        let mut pair = Pair::new(0x1302);
        let ticket = ticket(7);
        let mut events = Vec::new();
        for part in ticket.chunks(size) {
            events.push(pair.server_sends(22, part).unwrap());
        }
        assert_eq!(events.pop(), Some(Event::Tickets(vec![ticket])), "{size}");
        assert!(
            events.iter().all(|event| *event == Event::Nothing),
            "{size}"
        );
        assert_eq!(
            pair.server_sends(23, b"data").unwrap(),
            Event::Data(b"data".to_vec())
        );
    }
}

#[test]
fn two_tickets_in_one_record_come_out_together() {
    let mut pair = Pair::new(0x1301);
    let both = [ticket(1), ticket(2)];
    assert_eq!(
        pair.server_sends(22, &both.concat()).unwrap(),
        Event::Tickets(both.to_vec())
    );
}

#[test]
fn a_ticket_and_a_key_update_in_one_record_both_count() {
    let mut pair = Pair::new(0x1301);
    let record = pair.server_seals(22, &[&ticket(1)[..], &key_update(true)].concat());
    pair.server_changes_key();
    assert_eq!(
        pair.client_opens(&record).unwrap(),
        Event::Tickets(vec![ticket(1)])
    );
    assert!(pair.client.has_pending_control());
    assert_eq!(
        pair.server_sends(23, b"data").unwrap(),
        Event::Data(b"data".to_vec())
    );
}

#[test]
fn neither_tickets_nor_data_are_shown() {
    let mut pair = Pair::new(0x1301);
    let mut record = pair.server_seals(22, &message(4, &[0xA5; 40]));
    assert_eq!(
        format!("{:?}", pair.client.open(&mut record).unwrap()),
        "NewSessionTickets(1)"
    );
    let mut record = pair.server_seals(23, &[0xA5; 40]);
    assert_eq!(
        format!("{:?}", pair.client.open(&mut record).unwrap()),
        "Data(40 bytes)"
    );
}
