//! The envelope: making, reading and checking a COSE_Sign1.

use coset::cbor::value::Value;
use coset::{
    Algorithm, AsCborValue as _, CborSerializable as _, CoseSign1, CoseSign1Builder, Header,
    HeaderBuilder, Label, ProtectedHeader, TaggedCborSerializable as _, iana,
};

use super::payload::{self, Hashes, describe};
use super::{Claims, EXTERNAL_AAD, MAX_TOKEN_LEN, SignatureAlgorithm, TOKEN_TYPE, TokenError};
use crate::hv::{HvCertificate, HvSigner, SignError};

/// Makes the token with these claims, signed by `signer`. `claims.iss` must be the id of the
/// certificate with the signer's key; that is the caller's to see to.
///
/// # Errors
/// [`SignError::Algorithm`] if the key cannot sign so, [`SignError::Token`] if there is no token
/// with such claims or if it would be too long, what the signer reports otherwise.
pub fn sign(
    claims: &Claims,
    signer: &dyn HvSigner,
    algorithm: SignatureAlgorithm,
) -> Result<Vec<u8>, SignError> {
    if !signer.algorithms().contains(&algorithm) {
        return Err(SignError::Algorithm(algorithm));
    }
    claims.check()?;
    let hashes = match claims.vm_cert_sha256.as_slice() {
        [_] => Hashes::Single,
        _ => Hashes::Array,
    };
    let unsigned = CoseSign1Builder::new()
        .protected(protected(algorithm))
        .payload(payload::write(claims, hashes)?);
    let make = |message: &[u8]| signer.sign(algorithm, message);
    let signed = unsigned.try_create_signature(EXTERNAL_AAD, make)?;
    Ok(encode(signed.build())?)
}

/// Reads a token without believing it: its form, its algorithm and its claims. For looking at it.
///
/// # Errors
/// [`TokenError`] if it is not in the only form a token has.
pub fn decode(token: &[u8]) -> Result<(SignatureAlgorithm, Claims), TokenError> {
    let (algorithm, claims, _) = read(token)?;
    Ok((algorithm, claims))
}

/// What a token says, once its form and its signature are known to be good: it was signed by the
/// key of the one among `issuers` that it names.
///
/// Whether it is good *now* is not looked at: times, revocation, and whether the issuer's
/// certificate is still in force.
///
/// # Errors
/// [`TokenError`]; [`TokenError::Issuer`] if its issuer is not among `issuers`.
pub fn verify(token: &[u8], issuers: &[HvCertificate]) -> Result<Claims, TokenError> {
    let (algorithm, claims, sign1) = read(token)?;
    let issuer = issuers.iter().find(|issuer| issuer.id() == claims.iss);
    let key = issuer.ok_or(TokenError::Issuer(claims.iss))?.key();
    if !key.algorithms().contains(&algorithm) {
        let key = key.to_string();
        return Err(TokenError::AlgorithmForKey { algorithm, key });
    }
    let is_good = |signature: &[u8], message: &[u8]| key.verify(algorithm, message, signature);
    let good = sign1.verify_signature(EXTERNAL_AAD, is_good);
    good.map_err(|_| TokenError::Signature)?;
    Ok(claims)
}

fn read(token: &[u8]) -> Result<(SignatureAlgorithm, Claims, CoseSign1), TokenError> {
    let got = token.len();
    if got == 0 || got > MAX_TOKEN_LEN {
        return Err(TokenError::Length { got });
    }
    let sign1 = read_envelope(token)?;
    let algorithm = read_protected(&sign1.protected.header)?;
    if let Some(label) = first_label(&sign1.unprotected) {
        let part = "unprotected";
        return Err(TokenError::UnknownHeader { part, label });
    }
    let (claims, hashes) = payload::read(sign1.payload.as_deref().unwrap_or_default())?;
    require_only_form(token, algorithm, &claims, hashes, &sign1.signature)?;
    Ok((algorithm, claims, sign1))
}

/// `18([ protected, unprotected, payload, signature ])` (RFC 9052 §4.2).
fn read_envelope(token: &[u8]) -> Result<CoseSign1, TokenError> {
    let envelope = |why: &str| TokenError::Envelope(why.to_owned());
    let value = Value::from_slice(token).map_err(|error| envelope(&error.to_string()))?;
    let (SIGN1, value) = value.into_tag().map_err(|_| envelope("no tag"))? else {
        return Err(envelope("another tag"));
    };
    let items = value.into_array().map_err(|_| envelope("no array in it"))?;
    let Ok([protected, unprotected, payload, signature]) = <[Value; 4]>::try_from(items) else {
        return Err(envelope("not an array of 4"));
    };
    let header = |part| {
        move |error: coset::CoseError| {
            let why = error.to_string();
            TokenError::Header { part, why }
        }
    };
    let detached = || TokenError::Payload("no byte string in the token".to_owned());
    let signature = signature.into_bytes();
    Ok(CoseSign1 {
        protected: ProtectedHeader::from_cbor_bstr(protected).map_err(header("protected"))?,
        unprotected: Header::from_cbor_value(unprotected).map_err(header("unprotected"))?,
        payload: Some(payload.into_bytes().map_err(|_| detached())?),
        signature: signature.map_err(|_| envelope("the signature is no byte string"))?,
    })
}

