//! `soft-card personalise`: puts an identity on a card.

use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::{Failure, PersonaliseArgs};
use crate::identity::IdentityPem;
use crate::store::{CardDirectory, fresh_pins};

/// Reads the files named in `args` and writes the card.
///
/// # Errors
/// A file cannot be read, or the card refuses the identity; the card is then as it was.
pub fn run(args: &PersonaliseArgs) -> Result<(), Failure> {
    let pin = read(&args.pin_file)?;
    let operator_pin = args.operator_pin_file.as_deref().map(read).transpose()?;
    let pins =
        fresh_pins(&pin, operator_pin.as_ref().map(|pin| pin.as_slice())).ok_or_else(|| {
            Failure::NoPin {
                path: args.pin_file.clone(),
            }
        })?;
    let (key, certificates, ca) = (read(&args.key)?, read(&args.cert)?, read(&args.ca)?);
    let parts = IdentityPem {
        key: &key,
        certificates: &certificates,
        ca: &ca,
    };
    let eap_id = args.eap_id.as_deref().unwrap_or(args.name.as_str());
    CardDirectory::create(&args.dir)?.personalise(&args.name, eap_id, parts, &pins)?;
    Ok(())
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    std::fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| Failure::Input {
            path: path.to_owned(),
            source,
        })
}
