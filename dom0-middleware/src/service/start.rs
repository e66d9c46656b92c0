//! The start of the service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tracing::info;

use super::actor::Actor;
use super::bindings::Bindings;
use super::bound::TellBound;
use super::card_desk::CardDesk;
use super::checkpoints::Checkpoints;
use super::durable;
use super::engines::EngineTasks;
use super::error::ServiceError;
use super::guests::{self, ConnIds, Door};
use super::host_side::HostSide;
use super::inbox::{self, Inbox};
use super::insecurity::{insecure, warn_of_insecurity};
use super::issuing::Issuing;
use super::leases::Leases;
use super::operator::Watchers;
use super::racs::Racs;
use super::racs_guests::RacsGuests;
use super::readers::start_cards;
use super::releases::Releases;
use super::renewal;
use super::revocations::TellRevoked;
use super::sightings::Sightings;
use super::stop::{finish, stop_signal};
use super::vchans::{self, Vchans};
use crate::admin::{AdminListener, ServiceView};
use crate::audit::{AuditEvent, AuditLog};
use crate::broker::{Broker, Event, Setup};
use crate::card::PinLedger;
use crate::channel::UnixChannel;
use crate::channel_key::CheckpointSigner;
use crate::config::{Config, DomainSource, UnixChannelConfig};
use crate::state::{DurablePinLedger, State};
use crate::time::Now;
use crate::xen::{ChannelNodes, Domains, XenstoreDomains};

/// Runs the service until it is told to stop by SIGTERM or SIGINT.
///
/// # Errors
/// [`ServiceError`] when something it needs is not to be had; nothing is left behind then.
pub fn run(config: Config) -> Result<(), ServiceError> {
    run_with(config, drop)
}

/// The same; `on_ready` is called with what gives out cards once there is somebody to ask for them.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    config: Config,
    on_ready: impl FnOnce(CardDesk) + Send + 'static,
) -> Result<(), ServiceError> {
    // One thread has all channels, the broker and whoever waits: between several, each message would
    // wake another one. What takes long has a thread of its own: cards, steps of handshakes, issuing.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(most_threads(&config))
        .enable_all()
        .build()
        .map_err(ServiceError::System)?;
    let result = runtime.block_on(serve(config, on_ready));
    // Connections that are still being written to get no more time.
    runtime.shutdown_timeout(Duration::ZERO);
    result
}

/// How many threads may be borrowed: as many as handshakes can wait for cards, so that none of them
/// keeps those waiting that compute, and some for these and for files.
fn most_threads(config: &Config) -> usize {
    let waiting = config
        .readers
        .len()
        .saturating_mul(config.limits.queue_per_card);
    waiting.saturating_add(SPARE_THREADS)
}

/// Threads for what does not wait for cards.
const SPARE_THREADS: usize = 64;

