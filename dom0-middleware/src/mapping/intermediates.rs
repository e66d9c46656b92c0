//! The certificates between a card's and the CA that servers trust.

use x509_parser::parse_x509_certificate;

/// The most certificates of CAs for one card.
const MAX_CERTIFICATES: usize = 16;
/// The most bytes of them together.
const MAX_BYTES: usize = 32 << 10;

/// Certificates of CAs, for a card that has room for its own alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intermediates(Vec<Authority>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Authority {
    der: Vec<u8>,
    /// Its name, and that of who vouches for it, encoded.
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

/// Why certificates cannot be sent along.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntermediatesError {
    /// One is none.
    #[error("certificate {0} of it is not an X.509 certificate")]
    Malformed(usize),
    /// More than any server wants to see.
    #[error("more than {MAX_CERTIFICATES} certificates or {MAX_BYTES} bytes of them")]
    TooMany,
}

impl Intermediates {
    /// Of these, each DER.
    ///
    /// # Errors
    /// [`IntermediatesError`].
    pub fn new(certificates: &[impl AsRef<[u8]>]) -> Result<Self, IntermediatesError> {
        let bytes: usize = certificates.iter().map(|der| der.as_ref().len()).sum();
        if certificates.len() > MAX_CERTIFICATES || bytes > MAX_BYTES {
            return Err(IntermediatesError::TooMany);
        }
        let authorities = certificates.iter().zip(1..).map(|(der, number)| {
            let der = der.as_ref();
            let (_, parsed) =
                parse_x509_certificate(der).map_err(|_| IntermediatesError::Malformed(number))?;
            Ok(Authority {
                der: der.to_vec(),
                subject: parsed.subject().as_raw().to_vec(),
                issuer: parsed.issuer().as_raw().to_vec(),
            })
        });
        Ok(Self(authorities.collect::<Result<_, _>>()?))
    }

    /// The certificates from `leaf` towards its CA, without it and without a root, in the order in
    /// which TLS wants them (RFC 8446 §4.4.2).
    #[must_use]
    pub fn path_from(&self, leaf: &[u8]) -> Vec<Vec<u8>> {
        let Ok((_, parsed)) = parse_x509_certificate(leaf) else {
            return Vec::new();
        };
        let mut issuer = parsed.issuer().as_raw();
        let mut path = Vec::new();
        // Each at most once, so that no ring of names goes round for ever.
        let mut left: Vec<&Authority> = self.0.iter().collect();
        while let Some(at) = left.iter().position(|next| next.subject == issuer) {
            let next = left.remove(at);
            if next.subject == next.issuer {
                break;
            }
            path.push(next.der.clone());
            issuer = &next.issuer;
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    };

    use super::*;

    fn params(name: &str, is_ca: IsCa) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = is_ca;
        params
    }

    const CA: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);

    fn key() -> KeyPair {
        KeyPair::generate().expect("a key")
    }

    /// root, upper, lower, leaf.
    fn chain() -> [Vec<u8>; 4] {
        let root = CertifiedIssuer::self_signed(params("root", CA), key()).expect("a root");
        let upper = CertifiedIssuer::signed_by(params("upper", CA), key(), &root).expect("a CA");
        let lower = CertifiedIssuer::signed_by(params("lower", CA), key(), &upper).expect("a CA");
        let leaf: Certificate = params("leaf", IsCa::NoCa)
            .signed_by(&key(), &lower)
            .expect("a leaf");
        [root.der(), upper.der(), lower.der(), leaf.der()].map(|der| der.to_vec())
    }

    #[test]
    fn the_path_is_in_order_whatever_the_file_has_and_ends_before_the_root() {
        let [root, upper, lower, leaf] = chain();
        let file = [root.clone(), upper.clone(), lower.clone()];
        let known = Intermediates::new(&file).expect("good");
        assert_eq!(known.path_from(&leaf), [lower, upper]);
        assert!(known.path_from(&root).is_empty());
        assert!(known.path_from(b"no certificate").is_empty());
        assert!(Intermediates::default().path_from(&leaf).is_empty());
    }

    #[test]
    fn what_is_no_certificate_is_named_and_too_many_are_too_many() {
        let [root, ..] = chain();
        let error = Intermediates::new(&[root.clone(), b"x".to_vec()]).expect_err("the second");
        assert_eq!(error, IntermediatesError::Malformed(2));
        let many = vec![root; MAX_CERTIFICATES + 1];
        assert_eq!(Intermediates::new(&many), Err(IntermediatesError::TooMany));
    }
}
