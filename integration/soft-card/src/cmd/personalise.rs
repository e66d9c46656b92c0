//! `soft-card personalise`: puts an identity on a card.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap::error::ErrorKind;
use proto::card::{Pin, PinCharacters};
use proto::id::IdentityName;
use proto::piv::Slot;
use zeroize::Zeroizing;

use crate::cli::{Cli, Failure, PersonaliseArgs};
use crate::identity::IdentityPem;
use crate::pin::{PinState, StoredPin};
use crate::piv::SlotPem;
use crate::profile::Profile;
use crate::store::CardDirectory;

/// Reads the files named in `args` and writes the card.
///
/// # Errors
/// A file cannot be read, or the card refuses the identity; the card is then as it was.
pub fn run(args: &PersonaliseArgs) -> Result<(), Failure> {
    match (&args.name, &args.ca, args.slot, args.profile) {
        (Some(name), Some(ca), None, None | Some(Profile::EapTls)) => eap_tls(args, name, ca),
        (None, None, Some(slot), None | Some(Profile::Piv)) => piv(args, slot),
        _ => {
            let text = "a card of profile eap-tls takes --name and --ca, one of profile piv --slot";
            Err(Cli::command()
                .error(ErrorKind::ArgumentConflict, text)
                .into())
        }
    }
}

fn eap_tls(args: &PersonaliseArgs, name: &IdentityName, ca: &Path) -> Result<(), Failure> {
    let pins = PinState::new(
        pin(&args.pin_file, PinCharacters::Digits)?,
        pin_or_factory(
            args.operator_pin_file.as_ref(),
            PinCharacters::Digits,
            FACTORY_OPERATOR_PIN,
        )?,
    );
    let (key, certificates, ca) = (read(&args.key)?, read(&args.cert)?, read(ca)?);
    let parts = IdentityPem {
        key: &key,
        certificates: &certificates,
        ca: &ca,
    };
    let eap_id = args.eap_id.as_deref().unwrap_or(name.as_str());
    let mut card = CardDirectory::create(&args.dir)?;
    let made = card.personalise(name, eap_id, parts, &pins);
    Ok(made.map_err(|error| error.of_certificate_in(&args.cert))?)
}

fn piv(args: &PersonaliseArgs, slot: Slot) -> Result<(), Failure> {
    let pins = PinState::new(
        piv_pin(&args.pin_file)?,
        pin_or_factory(
            args.puk_file.as_ref(),
            PinCharacters::PivDigits,
            FACTORY_PUK,
        )?,
    );
    let (key, certificate) = (read(&args.key)?, read(&args.cert)?);
    let parts = SlotPem {
        key: &key,
        certificate: &certificate,
    };
    let mut card = CardDirectory::create(&args.dir)?;
    let made = card.personalise_piv(slot, parts, args.gzip, &pins);
    Ok(made.map_err(|error| error.of_certificate_in(&args.cert))?)
}

fn pin_or_factory(
    path: Option<&PathBuf>,
    characters: PinCharacters,
    factory: &[u8],
) -> Result<StoredPin, Failure> {
    match path {
        Some(path) => pin(path, characters),
        None => Ok(StoredPin::padded(factory).expect("eight digits")),
    }
}

/// The PIN of a PIV card. With other characters than digits it makes a card that takes any.
fn piv_pin(path: &Path) -> Result<StoredPin, Failure> {
    let digits = pin(path, PinCharacters::PivDigits);
    digits.or_else(|no_digits| match no_digits {
        Failure::NoPin { .. } => pin(path, PinCharacters::Printable),
        unread => Err(unread),
    })
}

/// The PIN in a file; its line end does not count.
fn pin(path: &Path, characters: PinCharacters) -> Result<StoredPin, Failure> {
    let text = read(path)?;
    let digits = text.trim_ascii_end();
    let fits = Pin::of(characters, digits).is_ok();
    let pin = StoredPin::padded(digits).filter(|_| fits);
    pin.ok_or_else(|| Failure::NoPin {
        path: path.to_owned(),
        characters,
    })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    std::fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| Failure::Input {
            path: path.to_owned(),
            source,
        })
}

const FACTORY_OPERATOR_PIN: &[u8] = b"00000000";
const FACTORY_PUK: &[u8] = b"12345678";
