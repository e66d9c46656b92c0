//! Fetches a page through the agent.
//!
//! ```sh
//! fetch AGENT_SOCKET HOST:PORT SERVER_NAME [stream|socket]
//! ```

use std::error::Error;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use domu_agent::client::{Client, ConnectRequest, was_cut_short};

fn main() -> ExitCode {
    match fetch() {
        Ok(page) => match io::stdout().write_all(&page) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("fetch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fetch() -> Result<Vec<u8>, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (agent, destination, server_name, mode) = match arguments.as_slice() {
        [agent, destination, name] => (agent, destination, name, "stream"),
        [agent, destination, name, mode] => (agent, destination, name, mode.as_str()),
        _ => return Err("usage: fetch AGENT_SOCKET HOST:PORT SERVER_NAME [stream|socket]".into()),
    };
    let client = Client::new(agent);
    let request = ConnectRequest {
        connect: destination.clone(),
        server_name: Some(server_name.clone()),
        ..ConnectRequest::default()
    };
    let (established, mut plaintext) = match mode {
        "socket" => client.connect_socket(request)?,
        _ => client.connect(request)?,
    };
    eprintln!("{} {}", established.version, established.cipher_suite);

    write!(plaintext, "GET / HTTP/1.0\r\nHost: {server_name}\r\n\r\n")?;
    let mut page = Vec::new();
    plaintext.read_to_end(&mut page)?;
    if was_cut_short(&plaintext) {
        return Err("the page was cut short".into());
    }
    Ok(page)
}
