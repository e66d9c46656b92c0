//! Claims as CBOR, in their one form and back.

use coset::cbor::value::Value;
use coset::{CborSerializable as _, iana};

use super::claims::wrong;
use super::{ClaimProblem, Claims, ConfirmationKey, MAX_CERTIFICATES, TokenError};

/// How the hashes of the VM certificates are written when there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hashes {
    /// As a byte string.
    Single,
    /// As an array.
    Array,
}

/// The claims in `payload`, and which of two ways their hashes are written in. Whether the bytes
/// are the only ones for these claims is not known yet.
pub(super) fn read(payload: &[u8]) -> Result<(Claims, Hashes), TokenError> {
    let not_a_map = |why: String| TokenError::Payload(why);
    let value = Value::from_slice(payload).map_err(|error| not_a_map(error.to_string()))?;
    let Value::Map(entries) = value else {
        return Err(not_a_map("another type".to_owned()));
    };
    let mut found: [Option<Value>; NAMES.len()] = Default::default();
    for (key, value) in entries {
        let claim = NAMES.iter().position(|name| name.is(&key));
        let Some((slot, name)) = claim.and_then(|at| found.get_mut(at).zip(NAMES.get(at))) else {
            return Err(wrong(&describe(&key), ClaimProblem::Unknown));
        };
        if slot.replace(value).is_some() {
            return Err(wrong(name.text(), ClaimProblem::Twice));
        }
    }
    let [iss, sub, exp, nbf, iat, cti, cnf, hv_domain, hashes] = found;
    let (vm_cert_sha256, form) = read_hashes(required("vm_cert_sha256", hashes)?)?;
    let claims = Claims {
        iss: read_text(
            "iss",
            required("iss", iss)?,
            "hv:sha256: and 64 lower-case digits",
        )?,
        sub: read_subject(required("sub", sub)?)?,
        exp: read_time("exp", required("exp", exp)?)?,
        nbf: nbf.map(|nbf| read_time("nbf", nbf)).transpose()?,
        iat: read_time("iat", required("iat", iat)?)?,
        cti: read_bytes("cti", required("cti", cti)?, "a string of 16 bytes")?,
        cnf: read_cnf(required("cnf", cnf)?)?,
        vm_cert_sha256,
        hv_domain: hv_domain.map(read_hv_domain).transpose()?,
    };
    claims.check()?;
    Ok((claims, form))
}

/// The only bytes for these claims (RFC 8949 §4.2.1), the form of `Hashes` given.
pub(super) fn write(claims: &Claims, hashes: Hashes) -> Result<Vec<u8>, TokenError> {
    let integer = |time: u64| Value::Integer(time.into());
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let single = match (hashes, claims.vm_cert_sha256.as_slice()) {
        (Hashes::Single, [one]) => Some(bytes(one)),
        _ => None,
    };
    let array = || Value::Array(claims.vm_cert_sha256.iter().map(|one| bytes(one)).collect());
    // In the order of NAMES, which is that of the encoded keys.
    let values = [
        Some(Value::Text(claims.iss.to_string())),
        Some(Value::Text(format!("{SUBJECT}{}", claims.sub))),
        Some(integer(claims.exp)),
        claims.nbf.map(integer),
        Some(integer(claims.iat)),
        Some(bytes(&claims.cti)),
        Some(cnf_value(&claims.cnf)),
        claims.hv_domain.clone().map(Value::Text),
        Some(single.unwrap_or_else(array)),
    ];
    let entries = NAMES.iter().zip(values);
    let entries = entries.filter_map(|(name, value)| Some((name.value(), value?)));
    let payload = Value::Map(entries.collect()).to_vec();
    payload.map_err(|error| TokenError::Payload(error.to_string()))
}

