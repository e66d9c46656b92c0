//! A card in a reader, and other people's programs that use it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use integration::chain::{CardPlan, start_card};
use integration::pcscd::{Pcscd, READER, enter};
use integration::pki::{self, Pki};
use integration::process::Process;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;

/// A card in a reader, and the files of a test.
pub(crate) struct Desk {
    pub(crate) pki: Pki,
    pcscd: Pcscd,
    pub(crate) folder: TempDir,
    _card: Process,
}

impl Desk {
    pub(crate) fn new(card: &CardPlan) -> Self {
        let (pki, pcscd) = (Pki::new(), Pcscd::start());
        let folder = tempfile::tempdir().expect("a temporary folder");
        pki::write(folder.path(), "opensc.conf", NO_CACHE);
        pki::write(folder.path(), "message", MESSAGE);
        let card = start_card(&pki, card, &pcscd, folder.path());
        pcscd.wait_card();
        Self {
            pki,
            pcscd,
            folder,
            _card: card,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program of OpenSC with these arguments. It does not run in the folder of the test.
    pub(crate) fn opensc(&self, program: &str, arguments: &[&str]) -> Output {
        enter(self.pcscd.id(), program)
            .args(["--reader", READER])
            .args(arguments)
            .env("OPENSC_CONF", self.path("opensc.conf"))
            .env("PIV_EXT_AUTH_KEY", self.path("management.key"))
            .output()
            .expect("nsenter is there")
    }

    /// The same, which must go well; says what it said.
    pub(crate) fn done(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.opensc(program, arguments);
        let said = said(&output);
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        said
    }

    /// A signature of a file by the key with this number, counted from slot 9A, into `signature`.
    pub(crate) fn sign(&self, id: &str, mechanism: &str, input: &str) {
        let (input, output) = (self.path(input), self.path("signature"));
        let files = [input, output].map(|path| path.to_str().expect("a plain path").to_owned());
        let [input, output] = &files;
        let login = ["--login", "--pin", PIN, "--id", id];
        let sign = [
            "--sign",
            "--mechanism",
            mechanism,
            "--signature-format",
            "openssl",
        ];
        let files = ["--input-file", input, "--output-file", output];
        let output = self.pkcs11(&[&login[..], &sign, &files].concat());
        assert!(output.status.success(), "{mechanism}: {}", said(&output));
    }

    /// OpenSC's PKCS#11 library, in the hands of its tool.
    pub(crate) fn pkcs11(&self, arguments: &[&str]) -> Output {
        enter(self.pcscd.id(), "pkcs11-tool")
            .arg("--module")
            .arg(pkcs11_module())
            .args(arguments)
            .env("OPENSC_CONF", self.path("opensc.conf"))
            .output()
            .expect("nsenter is there")
    }

    /// OpenSSL, which must go well.
    pub(crate) fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("openssl is there");
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        output.stdout
    }

    /// The public key in a certificate, as a file.
    fn public_key(&self, certificate: &str) -> String {
        let pem = self.openssl(&["x509", "-in", certificate, "-noout", "-pubkey"]);
        let pem = String::from_utf8(pem).expect("PEM");
        pki::write(self.folder.path(), "public.pem", &pem);
        "public.pem".to_owned()
    }

    /// OpenSSL's judgement of a signature of the message.
    pub(crate) fn verify(&self, certificate: &str, hash: &str, options: &[&str]) {
        let key = self.public_key(certificate);
        let arguments = [&["dgst", hash, "-verify", &key], options].concat();
        let judge = [&arguments[..], &["-signature", "signature", "message"]].concat();
        assert_eq!(self.openssl(&judge), b"Verified OK\n");
    }

    /// A certificate on the card, read by OpenSC.
    pub(crate) fn read_certificate(&self, id: &str) -> Vec<u8> {
        let output = self.opensc("pkcs15-tool", &["--read-certificate", id]);
        assert!(output.status.success(), "{}", said(&output));
        CertificateDer::from_pem_slice(&output.stdout)
            .expect("PEM")
            .to_vec()
    }

    pub(crate) fn certificate_in(&self, file: &str) -> Vec<u8> {
        let pem = fs::read(self.path(file)).expect("it was written");
        CertificateDer::from_pem_slice(&pem).expect("PEM").to_vec()
    }
}

/// What a program said, results and complaints.
pub(crate) fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Debian has one folder of libraries for each architecture.
fn pkcs11_module() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("every system has it");
    let candidates = folders.map(|folder| {
        let folder = folder.expect("readable").path();
        folder.join("opensc-pkcs11.so")
    });
    let found = candidates.into_iter().find(|module| module.is_file());
    found.expect("opensc-pkcs11.so; is the package opensc-pkcs11 installed?")
}

/// The PIN of cards that [`start_card`] makes.
pub(crate) const PIN: &str = "123456";
/// What is signed.
const MESSAGE: &str = "a message\n";
/// OpenSC keeps what it reads, in the home of whoever runs it; here it shall read.
const NO_CACHE: &str = "app default { framework pkcs15 { use_file_caching = no; } }\n";
