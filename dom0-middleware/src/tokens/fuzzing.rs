//! What a guest could offer as its key.

use proto::token::ConfirmationKey;

use super::enrolment::enrolled_key;

/// Reads what stands at the node of a guest. What is taken for a key is one key, however it was
/// spelt, with a fingerprint to compare; why something is none can be shown on a terminal.
pub fn enrolment(node: &[u8]) {
    match enrolled_key(node) {
        Ok(key) => {
            assert!(node.len() <= 512);
            let again = ConfirmationKey::from_pem(key.to_pem().as_bytes());
            assert_eq!(again.as_ref(), Ok(&key));
            let fingerprint = key.fingerprint();
            let digits = fingerprint.strip_prefix("SHA256:").unwrap_or_default();
            assert_eq!(digits.len(), 64, "{fingerprint}");
        }
        Err(why) => {
            let said = why.to_string();
            assert!(!said.contains(char::is_control), "{said:?}");
            assert!(said.len() < 200, "{said:?}");
        }
    }
}
