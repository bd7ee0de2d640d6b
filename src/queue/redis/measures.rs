//! How the engine fares: what went wrong, whether Redis is out of reach, and how long scripts take.

use crate::clock::Stopwatch;
use crate::metrics::{Counter, Gauge, Latencies, Registry};

/// What a Redis index counts of itself. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct RedisMeasures {
    scripts: Latencies,
    failures: Counter,
    pub(super) nonsense: Counter,
    pub(super) losses: Counter,
    pub(super) is_open: Gauge,
    pub(super) evicts: Gauge,
}

impl RedisMeasures {
    /// Puts everything into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long a script of the index took, there and back, by its name";
        self.scripts.register(registry, "redis_script_duration", help);
        let help = "Calls of the index that Redis did not answer, or answered with an error";
        registry.register("redis_failures", help, self.failures.clone());
        let help = "Answers of Redis that made no sense";
        registry.register("redis_nonsense", help, self.nonsense.clone());
        let help = "Indexes that were dropped as Redis had lost part of them";
        registry.register("redis_index_losses", help, self.losses.clone());
        let help =
            "1 if Redis may take keys of the index away: its maxmemory-policy is not noeviction";
        registry.register("redis_may_evict", help, self.evicts.clone());
        let help =
            "1 while Redis, or a part of a cluster, is out of reach and calls fail without asking";
        registry.register("redis_out_of_reach", help, self.is_open.clone());
    }

    /// How many calls failed.
    pub fn failure_count(&self) -> u64 {
        self.failures.get()
    }

    /// How many answers made no sense.
    pub fn nonsense_count(&self) -> u64 {
        self.nonsense.get()
    }

    /// How many indexes were dropped as Redis had lost part of them.
    pub fn loss_count(&self) -> u64 {
        self.losses.get()
    }

    /// Whether Redis may take keys of the index away when its memory is full.
    pub fn may_evict(&self) -> bool {
        self.evicts.get() != 0
    }

    /// Whether calls fail without asking Redis, as it, or part of a cluster, is out of reach.
    pub fn is_out_of_reach(&self) -> bool {
        self.is_open.get() != 0
    }

    /// Begins to time a script.
    pub(super) fn watch(&self, script: &'static str) -> Watch<'_> {
        Watch { measures: self, script, watch: Stopwatch::start() }
    }
}

/// A script that runs.
pub(super) struct Watch<'m> {
    measures: &'m RedisMeasures,
    script: &'static str,
    watch: Stopwatch,
}

impl Watch<'_> {
    pub(super) fn end(self, is_answered: bool) {
        let name = self.script.trim_end_matches(".lua");
        self.measures.scripts.of("script", name).observe(self.watch.elapsed());
        if !is_answered {
            self.measures.failures.inc();
        }
    }
}
