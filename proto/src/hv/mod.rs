//! The HV: the host whose key signs tokens and certifies the channel key.
//!
//! An HV is named by its certificate ([`HvId`]), which nobody needs to have signed: operators put
//! it in the configuration of dom0, its id in that of the agents. The private key signs rarely and
//! is reached through `HvSigner`, so it may be in a file (`SoftwareHvKey`) or in a card.
//!
//! | Feature | Has |
//! |---|---|
//! | none | [`HvId`] |
//! | `token` | certificates, checking signatures, the trait of a signer |
//! | `hv-key` | a key in a PKCS#8 file |
//! | `hv-issuer` | an HV key that signs certificates |

mod id;

#[cfg(feature = "token")]
mod certificate;
#[cfg(feature = "hv-issuer")]
mod issuer;
#[cfg(feature = "token")]
mod public_key;
#[cfg(feature = "token")]
mod signer;
#[cfg(feature = "hv-key")]
mod software_key;

#[cfg(all(test, feature = "hv-key"))]
pub(crate) mod openssl;
#[cfg(all(test, feature = "hv-key"))]
mod tests;

pub use id::{HvId, HvIdError};

#[cfg(feature = "token")]
pub use certificate::{CertificateError, HvCertificate, MAX_CERTIFICATE_LEN};
#[cfg(feature = "hv-issuer")]
pub use issuer::{HvIssuerKey, IssuerKeyError};
#[cfg(feature = "token")]
pub use public_key::{HvPublicKey, PublicKeyError, SignatureMismatch};
#[cfg(feature = "token")]
pub use signer::{HvSigner, SignError};
#[cfg(feature = "hv-key")]
pub use software_key::{KeyError, SoftwareHvKey};
