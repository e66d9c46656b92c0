//! Tokens that are issued anew before they end.

use std::fs;

use integration::chain::{CardPlan, ChainPlan, GuestPlan};
use integration::fake_clock::FakeClock;
use integration::hypervisor::Hypervisor;
use integration::pki::KeyKind;
use integration::wait;
use integration::xenstored::{Domain, Xenstored, uuid};
use proto::token::{Claims, decode, from_text};

use crate::Host;

fn claims(text: &str) -> Claims {
    let token = from_text(text).expect("a token");
    decode(&token).expect("a token").1
}

impl Host {
    /// A calendar that the test sets, and these guests, each bound to the identity of its name.
    fn on_clock(clock: &FakeClock, guests: &[&str]) -> Self {
        let xenstored = Xenstored::start();
        let mut card = CardPlan::new("se-00");
        let mut plan = ChainPlan::new().started_by(&clock.starter());
        for name in guests {
            card = card.identity(name, KeyKind::P256);
            plan = plan.guest(GuestPlan::new(name).bound("se-00", name));
        }
        let plan = plan.card(card).as_domains_of(&xenstored);
        Self::planned(xenstored, &plan)
    }

    fn in_folder(&self, number: usize) -> String {
        let file = format!("{}.token", uuid(number));
        let text = fs::read_to_string(self.chain.tokens_folder().join(file));
        text.expect("there").trim_end().to_owned()
    }

    /// Waits until the token of a domain is another one than `former`.
    fn wait_renewed(&self, number: usize, former: &str) -> String {
        wait::until("the token is renewed", || {
            let text = self.in_folder(number);
            (text != former).then_some(text)
        })
    }
}

#[test]
fn a_token_of_a_bound_domain_is_renewed_and_no_other_is() {
    let Some(clock) = FakeClock::new() else {
        return;
    };
    let host = Host::on_clock(&clock, &["web01"]);
    host.xenstored.create(&Domain::new(2, 2, "other"));
    // Of a domain that is bound, and of one that is not.
    let (first, other) = (host.issue(1), host.issue(2));
    host.wait_node(1, Some(&first));
    host.wait_node(2, Some(&other));
    clock.set("+19d");
    assert!(host.chain.admin(&["status"]).status.success());
    assert_eq!(host.in_folder(1), first);

    clock.set("+21d");
    let second = host.wait_renewed(1, &first);
    let (former, next) = (claims(&first), claims(&second));
    assert_eq!(next.sub, former.sub);
    assert_eq!(next.cnf, former.cnf);
    assert_eq!(next.vm_cert_sha256, former.vm_cert_sha256);
    assert_eq!(next.hv_domain, former.hv_domain);
    assert_eq!(next.exp - next.iat, former.exp - former.iat);
    assert!(next.exp > former.exp + 20 * 86_400);
    assert_ne!(next.cti, former.cti);
    host.wait_node(1, Some(&second));
    assert_eq!(host.in_folder(2), other);
    let issued = host.chain.audited("token-issued");
    assert_eq!(issued.len(), 1, "{issued:?}");
    assert_eq!(issued[0]["because"], "renewed");
    assert_eq!(issued[0]["domain"], uuid(1));

    // One that is revoked is not renewed, and neither is one that has ended.
    let cti: String = next.cti.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        host.chain
            .admin(&["token", "revoke", &cti])
            .status
            .success()
    );
    clock.set("+45d");
    host.wait_node(1, None);
    host.wait_node(2, None);
    assert_eq!(host.in_folder(1), second);
    assert_eq!(host.chain.audited("token-issued").len(), 1);
}

#[test]
fn where_tokens_are_not_renewed_they_end() {
    let Some(clock) = FakeClock::new() else {
        return;
    };
    let host = Host::on_clock(&clock, &["web01"]);
    let config = fs::read_to_string(host.chain.config_file()).expect("there");
    let config = config.replacen("[tokens]\n", "[tokens]\nrenew = false\n", 1);
    fs::write(host.chain.config_file(), config).expect("ours");
    let mut host = host;
    host.chain.restart_middleware();
    let token = host.issue(1);
    host.wait_node(1, Some(&token));
    clock.set("+31d");
    host.wait_node(1, None);
    assert_eq!(host.in_folder(1), token);
    assert_eq!(host.chain.audited("token-issued").len(), 0);
}

#[test]
fn what_a_former_hv_has_signed_is_good_and_is_left_to_end() {
    let Some(clock) = FakeClock::new() else {
        return;
    };
    let mut host = Host::on_clock(&clock, &["web01", "web02"]);
    let of_former = host.issue(1);
    // The host gets another HV key.
    let former = host.chain.hypervisor().clone();
    let current = Hypervisor::new(host.chain.folder(), "next-hv");
    let config = fs::read_to_string(host.chain.config_file()).expect("there");
    let key_of_former = format!("key = {:?}\n", former.key_file());
    let of_current = format!(
        "[[hv]]\ncert = {:?}\nkey = {:?}\n[[hv]]\n",
        current.certificate_file(),
        current.key_file()
    );
    let config = config.replacen(&key_of_former, "", 1);
    let config = config.replacen("[[hv]]\n", &of_current, 1);
    fs::write(host.chain.config_file(), config).expect("ours");
    host.chain.restart_middleware();
    let second = host.issue_by(&current, 2);
    host.wait_node(1, Some(&of_former));
    host.wait_node(2, Some(&second));

    // All that are due are asked for at once, the first domain's first.
    clock.set("+21d");
    let renewed = host.wait_renewed(2, &second);
    host.wait_node(2, Some(&renewed));
    host.wait_node(1, Some(&of_former));
    assert_eq!(host.in_folder(1), of_former);
    let issued = host.chain.audited("token-issued");
    assert_eq!(issued.len(), 1, "{issued:?}");
    assert_eq!(issued[0]["domain"], uuid(2));
    clock.set("+31d");
    host.wait_node(1, None);
}
