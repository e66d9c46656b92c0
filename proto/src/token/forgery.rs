//! Tokens that no honest issuer makes, written byte by byte and, unless a test says otherwise, with
//! a good signature over just those bytes: what is refused is refused for its form.

use coset::CborSerializable as _;
use coset::cbor::value::Value;

use super::tests::{HVS, claims};
use super::*;
use crate::hv::{HvCertificate, HvSigner, SoftwareHvKey};

/// The parts of a token as they are going to stand in it.
pub(super) struct Forgery {
    /// Content of the byte string with the protected header.
    pub(super) protected: Vec<u8>,
    pub(super) unprotected: Vec<u8>,
    /// Keys and values of the claims, each encoded.
    pub(super) claims: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) external_aad: Vec<u8>,
    /// Signs; the issuer is always [`ES256`]'s.
    pub(super) signer: &'static SoftwareHvKey,
    pub(super) algorithm: SignatureAlgorithm,
}

/// Places of the HVs with these keys in `HVS`.
pub(super) const RSA: usize = 0;
pub(super) const ES256: usize = 2;

impl Forgery {
    /// A token with nothing wrong about it, by the HV with a P-256 key.
    pub(super) fn of_good() -> Self {
        let payload = payload::write(&claims(HVS[ES256].0.id()), payload::Hashes::Single);
        let claims = Value::from_slice(&payload.expect("good claims")).expect("CBOR");
        let claims = claims.into_map().expect("a map").into_iter();
        Self {
            protected: header(&[(int(1), int(-7)), (int(16), text(TOKEN_TYPE))]),
            unprotected: header(&[]),
            claims: claims
                .map(|(key, value)| (cbor(&key), cbor(&value)))
                .collect(),
            external_aad: EXTERNAL_AAD.to_vec(),
            signer: &HVS[ES256].1,
            algorithm: SignatureAlgorithm::Es256,
        }
    }

    /// The value of the claim with this encoded key.
    pub(super) fn claim(&mut self, key: &[u8]) -> &mut Vec<u8> {
        let mut claims = self.claims.iter_mut();
        let found = claims.find(|(other, _)| other == key);
        &mut found.expect("the claim is there").1
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        let claims = self
            .claims
            .iter()
            .flat_map(|(key, value)| [key.as_slice(), value]);
        [
            head(5, self.claims.len()),
            claims.collect::<Vec<_>>().concat(),
        ]
        .concat()
    }

    pub(super) fn token(&self) -> Vec<u8> {
        self.token_with(&self.payload())
    }

    pub(super) fn token_with(&self, payload: &[u8]) -> Vec<u8> {
        let message = self.to_be_signed(payload);
        let signature = self
            .signer
            .sign(self.algorithm, &message)
            .expect("it signs");
        self.envelope(payload, &signature)
    }

    /// `Sig_structure` (RFC 9052 §4.4).
    pub(super) fn to_be_signed(&self, payload: &[u8]) -> Vec<u8> {
        let parts = [
            b"\x84\x6ASignature1",
            &*bstr(&self.protected),
            &bstr(&self.external_aad),
        ];
        [&parts.concat()[..], &bstr(payload)].concat()
    }

    pub(super) fn envelope(&self, payload: &[u8], signature: &[u8]) -> Vec<u8> {
        let parts = [
            b"\xD2\x84",
            &*bstr(&self.protected),
            &self.unprotected,
            &bstr(payload),
        ];
        [&parts.concat()[..], &bstr(signature)].concat()
    }
}

/// What `token` is refused for by someone who knows all HVs of these tests.
pub(super) fn refusal(token: &[u8]) -> String {
    let issuers: Vec<HvCertificate> = HVS.iter().map(|(one, _)| one.clone()).collect();
    match verify(token, &issuers) {
        Ok(_) => "nothing".to_owned(),
        Err(error) => error.to_string(),
    }
}

pub(super) fn header(entries: &[(Value, Value)]) -> Vec<u8> {
    cbor(&Value::Map(entries.to_vec()))
}

pub(super) fn int(number: i64) -> Value {
    Value::Integer(number.into())
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn cbor(value: &Value) -> Vec<u8> {
    value.clone().to_vec().expect("CBOR")
}

pub(super) fn bstr(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len()), bytes.to_vec()].concat()
}

/// Major type and length in the shortest form.
pub(super) fn head(major: u8, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).expect("short");
    let [high, low] = length.to_be_bytes();
    match length {
        0..24 => vec![major << 5 | low],
        24..256 => vec![major << 5 | 24, low],
        _ => vec![major << 5 | 25, high, low],
    }
}