/// Encodes once more what was read: anything that is not in these bytes was not looked at, and
/// anything written in another way is refused.
fn require_only_form(
    token: &[u8],
    algorithm: SignatureAlgorithm,
    claims: &Claims,
    hashes: Hashes,
    signature: &[u8],
) -> Result<(), TokenError> {
    let only_form = CoseSign1Builder::new()
        .protected(protected(algorithm))
        .payload(payload::write(claims, hashes)?)
        .signature(signature.to_vec());
    let only_form = encode(only_form.build())?;
    if only_form == token {
        return Ok(());
    }
    let differ = only_form
        .iter()
        .zip(token)
        .position(|(one, other)| one != other);
    let at = differ.unwrap_or_else(|| only_form.len().min(token.len()));
    Err(TokenError::NotDeterministic { at })
}

fn encode(sign1: CoseSign1) -> Result<Vec<u8>, TokenError> {
    let token = sign1.to_tagged_vec();
    let token = token.map_err(|error| TokenError::Envelope(error.to_string()))?;
    match token.len() {
        ..=MAX_TOKEN_LEN => Ok(token),
        got => Err(TokenError::Length { got }),
    }
}

/// The protected header: `{1: alg, 16: typ}`.
fn protected(algorithm: SignatureAlgorithm) -> Header {
    let algorithm = match algorithm {
        SignatureAlgorithm::Ps256 => iana::Algorithm::PS256,
        SignatureAlgorithm::Rs256 => iana::Algorithm::RS256,
        SignatureAlgorithm::Es256 => iana::Algorithm::ES256,
        SignatureAlgorithm::EdDsa => iana::Algorithm::EdDSA,
    };
    let header = HeaderBuilder::new().algorithm(algorithm);
    header
        .value(TYPE, Value::Text(TOKEN_TYPE.to_owned()))
        .build()
}

fn read_protected(header: &Header) -> Result<SignatureAlgorithm, TokenError> {
    let algorithm = header.alg.clone().ok_or(TokenError::NoAlgorithm)?;
    let algorithm = match algorithm {
        Algorithm::Assigned(iana::Algorithm::PS256) => SignatureAlgorithm::Ps256,
        Algorithm::Assigned(iana::Algorithm::RS256) => SignatureAlgorithm::Rs256,
        Algorithm::Assigned(iana::Algorithm::ES256) => SignatureAlgorithm::Es256,
        Algorithm::Assigned(iana::Algorithm::EdDSA) => SignatureAlgorithm::EdDsa,
        other => return Err(TokenError::Algorithm(name_of(other))),
    };
    let allowed = protected_without(header);
    if let Some(label) = first_label(&allowed) {
        let part = "protected";
        return Err(TokenError::UnknownHeader { part, label });
    }
    let is_type = |(label, value): &(Label, Value)| {
        *label == Label::Int(TYPE) && value.as_text() == Some(TOKEN_TYPE)
    };
    header
        .rest
        .iter()
        .find(|one| is_type(one))
        .ok_or(TokenError::Type)?;
    Ok(algorithm)
}

/// `header` without what belongs into the protected header of a token.
fn protected_without(header: &Header) -> Header {
    let mut others = header.clone();
    others.alg = None;
    others.rest.retain(|(label, _)| *label != Label::Int(TYPE));
    others
}

/// The label of something in `header`, if it holds anything.
fn first_label(header: &Header) -> Option<String> {
    let Ok(Value::Map(entries)) = header.clone().to_cbor_value() else {
        return Some("of another type".to_owned());
    };
    entries.first().map(|(label, _)| describe(label))
}

fn name_of(algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Assigned(known) => format!("{known:?}"),
        Algorithm::PrivateUse(number) => number.to_string(),
        Algorithm::Text(text) => describe(&Value::Text(text)),
    }
}

/// The tag of a COSE_Sign1.
const SIGN1: u64 = iana::CborTag::CoseSign1 as u64;

/// The header `typ` (RFC 9596).
const TYPE: i64 = 16;
