//! The service has the card with its host's key sign what is approved, and serves on without it.

use integration::binaries;
use integration::chain::ChainPlan;
use integration::pcscd::Pcscd;
use integration::pki::KeyKind;
use integration::xenstored::{Xenstored, uuid};

use crate::enrolment::key;
use crate::{Host, PATIENT, web01};

impl Host {
    fn with_hv_key_in(pcscd: &Pcscd) -> Self {
        let xenstored = Xenstored::start();
        xenstored.create(&web01(1));
        let plan = ChainPlan::single(KeyKind::P256)
            .limit("domain_read_ms", PATIENT)
            .on_xenstore(&xenstored)
            .hv_key_in_reader(pcscd);
        Self::planned(xenstored, &plan)
    }

    /// That the token of the first domain in the folder is one of this host, for that domain.
    fn expect_good_token(&self) {
        let file = format!("{}.token", uuid(1));
        let mut command = binaries::token_tool();
        command
            .arg("verify")
            .arg(self.chain.tokens_folder().join(file));
        command.args(["--vm", &uuid(1), "--hv-cert"]);
        let certificate = self.chain.hypervisor().certificate_file();
        let output = command.arg(certificate).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_is_approved_is_signed_in_the_card_and_without_it_sessions_go_on() {
    let pcscd = Pcscd::start();
    let mut host = Host::with_hv_key_in(&pcscd);
    host.chain.wait_card("present");
    let session = host.connect("web01").expect("a session");
    for number in 1..4 {
        host.offer(1, key(number).to_pem().as_bytes());
        let approved = host.approve("web01", &key(number).fingerprint(), &[]);
        assert!(approved.status.success(), "{approved:?}");
        host.expect_good_token();
    }
    let issued = host.chain.audited("token-issued").len();
    assert_eq!(issued, 3);

    host.chain.hv_card().pull();
    pcscd.wait_empty();
    host.offer(1, key(7).to_pem().as_bytes());
    host.refused("web01", &key(7), 77, "no card in reader");
    assert_eq!(host.chain.audited("token-issued").len(), issued);
    session.close();
    host.connect("web01").expect("without the card").close();

    host.chain.hv_card().plug_in();
    pcscd.wait_card();
    let approved = host.approve("web01", &key(7).fingerprint(), &[]);
    assert!(approved.status.success(), "{approved:?}");
    host.expect_good_token();
}
