//! What the service has of its host's HV: whom tokens are signed by, and the TLS of channels.

use std::sync::Arc;

use proto::hv::HvCertificate;

use super::error::ServiceError;
use crate::admin::HvKeyView;
use crate::channel::tls::ChannelTls;
use crate::channel_key::{ChannelKey, HvKey};
use crate::config::{FormerHv, Hosts};
use crate::mapping::Issuer;

/// The host's HV, current and former.
pub(super) struct HostSide {
    current: HvCertificate,
    former: Vec<FormerHv>,
    pub(super) hv_key: HvKey,
    pub(super) key: Arc<ChannelKey>,
    pub(super) tls: ChannelTls,
}

/// What `status` says of the HV key.
pub(super) struct HvKeyWatch {
    hv_key: HvKey,
    key: Arc<ChannelKey>,
}

impl HvKeyWatch {
    /// Nothing of a key in a file: that is read when it is wanted.
    pub(super) fn view(&self) -> Option<HvKeyView> {
        Some(HvKeyView {
            card: self.hv_key.card()?,
            certificate_until: self.key.not_after().to_string(),
            problem: self.hv_key.problem(),
        })
    }
}

impl HostSide {
    /// The HV key, to be looked at.
    pub(super) fn watch(&self) -> HvKeyWatch {
        HvKeyWatch {
            hv_key: self.hv_key.clone(),
            key: Arc::clone(&self.key),
        }
    }

    /// The current HV certificate.
    pub(super) fn current(&self) -> &HvCertificate {
        &self.current
    }

    pub(super) fn new(hosts: Hosts) -> Result<Self, ServiceError> {
        let key = Arc::new(hosts.channel_key);
        Ok(Self {
            tls: ChannelTls::new(Arc::clone(&key)).map_err(ServiceError::Tls)?,
            key,
            hv_key: hosts.key,
            current: hosts.current,
            former: hosts.former,
        })
    }

    /// Whose signatures make a token.
    pub(super) fn certificates(&self) -> Arc<[HvCertificate]> {
        let former = self.former.iter().map(|former| &former.certificate);
        std::iter::once(&self.current)
            .chain(former)
            .cloned()
            .collect()
    }

    /// Whose tokens count, and for how long.
    pub(super) fn issuers(&self) -> Vec<Issuer> {
        let current = Issuer {
            id: self.current.id(),
            until: None,
        };
        let former = self.former.iter().map(|former| Issuer {
            id: former.certificate.id(),
            until: Some(former.until),
        });
        std::iter::once(current).chain(former).collect()
    }
}
