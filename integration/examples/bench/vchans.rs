//! What service and agents take of memory where they meet over vchans: the real libxenvchan and a
//! real xenstored, without Xen.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::descriptors;
use integration::footprint::{Footprint, MIB};
use integration::pki::{KeyKind, Pki};
use integration::plain_vchan::PlainVchan;
use integration::tls_server::{TlsServer, echo};
use integration::xenstored::Xenstored;
use rustls::version::TLS12;

use crate::NAME;
use crate::figures::{Figures, Unit};

/// Domains that run at the same time, each with its agent.
const DOMAINS: [usize; 2] = [3, 100];
/// Domains on one card.
const ON_A_CARD: usize = 10;
/// Of this process, and of those it starts.
const DESCRIPTORS: u64 = 8_000;

/// Measures the most memory that service and agents ever had, after each domain has made a session.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    if !descriptors::provide(DESCRIPTORS) {
        return;
    }
    let server = TlsServer::start(pki, &pki.server(NAME, KeyKind::P256), &TLS12, echo);
    for domains in DOMAINS {
        let (xenstored, vchan) = (Xenstored::start(), PlainVchan::new());
        let plan = plan(domains).as_domains_of(&xenstored).over_vchan(&vchan);
        let mut chain = Chain::start(pki, &plan);
        for number in 0..domains {
            let session = chain.guest(&name(number)).ask(request(server.port(), NAME));
            session.expect("a session").close();
        }
        let service = Footprint::of(chain.middleware().id());
        let agents = (0..domains).map(|number| chain.guest(&name(number)).agent_id());
        let of_agents = agents.map(|agent| Footprint::of(agent).peak);
        let text = |what: &str| format!("vchan: {what}, {domains} domains");
        let peak = service.peak / MIB;
        figures.add(&text("service's peak memory"), peak, Unit::Mebibytes);
        let descriptors = service.descriptors as f64;
        figures.add(&text("service's descriptors"), descriptors, Unit::Count);
        let peak = of_agents.fold(0.0, f64::max) / MIB;
        figures.add(&text("an agent's peak memory"), peak, Unit::Mebibytes);
    }
}

/// So many domains, ten on each card.
fn plan(domains: usize) -> ChainPlan {
    let mut plan = ChainPlan::new();
    for first in (0..domains).step_by(ON_A_CARD) {
        let seid = format!("se-{first:02}");
        let mut card = CardPlan::new(&seid);
        for number in first..domains.min(first + ON_A_CARD) {
            let name = name(number);
            card = card.identity(&name, KeyKind::P256);
            plan = plan.guest(GuestPlan::new(&name).bound(&seid, &name));
        }
        plan = plan.card(card);
    }
    plan
}

fn name(number: usize) -> String {
    format!("guest-{number}")
}
