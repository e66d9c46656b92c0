//! `dom0-middleware card adopt`, `card pin` and `card maintenance`.

use std::io::Write;
use std::path::{self, Path, PathBuf};

use super::card_show;
use crate::admin::AdminRequest;
use crate::cli::{AdoptArgs, MaintenanceArgs, PinArgs, Switch};
use crate::error::MiddlewareError;

/// Makes the card that is there the right one, and shows it.
pub(super) fn adopt(args: AdoptArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let request = AdminRequest::CardAdopt {
        seid: args.card.seid,
        pin_file: args.pin_file.as_deref().map(absolute).transpose()?,
    };
    card_show::ask_and_print(&args.card.report, &request, out)
}

/// Tries a PIN again, and shows the card.
pub(super) fn pin(args: PinArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let request = AdminRequest::CardPin {
        seid: args.card.seid,
        pin_file: absolute(&args.pin_file)?,
    };
    card_show::ask_and_print(&args.card.report, &request, out)
}

/// Takes a card from its guests or gives it back, and shows it.
pub(super) fn maintain(args: MaintenanceArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let request = AdminRequest::CardMaintenance {
        seid: args.seid,
        on: args.set == Switch::On,
    };
    card_show::ask_and_print(&args.report, &request, out)
}

/// The service has another working directory.
fn absolute(path: &Path) -> Result<PathBuf, MiddlewareError> {
    path::absolute(path).map_err(MiddlewareError::Path)
}
