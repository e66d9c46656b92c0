//! What a card is given to sign: a padded block for RSA, a digest for an elliptic curve.

use ring::digest::{self, Algorithm, Digest, SHA256, SHA384, SHA512};

use super::algorithm::KeyAlgorithm;

/// Randomness for the salt of one signature: as long as the longest hash.
pub type Salt = [u8; 64];

/// A kind of signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureForm {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1(SignatureHash),
    /// RSASSA-PSS, MGF1 with the same hash, a salt as long as the hash.
    Pss(SignatureHash),
    /// ECDSA.
    Ecdsa(SignatureHash),
}

/// The hash that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl SignatureHash {
    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }
}

/// What the card signs so that the signature is one of `message`. `None` if `form` does not belong
/// to the key: on an elliptic curve the hash is as long as the curve's order.
#[must_use]
pub fn signature_input(
    algorithm: KeyAlgorithm,
    form: SignatureForm,
    message: &[u8],
    salt: &Salt,
) -> Option<Vec<u8>> {
    let hash = match form {
        SignatureForm::Pkcs1(hash) | SignatureForm::Pss(hash) | SignatureForm::Ecdsa(hash) => hash,
    };
    let digest = digest::digest(hash.algorithm(), message);
    match (algorithm, algorithm.modulus_len(), form) {
        (_, Some(len), SignatureForm::Pkcs1(_)) => pkcs1(len, &digest),
        (_, Some(len), SignatureForm::Pss(_)) => pss(len, &digest, salt),
        (KeyAlgorithm::P256, None, SignatureForm::Ecdsa(SignatureHash::Sha256))
        | (KeyAlgorithm::P384, None, SignatureForm::Ecdsa(SignatureHash::Sha384)) => {
            Some(digest.as_ref().to_vec())
        }
        _ => None,
    }
}

/// EMSA-PKCS1-v1_5: `00 01 FF .. FF 00 DigestInfo`, as long as the modulus.
///
/// Source: RFC 8017 §9.2.
fn pkcs1(len: usize, digest: &Digest) -> Option<Vec<u8>> {
    let prefix = digest_info(digest.algorithm())?;
    let taken = 3 + prefix.len() + digest.as_ref().len();
    let padding = len.checked_sub(taken).filter(|left| *left >= 8)?;
    let mut block = vec![0x00, 0x01];
    block.resize(2 + padding, 0xFF);
    block.push(0x00);
    block.extend_from_slice(prefix);
    block.extend_from_slice(digest.as_ref());
    Some(block)
}

/// What stands before the hash in DigestInfo.
///
/// Source: RFC 8017 §9.2, note 1.
fn digest_info(hash: &Algorithm) -> Option<&'static [u8]> {
    if *hash == SHA256 {
        return Some(
            b"\x30\x31\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        );
    }
    if *hash == SHA384 {
        return Some(
            b"\x30\x41\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        );
    }
    if *hash == SHA512 {
        return Some(
            b"\x30\x51\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
        );
    }
    None
}

/// EMSA-PSS with a salt as long as the hash, MGF1 with the same hash, for a modulus whose length is
/// a multiple of 8 bits: then the topmost bit of the block is cleared.
///
/// ```text
/// maskedDB (len - hash - 1) | H (hash) | BC        DB = 00 .. 00 01 salt
/// ```
///
/// Source: RFC 8017 §9.1.1; RFC 8446 §4.2.3 for the salt.
fn pss(len: usize, digest: &Digest, salt: &Salt) -> Option<Vec<u8>> {
    let hash = digest.algorithm();
    let hash_len = hash.output_len();
    let salt = salt.get(..hash_len)?;
    let db_len = len.checked_sub(hash_len + 1)?;
    let zeroes = db_len.checked_sub(hash_len + 1)?;
    let mut context = digest::Context::new(hash);
    [&[0; 8], digest.as_ref(), salt]
        .iter()
        .for_each(|part| context.update(part));
    let h = context.finish();
    let mut block = vec![0; zeroes];
    block.push(0x01);
    block.extend_from_slice(salt);
    let mask = mgf1(hash, h.as_ref(), db_len);
    block
        .iter_mut()
        .zip(mask)
        .for_each(|(byte, mask)| *byte ^= mask);
    if let Some(top) = block.first_mut() {
        *top &= 0x7F;
    }
    block.extend_from_slice(h.as_ref());
    block.push(0xBC);
    Some(block)
}

/// `len` bytes of mask from `seed`.
///
/// Source: RFC 8017 appendix B.2.1.
fn mgf1(hash: &'static Algorithm, seed: &[u8], len: usize) -> impl Iterator<Item = u8> {
    let seed = seed.to_vec();
    (0_u32..)
        .flat_map(move |counter| {
            let mut context = digest::Context::new(hash);
            context.update(&seed);
            context.update(&counter.to_be_bytes());
            context.finish().as_ref().to_vec()
        })
        .take(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: [KeyAlgorithm; 3] = [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::Rsa4096,
    ];

    #[test]
    fn a_pkcs1_block_has_its_parts() {
        let block = signature_input(
            KeyAlgorithm::Rsa2048,
            SignatureForm::Pkcs1(SignatureHash::Sha256),
            b"abc",
            &[0; 64],
        );
        let block = block.expect("belongs to the key");
        assert_eq!(block.len(), 256);
        assert_eq!(block[..2], [0x00, 0x01]);
        assert!(block[2..204].iter().all(|byte| *byte == 0xFF));
        assert_eq!(block[204..208], [0x00, 0x30, 0x31, 0x30]);
        let digest = digest::digest(&SHA256, b"abc");
        assert_eq!(block[224..], *digest.as_ref());
    }

    #[test]
    fn a_pss_block_is_below_the_modulus_and_differs_with_the_salt() {
        for algorithm in RSA {
            for form in [
                SignatureForm::Pss(SignatureHash::Sha256),
                SignatureForm::Pss(SignatureHash::Sha384),
                SignatureForm::Pss(SignatureHash::Sha512),
            ] {
                let block = |salt| signature_input(algorithm, form, b"abc", &[salt; 64]);
                let one = block(1).expect("belongs to the key");
                assert_eq!(Some(one.len()), algorithm.modulus_len());
                assert!(one[0] < 0x80 && one.last() == Some(&0xBC));
                assert_ne!(Some(one), block(2));
            }
        }
    }

    #[test]
    fn a_form_of_another_key_gives_nothing() {
        let give = |algorithm, form| signature_input(algorithm, form, b"abc", &[0; 64]);
        for algorithm in RSA {
            assert_eq!(
                give(algorithm, SignatureForm::Ecdsa(SignatureHash::Sha256)),
                None
            );
        }
        for (algorithm, own, other) in [
            (
                KeyAlgorithm::P256,
                SignatureForm::Ecdsa(SignatureHash::Sha256),
                SignatureForm::Ecdsa(SignatureHash::Sha384),
            ),
            (
                KeyAlgorithm::P384,
                SignatureForm::Ecdsa(SignatureHash::Sha384),
                SignatureForm::Ecdsa(SignatureHash::Sha256),
            ),
        ] {
            assert_eq!(
                give(algorithm, own).map(|it| it.len()),
                Some(algorithm.input_len())
            );
            assert_eq!(give(algorithm, other), None);
            assert_eq!(
                give(algorithm, SignatureForm::Pss(SignatureHash::Sha256)),
                None
            );
        }
    }
}
