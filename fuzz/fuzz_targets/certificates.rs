//! Certificate lists: of a Certificate message, and as a card exports the one it has verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::tls::CertificateList;

fuzz_target!(|input: &[u8]| {
    if let Ok(list) = CertificateList::decode(input) {
        check(&list, input);
    }
    if let Ok(list) = CertificateList::decode_entries(input) {
        check(&list, input);
        // As an export has it, which is a message without its outer length.
        if let Ok(length) = u32::try_from(input.len())
            && length < 1 << 24
        {
            let message = [&length.to_be_bytes()[1..], input].concat();
            assert_eq!(CertificateList::decode(&message).as_ref(), Ok(&list));
        }
    }
});

fn check(list: &CertificateList, input: &[u8]) {
    assert_eq!(list.leaf(), list.0.first().map(Vec::as_slice));
    for certificate in &list.0 {
        assert!(!certificate.is_empty());
        assert!(
            input
                .windows(certificate.len())
                .any(|part| part == certificate)
        );
    }
}
