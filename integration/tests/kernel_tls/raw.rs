//! The descriptor as a program without our library has it: what `read` and `write` do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use domu_agent::client::{Ending, PlaintextSocket};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::TlsServer;
use integration::wait::{self, PATIENCE};
use rustls::version::TLS12;

use crate::{NAME, chain, connect};

/// `EIO`.
const EIO: i32 = 5;

fn plain(socket: &PlaintextSocket) -> TcpStream {
    let fd = socket.as_fd().try_clone_to_owned();
    let tcp = TcpStream::from(fd.expect("a descriptor"));
    tcp.set_read_timeout(Some(PATIENCE)).expect("not zero");
    tcp
}

fn code(result: io::Result<usize>) -> Result<usize, Option<i32>> {
    result.map_err(|error| error.raw_os_error())
}

#[test]
fn a_close_notify_is_an_error_until_the_agent_was_asked() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(&pki, &credential, &TLS12, |tls| {
        // A server that ends at once would leave the kernel no connection to take.
        tls.read_exact(&mut [0])?;
        tls.write_all(b"all of it")
    });
    let socket = connect(&chain, server.port());
    let mut tcp = plain(&socket);
    tcp.write_all(b"?").expect("it stands");
    let mut data = [0; 9];
    tcp.read_exact(&mut data).expect("the server sends");
    // A control record cannot be read by a call that has no place for its type.
    assert_eq!(code(tcp.read(&mut data)), Err(Some(EIO)));
    assert_eq!(code(tcp.read(&mut data)), Err(Some(EIO)), "it stays");
    assert_eq!(socket.ended().expect("asked").how, Ending::Closed);
    // The agent has taken it away; behind it is the end of TCP.
    assert_eq!(code(tcp.read(&mut data)), Ok(0));
    assert_eq!(socket.ended().expect("asked").how, Ending::Closed);
}

#[test]
fn a_hello_request_is_an_error_once_and_data_goes_on() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    let mut socket = connect(&chain, server.port());
    let mut tcp = plain(&socket);
    let _ = server.report(0);
    server.renegotiate();
    let mut data = vec![0; 700];
    assert_eq!(code(tcp.read(&mut data)), Err(Some(EIO)));
    let ended = wait::until("a look that shows it", || socket.ended().ok());
    assert_eq!(ended.how, Ending::Open);
    socket.write_all(&payload(700)).expect("it stands");
    assert_eq!(server.receive(700), payload(700));
}

#[test]
fn the_lease_ends_the_sending_direction_whoever_else_has_it() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let (heard, hears) = channel();
    let heard = Mutex::new(heard);
    let server = TlsServer::start(&pki, &credential, &TLS12, move |tls| {
        let mut data = Vec::new();
        // The end of TCP without close_notify is an error.
        tls.read_to_end(&mut data)?;
        tls.write_all(&data)?;
        let heard = heard.lock().expect("one at a time");
        heard.send(data).expect("the test waits");
        Ok(())
    });
    let socket = connect(&chain, server.port());
    let mut tcp = plain(&socket);
    tcp.write_all(b"before").expect("it stands");
    // Closes the socket of the request. What another program still holds is `tcp`.
    drop(socket);
    let mut data = [0; 6];
    tcp.read_exact(&mut data)
        .expect("the server has seen an end");
    assert_eq!(&data, b"before");
    assert_eq!(
        code(tcp.read(&mut data)),
        Err(Some(EIO)),
        "its close_notify"
    );
    // Whether the kernel says so or not, as 6.1 does not: nothing can follow.
    println!("a write behind close_notify: {:?}", tcp.write(b"after"));
    assert_eq!(hears.recv_timeout(PATIENCE).expect("its end"), b"before");
}

#[test]
fn shutting_tcp_down_is_no_close_notify() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let (heard, hears) = channel();
    let heard = Mutex::new(heard);
    let server = TlsServer::start(&pki, &credential, &TLS12, move |tls| {
        let end = tls
            .read_to_end(&mut Vec::new())
            .map_err(|error| error.kind());
        let heard = heard.lock().expect("one at a time");
        heard.send(end).expect("the test waits");
        Ok(())
    });
    let socket = connect(&chain, server.port());
    plain(&socket).shutdown(Shutdown::Write).expect("it stands");
    let end = hears.recv_timeout(PATIENCE).expect("an end");
    assert_eq!(end, Err(io::ErrorKind::UnexpectedEof));
}
