//! One thing that is in order, or is not.

use serde::Serialize;

/// What is the case, and what to do if that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at: `service`, `card se-00`, `pcscd`.
    pub(crate) check: String,
    /// How bad it is.
    pub(crate) level: Level,
    /// What is the case.
    pub(crate) message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warn,
    /// Something does not work, or is dangerous.
    Fail,
}

impl Finding {
    pub(super) fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            level: Level::Ok,
            message: message.into(),
            next: None,
        }
    }

    pub(super) fn warn(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            ..Self::ok(check, message)
        }
    }

    pub(super) fn fail(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            ..Self::ok(check, message)
        }
    }

    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}
