//! Who manages the card: keys made in it, objects written.

use aes::Aes192;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use des::TdesEde3;
use proto::piv::{TlvReader, TlvWriter};
use ring::signature::{ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use ring::{digest, signature};

use super::host::{Host, Result, card, expect, from_hex};

const FACTORY_KEY: [u8; 24] = [
    1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8,
];

fn authenticate(host: &mut Host, algorithm: u8, elements: &[(u32, &[u8])]) -> Result {
    let write = |out: TlvWriter, (tag, value): &(u32, &[u8])| out.with(*tag, value);
    let inner = elements.iter().fold(TlvWriter::new(), write).into_bytes();
    let template = TlvWriter::new().with(0x7C, &inner).into_bytes();
    host.command(0x87, algorithm, 0x9B, &template)
}

/// Both sides prove that they know the key, with triple DES.
fn mutual(host: &mut Host) {
    let cipher = TdesEde3::new(&FACTORY_KEY.into());
    let shown = authenticate(host, 0x03, &[(0x80, &[])]).expect("a witness");
    let mut witness = expect(&expect(&shown, 0x7C), 0x80);
    cipher.decrypt_block(GenericArray::from_mut_slice(&mut witness));
    let mut challenge = *b"8 bytes.";
    let answer = authenticate(
        host,
        0x03,
        &[(0x80, &witness), (0x81, &challenge), (0x82, &[])],
    );
    cipher.encrypt_block(GenericArray::from_mut_slice(&mut challenge));
    let answer = answer.expect("the witness was right");
    assert_eq!(expect(&expect(&answer, 0x7C), 0x82), challenge);
}

/// The host alone proves it, with AES.
fn external(host: &mut Host) -> Result {
    let shown = authenticate(host, 0x0A, &[(0x81, &[])]).expect("a challenge");
    let mut response = expect(&expect(&shown, 0x7C), 0x81);
    let cipher = Aes192::new(&FACTORY_KEY.into());
    cipher.encrypt_block(GenericArray::from_mut_slice(&mut response));
    authenticate(host, 0x0A, &[(0x82, &response)])
}

fn generate(host: &mut Host, slot: u8, algorithm: u8) -> Result {
    let control = TlvWriter::new().with(0x80, &[algorithm]).into_bytes();
    let template = TlvWriter::new().with(0xAC, &control).into_bytes();
    host.command(0x47, 0x00, slot, &template)
}

fn put(host: &mut Host, tag: &[u8], content: &[u8]) -> Result {
    let object = TlvWriter::new().with(0x5C, tag).with(0x53, content);
    host.command(0xDB, 0x3F, 0xFF, &object.into_bytes())
}

fn get(host: &mut Host, tag: &[u8]) -> Result {
    let list = TlvWriter::new().with(0x5C, tag).into_bytes();
    let answer = host.command(0xCB, 0x3F, 0xFF, &list)?;
    Ok(expect(&answer, 0x53))
}

const CERTIFICATE_9A: &[u8] = &[0x5F, 0xC1, 0x05];

#[test]
fn an_object_is_written_read_and_taken_away() {
    let mut host = Host::new(card());
    assert_eq!(put(&mut host, CERTIFICATE_9A, &[7; 9]), Err(0x6982));
    mutual(&mut host);
    let content: Vec<u8> = (0..3000_u32).map(|at| at.to_be_bytes()[3]).collect();
    for extended in [false, true] {
        host.extended = extended;
        assert_eq!(put(&mut host, CERTIFICATE_9A, &content), Ok(vec![]));
        assert_eq!(get(&mut host, CERTIFICATE_9A), Ok(content.clone()));
    }
    assert_eq!(put(&mut host, CERTIFICATE_9A, &[]), Ok(vec![]));
    assert_eq!(get(&mut host, CERTIFICATE_9A), Err(0x6A82));
    // The discovery object and those that nobody defined are not written, nor too long ones.
    assert_eq!(put(&mut host, &[0x7E], &[7]), Err(0x6A82));
    assert_eq!(put(&mut host, &[0x5F, 0xFF, 0x01], &[7]), Err(0x6A82));
    assert_eq!(put(&mut host, CERTIFICATE_9A, &[7; 4097]), Err(0x6A84));
}

#[test]
fn a_key_made_in_the_card_signs() {
    let mut host = Host::open(card());
    assert_eq!(external(&mut host), Ok(vec![]));
    let made = generate(&mut host, 0x9E, 0x14).expect("a public key");
    let point = expect(&expect(&made, 0x7F49), 0x86);
    let hash = digest::digest(&digest::SHA384, b"message");
    let signed = host.sign(0x14, 0x9E, hash.as_ref()).expect("signed");
    let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, point);
    key.verify(b"message", &signed).expect("right");

    let made = generate(&mut host, 0x83, 0x07).expect("a public key");
    let parts = expect(&made, 0x7F49);
    let modulus = expect(&parts, 0x81);
    assert_eq!(modulus.len(), 256);
    let exponent = expect(&parts[4 + 256..], 0x82);
    let hash = digest::digest(&digest::SHA256, b"message");
    let info = from_hex("3031300D060960864801650304020105000420");
    let block = [&[0, 1], &[0xFF; 202][..], &[0], &info, hash.as_ref()].concat();
    let signed = host.sign(0x07, 0x83, &block).expect("signed");
    let key = signature::RsaPublicKeyComponents {
        n: modulus,
        e: exponent,
    };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, b"message", &signed)
        .expect("right");
}

