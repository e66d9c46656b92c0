//! The bytes that the kernel gets, against those of `include/uapi/linux/tls.h`.

use proto::tls::{CipherSuite, KeyBlock};

use super::*;
use crate::testing::{NEXT_NONCE, Protection};

/// The structure as the kernel reads it.
fn bytes(info: &CryptoInfo) -> Vec<u8> {
    let head = |info: &libc::tls_crypto_info| {
        [info.version.to_ne_bytes(), info.cipher_type.to_ne_bytes()].concat()
    };
    match info.get() {
        TlsCryptoInfo::Aes128Gcm(i) => {
            let parts: [&[u8]; 5] = [&head(&i.info), &i.iv, &i.key, &i.salt, &i.rec_seq];
            parts.concat()
        }
        TlsCryptoInfo::Aes256Gcm(i) => {
            let parts: [&[u8]; 5] = [&head(&i.info), &i.iv, &i.key, &i.salt, &i.rec_seq];
            parts.concat()
        }
        TlsCryptoInfo::Chacha20Poly1305(i) => {
            let parts: [&[u8]; 4] = [&head(&i.info), &i.iv, &i.key, &i.rec_seq];
            parts.concat()
        }
    }
}

fn head(cipher: u16) -> Vec<u8> {
    [0x0303_u16.to_ne_bytes(), cipher.to_ne_bytes()].concat()
}

const SECOND_RECORD: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

#[test]
fn gcm_begins_with_the_nonce_after_the_finished_and_the_second_record() {
    let infos = CryptoInfos::new(&Protection::Tls12Gcm.client()).expect("good keys");
    let parts: [&[u8]; 5] = [&head(51), &NEXT_NONCE, &[1; 16], &[1; 4], &SECOND_RECORD];
    assert_eq!(bytes(&infos.send), parts.concat());
    let parts: [&[u8]; 5] = [&head(51), &[0; 8], &[2; 16], &[2; 4], &SECOND_RECORD];
    assert_eq!(bytes(&infos.receive), parts.concat());
}

#[test]
fn gcm_with_a_long_key_has_it_at_its_place() {
    let block = [[1; 32], [2; 32]].concat();
    let keys = SessionKeys::KeyBlock(KeyBlock::new(
        [block, vec![3, 3, 3, 3, 4, 4, 4, 4]].concat(),
    ));
    let established = Established {
        cipher_suite: CipherSuite(0xc030),
        keys,
        ..Protection::Tls12Gcm.client()
    };
    let infos = CryptoInfos::new(&established).expect("good keys");
    let parts: [&[u8]; 5] = [&head(52), &NEXT_NONCE, &[1; 32], &[3; 4], &SECOND_RECORD];
    assert_eq!(bytes(&infos.send), parts.concat());
    let parts: [&[u8]; 5] = [&head(52), &[0; 8], &[2; 32], &[4; 4], &SECOND_RECORD];
    assert_eq!(bytes(&infos.receive), parts.concat());
}

#[test]
fn chacha20_has_its_whole_iv_and_no_salt() {
    let infos = CryptoInfos::new(&Protection::Tls12ChaCha.client()).expect("good keys");
    let parts: [&[u8]; 4] = [&head(54), &[1; 12], &[1; 32], &SECOND_RECORD];
    assert_eq!(bytes(&infos.send), parts.concat());
    let parts: [&[u8]; 4] = [&head(54), &[2; 12], &[2; 32], &SECOND_RECORD];
    assert_eq!(bytes(&infos.receive), parts.concat());
}

#[test]
fn what_is_not_whole_or_not_tls_1_2_is_nothing() {
    let base = || Protection::Tls12Gcm.client();
    let short = SessionKeys::KeyBlock(KeyBlock::new(vec![1; 39]));
    for keys in [
        Protection::Tls13.client(),
        Established {
            client_explicit_nonce: None,
            ..base()
        },
        Established {
            client_sequence: 0,
            ..base()
        },
        Established {
            server_sequence: 2,
            ..base()
        },
        Established {
            keys: short,
            ..base()
        },
        Established {
            version: ProtocolVersion::TLS1_1,
            ..base()
        },
    ] {
        assert!(CryptoInfos::new(&keys).is_none(), "{keys:?}");
    }
}
