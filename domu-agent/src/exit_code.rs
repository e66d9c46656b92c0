//! What the process says when it ends.

/// The exit codes of every program here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done.
    Success = 0,
    /// The thing asked about is not so.
    NotSo = 1,
    /// The command line or a request is wrong.
    Usage = 64,
    /// The agent, dom0, a card or the server cannot be reached.
    Unavailable = 69,
    /// Our fault.
    Internal = 70,
    /// The answer is no.
    Refused = 77,
    /// The configuration cannot be used.
    Configuration = 78,
}

impl ExitCode {
    /// The exit code for an error code of the application's socket.
    pub fn of_error(code: &str) -> Self {
        match code {
            "bad-request" => Self::Usage,
            "connect-failed" | "dom0-unavailable" | "no-card" | "card-removed" | "card-failed"
            | "timeout" => Self::Unavailable,
            "internal" | "protocol" => Self::Internal,
            _ => Self::Refused,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use proto::agent::RefusalCode;

    use super::*;

    #[test]
    fn no_refusal_looks_like_success_or_a_bad_configuration() {
        for code in RefusalCode::ALL {
            let exit = ExitCode::of_error(code.as_str());
            let fitting = [ExitCode::Unavailable, ExitCode::Internal, ExitCode::Refused];
            assert!(fitting.contains(&exit), "{code}: {exit:?}");
        }
        assert_eq!(ExitCode::of_error("policy"), ExitCode::Refused);
        assert_eq!(ExitCode::of_error("bad-request"), ExitCode::Usage);
    }
}
