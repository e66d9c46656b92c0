//! Names and PINs: of files, cards, guests and operators.
#![no_main]

use dom0_middleware::mapping::NamePattern;
use libfuzzer_sys::fuzz_target;
use proto::agent::is_host_name;
use proto::card::{Pin, PinCharacters};
use proto::id::{DomainUuid, IdentityName, Seid};

fuzz_target!(|input: &[u8]| {
    if let Ok(pin) = Pin::new(input.trim_ascii()) {
        assert!((4..=8).contains(&pin.as_bytes().len()));
        assert!(pin.padded().starts_with(pin.as_bytes()));
    }
    if let Ok(pin) = Pin::of(PinCharacters::Printable, input.trim_ascii()) {
        assert!((6..=8).contains(&pin.as_bytes().len()));
        assert!(!pin.as_bytes().contains(&0xFF));
    }
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Ok(uuid) = text.parse::<DomainUuid>() {
        assert_eq!(uuid.to_string(), text);
    }
    if let Ok(seid) = text.parse::<Seid>() {
        assert_eq!(seid.to_string(), text);
    }
    if let Ok(name) = text.parse::<IdentityName>() {
        assert_eq!(name.as_str(), text);
    }
    let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(pattern) = pattern.parse::<NamePattern>() {
        let fits = pattern.fits(name);
        let again: NamePattern = pattern.to_string().parse().expect("just shown");
        assert_eq!(again, pattern);
        assert_eq!(pattern.fits(&name.to_ascii_uppercase()), fits);
        assert!(!fits || name.contains('.') || is_host_name(name));
    }
});
