//! All tokens of the folder, as it was read last.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::hv::HvCertificate;
use proto::id::DomainUuid;

use super::file::{Standing, TokenFault, TokenFile};
use super::folder::Entry;

/// What was read of the folder. A signature is looked at when a file has changed, and not again.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// Of this host's HVs.
    certificates: Arc<[HvCertificate]>,
    /// By the names of the files; `None` before they were read for the first time.
    files: Option<BTreeMap<String, Known>>,
    /// What was complained of last, by the names of the files.
    told: BTreeMap<String, TokenFault>,
}

#[derive(Debug)]
struct Known {
    entry: Entry,
    token: Result<Arc<TokenFile>, TokenFault>,
}

/// The folder at one moment.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// The tokens that count, by their domains.
    pub(crate) good: BTreeMap<DomainUuid, Arc<TokenFile>>,
    /// Files that are not good, and why, which was not said before.
    pub(crate) complaints: Vec<(String, TokenFault)>,
}

impl Shelf {
    /// Nothing was read yet.
    pub(crate) fn new(certificates: Arc<[HvCertificate]>) -> Self {
        Self {
            certificates,
            files: None,
            told: BTreeMap::new(),
        }
    }

    /// The folder was read.
    pub(crate) fn take_in(&mut self, entries: Vec<Entry>) {
        let mut before = self.files.take().unwrap_or_default();
        let files = entries.into_iter().map(|entry| {
            let known = before.remove(&entry.name);
            let known = known.filter(|known| known.entry == entry);
            let known = known.unwrap_or_else(|| Known {
                token: self.token(&entry),
                entry,
            });
            (known.entry.name.clone(), known)
        });
        self.files = Some(files.collect());
    }

    fn token(&self, entry: &Entry) -> Result<Arc<TokenFile>, TokenFault> {
        let domain = entry.domain.ok_or(TokenFault::Name)?;
        let content = entry.content.as_ref();
        let content = content.map_err(|why| TokenFault::Read(why.clone()))?;
        TokenFile::read(domain, content, &self.certificates).map(Arc::new)
    }

    /// Files that were not good when they were judged last, and why.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (&str, &TokenFault)> {
        let told = self.told.iter();
        told.map(|(file, fault)| (file.as_str(), fault))
    }

    /// What counts now; `None` as long as the folder was never read, when nothing can be said.
    pub(crate) fn judge(&mut self, standing: &Standing<'_>) -> Option<Judged> {
        let files = self.files.as_ref()?;
        let mut judged = Judged::default();
        let mut told = BTreeMap::new();
        for (name, known) in files {
            let token = known.token.clone();
            match token.and_then(|token| standing.judge(&token.claims).map(|()| token)) {
                Ok(token) => {
                    judged.good.insert(token.claims.sub, token);
                }
                Err(fault) => {
                    if self.told.get(name) != Some(&fault) {
                        judged.complaints.push((name.clone(), fault.clone()));
                    }
                    told.insert(name.clone(), fault);
                }
            }
        }
        self.told = told;
        Some(judged)
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Revocations;
    use super::super::testing::{Host, NOW, claims, domain};
    use super::*;
    use crate::time::UnixTime;

    fn entry(number: u8, content: &str) -> Entry {
        Entry {
            name: format!("{}.token", domain(number)),
            domain: Some(domain(number)),
            content: Ok(content.as_bytes().to_vec()),
        }
    }

    fn judge(shelf: &mut Shelf, host: &Host, revocations: &Revocations) -> Option<Judged> {
        shelf.judge(&Standing {
            issuers: host.issuers(),
            revocations,
            now: UnixTime::from_secs(NOW),
        })
    }

    #[test]
    fn a_bad_file_is_complained_of_once_and_disturbs_no_other() {
        let host = Host::new();
        let mut shelf = Shelf::new(host.certificates().into());
        let none = Revocations::default();
        assert!(judge(&mut shelf, &host, &none).is_none(), "never read");
        let good = host.token(&claims(&host, 1));
        let misnamed = Entry {
            name: "web01.token".to_owned(),
            domain: None,
            content: Ok(Vec::new()),
        };
        let unreadable = Entry {
            content: Err("not a regular file".to_owned()),
            ..entry(3, "")
        };
        let all = [entry(1, &good), entry(2, "junk"), unreadable, misnamed];
        for complaints in [3, 0, 0] {
            shelf.take_in(all.to_vec());
            let judged = judge(&mut shelf, &host, &none).expect("read");
            assert_eq!(judged.complaints.len(), complaints);
            assert_eq!(judged.good.keys().collect::<Vec<_>>(), [&domain(1)]);
        }
        // Another fault of the same file is news, and so is the same one after it was good.
        shelf.take_in(vec![entry(2, &good)]);
        let judged = judge(&mut shelf, &host, &none).expect("read");
        assert_eq!((judged.good.len(), judged.complaints.len()), (0, 1));
        assert_eq!(shelf.faults().count(), 1);
        shelf.take_in(vec![entry(2, &host.token(&claims(&host, 2)))]);
        let judged = judge(&mut shelf, &host, &none).expect("read");
        assert_eq!((judged.good.len(), judged.complaints.len()), (1, 0));
        shelf.take_in(vec![entry(2, "junk")]);
        let judged = judge(&mut shelf, &host, &none).expect("read");
        assert_eq!((judged.good.len(), judged.complaints.len()), (0, 1));
    }

    #[test]
    fn what_is_revoked_counts_no_more_though_its_file_is_the_same() {
        let host = Host::new();
        let mut shelf = Shelf::new(host.certificates().into());
        shelf.take_in(vec![entry(1, &host.token(&claims(&host, 1)))]);
        let none = Revocations::default();
        assert_eq!(judge(&mut shelf, &host, &none).expect("read").good.len(), 1);
        let revocations = Revocations {
            revoked: [[1; 16]].into(),
            ..Revocations::default()
        };
        let judged = judge(&mut shelf, &host, &revocations).expect("read");
        assert!(judged.good.is_empty());
        assert_eq!(judged.complaints[0].1, TokenFault::Revoked);
    }
}