#[test]
fn who_does_not_know_the_key_manages_nothing() {
    let mut host = Host::open(card());
    authenticate(&mut host, 0x03, &[(0x80, &[])]).expect("a witness");
    let guess = authenticate(&mut host, 0x03, &[(0x80, &[0; 8]), (0x81, &[1; 8])]);
    assert_eq!(guess, Err(0x6982));
    authenticate(&mut host, 0x0A, &[(0x81, &[])]).expect("a challenge");
    assert_eq!(
        authenticate(&mut host, 0x0A, &[(0x82, &[0; 16])]),
        Err(0x6982)
    );
    // Nothing was asked any more, and empty answers are none.
    assert_eq!(
        authenticate(&mut host, 0x0A, &[(0x82, &[0; 16])]),
        Err(0x6A80)
    );
    authenticate(&mut host, 0x0A, &[(0x81, &[])]).expect("a challenge");
    assert_eq!(authenticate(&mut host, 0x0A, &[(0x82, &[])]), Err(0x6982));
    assert_eq!(authenticate(&mut host, 0x07, &[(0x81, &[])]), Err(0x6A86));
    assert_eq!(put(&mut host, CERTIFICATE_9A, &[7; 9]), Err(0x6982));
    assert_eq!(generate(&mut host, 0x9A, 0x11), Err(0x6982));
    // What was proven is lost with the power, and by an attempt that fails.
    mutual(&mut host);
    assert_eq!(
        authenticate(&mut host, 0x0A, &[(0x82, &[0; 16])]),
        Err(0x6A80)
    );
    assert_eq!(put(&mut host, CERTIFICATE_9A, &[7; 9]), Err(0x6982));
    mutual(&mut host);
    assert_eq!(generate(&mut host, 0x9A, 0x06), Err(0x6A80));
    assert_eq!(generate(&mut host, 0x9B, 0x11), Err(0x6A86));
    host.card.reset();
    assert_eq!(put(&mut host, CERTIFICATE_9A, &[7; 9]), Err(0x6986));
}

#[test]
fn what_a_key_is_says_a_card_that_knows_the_question() {
    let metadata = |host: &mut Host, slot| host.command(0xF7, 0x00, slot, &[]);
    assert_eq!(metadata(&mut Host::new(card()), 0x9C), Err(0x6D00));
    let mut host = Host::new(card().with_metadata(true));
    mutual(&mut host);
    let made = generate(&mut host, 0x83, 0x11).expect("a key");
    let said = metadata(&mut host, 0x83).expect("it knows");
    let part = |tag| TlvReader::new(&said).find(tag).expect("objects");
    assert_eq!(part(0x01), Some(&[0x11][..]));
    assert_eq!(part(0x02), Some(&[2, 1][..]), "the PIN once, no touch");
    assert_eq!(part(0x04), Some(&*expect(&made, 0x7F49)));
    for (slot, pin) in [(0x9A, 2), (0x9C, 3), (0x9E, 1)] {
        let said = metadata(&mut host, slot).expect("there is a key");
        let policy = TlvReader::new(&said).find(0x02).expect("objects");
        assert_eq!(policy, Some(&[pin, 1][..]), "{slot:02X}");
    }
    assert_eq!(metadata(&mut host, 0x84), Err(0x6A88), "no key");
    assert_eq!(metadata(&mut host, 0x9B), Err(0x6A86), "no slot");
}
