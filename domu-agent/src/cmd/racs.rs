//! `domu-agent racs`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, stdin, stdout};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use crate::app::{Chain, Listener};
use crate::cli::RacsArgs;
use crate::config::Config;
use crate::dom0::{Channel, JoinError, RacsConnection, racs_refusal};
use crate::error::AgentError;

/// Speaks RACS to this guest's card: for standard input and output, or for who comes to a socket.
pub(super) fn run(args: &RacsArgs) -> Result<(), AgentError> {
    let config = Config::load(&args.config)?;
    let channel = Channel::new(config.dom0)?;
    let _lock = channel.lock_racs().map_err(AgentError::Dom0)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(AgentError::Runtime)?;
    let result: Result<(), AgentError> = runtime.block_on(async {
        match &args.listen {
            None => join_standard(&channel).await,
            Some(path) => {
                let mut terminate = signal(SignalKind::terminate()).map_err(AgentError::Runtime)?;
                let mut interrupt = signal(SignalKind::interrupt()).map_err(AgentError::Runtime)?;
                tokio::select! {
                    ended = listen(path, channel) => ended,
                    _ = terminate.recv() => Ok(()),
                    _ = interrupt.recv() => Ok(()),
                }
            }
        }
    });
    leave(runtime);
    result
}

async fn join_standard(channel: &Channel) -> Result<(), AgentError> {
    let connection = RacsConnection::open(channel).await;
    let connection = connection.map_err(AgentError::Dom0)?;
    let joined = connection.join(stdin(), stdout()).await;
    joined.map_err(|error| match error {
        JoinError::Dom0(error) => AgentError::Dom0(error),
        JoinError::Copy(error) => AgentError::Copy(error),
    })
}

/// Each who comes gets a connection to dom0 of its own, which allows few.
async fn listen(path: &Path, channel: Channel) -> Result<(), AgentError> {
    let listener = Listener::bind_private(path)?;
    let channel = Arc::new(channel);
    let places = Arc::new(Semaphore::new(channel.most_racs()));
    tracing::info!(socket = %path.display(), "ready");
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::error!(%error, "cannot accept a program");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let channel = Arc::clone(&channel);
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &channel).await {
                tracing::warn!("{}", Chain(&error));
            }
            drop(place);
        });
    }
}

async fn serve(stream: UnixStream, channel: &Channel) -> Result<(), JoinError> {
    let (input, mut output) = stream.into_split();
    let connection = match RacsConnection::open(channel).await {
        Ok(connection) => connection,
        Err(error) => {
            // Whoever came speaks RACS, and is told in RACS.
            let _ = output.write_all(&racs_refusal(&error)).await;
            return Err(error.into());
        }
    };
    connection.join(input, output).await
}

/// Does not wait for what still reads standard input, which nothing interrupts.
fn leave(runtime: Runtime) {
    runtime.shutdown_background();
}

/// Pause after a failed accept: out of descriptors, most likely, so let others end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
