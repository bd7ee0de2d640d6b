//! What of a node is up, and what is down: one board, on which each part has its line.
//!
//! The node looks after the parts and writes; whoever watches over the node reads: gRPC health,
//! `/ready`, and the metrics. A part that is down says since when and why, in words that may be shown
//! to anybody: no path, no id, nothing of a person.

use std::sync::Arc;

use tokio::sync::watch;

/// How one part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHealth {
    /// Which.
    pub name: &'static str,
    /// Why it is down; `None`: it is up.
    pub problem: Option<String>,
    /// Since when it has been so, in milliseconds UTC.
    pub since: i64,
}

/// Parts that a node can do without, all of whose nodes would else be out of service at once: without
/// a shared index pulls are told to come again, and all else goes on.
const SPARED: [&str; 1] = ["redis"];

impl PartHealth {
    fn is_well(&self) -> bool {
        self.problem.is_none() || SPARED.contains(&self.name)
    }
}

/// How every part is. Clones share everything.
#[derive(Clone, Debug)]
pub struct Health {
    parts: Arc<watch::Sender<Vec<PartHealth>>>,
}

impl Default for Health {
    fn default() -> Self {
        Self { parts: Arc::new(watch::Sender::new(Vec::new())) }
    }
}

impl Health {
    /// Notes that a part is up, or why it is down. What is as it was keeps its instant.
    pub fn set(&self, name: &'static str, problem: Option<&str>, now: i64) {
        self.parts.send_if_modified(|parts| {
            let part = PartHealth { name, problem: problem.map(ToOwned::to_owned), since: now };
            match parts.iter_mut().find(|known| known.name == name) {
                Some(known) if known.problem == part.problem => return false,
                Some(known) => *known = part,
                None => parts.push(part),
            }
            true
        });
    }

    /// How every part is, in the order in which they were first noted.
    pub fn parts(&self) -> Vec<PartHealth> {
        self.parts.borrow().clone()
    }

    /// Whether the node is ready: it has parts, and every one that it needs is up.
    pub fn is_ready(&self) -> bool {
        let parts = self.parts.borrow();
        !parts.is_empty() && parts.iter().all(PartHealth::is_well)
    }

    /// Whether every part is up but for one, which may be down.
    pub fn is_ready_but_for(&self, name: &str) -> bool {
        let parts = self.parts.borrow();
        !parts.is_empty() && parts.iter().all(|part| part.is_well() || part.name == name)
    }

    /// Is told of every change.
    pub fn watch(&self) -> watch::Receiver<Vec<PartHealth>> {
        self.parts.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_when_every_part_is_up() {
        let health = Health::default();
        assert!(!health.is_ready(), "nothing is known yet");
        health.set("store", None, 5);
        assert!(health.is_ready());
        health.set("disk", Some("it is full"), 7);
        assert!(!health.is_ready());
        assert!(health.is_ready_but_for("disk") && !health.is_ready_but_for("store"));
        health.set("disk", None, 9);
        health.set("redis", Some("it does not answer"), 9);
        assert!(health.is_ready());
    }

    #[test]
    fn what_stays_as_it_was_keeps_its_instant_and_wakes_nobody() {
        let health = Health::default();
        health.set("disk", Some("it is full"), 7);
        let watched = health.watch();
        health.set("disk", Some("it is full"), 9);
        assert_eq!(health.parts()[0].since, 7);
        assert!(!watched.has_changed().unwrap());
        health.set("disk", None, 11);
        assert!(watched.has_changed().unwrap());
        assert_eq!(health.parts()[0].since, 11);
    }
}
