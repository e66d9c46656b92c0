//! What can be seen without a kernel that has TLS; the rest is in `integration/tests/kernel_tls.rs`.

use std::io::{Read, Write};

use proto::tls::AlertDescription;

use super::*;
use crate::kernel_tls::probe::connected_pair;

fn pair() -> (KernelTls, TcpStream) {
    let (ours, theirs) = connected_pair().expect("a loopback");
    (KernelTls::new(ours), theirs)
}

#[test]
fn data_stays_where_it_is() {
    let (connection, mut server) = pair();
    assert_eq!(connection.look(), None, "nothing yet");
    server.write_all(b"data").expect("room");
    assert_eq!(connection.look(), None);
    assert_eq!(connection.look(), None);
    drop(server);
    let mut data = String::new();
    let read = (&connection.tcp).read_to_string(&mut data);
    read.expect("an end");
    assert_eq!(data, "data");
    assert_eq!(connection.look(), Some(Sight::Truncated));
}

#[test]
fn an_end_is_remembered() {
    let (connection, server) = pair();
    drop(server);
    // Whoever waits for the end of TCP is told when it is there.
    (&connection.tcp)
        .read_to_end(&mut Vec::new())
        .expect("an end");
    assert_eq!(connection.look(), Some(Sight::Truncated));
    connection.shut_down(Shutdown::Both);
    assert_eq!(connection.look(), Some(Sight::Truncated));
}

#[test]
fn alerts_and_what_else_is_no_data_have_their_meaning() {
    let over = |sight| Looked::Over(sight);
    let unknown_ca = Alert::fatal(AlertDescription::UNKNOWN_CA);
    for (kind, content, expected) in [
        (ContentType::Alert, &[1, 0][..], over(Sight::CloseNotify)),
        (ContentType::Alert, &[2, 48], over(Sight::Alert(unknown_ca))),
        (ContentType::Alert, &[1, 100], Looked::Cleared),
        (
            ContentType::Alert,
            &[1, 100, 1, 0],
            over(Sight::CloseNotify),
        ),
        (ContentType::Alert, &[1], over(Sight::BadRecord)),
        (ContentType::Alert, &[7, 0], over(Sight::BadRecord)),
        (ContentType::Alert, &[], Looked::Cleared),
        (ContentType::Handshake, &[0; 4], Looked::Cleared),
        (
            ContentType::Handshake,
            &[4, 0, 0, 1],
            over(Sight::Unexpected(ContentType::Handshake)),
        ),
        (
            ContentType::ChangeCipherSpec,
            &[1],
            over(Sight::Unexpected(ContentType::ChangeCipherSpec)),
        ),
    ] {
        assert_eq!(meaning(kind, content), expected, "{kind} {content:?}");
    }
}

#[test]
fn each_sight_is_an_end_of_a_stream() {
    assert!(Sight::CloseNotify.as_result().is_ok());
    let error = |sight: Sight| sight.as_result().expect_err("not in order").to_string();
    assert!(error(Sight::Truncated).contains("without close_notify"));
    assert_eq!(error(Sight::BadRecord), "record layer");
    assert_eq!(
        error(Sight::Broken(Errno::ECONNRESET)),
        "connection to the server"
    );
}
