//! A card in software.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::crypto::ring;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Key, Pki};
use crate::card::SessionError;
use crate::engine::SignDoor;

/// A card in software that remembers what it was asked.
#[derive(Clone)]
pub(in crate::engine::tests) struct SoftCard {
    key: Arc<dyn SigningKey>,
    /// What it signs instead, or why it does not.
    instead: Option<Result<Vec<u8>, SessionError>>,
    asked: Rc<RefCell<Vec<SignatureScheme>>>,
}

impl SoftCard {
    pub(in crate::engine::tests) fn new(key: Key) -> Self {
        let der = Pki::get().card(key).1.serialize_der();
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der));
        Self {
            key: ring::sign::any_supported_type(&der).expect("a key of ring's kinds"),
            instead: None,
            asked: Rc::default(),
        }
    }

    pub(in crate::engine::tests) fn that_answers(
        key: Key,
        answer: Result<Vec<u8>, SessionError>,
    ) -> Self {
        Self {
            instead: Some(answer),
            ..Self::new(key)
        }
    }

    pub(in crate::engine::tests) fn asked(&self) -> Vec<SignatureScheme> {
        self.asked.borrow().clone()
    }

    pub(in crate::engine::tests) fn door(&self) -> Box<dyn SignDoor> {
        Box::new(self.clone())
    }
}

impl SignDoor for SoftCard {
    fn sign(&mut self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        self.asked.borrow_mut().push(scheme);
        if let Some(instead) = &self.instead {
            return instead.clone();
        }
        let signer = self
            .key
            .choose_scheme(&[scheme])
            .expect("a scheme of the key");
        Ok(signer.sign(message).expect("a signature"))
    }
}
