//! What a card is given to sign: a padded block for RSA, a digest for an elliptic curve.

use proto::piv::KeyAlgorithm;
use ring::digest::{self, Algorithm, Digest};
use rustls::SignatureScheme;

/// Randomness for the salt of one signature: as long as the longest hash.
pub type Salt = [u8; 64];

/// What the card signs so that the signature is one of `message`. `None` if `scheme` does not belong
/// to the key.
pub(super) fn input(
    algorithm: KeyAlgorithm,
    scheme: SignatureScheme,
    message: &[u8],
    salt: &Salt,
) -> Option<Vec<u8>> {
    use SignatureScheme as S;
    let hash = match scheme {
        S::RSA_PSS_SHA256 | S::RSA_PKCS1_SHA256 | S::ECDSA_NISTP256_SHA256 => &digest::SHA256,
        S::RSA_PSS_SHA384 | S::RSA_PKCS1_SHA384 | S::ECDSA_NISTP384_SHA384 => &digest::SHA384,
        S::RSA_PSS_SHA512 | S::RSA_PKCS1_SHA512 => &digest::SHA512,
        _ => return None,
    };
    let digest = digest::digest(hash, message);
    match (algorithm.modulus_len(), algorithm, scheme) {
        (Some(len), _, S::RSA_PKCS1_SHA256 | S::RSA_PKCS1_SHA384 | S::RSA_PKCS1_SHA512) => {
            pkcs1(len, &digest)
        }
        (Some(len), _, S::RSA_PSS_SHA256 | S::RSA_PSS_SHA384 | S::RSA_PSS_SHA512) => {
            pss(len, &digest, salt)
        }
        (None, KeyAlgorithm::P256, S::ECDSA_NISTP256_SHA256)
        | (None, KeyAlgorithm::P384, S::ECDSA_NISTP384_SHA384) => Some(digest.as_ref().to_vec()),
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
    if *hash == digest::SHA256 {
        return Some(
            b"\x30\x31\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        );
    }
    if *hash == digest::SHA384 {
        return Some(
            b"\x30\x41\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        );
    }
    if *hash == digest::SHA512 {
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
        let block = input(
            KeyAlgorithm::Rsa2048,
            SignatureScheme::RSA_PKCS1_SHA256,
            b"abc",
            &[0; 64],
        );
        let block = block.expect("belongs to the key");
        assert_eq!(block.len(), 256);
        assert_eq!(block[..2], [0x00, 0x01]);
        assert!(block[2..204].iter().all(|byte| *byte == 0xFF));
        assert_eq!(block[204..208], [0x00, 0x30, 0x31, 0x30]);
        let digest = digest::digest(&digest::SHA256, b"abc");
        assert_eq!(block[224..], *digest.as_ref());
    }

    #[test]
    fn a_pss_block_is_below_the_modulus_and_differs_with_the_salt() {
        for algorithm in RSA {
            for scheme in [
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PSS_SHA512,
            ] {
                let block = |salt| input(algorithm, scheme, b"abc", &[salt; 64]);
                let one = block(1).expect("belongs to the key");
                assert_eq!(Some(one.len()), algorithm.modulus_len());
                assert!(one[0] < 0x80 && one.last() == Some(&0xBC));
                assert_ne!(Some(one), block(2));
            }
        }
    }

    #[test]
    fn a_scheme_of_another_key_gives_nothing() {
        let give = |algorithm, scheme| input(algorithm, scheme, b"abc", &[0; 64]);
        for algorithm in RSA {
            assert_eq!(
                give(algorithm, SignatureScheme::ECDSA_NISTP256_SHA256),
                None
            );
            assert_eq!(give(algorithm, SignatureScheme::RSA_PKCS1_SHA1), None);
        }
        for (algorithm, own, other) in [
            (
                KeyAlgorithm::P256,
                SignatureScheme::ECDSA_NISTP256_SHA256,
                SignatureScheme::ECDSA_NISTP384_SHA384,
            ),
            (
                KeyAlgorithm::P384,
                SignatureScheme::ECDSA_NISTP384_SHA384,
                SignatureScheme::ECDSA_NISTP256_SHA256,
            ),
        ] {
            assert_eq!(
                give(algorithm, own).map(|it| it.len()),
                Some(algorithm.input_len())
            );
            assert_eq!(give(algorithm, other), None);
            assert_eq!(give(algorithm, SignatureScheme::RSA_PSS_SHA256), None);
        }
    }
}
