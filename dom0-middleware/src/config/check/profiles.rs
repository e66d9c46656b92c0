//! How to speak to cards that are not as the built-in profile says.

use std::collections::BTreeMap;

use proto::apdu::CommandApdu;
use toml::Spanned;

use super::{Check, listed};
use crate::card::{CardProfile, EapTlsProfile, ExportCommand, PivProfile};
use crate::config::error::ConfigError;
use crate::config::file::{ProfileBase, ProfileTable};
use crate::config::value::{Bytes, Text};

/// Profiles of the configuration, by name.
pub(super) type Profiles = BTreeMap<String, CardProfile>;

impl Check<'_> {
    pub(super) fn profiles(&self, tables: Vec<ProfileTable>) -> Result<Profiles, ConfigError> {
        let mut profiles = Profiles::new();
        for table in tables {
            let (span, name) = (table.name.span(), table.name.get_ref().clone());
            if CardProfile::builtin(&name).is_some() {
                let problem = format!("\"{name}\" is built in; choose another name");
                return Err(self.error(span, "profile.name", problem));
            }
            let profile = self.one_profile(table)?;
            if profiles.insert(name.clone(), profile).is_some() {
                let problem = format!("\"{name}\" is described twice");
                return Err(self.error(span, "profile.name", problem));
            }
        }
        Ok(profiles)
    }

    /// The profile that a card names: one of the configuration, or a built-in one.
    pub(super) fn profile(
        &self,
        profiles: &Profiles,
        name: Option<&Spanned<String>>,
    ) -> Result<CardProfile, ConfigError> {
        let Some(name) = name else {
            return Ok(CardProfile::eap_tls());
        };
        let own = profiles.get(name.get_ref()).cloned();
        own.or_else(|| CardProfile::builtin(name.get_ref()))
            .ok_or_else(|| {
                let known = profiles.keys().map(String::as_str);
                let problem = format!(
                    "no profile \"{}\"; there is {}",
                    name.get_ref(),
                    listed(CardProfile::BUILTIN.into_iter().chain(known))
                );
                self.error(name.span(), "card.profile", problem)
            })
    }

    /// The built-in profile with what the table says otherwise.
    fn one_profile(&self, table: ProfileTable) -> Result<CardProfile, ConfigError> {
        let span = table.name.span();
        match table.base {
            ProfileBase::EapTls if table.pin_characters.is_some() => {
                let problem =
                    "only base = \"piv\" has pin_characters; the PIN of an EAP-TLS card is digits";
                Err(self.error(span, "profile.pin_characters", problem))
            }
            ProfileBase::EapTls => self.eap_tls_profile(table).map(CardProfile::EapTls),
            ProfileBase::Piv if !has_piv_keys_alone(&table) => {
                let problem =
                    "base = \"piv\" has aid, extended_length and pin_characters, and nothing else";
                Err(self.error(span, "profile.base", problem))
            }
            ProfileBase::Piv => Ok(CardProfile::Piv(piv_profile(table))),
        }
    }

    fn eap_tls_profile(&self, table: ProfileTable) -> Result<EapTlsProfile, ConfigError> {
        let mut profile = EapTlsProfile::builtin();
        profile.name = table.name.into_inner();
        if let Some(Text(aid)) = table.aid {
            profile.aid = aid;
        }
        set(&mut profile.cla, table.cla);
        set(&mut profile.pin_form, table.pin_form.map(Into::into));
        set(&mut profile.extended_length, table.extended_length);
        let longest = match profile.extended_length {
            true => CommandApdu::MAX_LONG_DATA,
            false => CommandApdu::MAX_DATA,
        };
        if profile.extended_length {
            profile.segment_len = longest;
        }
        self.set_length(&mut profile.segment_len, table.segment_len, 1..=longest)?;
        self.set_length(&mut profile.fragment_len, table.fragment_len, 11..=65_535)?;
        set(&mut profile.fetch_ins, table.fetch_ins);
        set(&mut profile.fetch_fallback, table.fetch_fallback);
        set(&mut profile.reset_state, table.reset_state);
        set(&mut profile.draft26_states, table.draft26_states);
        set(&mut profile.read_certificates, table.read_certificates);
        set(&mut profile.probe_parameters, table.probe_parameters);
        set(&mut profile.store_session_id, table.store_session_id);
        self.set_export(&mut profile.export_suite, table.export_suite)?;
        self.set_export(&mut profile.export_key_block, table.export_key_block)?;
        Ok(profile)
    }

    fn set_length(
        &self,
        length: &mut usize,
        given: Option<Spanned<usize>>,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> Result<(), ConfigError> {
        let Some(given) = given else {
            return Ok(());
        };
        if !allowed.contains(given.get_ref()) {
            let (first, last) = (allowed.start(), allowed.end());
            let problem = format!("{first} to {last} bytes are possible");
            return Err(self.error(given.span(), "profile.segment_len, fragment_len", problem));
        }
        *length = given.into_inner();
        Ok(())
    }

    fn set_export(
        &self,
        export: &mut ExportCommand,
        given: Option<Spanned<Text<Bytes>>>,
    ) -> Result<(), ConfigError> {
        let Some(given) = given else {
            return Ok(());
        };
        let Text(Bytes(bytes)) = given.get_ref();
        let command = CommandApdu::decode(bytes).map_err(|error| {
            let problem = format!("not a command APDU: {error}");
            self.error(
                given.span(),
                "profile.export_suite, export_key_block",
                problem,
            )
        })?;
        *export = command.into();
        Ok(())
    }
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

fn piv_profile(table: ProfileTable) -> PivProfile {
    let mut profile = PivProfile::builtin();
    profile.name = table.name.into_inner();
    if let Some(Text(aid)) = table.aid {
        profile.aid = aid;
    }
    set(&mut profile.extended_length, table.extended_length);
    set(
        &mut profile.pin_characters,
        table.pin_characters.map(Into::into),
    );
    profile
}

/// Whether the table has no key that only cards know that make handshakes.
fn has_piv_keys_alone(table: &ProfileTable) -> bool {
    let ProfileTable {
        name: _,
        base: _,
        aid: _,
        extended_length: _,
        pin_characters: _,
        cla,
        pin_form,
        segment_len,
        fragment_len,
        fetch_ins,
        fetch_fallback,
        reset_state,
        draft26_states,
        read_certificates,
        probe_parameters,
        store_session_id,
        export_suite,
        export_key_block,
    } = table;
    let switches = [
        fetch_fallback,
        reset_state,
        draft26_states,
        read_certificates,
        probe_parameters,
        store_session_id,
    ];
    cla.is_none()
        && pin_form.is_none()
        && segment_len.is_none()
        && fragment_len.is_none()
        && fetch_ins.is_none()
        && switches.iter().all(|switch| switch.is_none())
        && export_suite.is_none()
        && export_key_block.is_none()
}
