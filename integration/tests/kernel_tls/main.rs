//! Mode `socket` over kernel TLS: the whole chain, with a kernel that can do it.
//!
//! Where the kernel has no TLS (`modprobe tls`) each test says so and proves nothing.
//! The lab's scenario `kernel-tls-tests` runs them with Debian's kernel; there, `TESSERA_KERNEL_TLS=required`
//! makes a kernel without TLS a failure.

mod data;
mod ends;
mod figures;
mod nonces;
mod raw;
mod rights;
mod tls13;

use domu_agent::client::PlaintextSocket;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::pki::{KeyKind, Pki};

const NAME: &str = "www.example";

/// The OpenSSL names of the suites, as the kernel's ciphers are listed in `status`.
const SUITES: [(&str, &str); 3] = [
    ("aes-128-gcm", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("aes-256-gcm", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("chacha20-poly1305", "ECDHE-ECDSA-CHACHA20-POLY1305"),
];

/// A chain of one card and the guest `web01`, whose applications may have keys. Nothing, and a line
/// that says why, where the kernel cannot do TLS.
fn chain(pki: &Pki) -> Option<Chain> {
    let chain = chain_with(pki, "[[allow]]\nmodes = [\"socket\", \"keys\"]\n");
    has_kernel_tls(&chain).then_some(chain)
}

fn chain_with(pki: &Pki, agent_config: &str) -> Chain {
    let card = CardPlan::new("se-00").identity("web01", KeyKind::P256);
    let guest = GuestPlan::new("web01").bound("se-00", "web01");
    let plan = ChainPlan::new()
        .card(card)
        .guest(guest.agent_config(agent_config));
    Chain::start(pki, &plan)
}

fn has_kernel_tls(chain: &Chain) -> bool {
    let status = chain.guest("web01").client().status();
    let kernel_tls = status.expect("the agent runs").kernel_tls;
    let Some(why) = kernel_tls.missing else {
        return true;
    };
    let required = std::env::var_os("TESSERA_KERNEL_TLS").is_some_and(|v| v == "required");
    assert!(!required, "no kernel TLS: {why}");
    println!("not tried, this kernel has no TLS: {why}");
    false
}

/// A connection whose records are the kernel's.
fn connect(chain: &Chain, port: u16) -> PlaintextSocket {
    let client = chain.guest("web01").client();
    let socket = client.connect_plaintext(request(port, NAME));
    let socket = socket.expect("a socket");
    assert_eq!(socket.established.via.as_deref(), Some("ktls"));
    assert!(socket.is_kernel_tls());
    socket
}
