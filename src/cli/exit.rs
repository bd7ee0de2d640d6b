//! The exit codes: few, and each for something else that a script would do.

use std::process::ExitCode;

use tonic::Code;

/// How a command ended that did not do what it should. 0 is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It failed, or a check found something.
    Failed = 1,
    /// The arguments or the configuration file make no sense.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// The node refuses it; sending it again as it is changes nothing.
    Refused = 4,
    /// The node cannot be reached, or cannot answer now; later it may.
    Unavailable = 5,
}

/// The exit codes as `--help` tells them.
pub(super) const EXIT_CODES_HELP: &str = "\
Exit codes:
  0  done
  1  failed, or a check found something: an audit, rules, a file of which no row was taken
  2  called wrongly: the arguments or the configuration file make no sense
  3  what was named does not exist
  4  the node refuses it: no access, a field that makes no sense, a lease that is over
  5  the node cannot be reached or cannot answer now; the same may work later";

impl Exit {
    /// What a refusal of the node means.
    pub(super) fn of_code(code: Code) -> Self {
        match code {
            Code::NotFound => Self::NotFound,
            Code::InvalidArgument
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => Self::Refused,
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled => Self::Unavailable,
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Self::Failed,
        }
    }

    /// Its number.
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    /// Its word in an error that programs read.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_tells_every_code() {
        let all = [Exit::Failed, Exit::Usage, Exit::NotFound, Exit::Refused, Exit::Unavailable];
        for (number, exit) in (1..).zip(all) {
            assert_eq!(exit.number(), number);
            assert!(EXIT_CODES_HELP.contains(&format!("\n  {number}  ")), "{number}");
        }
    }
}
