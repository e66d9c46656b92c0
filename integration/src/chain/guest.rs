//! A guest: its agent, and what its applications do.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use domu_agent::client::{AppError, Client, ClientError, ConnectRequest, EstablishedAnswer};

use super::plan::{GuestPlan, Vchan};
use crate::binaries;
use crate::hypervisor::Hypervisor;
use crate::openssl::OpensslServer;
use crate::payload::payload;
use crate::pki;
use crate::process::Process;
use crate::wait::PATIENCE;
use crate::xenstored::GuestView;

/// The folder with a guest's channel key and token.
pub(super) fn folder(guest: &str) -> String {
    format!("{guest}.agent")
}

/// The configuration of a guest's agent.
pub(super) fn config_file(guest: &str) -> String {
    format!("{guest}.agent.toml")
}

/// The guest's channel key in that folder, as `domu-agent enroll` names it.
pub(super) const KEY_FILE: &str = "channel.key.pem";
/// The guest's token in that folder.
pub(super) const TOKEN_FILE: &str = "token";

/// A guest with its running agent.
#[derive(Debug)]
pub struct Guest {
    name: String,
    agent: Process,
    socket: PathBuf,
    client: Client,
    /// What programs in it need in their environment.
    environment: Vec<(&'static str, PathBuf)>,
    /// What it sees of xenstore; none where it needs none.
    _xenstore: Option<GuestView>,
}

/// The way of a guest to the middleware.
pub(super) enum Way<'a> {
    /// A Unix socket.
    Unix(&'a Path),
    /// A vchan, and xenstored as the guest sees it.
    Vchan(&'a Vchan, GuestView),
}

/// A TLS connection that an application has.
#[derive(Debug)]
pub struct Session {
    /// What the agent said of it.
    pub established: EstablishedAnswer,
    /// Its plaintext.
    pub stream: UnixStream,
}

/// A request for a connection to a port of this machine.
#[must_use]
pub fn request(port: u16, server_name: &str) -> ConnectRequest {
    ConnectRequest {
        connect: format!("127.0.0.1:{port}"),
        server_name: Some(server_name.to_owned()),
        ..ConnectRequest::default()
    }
}

impl Guest {
    /// Starts the agent of a guest.
    pub(super) fn start(
        plan: &GuestPlan,
        hv: Option<&Hypervisor>,
        way: Way<'_>,
        folder: &Path,
    ) -> Self {
        let GuestPlan {
            name, agent_config, ..
        } = plan;
        let socket = folder.join(format!("{name}.agent.sock"));
        let own = folder.join(self::folder(name));
        let identification = match hv.filter(|_| plan.has_tls) {
            None => "insecure_development = true\n".to_owned(),
            Some(hv) => {
                let token = match plan.token_from {
                    None => format!("token_file = {:?}\n", own.join(TOKEN_FILE)),
                    Some(_) => String::new(),
                };
                let (key, pin) = (own.join(KEY_FILE), hv.pin());
                format!("key_file = {key:?}\n{token}hv_pins = [{pin:?}]\n")
            }
        };
        let kind = match way {
            Way::Unix(path) => format!("kind = \"unix\"\npath = {path:?}"),
            Way::Vchan(..) => "kind = \"vchan\"".to_owned(),
        };
        let config = pki::write(
            folder,
            &config_file(name),
            &format!(
                "[dom0]\n{kind}\n{identification}\
                 [agent]\nsocket = {socket:?}\n{agent_config}"
            ),
        );
        let mut command = binaries::agent();
        if let Some(socket) = &plan.token_from {
            command.env("XENSTORED_PATH", socket);
        }
        if let Some(filter) = &plan.log {
            command.env("RUST_LOG", filter);
        }
        let (environment, xenstore) = match way {
            Way::Unix(_) => (Vec::new(), None),
            Way::Vchan(vchan, view) => {
                let mut environment = vchan.to_vec();
                environment.push(("XENSTORED_PATH", view.socket()));
                (environment, Some(view))
            }
        };
        command.envs(environment.iter().cloned());
        command.arg("serve").arg("--config").arg(config);
        Self {
            name: name.clone(),
            agent: Process::start_silent(&format!("domu-agent-{name}"), &mut command, folder),
            client: Client::new(&socket),
            socket,
            environment,
            _xenstore: xenstore,
        }
    }

    /// The agent's program, to be run in this guest once more.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = binaries::agent();
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The way to its agent.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The agent's socket for applications.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The process id of its agent.
    #[must_use]
    pub fn agent_id(&self) -> u32 {
        self.agent.id()
    }

    /// What its agent has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.agent.log()
    }

    /// The agent.
    pub fn agent(&mut self) -> &mut Process {
        &mut self.agent
    }

    /// Connects to a server on this machine.
    ///
    /// # Errors
    /// The agent's no.
    pub fn connect(&self, port: u16, server_name: &str) -> Result<Session, AppError> {
        self.ask(request(port, server_name))
    }

    /// Connects to a server, sends it a little, and ends in order.
    ///
    /// # Panics
    /// When any of this fails.
    pub fn converse(&self, server: &OpensslServer, server_name: &str) {
        let session = self.connect(server.port(), server_name);
        let mut session = session.expect("a session");
        session.send(&payload(100));
        assert_eq!(server.receive(100), payload(100));
        session.close();
    }

    /// Asks for a connection.
    ///
    /// # Errors
    /// The agent's no.
    ///
    /// # Panics
    /// When the agent does not answer.
    pub fn ask(&self, request: ConnectRequest) -> Result<Session, AppError> {
        match self.client.connect(request) {
            Ok((established, stream)) => {
                stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
                Ok(Session {
                    established,
                    stream,
                })
            }
            Err(ClientError::Refused(error)) => Err(error),
            Err(error) => panic!("{}: {error}", self.name),
        }
    }
}

impl Session {
    /// Sends all of `data`.
    ///
    /// # Panics
    /// When the agent does not take it.
    pub fn send(&mut self, data: &[u8]) {
        self.stream.write_all(data).expect("the agent takes it");
    }

    /// Reads exactly `length` bytes.
    ///
    /// # Panics
    /// When they do not come.
    #[must_use]
    pub fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream
            .read_exact(&mut bytes)
            .expect("the server sends");
        bytes
    }

    /// Ends the connection in order, and waits until the server has as well.
    ///
    /// # Panics
    /// When it sends data instead, or does not end.
    pub fn close(mut self) {
        self.stream.shutdown(Shutdown::Write).expect("it stands");
        let more = self.read_to_end();
        assert!(
            more.is_empty(),
            "nothing more was to come: {} bytes",
            more.len()
        );
    }

    /// Reads to the end.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream
            .read_to_end(&mut bytes)
            .expect("the server ends");
        bytes
    }
}
