//! `dom0-middleware status`.

use std::io::{self, Write};

use super::{card_list, table};
use crate::admin::{
    AdminAnswer, AdminError, AdminRequest, RacsView, ServiceView, StatusView, XenstoreState,
    XenstoreView, ask,
};
use crate::broker::{ConnectionView, RefusalView};
use crate::cli::ReportArgs;
use crate::error::MiddlewareError;

/// Prints how the service is doing.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let AdminAnswer::Status(status) = ask(&args.admin, &AdminRequest::Status {})? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.json {
        let json = serde_json::to_string_pretty(&status);
        writeln!(out, "{}", json.expect("texts and numbers are always JSON"))?;
    } else {
        print(&status, out)?;
    }
    Ok(())
}

fn print(status: &StatusView, out: &mut impl Write) -> io::Result<()> {
    let (service, state) = (&status.service, &status.state);
    writeln!(out, "version     {}", service.version)?;
    writeln!(out, "uptime      {} s", status.uptime_s)?;
    writeln!(out, "config      {}", service.config)?;
    writeln!(out, "audit       {}", service.audit_file)?;
    writeln!(out, "state       {}", service.state_file)?;
    if let Some(xenstore) = &status.xenstore {
        writeln!(out, "xenstore    {}", describe(xenstore))?;
    }
    if let Some(hv_key) = &service.hv_key {
        let (card, until) = (&hv_key.card, &hv_key.certificate_until);
        writeln!(
            out,
            "hv key      {card}, channel certificate good until {until}"
        )?;
        if let Some(problem) = &hv_key.problem {
            writeln!(out, "NOTE        hv key: {problem}")?;
        }
    }
    if let Some(library) = &service.vchan {
        writeln!(out, "vchan       {library}")?;
    }
    if let Some(racs) = &service.racs {
        print_racs(racs, out)?;
    }
    for note in &service.notes {
        writeln!(out, "NOTE        {note}")?;
    }
    if let Some(tokens) = &service.tokens {
        let (given, folder) = (tokens.given, &tokens.folder);
        writeln!(
            out,
            "tokens      {given} given through xenstore, from {folder}"
        )?;
        for problem in &tokens.problems {
            writeln!(out, "NOTE        tokens: {problem}")?;
        }
    }
    writeln!(
        out,
        "handshakes  {} running, {} waiting, {} established and {} refused since start",
        state.running, state.waiting, state.counters.established, state.counters.refused
    )?;
    writeln!(out)?;
    card_list::print(&state.cards, out)?;
    writeln!(out)?;
    print_channels(service, &state.connections, &state.refusals, out)?;
    writeln!(out)?;
    print_bindings(service, out)
}

fn print_racs(racs: &RacsView, out: &mut impl Write) -> io::Result<()> {
    let (listen, limit, count) = (&racs.listen, racs.max_connections, racs.connections.len());
    let users = racs.users.len();
    writeln!(
        out,
        "racs        {listen}, {count} of {limit} connected, {users} users known"
    )?;
    for connection in &racs.connections {
        let holds = connection.holds.iter();
        let holds: Vec<String> = holds
            .map(|hold| format!("{} for {} s", hold.seid, hold.since_s))
            .collect();
        let holds = match holds.is_empty() {
            true => "nothing".to_owned(),
            false => holds.join(", "),
        };
        let (user, address) = (connection.user.escape_debug(), &connection.address);
        let since = connection.since_s;
        writeln!(
            out,
            "            {user} from {address} for {since} s, holds {holds}"
        )?;
    }
    Ok(())
}

fn describe(xenstore: &XenstoreView) -> String {
    let domains = xenstore.domains;
    let (seconds, problem) = (
        xenstore.for_s.unwrap_or_default(),
        xenstore.problem.as_deref().unwrap_or_default(),
    );
    match xenstore.state {
        XenstoreState::Answers => format!("answers, live domains: {domains}"),
        XenstoreState::Mute => {
            format!("MUTE for {seconds} s: {problem}; live domains before: {domains}")
        }
        XenstoreState::Reconnecting => {
            format!("RECONNECTING for {seconds} s: {problem}; live domains before: {domains}")
        }
    }
}

fn print_channels(
    service: &ServiceView,
    connections: &[ConnectionView],
    refusals: &[RefusalView],
    out: &mut impl Write,
) -> io::Result<()> {
    let rows: Vec<[String; 4]> = service
        .channels
        .iter()
        .map(|channel| {
            let of_domain = connections.iter().filter(|c| c.domid == channel.domid);
            let security = match channel.insecure_development {
                true => "NONE (insecure_development)",
                false => "TLS, token",
            };
            let racs = of_domain.clone().filter(|connection| connection.racs);
            let connected = match racs.count() {
                0 => of_domain.count().to_string(),
                1 => format!("{}, 1 speaks RACS", of_domain.count()),
                racs => format!("{}, {racs} speak RACS", of_domain.count()),
            };
            let domain = channel.domain.map(|uuid| format!(" {uuid}"));
            [
                format!("{} {}", channel.kind, channel.path),
                format!("{}{}", channel.domid, domain.unwrap_or_default()),
                connected,
                security.to_owned(),
            ]
        })
        .collect();
    table::print(out, ["channel", "domain", "connected", "security"], &rows)?;
    for no in refusals {
        let (domid, time, code, reason) = (no.domid, &no.time, &no.code, &no.reason);
        writeln!(out, "domain {domid}: last refused {time}: {code}: {reason}")?;
    }
    Ok(())
}

fn print_bindings(service: &ServiceView, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 4]> = service
        .bindings
        .iter()
        .map(|binding| {
            let identity = binding.identity.as_ref();
            [
                binding.name.clone().unwrap_or_default(),
                binding.domain.to_string(),
                binding.seid.to_string(),
                identity.map_or_else(|| "(the only one)".to_owned(), ToString::to_string),
            ]
        })
        .collect();
    table::print(out, ["vm", "uuid", "card", "identity"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_xenstored_is_doing_is_one_line() {
        let view = |state, for_s, problem: Option<&str>| XenstoreView {
            state,
            domains: 4,
            for_s,
            problem: problem.map(str::to_owned),
        };
        for (view, expected) in [
            (
                view(XenstoreState::Answers, None, None),
                "answers, live domains: 4",
            ),
            (
                view(XenstoreState::Mute, Some(12), Some("no answer")),
                "MUTE for 12 s: no answer; live domains before: 4",
            ),
            (
                view(XenstoreState::Reconnecting, Some(0), Some("it has ended")),
                "RECONNECTING for 0 s: it has ended; live domains before: 4",
            ),
        ] {
            assert_eq!(describe(&view), expected);
        }
    }
}
