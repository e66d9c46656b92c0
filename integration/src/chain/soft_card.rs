//! A card: personalised, then put into its reader.

use std::path::Path;

use super::plan::{CardPlan, CardProfile, Place};
use crate::binaries;
use crate::pcscd::Pcscd;
use crate::pki::{self, Pki};
use crate::process::Process;

/// Where the reader of a card listens.
pub(super) fn reader(seid: &str) -> String {
    format!("{seid}.vicc.sock")
}

/// The file with a card's PIN.
pub(super) fn pin_file(seid: &str) -> String {
    format!("{seid}.pin")
}

/// The file with the certificates between a card's and the CA that servers know.
pub(super) fn chain_file(seid: &str) -> String {
    format!("{seid}.chain.pem")
}

/// The file with the certificate of an identity.
pub fn certificate_file(seid: &str, identity: &str) -> String {
    format!("{seid}.{identity}.cert.pem")
}

/// Makes a card and puts it into the reader of a daemon, without a host around it. The CA that it
/// trusts is in `ca.pem` in `folder`.
///
/// # Panics
/// When it cannot be made or started.
#[must_use]
pub fn start_alone(pki: &Pki, plan: &CardPlan, pcscd: &Pcscd, folder: &Path) -> Process {
    pki::write(folder, CA_FILE, &pki.ca.pem());
    start(pki, plan, Some(pcscd.into()), folder)
}

/// The same for a reader that listens on a Unix socket, or will.
///
/// # Panics
/// As [`start_alone`].
#[must_use]
pub fn start_at(pki: &Pki, plan: &CardPlan, socket: &Path, folder: &Path) -> Process {
    pki::write(folder, CA_FILE, &pki.ca.pem());
    personalise(pki, plan, folder);
    connect(plan, &format!("unix:{}", socket.display()), folder)
}

/// Makes the card and starts it; it waits for its reader if it has to.
pub(super) fn start(pki: &Pki, plan: &CardPlan, place: Option<Place>, folder: &Path) -> Process {
    personalise(pki, plan, folder);
    plug_in(plan, place, folder)
}

fn personalise(pki: &Pki, plan: &CardPlan, folder: &Path) {
    let seid = &plan.seid;
    let card = folder.join(format!("{seid}.card"));
    let trusted = folder.join(CA_FILE);
    let digits = match plan.profile {
        CardProfile::EapTls => PIN,
        CardProfile::Piv => PIV_PIN,
    };
    let pin = pki::write_secret(folder, &pin_file(seid), digits);
    let ca = match plan.below_intermediate {
        true => &pki.intermediate,
        false => &pki.ca,
    };
    if plan.below_intermediate {
        pki::write(folder, &chain_file(seid), &ca.pem());
    }
    for (name, key) in &plan.identities {
        let files = ca
            .identity(name, *key)
            .write(folder, &format!("{seid}.{name}"));
        let mut command = binaries::soft_card();
        command
            .arg("personalise")
            .arg("--dir")
            .arg(&card)
            .args(&plan.personalised_with);
        match plan.profile {
            CardProfile::EapTls => command.args(["--name", name]).arg("--ca").arg(&trusted),
            CardProfile::Piv => command.args(["--slot", name]),
        };
        command
            .arg("--key")
            .arg(&files.key)
            .arg("--cert")
            .arg(&files.certificate)
            .arg("--pin-file")
            .arg(&pin);
        let output = command.output().expect("it is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "soft-card personalise: {said}");
    }
}

/// Takes the PIN and the certificates of a card over from the host that has made it.
pub(super) fn copy_files(plan: &CardPlan, from: &Path, to: &Path) {
    let seid = &plan.seid;
    let certificates = plan.identities.iter();
    let certificates = certificates.map(|(name, _)| certificate_file(seid, name));
    for file in certificates.chain([pin_file(seid)]) {
        // With its permissions: a PIN is for its owner alone.
        std::fs::copy(from.join(&file), to.join(&file)).expect("the other host has made it");
    }
}

/// Destroys a card that is in no reader.
pub(super) fn destroy(plan: &CardPlan, folder: &Path) {
    std::fs::remove_dir_all(folder.join(format!("{}.card", plan.seid))).expect("it was made");
}

/// Puts a card that was made into its reader.
pub(super) fn plug_in(plan: &CardPlan, place: Option<Place>, folder: &Path) -> Process {
    let seid = &plan.seid;
    let reader = match place {
        Some(place) => format!("127.0.0.1:{}", place.port),
        None => format!("unix:{}", folder.join(reader(seid)).display()),
    };
    connect(plan, &reader, folder)
}

fn connect(plan: &CardPlan, reader: &str, folder: &Path) -> Process {
    let seid = &plan.seid;
    let mut command = binaries::soft_card();
    command.arg("serve").arg("--connect").arg(reader);
    command
        .arg("--dir")
        .arg(folder.join(format!("{seid}.card")))
        .args(&plan.options);
    Process::start_silent(&format!("soft-card-{seid}"), &mut command, folder)
}

/// The CA that cards and bindings trust.
pub(super) const CA_FILE: &str = "ca.pem";
const PIN: &str = "1234\n";
const PIV_PIN: &str = "123456\n";
