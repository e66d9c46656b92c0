//! What the service has of its host's HV: whom tokens are signed by, and the TLS of channels.

use std::sync::Arc;

use proto::hv::HvCertificate;

use super::error::ServiceError;
use crate::channel::tls::ChannelTls;
use crate::channel_key::{ChannelKey, HvKeyFile};
use crate::config::{FormerHv, Hosts};
use crate::mapping::Issuer;

/// The host's HV, current and former.
pub(super) struct HostSide {
    current: HvCertificate,
    former: Vec<FormerHv>,
    pub(super) hv_key: HvKeyFile,
    pub(super) key: Arc<ChannelKey>,
    pub(super) tls: ChannelTls,
}

impl HostSide {
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
