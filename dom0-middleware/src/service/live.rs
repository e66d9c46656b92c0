//! Which domain an operator means.

use proto::id::{DomId, DomainUuid};

use crate::admin::{Problem, ProblemCode, VmName, VmView};
use crate::mapping::ReadFault;
use crate::xen::LiveDomain;

/// The domains that can be said by name: those that are running, or those of the configuration.
#[derive(Debug)]
pub(super) struct Live(Result<Vec<LiveDomain>, ReadFault>);

impl Live {
    pub(super) fn new(domains: Result<Vec<LiveDomain>, ReadFault>) -> Self {
        // dom0 is no guest.
        let guests = |mut domains: Vec<LiveDomain>| {
            domains.retain(|domain| domain.domid != DomId(0));
            domains
        };
        Self(domains.map(guests))
    }

    /// The UUID of the domain that is meant.
    pub(super) fn find(&self, vm: &VmName) -> Result<DomainUuid, Problem> {
        let VmName(said) = vm;
        if let Ok(uuid) = said.parse() {
            return Ok(uuid);
        }
        let shown: String = said.chars().take(MAX_SHOWN).collect();
        let no = |code, message| Err(Problem { code, message });
        let domains = match &self.0 {
            Ok(domains) => domains,
            Err(fault) => {
                let message = format!(
                    "{shown:?} is a name, and who has it cannot be found out: {fault}; say the UUID"
                );
                return no(ProblemCode::Refused, message);
            }
        };
        let named = domains
            .iter()
            .filter(|domain| domain.name.as_ref() == Some(said));
        let mut uuids: Vec<DomainUuid> = named.map(|domain| domain.uuid).collect();
        uuids.sort();
        uuids.dedup();
        match uuids.as_slice() {
            [uuid] => Ok(*uuid),
            [] => {
                let message = format!(
                    "no domain is called {shown:?} now; for one that is not running say the UUID, \
                     in lower case (vm list shows those that are bound)"
                );
                no(ProblemCode::NotFound, message)
            }
            several => {
                let uuids: Vec<String> = several.iter().map(ToString::to_string).collect();
                let uuids = uuids.join(" and ");
                let message = format!("{shown:?} is the name of {uuids}: say the UUID");
                no(ProblemCode::Refused, message)
            }
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Result<&[LiveDomain], Problem> {
        self.0.as_deref().map_err(|fault| Problem {
            code: ProblemCode::Unavailable,
            message: format!("who is running cannot be found out: {fault}"),
        })
    }

    /// The name of a domain, if it can be told.
    pub(super) fn name(&self, uuid: DomainUuid) -> Option<String> {
        self.having(uuid).find_map(|domain| domain.name.clone())
    }

    pub(super) fn view(&self, uuid: DomainUuid) -> VmView {
        VmView {
            uuid,
            name: self.name(uuid),
            domids: self.having(uuid).map(|domain| domain.domid).collect(),
        }
    }

    fn having(&self, uuid: DomainUuid) -> impl Iterator<Item = &LiveDomain> {
        let domains = self.0.iter().flatten();
        domains.filter(move |domain| domain.uuid == uuid)
    }
}

/// How much of a name that somebody said is said back.
const MAX_SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(domid: u16, uuid: u8, name: Option<&str>) -> LiveDomain {
        LiveDomain {
            domid: DomId(domid),
            uuid: DomainUuid::from_bytes([uuid; 16]),
            name: name.map(str::to_owned),
        }
    }

    fn find(live: &Live, said: &str) -> Result<DomainUuid, (ProblemCode, String)> {
        let found = live.find(&VmName(said.to_owned()));
        found.map_err(|problem| (problem.code, problem.message))
    }

    #[test]
    fn a_name_means_one_domain_or_none() {
        let live = Live::new(Ok(vec![
            domain(0, 0, Some("Domain-0")),
            domain(1, 1, Some("web01")),
            domain(2, 2, Some("twin")),
            domain(3, 3, Some("twin")),
            domain(4, 4, Some("moving")),
            domain(5, 4, Some("moving")),
            domain(6, 6, None),
        ]));
        let uuid = |number| DomainUuid::from_bytes([number; 16]);
        assert_eq!(find(&live, "web01"), Ok(uuid(1)));
        assert_eq!(find(&live, "moving"), Ok(uuid(4)));
        assert_eq!(live.view(uuid(4)).domids, [DomId(4), DomId(5)]);
        // A UUID is meant as it is said, whether the domain is running or not.
        assert_eq!(find(&live, &uuid(9).to_string()), Ok(uuid(9)));
        let (code, said) = find(&live, "twin").expect_err("two");
        assert_eq!(code, ProblemCode::Refused);
        assert!(said.contains(&uuid(2).to_string()) && said.contains(&uuid(3).to_string()));
        for nobody in ["Domain-0", "web02", "", "WEB01"] {
            let (code, _) = find(&live, nobody).expect_err("nobody");
            assert_eq!(code, ProblemCode::NotFound, "{nobody}");
        }
    }

    #[test]
    fn without_xenstore_only_uuids_can_be_said() {
        let live = Live::new(Err(ReadFault::Unreachable));
        let uuid = DomainUuid::from_bytes([1; 16]);
        assert_eq!(find(&live, &uuid.to_string()), Ok(uuid));
        let (code, said) = find(&live, "web01").expect_err("a name");
        assert_eq!(code, ProblemCode::Refused);
        assert!(said.contains("say the UUID"), "{said}");
    }
}
