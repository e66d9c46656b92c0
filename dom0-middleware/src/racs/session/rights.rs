//! What a user may do with which element.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::id::Seid;
use proto::racs::{
    AllowList, ApduCommand, CommandNumber, FailureClass, ForbiddenInstructions, SeidToken,
};

use super::commands::Refused;

/// A user's rights. Without any the user may connect and sees an empty list.
#[derive(Debug, Clone, Default)]
pub struct Rights(Arc<BTreeMap<Seid, ElementRights>>);

/// A user's rights to one element; none unless set.
///
/// An element without rights is one that does not exist, as far as the user can tell. To one that
/// has some, what is not among them is refused as such.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ElementRights {
    /// It is in the user's LIST.
    pub inventory: bool,
    /// POWERON, SHUTDOWN, RESET.
    pub power: bool,
    /// APDU, which powers the element and takes it if that was not done before.
    pub apdu: bool,
    /// The APDUs that pass; all if there is no list.
    pub allow_list: Option<Arc<AllowList>>,
    /// The administrator's word that the keys and PINs of a card that guests use are this user's
    /// business too: [`ForbiddenInstructions`] pass. A card that several guests share never has it.
    /// With a card that no guest uses it means nothing.
    pub raw_key_use: bool,
}

impl ElementRights {
    /// Every operation, with every APDU.
    #[must_use]
    pub fn all() -> Self {
        Self {
            inventory: true,
            power: true,
            apdu: true,
            ..Self::default()
        }
    }
}

impl Rights {
    /// Whether the user sees this element in LIST.
    pub(super) fn lists(&self, seid: &Seid) -> bool {
        self.0.get(seid).is_some_and(|rights| rights.inventory)
    }

    /// The element that a user means, if the user may use this command on it.
    pub(super) fn power(&self, token: &SeidToken, number: CommandNumber) -> Result<Seid, Refused> {
        let (seid, rights) = self.find(token, number)?;
        match rights.power {
            true => Ok(seid),
            false => Err(unauthorised(number, "not permitted for this user")),
        }
    }

    /// The element that a user means, if these APDUs may go to it as far as the allow-list goes.
    pub(super) fn apdu(&self, apdu: &ApduCommand) -> Result<Seid, Refused> {
        let number = CommandNumber::Apdu;
        let (seid, rights) = self.find(&apdu.seid, number)?;
        if !rights.apdu {
            return Err(unauthorised(number, "not permitted for this user"));
        }
        let list = rights.allow_list.as_deref();
        let passes = |header| list.is_none_or(|list| list.permits(header));
        match apdu.headers().all(passes) {
            true => Ok(seid),
            false => Err(unauthorised(number, "not in the allow-list of this user")),
        }
    }

    /// Whether these APDUs may go to this element for what they could do with its keys. `bound`
    /// says whether guests use them, which is known once the element is held.
    pub(super) fn keys(&self, seid: &Seid, bound: bool, apdu: &ApduCommand) -> Result<(), Refused> {
        let lifted = self.0.get(seid).is_some_and(|rights| rights.raw_key_use);
        if !bound || lifted {
            return Ok(());
        }
        let mut judged = apdu.headers().map(ForbiddenInstructions::check);
        let refused = judged.find_map(Result::err);
        refused.map_or(Ok(()), |why| Err(unauthorised(CommandNumber::Apdu, why)))
    }

    /// The element that a user means, if the user knows it.
    pub(super) fn known(&self, token: &SeidToken, number: CommandNumber) -> Result<(), Refused> {
        self.find(token, number).map(|_| ())
    }

    fn find(
        &self,
        token: &SeidToken,
        number: CommandNumber,
    ) -> Result<(Seid, &ElementRights), Refused> {
        let seid = token.to_seid();
        let found = seid.and_then(|seid| self.0.get(&seid).map(|rights| (seid, rights)));
        let known = found.filter(|(_, rights)| rights.inventory || rights.power || rights.apdu);
        known.ok_or_else(|| Refused::invalid_seid(number))
    }
}

impl FromIterator<(Seid, ElementRights)> for Rights {
    fn from_iter<I: IntoIterator<Item = (Seid, ElementRights)>>(rights: I) -> Self {
        Self(Arc::new(rights.into_iter().collect()))
    }
}

fn unauthorised(number: CommandNumber, why: impl ToString) -> Refused {
    Refused::new(FailureClass::Unauthorised, number, why.to_string())
}
