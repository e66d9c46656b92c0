//! Decides what is wrong.

use std::net::SocketAddr;
use std::time::Duration;

use proto::id::Seid;

use super::facts::{ConfigFacts, Facts, Silence};
use super::finding::Finding;
use super::grids::GridFacts;
use super::readers::readers;
use super::vchan::VchanFacts;
use crate::admin::{HvKeyView, PinStatusView, RacsView, StatusView, TokensView};
use crate::broker::{CardState, CardView, PaceView};
use crate::card::{SET_PIN_WITH_PUK, WHERE_TOOLS_WORK};
use crate::time::UnixTime;
use crate::xen::XenstoreFault;

/// Everything that is in order, and everything that is not, in the order in which one would repair.
pub(crate) fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.service {
        Ok(status) => findings.push(Finding::ok(
            "service",
            format!(
                "version {} runs since {} s with {}",
                status.service.version, status.uptime_s, status.service.config
            ),
        )),
        Err(silence) => findings.push(silent_service(silence)),
    }
    if let Ok(status) = &facts.service {
        let notes = status.service.notes.iter();
        findings.extend(notes.map(|note| Finding::warn("state", note.clone())));
    }
    findings.extend(configuration(facts.config.as_ref()));
    if let Some(Ok(config)) = &facts.config {
        findings.extend(config.hv.map(|(left, end)| hv_certificate(left, end)));
    }
    if let Ok(status) = &facts.service {
        findings.extend(status.service.hv_key.as_ref().map(hv_key));
    }
    findings.extend(facts.xenstore.as_ref().map(xenstore));
    findings.extend(facts.vchan.iter().flat_map(VchanFacts::findings));
    if let Ok(status) = &facts.service {
        findings.extend(status.service.tokens.iter().flat_map(tokens));
    }
    if let Some(pcsc) = &facts.pcsc {
        let config = facts
            .config
            .as_ref()
            .and_then(|config| config.as_ref().ok());
        findings.extend(readers(pcsc, config));
    }
    findings.extend(facts.grids.iter().map(GridFacts::finding));
    findings.extend(exposed(facts.listening.as_deref()));
    if let Ok(status) = &facts.service {
        findings.extend(status.state.cards.iter().map(card));
        findings.extend(facts.pins.iter().filter_map(few_tries));
        findings.extend(status.service.racs.iter().flat_map(racs));
        findings.extend(channels(status));
        findings.extend(bindings(status));
    }
    findings
}

fn silent_service(silence: &Silence) -> Finding {
    let socket = silence.socket.display();
    if silence.denied {
        return Finding::fail("service", format!("may not be asked at {socket}"))
            .next("run this as root, or as the user that the service runs as");
    }
    Finding::fail(
        "service",
        format!("does not answer at {socket}: {}", silence.why),
    )
    .next("start it: dom0-middleware serve --config FILE; if it runs elsewhere, name its socket: --admin PATH")
}

fn configuration(config: Option<&Result<ConfigFacts, String>>) -> Vec<Finding> {
    match config {
        None => vec![
            Finding::warn("configuration", "not looked at: nobody says where it is")
                .next("name it: --config FILE"),
        ],
        Some(Err(problem)) => vec![
            Finding::fail("configuration", problem)
                .next("correct it; dom0-middleware check-config FILE says when it is good"),
        ],
        Some(Ok(config)) if config.missing.is_empty() => {
            vec![Finding::ok(
                "configuration",
                config.path.display().to_string(),
            )]
        }
        Some(Ok(config)) => config
            .missing
            .iter()
            .map(|missing| Finding::fail("configuration", missing).next("write that file"))
            .collect(),
    }
}

/// Every guest must have the new pin before the change.
fn hv_certificate(left: Duration, end: UnixTime) -> Finding {
    let check = "hv certificate";
    let days = left.as_secs() / 86_400;
    if left >= HV_NOTICE {
        return Finding::ok(check, format!("is good until {end}"));
    }
    Finding::warn(check, format!("ends at {end}, in {days} days: no guest can connect then")).next(
        "make another with token-tool keygen, add its pin to the hv_pins of all guests, then put it \
         under [[hv]] and leave this one there without its key",
    )
}

