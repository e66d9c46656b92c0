//! Whether the grids of other hosts can be reached, and have what the configuration names.

use std::time::{Duration, Instant};

use proto::id::Seid;

use super::finding::Finding;
use crate::config::GridPlace;
use crate::racs::client::GridError;

/// What a grid said when it was asked for its elements. None of them was touched.
#[derive(Debug)]
pub(crate) struct GridFacts {
    pub(super) seid: Seid,
    /// Grid and element, `racs grid.example:7777 se-07`.
    pub(super) place: String,
    /// Whether the element is in its list.
    pub(super) listed: Result<bool, GridError>,
}

impl GridFacts {
    /// Connects and asks.
    pub(super) fn probe((seid, place): &(Seid, GridPlace)) -> Self {
        let deadline = Instant::now() + DEADLINE;
        let connected = place.grid.connect(deadline);
        let listed = connected.and_then(|mut session| session.list(deadline));
        Self {
            seid: seid.clone(),
            place: format!("racs {} {}", place.grid.address, place.seid),
            listed: listed.map(|names| names.contains(&place.seid)),
        }
    }

    pub(super) fn finding(&self) -> Finding {
        let check = format!("grid of {}", self.seid);
        match &self.listed {
            Ok(true) => Finding::ok(check, format!("{} can be reached", self.place)),
            Ok(false) => Finding::fail(
                check,
                format!("{}: the grid has no such element for us", self.place),
            )
            .next(
                "see dom0-middleware grid list HOST; have its operator allow the element to this \
                 certificate's user",
            ),
            Err(error) => Finding::fail(check, error.to_string()).next(error.problem.next()),
        }
    }
}

/// How long a grid may take to connect and answer.
const DEADLINE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;
    use crate::racs::client::GridProblem;

    #[test]
    fn a_grid_that_does_not_answer_is_named_with_what_to_do() {
        let finding = |listed| {
            let facts = GridFacts {
                seid: "se-00".parse().expect("a SEID"),
                place: "racs grid.example:7777 se-07".to_owned(),
                listed,
            };
            facts.finding()
        };
        assert_eq!(finding(Ok(true)).level, Level::Ok);
        let unlisted = finding(Ok(false));
        assert_eq!(unlisted.level, Level::Fail);
        assert!(unlisted.message.contains("se-07"), "{unlisted:?}");
        let lost = finding(Err(GridError {
            address: "grid.example".parse().expect("an address"),
            problem: GridProblem::Connect("refused".to_owned()),
        }));
        assert!(lost.message.contains("grid.example:7777"), "{lost:?}");
        assert!(lost.next.expect("a next step").contains("firewalls"));
    }
}
