//! Everything at once: what the tests over the whole chain, the demo and the bench share.
//!
//! # Primer
//!
//! A *chain* is every program of the project as an operator would start it, and a real server
//! behind it. Nothing is simulated but the card, which is a program of its own:
//!
//! ```text
//! application ── domu-agent ──unix── dom0-middleware ──vicc── soft-card
//!      test           │
//!                     └──TCP── [meddler] ──TCP── openssl s_server -Verify
//! ```
//!
//! All files and sockets of a chain lie in one temporary folder, and every port is given by the
//! system, so chains run side by side. Processes end with the value that started them; when a
//! test fails, the end of what each of them said on stderr is printed.
//!
//! The functions here panic when something is not as it must be: a test wants to know at once,
//! and there is nothing sensible to go on with.
//!
//! ```no_run
//! use integration::chain::{Chain, ChainPlan};
//! use integration::openssl::{OpensslServer, ServerPlan};
//! use integration::pki::{KeyKind, Pki};
//!
//! let pki = Pki::new();
//! let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
//! let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server("www.example", KeyKind::P256)));
//! let session = chain.guest("web01").connect(server.port(), "www.example").expect("a session");
//! println!("{}", session.established.cipher_suite);
//! ```
//!
//! # Map
//!
//! | Module | Holds |
//! |---|---|
//! | [`channel_client`] | a hand-driven client of a channel's TLS |
//! | [`chain`] | all programs of a host and its guests, started and ready |
//! | [`descriptors`] | enough of them for a thousand connections |
//! | [`openssl`] | `openssl s_server`, which demands a client certificate, and what it reports |
//! | [`fake_clock`] | a calendar that a test sets |
//! | [`fault_soak`] | everything goes wrong at once, at load |
//! | [`footprint`] | what a running program takes: memory and descriptors |
//! | [`gnutls`] | `gnutls-serv`, likewise |
//! | [`hv_card`] | the key of a host in a PIV card |
//! | [`hypervisor`] | HV keys, tokens and channel keys, made by the real programs |
//! | [`meddler`] | a TCP proxy that delivers the server's bytes in awkward portions |
//! | [`peer`] | servers by other TLS libraries, and one that misbehaves |
//! | [`pki`] | throw-away CAs, server and card certificates |
//! | [`audit`] | the middleware's audit file, its chain checked |
//! | [`pcscd`] | a private `pcscd` with a virtual reader |
//! | [`world`] | a host with one guest that misbehaves and two that do not; [`at_end`] |
//! | [`xenstored`] | a private `xenstored`, and domains that come and go |
//! | [`payload`] | test data that the server's own words cannot be mistaken for |
//! | [`binaries`] | where the programs are |
//! | [`plain_vchan`] | libxenvchan without Xen |
//! | [`process`] | a child process that ends with its value |
//! | [`racs_lines`] | RACS by hand, for the two that follow |
//! | [`racs_user`] | a user of the RACS server, by hand |
//! | [`racs_guest`] | a program in a guest that sends APDUs to the guest's own card |
//! | [`rogue_guest`] | a guest that speaks the channel's protocol by hand, and badly |
//! | [`tls_server`] | a server in threads, for what OpenSSL's cannot do |
//! | [`wait`] | waiting for something that must happen soon |
//! | [`wiretap`] | a TCP proxy that keeps what the client sends |

pub mod at_end;
pub mod audit;
pub mod binaries;
pub mod chain;
pub mod channel_client;
pub mod descriptors;
pub mod fake_clock;
pub mod fault_soak;
pub mod footprint;
pub mod gnutls;
pub mod hv_card;
pub mod hypervisor;
pub mod meddler;
pub mod openssl;
pub mod payload;
pub mod pcscd;
pub mod peer;
pub mod pki;
pub mod plain_vchan;
pub mod ports;
pub mod process;
pub mod racs_guest;
pub mod racs_lines;
pub mod racs_user;
pub mod rogue_guest;
pub mod soak_page;
pub mod tls_server;
pub mod wait;
pub mod wiretap;
pub mod world;
pub mod xenstored;
