//! Named points of the program at which a test lets it die: before and after each commit, answer and
//! step of the index. Without debug assertions all of it is compiled to nothing.
//!
//! `NEXTLEAD_FAILPOINT=store.before-commit:17` kills the process, as a power cut would, when the point
//! is reached for the 17th time; `…:17:stop` stops it there, until somebody sends `SIGCONT`. What
//! stands before a name's first dot says which nodes have it: `sqlite`, `postgres` and `redis` those
//! that run on it, every other word all of them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// Every point that there is, in alphabetical order; `tests/tidy.rs` compares the list with the source.
pub const NAMES: &[&str] = &[
    "dialer.before-answer",
    "duty.after-take",
    "index.after-apply",
    "index.before-apply",
    "postgres.after-settle",
    "postgres.before-settle",
    "pull.after-lease",
    "pull.before-lease",
    "pull.before-put-back",
    "redis.after-script",
    "redis.before-script",
    "sqlite.after-checkpoint",
    "sqlite.before-checkpoint",
    "store.after-answer",
    "store.after-commit",
    "store.after-migration",
    "store.before-answer",
    "store.before-commit",
    "store.before-load",
    "store.before-migration",
    "store.before-write",
    "sweep.after-promote",
    "sweep.after-store",
];

/// The variable that arms one point of this process.
const VARIABLE: &str = "NEXTLEAD_FAILPOINT";

/// What happens at the armed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Kill,
    Stop,
}

/// The one point that is armed.
#[derive(Debug)]
struct Armed {
    name: &'static str,
    /// How often it is still to be reached until it goes off.
    left: AtomicU64,
    deed: Deed,
}

impl Armed {
    /// Reads `name:count` or `name:count:stop`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let named = parts.next()?;
        let name = NAMES.iter().find(|name| **name == named)?;
        let count: u64 = parts.next()?.parse().ok().filter(|count| *count > 0)?;
        let deed = match (parts.next(), parts.next()) {
            (None, None) => Deed::Kill,
            (Some("stop"), None) => Deed::Stop,
            _ => return None,
        };
        Some(Self { name, left: AtomicU64::new(count), deed })
    }

    /// What is to happen now that a point has been reached.
    fn reached(&self, name: &str) -> Option<Deed> {
        let is_due = self.name == name && self.left.fetch_sub(1, Ordering::SeqCst) == 1;
        is_due.then_some(self.deed)
    }
}

/// Says that a point has been reached. Does nothing unless the point is armed, and nothing at all in a
/// build without debug assertions. The name is one of [`NAMES`].
#[inline]
pub fn reach(name: &'static str) {
    if cfg!(debug_assertions)
        && let Some(armed) = armed()
        && let Some(deed) = armed.reached(name)
    {
        go_off(name, deed);
    }
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let read = || {
        let text = std::env::var(VARIABLE).ok()?;
        // A point that never goes off would let a test pass that tries nothing.
        Some(Armed::parse(&text).unwrap_or_else(|| panic!("{VARIABLE} names no point: {text:?}")))
    };
    ARMED.get_or_init(read).as_ref()
}

fn go_off(name: &str, deed: Deed) {
    let signal = match deed {
        Deed::Kill => Signal::KILL,
        Deed::Stop => Signal::STOP,
    };
    eprintln!("failpoint {name}: {deed:?}");
    kill_process(getpid(), signal).expect("a process may send itself a signal");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_armed_point_goes_off_once_when_it_was_reached_so_often() {
        let armed = Armed::parse("store.before-commit:3").unwrap();
        let other = "store.after-commit";
        let names = [other, armed.name, armed.name, other, armed.name, armed.name];
        let deeds: Vec<_> = names.iter().map(|name| armed.reached(name)).collect();
        assert_eq!(deeds, [None, None, None, None, Some(Deed::Kill), None]);
        let armed = Armed::parse("store.before-commit:1:stop").unwrap();
        assert_eq!(armed.reached("store.before-commit"), Some(Deed::Stop));
    }

    #[test]
    fn a_text_that_arms_nothing_is_refused() {
        let texts = [
            "",
            "store.before-commit",
            "nowhere:1",
            "store.before-commit:0",
            "store.before-commit:x",
        ];
        for text in texts.into_iter().chain(["store.before-commit:1:fly", "store.before-commit:1:"])
        {
            assert!(Armed::parse(text).is_none(), "{text}");
        }
    }
}
