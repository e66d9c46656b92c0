//! The host: the middleware with its cards, and the guests on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::config::{self, ADMIN_SOCKET, AUDIT_FILE, CONFIG_FILE, TOKENS, channel};
use super::guest::{self, Guest, Way};
use super::plan::{CardPlan, ChainPlan, GuestPlan};
use super::soft_card::{self, CA_FILE};
use crate::channel_client::GuestDoor;
use crate::hv_card::HvCard;
use crate::hypervisor::{Hypervisor, TokenPlan, enroll};
use crate::pki::{self, Pki};
use crate::process::Process;
use crate::xenstored::{GuestView, uuid};
use crate::{audit, binaries, pcscd, wait};

/// A host with its guests, all running. They end when this is dropped.
#[derive(Debug)]
pub struct Chain {
    // Before the folder, so that all end before their files go.
    guests: Vec<Guest>,
    cards: Vec<Process>,
    middleware: Process,
    plan: ChainPlan,
    /// Who signs the tokens; `None` where no channel asks for one.
    hypervisor: Option<Hypervisor>,
    /// The card with its key, where the plan has it in one.
    hv_card: Option<HvCard>,
    folder: TempDir,
}

impl Chain {
    /// Starts everything and waits until each guest sees all the identities it is bound to.
    ///
    /// # Panics
    /// When something does not start.
    #[must_use]
    pub fn start(pki: &Pki, plan: &ChainPlan) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        pki::write(path, CA_FILE, &pki.ca.pem());
        let has_tls = plan.guests.iter().any(|guest| guest.has_tls);
        let hypervisor = has_tls.then(|| Hypervisor::new(path, "hv"));
        let in_card = plan.hv_card.zip(hypervisor.as_ref());
        let hv_card = in_card.map(|(place, hv)| {
            let place = (place.process, place.port);
            HvCard::start_at(hv, "9c", place, path)
        });
        let text = config::text(plan, hypervisor.as_ref(), hv_card.as_ref(), path);
        pki::write(path, CONFIG_FILE, &text);
        let cards = plan
            .cards
            .iter()
            .filter_map(|card| match &card.elsewhere {
                None => Some(soft_card::start(pki, card, plan.pcscd, path)),
                Some(other) => {
                    soft_card::copy_files(card, &other.folder, path);
                    None
                }
            })
            .collect();
        let middleware = start_middleware(plan, path);
        let mut chain = Self {
            guests: Vec::new(),
            cards,
            middleware,
            plan: plan.clone(),
            hypervisor,
            hv_card,
            folder,
        };
        chain.issue_tokens();
        chain.start_guests(&plan.guests);
        chain
    }

    fn start_guests(&mut self, plans: &[GuestPlan]) {
        for (position, plan) in plans.iter().enumerate() {
            let channel = self.channel(&plan.name);
            // The agent comes back to a channel that is not there only after a while.
            wait::until("the channel of a guest", || {
                self.middleware.expect_running();
                (self.plan.vchan.is_some() || channel.exists()).then_some(())
            });
            if plan.has_agent {
                let domid = u16::try_from(position + 1).expect("a few guests");
                let guest = self.start_guest(plan, domid);
                self.guests.push(guest);
            }
        }
        let cards = &self.plan.cards;
        let described = |seid: &String| {
            cards
                .iter()
                .any(|card| card.described && card.seid == *seid)
        };
        for (guest, plan) in self
            .guests
            .iter_mut()
            .zip(plans.iter().filter(|plan| plan.has_agent))
        {
            wait::until("a guest sees its identities", || {
                guest.agent().expect_running();
                let expected = plan.bindings.iter().filter(|(seid, _)| described(seid));
                let expected = expected.count();
                let dom0 = guest.client().status().ok()?.dom0;
                let has_no_token = plan.token_from.is_some();
                let is_ready = match plan.bindings.is_empty() || !plan.is_bound || has_no_token {
                    // Dom0 does not admit it.
                    true => dom0.last_error.is_some(),
                    false => dom0.connected && guest.client().identities().ok()?.len() == expected,
                };
                is_ready.then_some(())
            });
        }
    }

    /// The guest of that name.
    ///
    /// # Panics
    /// When the plan had none.
    #[must_use]
    pub fn guest(&self, name: &str) -> &Guest {
        let found = self.guests.iter().find(|guest| guest.name() == name);
        found.unwrap_or_else(|| panic!("no guest {name}"))
    }

    /// Makes the channel key of each guest that has none, and a new token for each, which allows
    /// the identities it is or will be bound to as their certificates are now.
    ///
    /// # Panics
    /// When a program that makes them fails.
    pub fn issue_tokens(&self) {
        let guests = self.plan.guests.iter().enumerate();
        for (position, guest) in guests.filter(|(_, guest)| guest.has_tls) {
            let name = &guest.name;
            let mut certificates: Vec<PathBuf> = guest
                .bindings
                .iter()
                .map(|(seid, identity)| self.certificate_file(seid, identity))
                .filter(|file| file.exists())
                .collect();
            if certificates.is_empty() {
                // A token names at least one, also where no card of the plan has been made yet.
                certificates.push(self.folder.path().join(CA_FILE));
            }
            self.issue_token(
                name,
                &uuid(position + 1),
                certificates,
                &self.token_file(name),
            );
        }
    }

    /// Issues a token into `file`: to the channel key of `guest`, for the domain `vm`, allowing
    /// these certificates.
    ///
    /// # Panics
    /// As [`Self::issue_tokens`], or when no channel asks for tokens.
    pub fn issue_token(&self, guest: &str, vm: &str, certificates: Vec<PathBuf>, file: &Path) {
        let plan = TokenPlan {
            vm,
            certificates,
            agent_key: enroll(&self.agent_folder(guest)),
        };
        self.hypervisor().issue(&plan, file);
    }

    /// Who signs the tokens of this host.
    ///
    /// # Panics
    /// When no channel asks for tokens.
    #[must_use]
    pub fn hypervisor(&self) -> &Hypervisor {
        self.hypervisor.as_ref().expect("a channel with TLS")
    }

    /// The card with the HV key.
    ///
    /// # Panics
    /// When the plan has it in none.
    pub fn hv_card(&mut self) -> &mut HvCard {
        self.hv_card.as_mut().expect("the plan has it in a card")
    }

    /// The folder with a guest's channel key and token.
    #[must_use]
    pub fn agent_folder(&self, guest: &str) -> PathBuf {
        self.folder.path().join(guest::folder(guest))
    }

    /// The configuration of a guest's agent.
    #[must_use]
    pub fn agent_config(&self, guest: &str) -> PathBuf {
        self.folder.path().join(guest::config_file(guest))
    }

    /// The file with a guest's token.
    #[must_use]
    pub fn token_file(&self, guest: &str) -> PathBuf {
        self.agent_folder(guest).join(guest::TOKEN_FILE)
    }

    /// The file with the certificate of an identity.
    #[must_use]
    pub fn certificate_file(&self, seid: &str, identity: &str) -> PathBuf {
        self.folder
            .path()
            .join(soft_card::certificate_file(seid, identity))
    }

    /// The way into a guest's channel, with what its own agent shows.
    ///
    /// # Panics
    /// When the plan has no such guest.
    #[must_use]
    pub fn door(&self, guest: &str) -> GuestDoor {
        let plan = self.plan.guests.iter().find(|plan| plan.name == guest);
        let plan = plan.unwrap_or_else(|| panic!("no guest {guest}"));
        let channel = self.channel(guest);
        if !plan.has_tls {
            return GuestDoor {
                channel,
                key_file: None,
                token: Vec::new(),
            };
        }
        let text = std::fs::read_to_string(self.token_file(guest)).expect("it was issued");
        GuestDoor {
            channel,
            key_file: Some(self.agent_folder(guest).join(guest::KEY_FILE)),
            token: proto::token::from_text(text.trim()).expect("it was issued"),
        }
    }

    /// Where the channel of a guest listens.
    #[must_use]
    pub fn channel(&self, guest: &str) -> PathBuf {
        self.folder.path().join(channel(guest))
    }

    /// The middleware.
    pub fn middleware(&mut self) -> &mut Process {
        &mut self.middleware
    }

    /// Stops the middleware and starts it again. Cards and agents come back by themselves, some
    /// time later.
    ///
    /// # Panics
    /// When it does not stop in order.
    pub fn restart_middleware(&mut self) {
        let status = self.middleware.stop();
        assert!(status.success(), "dom0-middleware: {status}");
        self.middleware = start_middleware(&self.plan, self.folder.path());
    }

    /// Starts the middleware after it was killed.
    pub fn restart_after_kill(&mut self) {
        self.middleware = start_middleware(&self.plan, self.folder.path());
    }

    /// Takes the only card out of its reader.
    ///
    /// # Panics
    /// When there is none.
    pub fn pull_card(&mut self) {
        self.cards.pop().expect("a card").kill();
    }

    /// Puts the only card back into its reader.
    ///
    /// # Panics
    /// When it was not taken out.
    pub fn plug_card_in(&mut self) {
        self.plug_card_in_with(&[]);
    }

    /// The same with these options for `soft-card serve`, this time.
    ///
    /// # Panics
    /// When it was not taken out.
    pub fn plug_card_in_with(&mut self, options: &[&str]) {
        assert!(self.cards.is_empty(), "it is there");
        let card = self.plan.cards.first().expect("a card");
        let card = card.clone().options(options);
        let card = soft_card::plug_in(&card, self.plan.pcscd, self.folder.path());
        self.cards.push(card);
    }

    /// Takes one of several cards out of its reader.
    ///
    /// # Panics
    /// When the plan has no such card.
    pub fn pull(&mut self, seid: &str) {
        let position = self.position(seid);
        self.cards[position].kill();
    }

    /// Puts it back with these options for `soft-card serve`, this time.
    ///
    /// # Panics
    /// When the plan has no such card.
    pub fn put_back(&mut self, seid: &str, options: &[&str]) {
        let position = self.position(seid);
        let card = self.local_cards().nth(position).expect("its position");
        let card = card.clone().options(options);
        self.cards[position] = soft_card::plug_in(&card, self.plan.pcscd, self.folder.path());
    }

    /// The cards of this host's readers, each of which has a process.
    fn local_cards(&self) -> impl Iterator<Item = &CardPlan> {
        let cards = self.plan.cards.iter();
        cards.filter(|card| card.elsewhere.is_none())
    }

    fn position(&self, seid: &str) -> usize {
        let mut cards = self.local_cards();
        let position = cards.position(|card| card.seid == seid);
        position.unwrap_or_else(|| panic!("no card {seid}"))
    }

    /// The counter of a card's user PIN: tries left.
    ///
    /// # Panics
    /// When there is no such card.
    #[must_use]
    pub fn pin_tries(&self, seid: &str) -> u64 {
        let file = self.folder.path().join(format!("{seid}.card/pins.toml"));
        let text = std::fs::read_to_string(file).expect("a card has it");
        let user = text.split("[user]").nth(1).expect("a table");
        let line = user.lines().find_map(|line| line.strip_prefix("tries = "));
        line.expect("a counter").parse().expect("a number")
    }

    /// Puts another card into the reader, from which the only one was taken: with other keys under
    /// the same names, with the same PIN, and with these options for `soft-card serve`.
    ///
    /// # Panics
    /// When there is a card.
    pub fn put_other_card_in(&mut self, pki: &Pki, options: &[&str]) {
        assert!(self.cards.is_empty(), "it is there");
        let card = self.plan.cards.first().expect("a card");
        let card = card.clone().options(options);
        let folder = self.folder.path();
        soft_card::destroy(&card, folder);
        let card = soft_card::start(pki, &card, self.plan.pcscd, folder);
        self.cards.push(card);
    }

    /// The file with the PIN of a card.
    #[must_use]
    pub fn pin_file(&self, seid: &str) -> PathBuf {
        self.folder.path().join(soft_card::pin_file(seid))
    }

    /// Waits until the only card is in `state` and nobody uses it, as `card list` says.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn wait_card(&self, state: &str) {
        wait::until(&format!("the card is {state}"), || {
            let output = self.admin(&["card", "list", "--json"]);
            let cards: Value = serde_json::from_slice(&output.stdout).ok()?;
            let card = &cards[0];
            (card["state"] == state && card["running"].is_null()).then_some(())
        });
    }

    /// Kills a guest's agent, as if the guest had crashed.
    ///
    /// # Panics
    /// When the plan had no such guest.
    pub fn kill_agent(&mut self, guest: &str) {
        let found = self.guests.iter_mut().find(|found| found.name() == guest);
        found.expect("a guest of the plan").agent().kill();
    }

    /// Stops a guest's agent, starts it again, and waits until it sees identities; until it answers,
    /// if its token is a matter between the test and xenstore.
    ///
    /// # Panics
    /// When it does not stop in order, or does not come back.
    pub fn restart_agent(&mut self, guest: &str) {
        let position = self.guests.iter().position(|found| found.name() == guest);
        let position = position.unwrap_or_else(|| panic!("no guest {guest}"));
        let mut old = self.guests.remove(position);
        let status = old.agent().stop();
        assert!(status.success(), "domu-agent: {status}");
        let plan = self.plan.guests.iter().position(|plan| plan.name == guest);
        let plan = plan.expect("a guest has a plan");
        let domid = u16::try_from(plan + 1).expect("a few guests");
        let plan = &self.plan.guests[plan];
        let new = self.start_guest(plan, domid);
        let client = new.client();
        match plan.token_from {
            None => drop(wait::until("a guest sees its identities", || {
                client.identities().ok()
            })),
            Some(_) => drop(wait::until("an agent answers", || client.status().ok())),
        }
        self.guests.insert(position, new);
    }

    /// Starts a guest's agent again where its domain has this domid now, after a reboot. The old one
    /// is killed.
    ///
    /// # Panics
    /// When the plan has no such guest, or its agent does not run.
    pub fn reboot(&mut self, guest: &str, domid: u16) {
        let position = self.guests.iter().position(|found| found.name() == guest);
        let position = position.unwrap_or_else(|| panic!("no guest {guest}"));
        self.guests.remove(position).agent().kill();
        let plan = self.plan.guests.iter().find(|plan| plan.name == guest);
        let new = self.start_guest(plan.expect("a guest has a plan"), domid);
        wait::until("the agent runs", || new.client().status().ok());
        self.guests.insert(position, new);
    }

    fn start_guest(&self, plan: &GuestPlan, domid: u16) -> Guest {
        let channel = self.channel(&plan.name);
        let way = match (&self.plan.vchan, &self.plan.xenstore) {
            (Some(vchan), Some(xenstored)) => Way::Vchan(vchan, GuestView::at(xenstored, domid)),
            _ => Way::Unix(&channel),
        };
        Guest::start(plan, self.hypervisor.as_ref(), way, self.folder.path())
    }

    /// The cards in readers of this host, in the order of the plan.
    pub fn cards(&mut self) -> &mut [Process] {
        &mut self.cards
    }

    /// The folder with all files of this chain.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of tokens for domains that xenstore knows.
    #[must_use]
    pub fn tokens_folder(&self) -> PathBuf {
        self.folder.path().join(TOKENS)
    }

    /// The audit so far, its chain checked.
    ///
    /// # Panics
    /// When the chain is broken.
    #[must_use]
    pub fn audit(&self) -> Vec<Value> {
        audit::read(&self.audit_file()).expect("the audit's chain holds")
    }

    /// The records of one kind in the audit so far.
    ///
    /// # Panics
    /// When the chain is broken.
    #[must_use]
    pub fn audited(&self, event: &str) -> Vec<Value> {
        self.audit()
            .into_iter()
            .filter(|record| record["event"] == event)
            .collect()
    }

    /// The audit file.
    #[must_use]
    pub fn audit_file(&self) -> PathBuf {
        self.folder.path().join(AUDIT_FILE)
    }

    /// The configuration that the middleware runs with.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join(CONFIG_FILE)
    }

    /// The socket for the operator's commands.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.folder.path().join(ADMIN_SOCKET)
    }

    /// Runs an administrator's command, as `card list`, and waits for its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn admin(&self, arguments: &[&str]) -> Output {
        let mut command = binaries::middleware();
        command
            .args(arguments)
            .arg("--admin")
            .arg(self.admin_socket());
        command.output().expect("it is there")
    }
}

fn start_middleware(plan: &ChainPlan, folder: &Path) -> Process {
    let mut command = binaries::middleware();
    if let Some(place) = plan.pcscd.or(plan.hv_card) {
        let program = command.get_program().to_owned();
        command = pcscd::enter(place.process, &program.to_string_lossy());
    } else if let [starter, arguments @ ..] = plan.starter.as_slice() {
        let program = command.get_program().to_owned();
        command = Command::new(starter);
        command.args(arguments).arg(program).env_remove("RUST_LOG");
    }
    command
        .arg("serve")
        .arg("--config")
        .arg(folder.join(CONFIG_FILE));
    if let Some(socket) = &plan.xenstore {
        command.env("XENSTORED_PATH", socket);
    }
    if let Some(environment) = &plan.vchan {
        command.envs(environment.iter().cloned());
    }
    Process::start_silent("dom0-middleware", &mut command, folder)
}
