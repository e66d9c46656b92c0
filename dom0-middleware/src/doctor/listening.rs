//! Which TCP ports a program listens on, as `/proc` says.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Where programs of that name listen; `None` when we may not look into one of them.
pub(super) fn of_program(name: &str) -> Option<Vec<SocketAddr>> {
    let mut inodes = BTreeSet::new();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let path = process.path();
        // Others than processes have none, and processes end while we look.
        let Ok(comm) = fs::read_to_string(path.join("comm")) else {
            continue;
        };
        if comm.trim_end() != name {
            continue;
        }
        match sockets(&path) {
            Ok(sockets) => inodes.extend(sockets),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let lines = fs::read_to_string(table).unwrap_or_default();
        let listening = lines.lines().filter_map(listening);
        found.extend(
            listening.filter_map(|(address, inode)| inodes.contains(&inode).then_some(address)),
        );
    }
    Some(found)
}

/// The numbers of the sockets that a process has open.
fn sockets(process: &Path) -> io::Result<Vec<u64>> {
    let mut inodes = Vec::new();
    for open in fs::read_dir(process.join("fd"))? {
        // Closed since.
        let Ok(target) = fs::read_link(open?.path()) else {
            continue;
        };
        let target = target.to_string_lossy();
        let inode = target
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        inodes.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
    }
    Ok(inodes)
}

/// Address and inode of a listening socket, from a line of `/proc/net/tcp` or `tcp6`.
fn listening(line: &str) -> Option<(SocketAddr, u64)> {
    let mut columns = line.split_ascii_whitespace();
    let local = columns.nth(1)?;
    let state = columns.nth(1)?;
    let inode = columns.nth(5)?.parse().ok()?;
    (state == LISTEN).then_some(())?;
    let (ip, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((SocketAddr::new(address(ip)?, port), inode))
}

/// The address is shown in words of 32 bits as the machine reads them from memory.
fn address(hex: &str) -> Option<IpAddr> {
    let words: Option<Vec<[u8; 4]>> = hex
        .as_bytes()
        .chunks(8)
        .map(|word| {
            let word = u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok()?;
            Some(word.to_ne_bytes())
        })
        .collect();
    match *words?.as_slice() {
        [word] => Some(Ipv4Addr::from(word).into()),
        [a, b, c, d] => {
            let bytes: [u8; 16] = [a, b, c, d].concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

/// The state of a listening socket.
const LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read() {
        let line = |local: &str, state: &str| {
            format!(
                "   1: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 1148095 1 00000000dd2449e7 100 0 0 10 0"
            )
        };
        let read = |local: &str| listening(&line(local, "0A")).map(|(a, _)| a.to_string());
        assert_eq!(read("00000000:8C7B").as_deref(), Some("0.0.0.0:35963"));
        assert_eq!(read("0100007F:8C7B").as_deref(), Some("127.0.0.1:35963"));
        let any = "00000000000000000000000000000000:0016";
        assert_eq!(read(any).as_deref(), Some("[::]:22"));
        let mapped = "0000000000000000FFFF00000100007F:0016";
        assert_eq!(read(mapped).as_deref(), Some("127.0.0.1:22"));
        assert_eq!(listening(&line("0100007F:8C7B", "01")), None, "connected");
        for garbage in [
            "",
            "  sl  local_address rem_address",
            "a b c d e f g h i j k",
        ] {
            assert_eq!(listening(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn our_own_socket_is_found() {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = socket.local_addr().expect("bound");
        let name = fs::read_to_string("/proc/self/comm").expect("a name");
        // Other tests may run under the same name.
        let found = of_program(name.trim_end()).expect("our own process");
        assert!(found.contains(&address), "{found:?}");
        assert_eq!(of_program("no such program"), Some(Vec::new()));
    }
}