/// The key of a claim.
enum Name {
    Registered(i64, &'static str),
    Private(&'static str),
}

impl Name {
    fn is(&self, key: &Value) -> bool {
        match (self, key) {
            (Self::Registered(number, _), Value::Integer(key)) => {
                i128::from(*number) == (*key).into()
            }
            (Self::Private(name), Value::Text(key)) => name == key,
            _ => false,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Registered(number, _) => Value::Integer((*number).into()),
            Self::Private(name) => Value::Text((*name).to_owned()),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Registered(_, name) | Self::Private(name) => name,
        }
    }
}

/// All claims, in the order of their encoded keys.
const NAMES: [Name; 9] = [
    Name::Registered(iana::CwtClaimName::Iss as i64, "iss"),
    Name::Registered(iana::CwtClaimName::Sub as i64, "sub"),
    Name::Registered(iana::CwtClaimName::Exp as i64, "exp"),
    Name::Registered(iana::CwtClaimName::Nbf as i64, "nbf"),
    Name::Registered(iana::CwtClaimName::Iat as i64, "iat"),
    Name::Registered(iana::CwtClaimName::Cti as i64, "cti"),
    Name::Registered(iana::CwtClaimName::Cnf as i64, "cnf"),
    Name::Private("hv_domain"),
    Name::Private("vm_cert_sha256"),
];

/// What stands before the UUID in `sub`.
const SUBJECT: &str = "vm:";

fn required(claim: &'static str, value: Option<Value>) -> Result<Value, TokenError> {
    value.ok_or_else(|| wrong(claim, ClaimProblem::Missing))
}

fn read_text<T: std::str::FromStr>(
    claim: &'static str,
    value: Value,
    form: &'static str,
) -> Result<T, TokenError> {
    let text = value.into_text().ok();
    let value = text.and_then(|text| text.parse().ok());
    value.ok_or_else(|| wrong(claim, ClaimProblem::Not(form)))
}

fn read_subject(value: Value) -> Result<crate::id::DomainUuid, TokenError> {
    let text = value.into_text().unwrap_or_default();
    let uuid = text
        .strip_prefix(SUBJECT)
        .and_then(|uuid| uuid.parse().ok());
    uuid.ok_or_else(|| wrong("sub", ClaimProblem::Not("vm: and a UUID in lower case")))
}

fn read_hv_domain(value: Value) -> Result<String, TokenError> {
    read_text("hv_domain", value, "text")
}

fn read_time(claim: &'static str, value: Value) -> Result<u64, TokenError> {
    let time = value.as_integer().and_then(|time| u64::try_from(time).ok());
    time.ok_or_else(|| wrong(claim, ClaimProblem::Not("an integer of 0 or more")))
}

fn read_bytes<const N: usize>(
    claim: &'static str,
    value: Value,
    form: &'static str,
) -> Result<[u8; N], TokenError> {
    let bytes = value.into_bytes().ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| wrong(claim, ClaimProblem::Not(form)))
}

fn read_hashes(value: Value) -> Result<(Vec<[u8; 32]>, Hashes), TokenError> {
    const FORM: &str = "a string of 32 bytes or an array of 1 to 16 of them";
    let hash = |value| read_bytes("vm_cert_sha256", value, FORM);
    match value {
        Value::Array(hashes) if hashes.len() <= MAX_CERTIFICATES => {
            let hashes = hashes.into_iter().map(hash).collect::<Result<_, _>>();
            Ok((hashes?, Hashes::Array))
        }
        Value::Bytes(_) => Ok((vec![hash(value)?], Hashes::Single)),
        _ => Err(wrong("vm_cert_sha256", ClaimProblem::Not(FORM))),
    }
}

/// `{1: COSE_Key}` (RFC 8747 §3.2), with a public key of one of two kinds and nothing else.
fn read_cnf(value: Value) -> Result<ConfirmationKey, TokenError> {
    let key = cnf_candidate(&value).filter(|key| cnf_value(key) == value);
    let form = "{1: COSE_Key} with an Ed25519 or an uncompressed P-256 public key and nothing else";
    key.ok_or_else(|| wrong("cnf", ClaimProblem::Not(form)))
}

/// The key that `cnf` holds if it is as it must be.
fn cnf_candidate(cnf: &Value) -> Option<ConfirmationKey> {
    let [(_, key)] = cnf.as_map()?.as_slice() else {
        return None;
    };
    let coordinate = |(_, value): &(Value, Value)| value.as_bytes()?.as_slice().try_into().ok();
    match key.as_map()?.as_slice() {
        [_, _, x] => Some(ConfirmationKey::Ed25519(coordinate(x)?)),
        [_, _, x, y] => {
            let (x, y): ([u8; 32], [u8; 32]) = (coordinate(x)?, coordinate(y)?);
            let point = [&[0x04][..], &x, &y].concat();
            Some(ConfirmationKey::P256(point.try_into().ok()?))
        }
        _ => None,
    }
}

/// `key` as `{1: COSE_Key}`.
fn cnf_value(key: &ConfirmationKey) -> Value {
    let number = |number: i64| Value::Integer(number.into());
    let entry = |label: i64, value| (number(label), value);
    let kind = |kty: iana::KeyType, crv: iana::EllipticCurve| {
        let kty = entry(iana::KeyParameter::Kty as i64, number(kty as i64));
        [
            kty,
            entry(iana::OkpKeyParameter::Crv as i64, number(crv as i64)),
        ]
    };
    let mut cose_key;
    match key {
        ConfirmationKey::Ed25519(x) => {
            cose_key = kind(iana::KeyType::OKP, iana::EllipticCurve::Ed25519).to_vec();
            cose_key.push(entry(
                iana::OkpKeyParameter::X as i64,
                Value::Bytes(x.to_vec()),
            ));
        }
        ConfirmationKey::P256([_, point @ ..]) => {
            let (x, y) = point.split_at(point.len() / 2);
            cose_key = kind(iana::KeyType::EC2, iana::EllipticCurve::P_256).to_vec();
            cose_key.push(entry(
                iana::Ec2KeyParameter::X as i64,
                Value::Bytes(x.to_vec()),
            ));
            cose_key.push(entry(
                iana::Ec2KeyParameter::Y as i64,
                Value::Bytes(y.to_vec()),
            ));
        }
    }
    Value::Map(vec![entry(COSE_KEY, Value::Map(cose_key))])
}

/// The confirmation method "COSE_Key" (RFC 8747 §3.1).
const COSE_KEY: i64 = 1;

/// A key of a map for an error, shortened if it is long.
pub(super) fn describe(key: &Value) -> String {
    match key {
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Text(text) => format!("{:?}", text.chars().take(64).collect::<String>()),
        _ => "of another type".to_owned(),
    }
}
