//! The last no to each domain, for an operator who asks why a guest gets nowhere.

use std::collections::BTreeMap;

use proto::agent::RefusalCode;
use proto::id::DomId;

use super::refusal::Refusal;
use super::snapshot::RefusalView;
use crate::time::UnixTime;

/// Domains that are remembered; the one whose last refusal is oldest is forgotten first.
const MAX_DOMAINS: usize = 256;

/// What each domain was refused last.
#[derive(Debug, Default)]
pub(super) struct LastRefusals(BTreeMap<DomId, LastRefusal>);

#[derive(Debug)]
struct LastRefusal {
    at: UnixTime,
    code: RefusalCode,
    reason: String,
}

impl LastRefusals {
    pub(super) fn note(&mut self, domid: DomId, refusal: &Refusal, at: UnixTime) {
        let last = LastRefusal {
            at,
            code: refusal.code,
            reason: refusal.reason.clone(),
        };
        self.0.insert(domid, last);
        if self.0.len() > MAX_DOMAINS
            && let Some((&oldest, _)) = self.0.iter().min_by_key(|(_, last)| last.at)
        {
            self.0.remove(&oldest);
        }
    }

    pub(super) fn views(&self) -> Vec<RefusalView> {
        let view = |(domid, last): (&DomId, &LastRefusal)| RefusalView {
            domid: *domid,
            time: last.at.to_string(),
            code: last.code.to_string(),
            reason: last.reason.clone(),
        };
        self.0.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut last = LastRefusals::default();
        let refusal = Refusal::protocol("no");
        for domid in 1..=300 {
            last.note(DomId(domid), &refusal, UnixTime::from_secs(domid.into()));
        }
        last.note(DomId(300), &refusal, UnixTime::from_secs(1000));
        let views = last.views();
        assert_eq!(views.len(), MAX_DOMAINS);
        assert_eq!(views.first().map(|view| view.domid), Some(DomId(45)));
        assert_eq!(
            views.last().map(|view| view.time.as_str()),
            Some("1970-01-01T00:16:40.000Z")
        );
    }
}
