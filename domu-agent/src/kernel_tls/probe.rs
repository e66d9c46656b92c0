//! Finding out what the kernel can do.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use proto::tls::Aead;

use super::crypto_info::CryptoInfo;
use super::support::KernelSupport;

/// What the agent would leave to the kernel, in the order in which `status` names it.
const CIPHERS: [Aead; 3] = [Aead::Aes128Gcm, Aead::Aes256Gcm, Aead::ChaCha20Poly1305];

/// Tries each cipher in both directions on a connection of its own over the loopback: keys can be
/// set only on a connected socket, and only once.
///
/// A module that is not loaded is loaded by the kernel if the agent may do so (`CAP_NET_ADMIN`).
pub(crate) fn probe() -> KernelSupport {
    let mut ciphers = Vec::new();
    for cipher in CIPHERS {
        let (ours, _theirs) = match connected_pair() {
            Ok(pair) => pair,
            Err(error) => {
                return KernelSupport::Missing(format!("no loopback to try it on: {error}"));
            }
        };
        match try_cipher(&ours, cipher) {
            Ok(true) => ciphers.push(cipher),
            Ok(false) => {}
            Err(why) => return KernelSupport::Missing(why),
        }
    }
    match ciphers.is_empty() {
        true => KernelSupport::Missing("the kernel knows none of our ciphers".to_owned()),
        false => KernelSupport::Ciphers(ciphers),
    }
}

fn try_cipher(socket: &TcpStream, cipher: Aead) -> Result<bool, String> {
    match setsockopt(socket, sockopt::TcpUlp::default(), b"tls") {
        Ok(()) => {}
        Err(Errno::ENOENT) => {
            let why = "the kernel's module tls is not loaded: modprobe tls, then restart the agent";
            return Err(why.to_owned());
        }
        Err(errno) => return Err(format!("TCP_ULP: {errno}")),
    }
    let zero = |n: usize| vec![0; n];
    let iv_len = if cipher.has_tls12_explicit_nonce() {
        4
    } else {
        12
    };
    let info = || CryptoInfo::new(cipher, &zero(cipher.key_len()), &zero(iv_len), [0; 8], 0);
    let (Some(send), Some(receive)) = (info(), info()) else {
        return Ok(false);
    };
    Ok(setsockopt(socket, sockopt::TcpTlsTx, send.get()).is_ok()
        && setsockopt(socket, sockopt::TcpTlsRx, receive.get()).is_ok())
}

/// Two ends of one TCP connection within this machine.
pub(super) fn connected_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    // Whoever else connects to the port in between gets nothing but an end.
    let theirs = loop {
        let (stream, from) = listener.accept()?;
        if from == ours.local_addr()? {
            break stream;
        }
    };
    Ok((ours, theirs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel_tls::KernelTlsStatus;

    #[test]
    fn the_probe_says_what_there_is_or_why_there_is_nothing() {
        let support = probe();
        println!("this kernel: {}", KernelTlsStatus::from(&support));
        match support {
            KernelSupport::Ciphers(ciphers) => assert!(!ciphers.is_empty()),
            KernelSupport::Missing(why) => assert!(!why.is_empty()),
        }
    }
}
