//! The settings of `serve` that say how much of a node its clients may use up.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::Args;

use crate::api::front::{Deadlines, Limits};

/// What clients may use up.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Connections at a time, as far as the process may open files [default: 20000]
    #[arg(long, env = "NEXTLEAD_CONNECTIONS_MAX", value_name = "COUNT")]
    connections_max: Option<NonZeroUsize>,
    /// Connections of one address at a time; not asked with --tls-by-proxy [default: 2000]
    #[arg(long, env = "NEXTLEAD_ADDRESS_CONNECTIONS_MAX", value_name = "COUNT")]
    address_connections_max: Option<NonZeroUsize>,
    /// Calls that are worked on at a time; a quarter is kept for touches, releases and renewals
    /// [default: 4096]
    #[arg(long, env = "NEXTLEAD_CALLS_MAX", value_name = "COUNT")]
    calls_max: Option<NonZeroUsize>,
    /// Pulls that wait for a lead at a time [default: 20000]
    #[arg(long, env = "NEXTLEAD_WAITS_MAX", value_name = "COUNT")]
    waits_max: Option<NonZeroUsize>,
    /// Calls of one rep's token at a time [default: 8]
    #[arg(long, env = "NEXTLEAD_REP_CALLS_MAX", value_name = "COUNT")]
    rep_calls_max: Option<NonZeroUsize>,
    /// Waiting pulls of one rep's token [default: 2]
    #[arg(long, env = "NEXTLEAD_REP_WAITS_MAX", value_name = "COUNT")]
    rep_waits_max: Option<NonZeroUsize>,
    /// Calls of any other token at a time [default: 1024]
    #[arg(long, env = "NEXTLEAD_TOKEN_CALLS_MAX", value_name = "COUNT")]
    token_calls_max: Option<NonZeroUsize>,
    /// Waiting pulls of any other token [default: 20000]
    #[arg(long, env = "NEXTLEAD_TOKEN_WAITS_MAX", value_name = "COUNT")]
    token_waits_max: Option<NonZeroUsize>,
    /// Minutes after which a connection is asked to go and come again, which spreads clients over nodes
    /// [default: never]
    #[arg(long, env = "NEXTLEAD_CONNECTION_MINUTES_MAX", value_name = "MINUTES")]
    connection_minutes_max: Option<NonZeroU32>,
}

impl LimitArgs {
    pub(super) fn limits(&self) -> Limits {
        let usual = Limits::default();
        let or = |given: Option<NonZeroUsize>, usual| given.map_or(usual, NonZeroUsize::get);
        let call_count_max = or(self.calls_max, usual.call_count_max);
        let age_max = self.connection_minutes_max;
        let age_max = age_max.map(|minutes| Duration::from_secs(60) * minutes.get());
        Limits {
            connection_count_max: or(self.connections_max, usual.connection_count_max),
            address_connection_count_max: or(
                self.address_connections_max,
                usual.address_connection_count_max,
            ),
            call_count_max,
            call_count_reserved: call_count_max / 4,
            wait_count_max: or(self.waits_max, usual.wait_count_max),
            rep_call_count_max: or(self.rep_calls_max, usual.rep_call_count_max),
            rep_wait_count_max: or(self.rep_waits_max, usual.rep_wait_count_max),
            token_call_count_max: or(self.token_calls_max, usual.token_call_count_max),
            token_wait_count_max: or(self.token_waits_max, usual.token_wait_count_max),
            deadlines: Deadlines { age_max, ..usual.deadlines },
            ..usual
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        limits: LimitArgs,
    }

    fn read(words: &[&str]) -> Option<Limits> {
        let words = [&["serve"], words].concat();
        Line::try_parse_from(words).ok().map(|line| line.limits.limits())
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        assert_eq!(read(&[]), Some(Limits::default()));
        assert_eq!(read(&["--calls-max", "0"]), None);
        let some = read(&["--calls-max", "100", "--connection-minutes-max", "30"]).unwrap();
        assert_eq!((some.call_count_max, some.call_count_reserved), (100, 25));
        assert_eq!(some.deadlines.age_max, Some(Duration::from_secs(1_800)));
        assert_eq!(some.wait_count_max, Limits::default().wait_count_max);
    }

    #[test]
    fn the_help_names_the_usual_limits() {
        let usual = Limits::default();
        let counts = [
            ("connections_max", usual.connection_count_max),
            ("address_connections_max", usual.address_connection_count_max),
            ("calls_max", usual.call_count_max),
            ("waits_max", usual.wait_count_max),
            ("rep_calls_max", usual.rep_call_count_max),
            ("rep_waits_max", usual.rep_wait_count_max),
            ("token_calls_max", usual.token_call_count_max),
            ("token_waits_max", usual.token_wait_count_max),
        ];
        let line = Line::command();
        for (id, count) in counts {
            let argument = line.get_arguments().find(|one| one.get_id() == id).unwrap();
            let help = argument.get_help().unwrap().to_string();
            assert!(help.ends_with(&format!("[default: {count}]")), "{id}: {help}");
        }
    }
}