async fn serve(
    config: Config,
    on_ready: impl FnOnce(CardDesk) + Send + 'static,
) -> Result<(), ServiceError> {
    let stop = stop_signal().map_err(ServiceError::System)?;
    let mut bound = config.bind()?;
    config.check_pin_files()?;
    let library = match config.vchan {
        true => Some(vchans::library().map_err(ServiceError::Vchan)?),
        false => None,
    };
    let unix = Now::read().unix;
    let state = State::open(&config.state_file)?;
    let pins: Arc<dyn PinLedger> = Arc::new(DurablePinLedger::new(state.clone())?);
    // The HV key may be in a card, and the account of PINs that were sent to it is in the state.
    let hosts = config.hosts(unix, &pins)?.map(HostSide::new).transpose()?;
    let mut audit = AuditLog::open(&config.audit_file, config.rotation, unix)?;
    if let Some(hosts) = &hosts {
        audit.sign_with(Arc::clone(&hosts.key) as Arc<dyn CheckpointSigner>);
    }
    let notes = durable::open(&config, &state, &mut audit, unix)?;
    let stored = durable::bind(&config, &state, &mut bound)?;
    let bindings = Bindings::new(&config, &stored, &bound);
    let admin = AdminListener::bind(&config.admin_socket)?;
    let mut channels = Vec::new();
    for channel in &config.channels {
        let tls = match channel.insecure_development {
            true => None,
            false => {
                let hosts = hosts.as_ref();
                let hosts =
                    hosts.expect("the configuration was checked: a channel with TLS has it");
                Some(hosts.tls.clone())
            }
        };
        channels.push(UnixChannel::bind(channel, tls)?);
    }
    let mut service = ServiceView::of(&config, notes);
    service.vchan = library
        .as_ref()
        .map(|library| library.name().to_string_lossy().into_owned());
    let (inbox, outlet) = inbox::channel();
    let releases = Releases::default();
    let desk = CardDesk::new(inbox.clone(), releases.clone());
    let racs = Racs::bind(&config, &inbox, &desk)?;
    let cards = start_cards(&config, &state, pins, &inbox)?;
    warn_of_insecurity(&config, &bound.table);
    record_start(&mut audit, &config)?;
    durable::note_audit_head(&state, &audit)?;
    let checkpoints = Checkpoints::start(state.clone()).map_err(ServiceError::System)?;

    let mut tasks = JoinSet::new();
    tasks.spawn(admin.serve(inbox.clone()));
    let domains = domains(&config, &inbox);
    let revoked = TellRevoked::load(&state)?;
    let issuing = match (&hosts, domains.xenstore()) {
        (Some(hosts), Some(xenstore)) => {
            let living = xenstore.living();
            let (issuing, delivery) =
                Issuing::new(&config, hosts, living, revoked.listen(), &inbox);
            tasks.spawn(delivery.run());
            Some(issuing)
        }
        // There is nowhere to put tokens, or nobody's they could be.
        _ => None,
    };
    let door = Door {
        ids: ConnIds::default(),
        inbox: inbox.clone(),
        domains: Arc::clone(&domains),
        domain_read: config.limits.domain_read,
        issuers: hosts
            .as_ref()
            .map(HostSide::certificates)
            .unwrap_or_default(),
        connections: config.limits.connections_per_domain,
        max_frame: config.limits.frame_bytes,
    };
    if let Some(hosts) = &hosts {
        let (key, hv_key) = (&hosts.key, &hosts.hv_key);
        tasks.spawn(renewal::renew(Arc::clone(key), hv_key.clone()));
        tasks.spawn(renewal::watch_card(Arc::clone(key), hv_key.clone()));
    }
    let tell_bound = TellBound::new(&bound.table);
    let living = domains.xenstore().map(XenstoreDomains::living);
    let mut served = None;
    if let (Some(library), Some(living), Some(hosts)) = (library, living, &hosts) {
        let vchans = |nodes| {
            let library = Arc::clone(&library);
            Vchans::new(library, hosts.tls.clone(), door.clone(), nodes)
        };
        let nodes = ChannelNodes::for_agents();
        let (agents, receiver) = vchans(nodes.clone());
        served = Some(receiver);
        tasks.spawn(agents.run(living.clone(), tell_bound.listen()));
        // A vchan has one client, which may be the agent.
        let (racs, _) = vchans(nodes.for_racs());
        tasks.spawn(racs.run(living, tell_bound.listen_for_raw()));
    }
    for channel in channels {
        tasks.spawn(guests::accept(channel, door.clone()));
    }
    let racs = racs.map(|racs| {
        tasks.spawn(racs.listener.serve(racs.server));
        racs.watch
    });
    let (closing, told) = (racs.clone(), inbox.clone());
    let stop = async move {
        stop.await;
        if let Some(racs) = closing {
            racs.close(&told).await;
        }
    };
    let now = Now::read();
    let racs_idle = config.limits.racs_idle;
    let actor = Actor {
        broker: Broker::new(
            Setup {
                limits: config.limits,
                table: bound.table,
                trust: bound.trust,
                cards: cards.doors(),
                maintenance: state.maintenance()?,
                intermediates: bound.intermediates,
                issuers: hosts.as_ref().map(HostSide::issuers).unwrap_or_default(),
                revoked: state.revoked()?.into_keys().collect(),
                tokens_from: state.tokens_from()?,
            },
            now,
        ),
        audit,
        checkpoints,
        bindings,
        bound: tell_bound,
        revoked,
        issuing,
        hv_key: hosts.as_ref().map(HostSide::watch),
        sightings: Sightings::load(&state)?,
        names: config.domains.named().cloned(),
        state,
        cards,
        leases: Leases::new(releases),
        racs_guests: RacsGuests::new(inbox.clone(), desk.clone(), racs_idle),
        engines: EngineTasks::new(inbox.clone()),
        domains,
        inbox,
        service,
        vchans: served,
        racs,
        started: now.monotonic,
        links: BTreeMap::new(),
        watchers: Watchers::default(),
    };
    on_ready(desk);
    info!(config = %config.path.display(), "ready");
    let actor = actor.run(outlet, stop).await?;
    info!("stopping");
    tasks.shutdown().await;
    if actor.vchans.is_some() {
        vchans::remove_all().await;
    }
    finish(actor).await;
    Ok(())
}

/// Who is behind each domid. Domains that end are told to the actor.
fn domains(config: &Config, inbox: &Inbox) -> Arc<dyn Domains> {
    match &config.domains {
        DomainSource::Config(domains) => Arc::new(domains.clone()),
        DomainSource::Xenstore => {
            let inbox = inbox.clone();
            let on_end = move |ended| inbox.tell_of_domain(Event::from(ended));
            Arc::new(XenstoreDomains::follow(config.limits.domain_read, on_end))
        }
    }
}

fn record_start(audit: &mut AuditLog, config: &Config) -> Result<(), ServiceError> {
    let path = |channel: &UnixChannelConfig| channel.path.display().to_string();
    let started = AuditEvent::ServiceStarted {
        version: env!("CARGO_PKG_VERSION"),
        insecure_channels: insecure(config).map(path).collect(),
    };
    let now = Now::read();
    durable::append(audit, &started, now.unix)
        .and_then(|_| audit.begin_checkpoints(now))
        .map_err(ServiceError::AuditWrite)
}
