//! The dom0 service that runs TLS handshakes on smart cards on behalf of Xen domains.

pub mod card;
