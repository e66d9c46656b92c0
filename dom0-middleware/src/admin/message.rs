//! Requests of an operator, and their answers.

use serde::{Deserialize, Serialize};

use super::view::StatusView;
use crate::broker::CardView;

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminRequest {
    /// All cards.
    CardList {},
    /// Everything at a glance.
    Status {},
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminAnswer {
    /// All cards.
    CardList(Vec<CardView>),
    /// Everything at a glance.
    Status(Box<StatusView>),
    /// No.
    Error(Problem),
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `bad-request` or `internal`.
    pub code: String,
    /// In words.
    pub message: String,
}

impl AdminAnswer {
    /// A no.
    #[must_use]
    pub fn error(code: &str, message: impl ToString) -> Self {
        Self::Error(Problem {
            code: code.to_owned(),
            message: message.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_object_with_one_key() {
        let read = |text| serde_json::from_str::<AdminRequest>(text);
        assert_eq!(
            read(r#"{"card_list":{}}"#).expect("known"),
            AdminRequest::CardList {}
        );
        assert_eq!(
            read(r#"{"status":{}}"#).expect("known"),
            AdminRequest::Status {}
        );
        for bad in [r#"{"reboot":{}}"#, r#"{"status":{"x":1}}"#, "{}", "[]", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
