//! What a host's middleware is told: its configuration, and where its sockets are.

use std::fmt::Write as _;
use std::path::Path;

use super::plan::{CardProfile, ChainPlan};
use super::soft_card::{self, CA_FILE};
use crate::hv_card::HvCard;
use crate::hypervisor::Hypervisor;
use crate::pcscd::READER;
use crate::pki;
use crate::xenstored::uuid;

/// The configuration of the middleware.
pub(super) fn text(
    plan: &ChainPlan,
    hv: Option<&Hypervisor>,
    hv_card: Option<&HvCard>,
    folder: &Path,
) -> String {
    let at = |name: &str| format!("{:?}", folder.join(name));
    let mut text = format!(
        "[service]\nadmin_socket = {}\naudit_file = {}\nstate_file = {}\n\
         insecure_development = true\n",
        at(ADMIN_SOCKET),
        at(AUDIT_FILE),
        at(STATE_FILE)
    );
    if plan.xenstore.is_some() {
        let _ = write!(
            text,
            "[xenstore]\nenabled = true\n[tokens]\nfolder = {}\n",
            at(TOKENS)
        );
    }
    if plan.vchan.is_some() {
        text.push_str("[vchan]\nenabled = true\n");
    }
    if let Some(hv) = hv {
        let key = match hv_card {
            None => format!("key = {:?}", hv.key_file()),
            Some(card) => {
                let (key, pin) = (card.key_name(), card.pin_file());
                format!("key = {key:?}\npin_file = {pin:?}")
            }
        };
        let _ = write!(text, "[[hv]]\ncert = {:?}\n{key}\n", hv.certificate_file());
    }
    text.push_str("[limits]\n");
    for (name, value) in &plan.limits {
        let _ = writeln!(text, "{name} = {value}");
    }
    for base in [CardProfile::EapTls, CardProfile::Piv] {
        let mut cards = plan.cards.iter();
        if cards.any(|card| card.extended_length && card.profile == base) {
            let base = base.name();
            let _ = write!(
                text,
                "[[profile]]\nname = \"{base}-extended\"\nbase = \"{base}\"\nextended_length = true\n"
            );
        }
    }
    for card in &plan.cards {
        let seid = &card.seid;
        let pin = at(&soft_card::pin_file(seid));
        let source = match (&card.elsewhere, plan.pcscd) {
            (Some(elsewhere), _) => elsewhere.source.clone(),
            (None, Some(_)) => format!("kind = \"pcsc\"\nreader = \"{READER}\""),
            (None, None) => format!("kind = \"vicc\"\nsocket = {}", at(&soft_card::reader(seid))),
        };
        let _ = writeln!(text, "[[card_source]]\n{source}\nseid = \"{seid}\"");
        if card.described {
            let base = card.profile.name();
            let extended = if card.extended_length {
                "-extended"
            } else {
                ""
            };
            let _ = write!(
                text,
                "[[card]]\nseid = \"{seid}\"\nprofile = \"{base}{extended}\"\npin_file = {pin}\n"
            );
            if card.raw_key_use {
                text.push_str("raw_key_use = true\n");
            }
            if card.below_intermediate {
                let chain = at(&soft_card::chain_file(seid));
                let _ = writeln!(text, "chain_file = {chain}");
            }
        }
    }
    let bindings = || plan.guests.iter().flat_map(|guest| &guest.bindings);
    for (position, guest) in plan.guests.iter().enumerate() {
        let domid = position + 1;
        let (name, uuid) = (&guest.name, uuid(domid));
        if plan.xenstore.is_none() {
            let _ = write!(
                text,
                "[[domain]]\ndomid = {domid}\nuuid = \"{uuid}\"\nname = \"{name}\"\n"
            );
        }
        if plan.vchan.is_none() {
            let _ = write!(
                text,
                "[[channel]]\nkind = \"unix\"\npath = {}\ndomid = {domid}\n\
                 insecure_development = {}\n",
                at(&channel(name)),
                !guest.has_tls
            );
        }
        for (seid, identity) in guest.bindings.iter().filter(|_| guest.is_bound) {
            let shared = bindings().filter(|(card, _)| card == seid).count() > 1;
            let _ = write!(
                text,
                "[[binding]]\nvm = \"{uuid}\"\ncard = \"{seid}\"\nidentity = \"{identity}\"\n\
                 trust = {}\nshared = {shared}\n",
                at(CA_FILE)
            );
            if let Some(list) = &guest.raw_apdu {
                let file = pki::write(folder, &format!("{name}.apdus"), list);
                let _ = writeln!(text, "raw_apdu = {file:?}");
            }
        }
    }
    text.push_str(&plan.more_config);
    text
}

/// Where the channel of a guest listens.
pub(super) fn channel(guest: &str) -> String {
    format!("{guest}.channel.sock")
}

pub(super) const ADMIN_SOCKET: &str = "admin.sock";
pub(super) const CONFIG_FILE: &str = "dom0-middleware.toml";
pub(super) const AUDIT_FILE: &str = "audit.jsonl";
pub(super) const STATE_FILE: &str = "state.db";
pub(super) const TOKENS: &str = "tokens";
