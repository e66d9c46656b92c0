//! `domu-agent serve`.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::app::{AllowList, AppState, Listener};
use crate::cli::ServeArgs;
use crate::config::Config;
use crate::descriptors;
use crate::dom0::{Channel, Dom0};
use crate::error::AgentError;
use crate::kernel_tls::{self, KernelSupport, KernelTlsStatus};

/// Runs the agent until it is told to stop.
pub(super) fn run(args: &ServeArgs) -> Result<(), AgentError> {
    let config = Config::load(&args.config)?;
    let allow = config.allow_list(&args.config)?;
    if config.dom0.insecure_development {
        tracing::warn!(
            path = %config.dom0.path.clone().unwrap_or_default().display(),
            "insecure_development: no TLS and no token on the channel to dom0"
        );
    }
    let channel = Channel::new(config.dom0.clone())?;
    descriptors::provide(config.agent.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(AgentError::Runtime)?;
    // A task like those it begins: outside of the runtime's threads, each application that comes
    // would wake one more.
    let served = runtime.spawn(serve(config, channel, allow));
    match runtime.block_on(served) {
        Ok(result) => result,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

async fn serve(config: Config, channel: Channel, allow: AllowList) -> Result<(), AgentError> {
    let listener = Listener::bind(&config.agent.socket)?;
    let dom0 = Dom0::start(channel);
    let records_per_key = config.agent.records_per_key;
    let kernel_tls = match records_per_key {
        None => kernel_tls::probe(),
        Some(_) => KernelSupport::Missing(NOT_COUNTED.to_owned()),
    };
    tracing::info!("kernel TLS: {}", KernelTlsStatus::from(&kernel_tls));
    let timeout = config.agent.timeout();
    let state = AppState::new(dom0, timeout, allow, kernel_tls);
    let state = Arc::new(state.with_records_per_key(records_per_key));
    let mut terminate = signal(SignalKind::terminate()).map_err(AgentError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(AgentError::Runtime)?;
    tracing::info!(socket = %config.agent.socket.display(), "ready");
    tokio::select! {
        () = listener.serve(state, config.agent.max_connections) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    Ok(())
}

/// Why the kernel gets no keys where their records are to be counted.
const NOT_COUNTED: &str = "agent.records_per_key is set, and the kernel does not count records";