/// The service looks whether its card is there, and remembers how its last signature went.
pub(crate) fn hv_key(hv_key: &HvKeyView) -> Finding {
    let (card, until) = (&hv_key.card, &hv_key.certificate_until);
    match &hv_key.problem {
        None => Finding::ok("hv key", format!("in its card, {card}")),
        Some(problem) => Finding::fail("hv key", format!("{card}: {problem}")).next(format!(
            "until that is put right no token is issued, and guests can connect until {until} only"
        )),
    }
}

/// How long before its end an HV certificate is worth a word.
const HV_NOTICE: Duration = Duration::from_secs(60 * 86_400);

fn xenstore(domains: &Result<usize, XenstoreFault>) -> Finding {
    match domains {
        Ok(count) => Finding::ok("xenstore", format!("answers, live domains: {count}")),
        Err(fault) => Finding::fail("xenstore", fault.to_string()).next(fault.cure()),
    }
}

fn tokens(tokens: &TokensView) -> Vec<Finding> {
    let (given, folder) = (tokens.given, &tokens.folder);
    if tokens.problems.is_empty() {
        let what = format!("from {folder}, running domains that have theirs: {given}");
        return vec![Finding::ok("tokens", what)];
    }
    let problems = tokens.problems.iter();
    let finding = |problem: &String| Finding::warn("tokens", format!("{folder}: {problem}"));
    problems.map(finding).collect()
}

/// A virtual reader that the network can reach: whoever connects there is a card, or reads what is
/// meant for one.
fn exposed(listening: Option<&[SocketAddr]>) -> Vec<Finding> {
    let Some(listening) = listening else {
        return vec![
            Finding::warn(
                "vpcd",
                "not looked at: the sockets of pcscd are not ours to see",
            )
            .next("run this as root"),
        ];
    };
    let beyond = listening
        .iter()
        .filter(|address| !address.ip().is_loopback());
    beyond
        .map(|address| {
            Finding::fail(
                "vpcd",
                format!("pcscd listens on {address}: who reaches that port can be a card and is given its PIN"),
            )
            .next("remove the virtual reader (vsmartcard-vpcd), or close the port to the network; virtual cards can use kind = \"vicc\" with a socket")
        })
        .collect()
}

fn card(card: &CardView) -> Finding {
    let check = format!("card {}", card.seid);
    let why = |otherwise: &str| card.why.clone().unwrap_or_else(|| otherwise.to_owned());
    let finding = match card.state {
        CardState::Present if card.maintenance => {
            let held = card.held_by.as_ref().map(|held| &held.holder);
            let held = held.map_or_else(String::new, |holder| format!(", held by {holder}"));
            let seid = &card.seid;
            Finding::warn(check, format!("is in maintenance, not for guests{held}")).next(format!(
                "when it is done: dom0-middleware card maintenance {seid} off"
            ))
        }
        CardState::Present if card.identities.is_empty() => {
            Finding::warn(check, "is ready and holds no identity").next("personalise it")
        }
        CardState::Present if card.pace.drifted().next().is_some() => {
            let slow: Vec<String> = card.pace.drifted().map(slowness).collect();
            Finding::warn(check, format!("has become slow: {}", slow.join("; ")))
                .next("clean its contacts, try another reader, look who else uses it")
        }
        CardState::Present => {
            let names: Vec<&str> = card.identities.iter().map(|i| i.name.as_str()).collect();
            Finding::ok(check, format!("is ready: {}", names.join(", ")))
        }
        CardState::Absent if card.why.is_none() => Finding::fail(check, "is not there")
            .next("put it into its reader; a virtual card must connect"),
        CardState::Absent => Finding::fail(check, why("")),
        CardState::Stuck => Finding::fail(check, "does not return from a command")
            .next("pull it and put it in again; if that does not help, restart pcscd"),
        CardState::Unusable => Finding::fail(check, why("cannot be used")),
    };
    match &card.next {
        Some(next) => finding.next(next),
        None => finding,
    }
}

/// What a card takes for some work now, and took at first.
fn slowness((work, pace): (String, &PaceView)) -> String {
    let now = pace.card_ms.unwrap_or_default();
    let usual = pace.usual_ms.unwrap_or_default();
    format!("{work} takes {now} ms, {usual} ms at first")
}

