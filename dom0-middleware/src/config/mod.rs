//! The configuration file: read once at start, refused as a whole when anything is wrong in it.
//!
//! | Step | Module | Looks at |
//! |---|---|---|
//! | syntax, key names, single values | `file` | the text |
//! | references and contradictions | `check` | the text as a whole |
//! | what the text points to | `files`, `host_files`, `racs_files` | trust, certificates, PIN files; HV certificates and key; what the RACS server needs |
//!
//! An error names file, line and key, and says what to do. Every key with its default is in
//! `docs/examples/dom0-middleware.toml`.

mod check;
mod error;
mod file;
mod files;
mod host_files;
mod racs_files;
mod value;

#[cfg(test)]
mod host_tests;
#[cfg(test)]
mod racs_tests;
#[cfg(test)]
mod tests;

pub use self::check::{
    BindingConfig, Config, DomainSource, GridPlace, HvConfig, HvKeyConfig, HvKeySource,
    RacsCardConfig, RacsConfig, ReaderConfig, ReaderPlace, TokensConfig, UnixChannelConfig,
};
pub use self::error::{ConfigError, FileProblem};
pub(crate) use self::file::DEFAULT_ADMIN_SOCKET;
pub(crate) use self::files::certificates;
pub use self::files::{Bound, Missing};
pub use self::host_files::{FormerHv, Hosts};
pub use self::racs_files::RacsFiles;
