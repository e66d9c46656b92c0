//! The UUID of a running VM by its name, as xenstore has it.
//!
//! Asked with the programs `xenstore-list` and `xenstore-read`. The nodes read are ones that dom0
//! writes and a guest cannot: `/local/domain/<domid>/name` and `/local/domain/<domid>/vm`.

use std::io::ErrorKind;
use std::process::Command;

use proto::id::DomainUuid;

use crate::error::ToolError;

/// The UUID that `vm` is, or that the one running VM called `vm` has.
pub(crate) fn resolve(vm: &str) -> Result<DomainUuid, ToolError> {
    if let Ok(uuid) = vm.to_ascii_lowercase().parse() {
        return Ok(uuid);
    }
    let domains = domains()?;
    let called: Vec<&Domain> = domains.iter().filter(|domain| domain.name == vm).collect();
    match called.as_slice() {
        [one] => Ok(one.uuid),
        [] => {
            let names: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
            let names = names.join(", ");
            Err(ToolError::Missing(format!(
                "no VM called {vm:?} is running, only: {names}; its UUID works at any time"
            )))
        }
        several => {
            let uuids: Vec<String> = several
                .iter()
                .map(|domain| domain.uuid.to_string())
                .collect();
            let uuids = uuids.join(", ");
            Err(ToolError::Refused(format!(
                "several VMs are called {vm:?}, give the UUID of the right one: {uuids}"
            )))
        }
    }
}

struct Domain {
    name: String,
    uuid: DomainUuid,
}

fn domains() -> Result<Vec<Domain>, ToolError> {
    let listed = run("xenstore-list", &["/local/domain".to_owned()])?;
    let listed = listed.map_err(|why| {
        ToolError::Missing(format!(
            "xenstore does not answer: {why}; give the VM's UUID instead"
        ))
    })?;
    let domids = listed.lines().filter_map(|line| line.parse::<u16>().ok());
    let mut domains = Vec::new();
    for domid in domids {
        let nodes = ["name", "vm"].map(|node| format!("/local/domain/{domid}/{node}"));
        // One that ends meanwhile is not running.
        let Ok(values) = run("xenstore-read", &nodes)? else {
            continue;
        };
        domains.extend(domain(&values));
    }
    Ok(domains)
}

/// The domain whose name and `vm` node were printed, a line each.
fn domain(values: &str) -> Option<Domain> {
    let lines: Vec<&str> = values.lines().collect();
    let [name, vm] = lines.as_slice() else {
        return None;
    };
    let uuid = vm.strip_prefix("/vm/")?.parse().ok()?;
    let name = (*name).to_owned();
    Some(Domain { name, uuid })
}

/// What the program prints, or why it does not.
fn run(program: &str, arguments: &[String]) -> Result<Result<String, String>, ToolError> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => ToolError::Missing(format!(
            "{program} is not installed, so a VM is found by its UUID only: \
             give that, or install the package xenstore-utils"
        )),
        _ => ToolError::Missing(format!("{program} does not run: {error}")),
    })?;
    Ok(match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "7e55e2a0-0000-4000-8000-000000000007";

    #[test]
    fn a_uuid_is_not_looked_up() {
        let uuid = resolve(&UUID.to_uppercase())
            .ok()
            .map(|uuid| uuid.to_string());
        assert_eq!(uuid.as_deref(), Some(UUID));
    }

    #[test]
    fn a_domain_is_a_name_and_a_vm_node_and_nothing_else() {
        let known = domain(&format!("web01\n/vm/{UUID}\n")).expect("a domain");
        assert_eq!(
            (known.name.as_str(), known.uuid.to_string()),
            ("web01", UUID.to_owned())
        );
        for other in [
            String::new(),
            "web01\n".to_owned(),
            format!("web01\n{UUID}\n"),
            format!("web\n01\n/vm/{UUID}\n"),
            format!("web01\n/vm/{UUID}\n/vm/{UUID}\n"),
        ] {
            assert!(domain(&other).is_none(), "{other}");
        }
    }
}