/// A card that shows no more tries than are left alone: after its next reset it is not opened.
fn few_tries((seid, pin): &(Seid, PinStatusView)) -> Option<Finding> {
    let check = format!("pin of card {seid}");
    match pin {
        PinStatusView::Tries { left: 1 } => {
            let finding = Finding::warn(check, "the card has 1 PIN try left, which is not spent");
            Some(finding.next(format!(
                "verify the right PIN with a tool of the card, which gives it its tries back, or \
                 {SET_PIN_WITH_PUK}, {WHERE_TOOLS_WORK}"
            )))
        }
        PinStatusView::Blocked | PinStatusView::Tries { left: 0 } => {
            let finding = Finding::warn(check, "the card has no PIN try left: it is blocked");
            Some(finding.next(format!(
                "{SET_PIN_WITH_PUK}, {WHERE_TOOLS_WORK}; then dom0-middleware card pin {seid} \
                 --pin-file FILE"
            )))
        }
        _ => None,
    }
}

/// How long before its end the certificate of the RACS server is worth a word.
const RACS_NOTICE: u64 = 30 * 86_400;

fn racs(racs: &RacsView) -> Vec<Finding> {
    let (listen, limit, count) = (&racs.listen, racs.max_connections, racs.connections.len());
    let mut findings = Vec::new();
    if count >= limit {
        let full = format!("{listen}: {count} users are connected, and no more are let in");
        let next = "see who they are: dom0-middleware status; or raise racs.max_connections";
        findings.push(Finding::warn("racs", full).next(next));
    } else {
        let what = format!("listens at {listen}, {count} of {limit} users connected");
        findings.push(Finding::ok("racs", what));
    }
    if racs.users.is_empty() {
        let nobody = Finding::warn("racs", "no [[racs.user]]: nobody can do anything there");
        findings.push(nobody.next("add one, or set racs.enabled = false"));
    }
    if racs.certificate_left_s < RACS_NOTICE {
        let until = &racs.certificate_until;
        let ends = match racs.certificate_left_s {
            0 => Finding::fail("racs", format!("its certificate has ended at {until}")),
            _ => Finding::warn("racs", format!("its certificate ends at {until}")),
        };
        let next = "put a new one into the file of racs.certificate and start the service again";
        findings.push(ends.next(next));
    }
    findings
}

fn channels(status: &StatusView) -> Vec<Finding> {
    let mut findings = Vec::new();
    for channel in &status.service.channels {
        let check = format!("channel {}", channel.path);
        let mut connections = status.state.connections.iter();
        let last = status
            .state
            .refusals
            .iter()
            .find(|no| no.domid == channel.domid);
        findings.push(
            match (
                connections.any(|c| c.domid == channel.domid && c.admitted),
                last,
            ) {
                (true, _) => Finding::ok(&check, format!("domain {} is connected", channel.domid)),
                (false, Some(no)) => Finding::fail(
                    &check,
                    format!(
                        "domain {} was refused at {}: {}: {}",
                        channel.domid, no.time, no.code, no.reason
                    ),
                )
                .next("bind the domain, or correct its domid and UUID in the configuration"),
                (false, None) => Finding::warn(&check, "nobody is connected")
                    .next("in the guest: domu-agent status"),
            },
        );
        if channel.insecure_development {
            findings.push(Finding::warn(
                check,
                "insecure_development: no TLS and no token; who opens it is taken for the domain",
            ));
        }
    }
    findings
}

fn bindings(status: &StatusView) -> Vec<Finding> {
    let service = &status.service;
    if service.bindings.is_empty() {
        return vec![
            Finding::warn("bindings", "none: no guest may use any card")
                .next("dom0-middleware vm bind VM --card SEID --trust FILE"),
        ];
    }
    let unreachable = service.bindings.iter().filter(|binding| {
        // With vchans a domain has one whenever it runs.
        if service.vchan.is_some() {
            return false;
        }
        let mut channels = service.channels.iter();
        !channels.any(|channel| channel.domain.is_none_or(|domain| domain == binding.domain))
    });
    unreachable
        .map(|binding| {
            let name = binding
                .name
                .clone()
                .unwrap_or_else(|| binding.domain.to_string());
            Finding::warn(
                format!("binding {name}"),
                format!("the domain is bound to {} and has no channel", binding.seid),
            )
            .next("add a [[channel]] for it, or correct the UUID of the binding")
        })
        .collect()
}

#[cfg(test)]
#[path = "examine_tests.rs"]
mod tests;
