//! What is counted and measured, in the words of Prometheus.
//!
//! Each part of the house keeps its own handles and counts with them: one atomic addition, no name
//! and no label is looked up where calls pass. The node puts all of them into one [`Registry`], and
//! what is a state (how many leads are ready, say) is read when somebody asks for it.
//!
//! Labels are closed lists of words and the ids of queues; never a caller, a rep or a lead.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::registry::{Registry, Unit};

/// What the name of every metric begins with.
const PREFIX: &str = "nextlead";
/// The content type of [`text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A gauge of seconds or another number that is no whole one.
pub type FractionGauge = Gauge<f64, AtomicU64>;
/// Labels with their values.
pub type Labels = Vec<(&'static str, String)>;
/// Gauges by labels, for states that are read when somebody asks for them.
pub type Gauges = Family<Labels, Gauge>;

/// Up to how many seconds the buckets of a latency go: a microsecond to ten seconds, in steps of
/// about two.
const LATENCY_BUCKETS: [f64; 22] = [
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1,
    0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];
/// Up to how many the buckets of a size go.
const SIZE_BUCKETS: [f64; 15] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0, 8_192.0,
    20_000.0,
];

/// A registry with nothing in it; what is registered gets the product's name in front.
pub fn registry() -> Registry {
    Registry::with_prefix(PREFIX)
}

/// Everything in a registry as text (OpenMetrics), of type [`CONTENT_TYPE`].
pub fn text(registry: &Registry) -> String {
    let mut text = String::with_capacity(32 * 1_024);
    encode(&mut text, registry).expect("a text takes whatever is written into it");
    text
}

/// How long things took. Clones share everything.
#[derive(Clone, Debug)]
pub struct Latency(Histogram);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new(LATENCY_BUCKETS))
    }
}

impl Latency {
    /// Notes one that took so long.
    pub fn observe(&self, took: Duration) {
        self.0.observe(took.as_secs_f64());
    }

    /// Registers it; `_seconds` is added to the name.
    pub fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register_with_unit(name, help, Unit::Seconds, self.0.clone());
    }
}

/// Latencies by one label, whose handles are asked for once.
#[derive(Clone, Debug)]
pub struct Latencies(Family<Labels, Histogram, fn() -> Histogram>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS)))
    }
}

impl Latencies {
    /// The latency with this label.
    pub fn of(&self, label: &'static str, value: &str) -> Latency {
        Latency(self.0.get_or_create_owned(&vec![(label, value.to_owned())]))
    }

    /// Registers them; `_seconds` is added to the name.
    pub fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register_with_unit(name, help, Unit::Seconds, self.0.clone());
    }
}

/// How large things were. Clones share everything.
#[derive(Clone, Debug)]
pub struct Size(Histogram);

impl Default for Size {
    fn default() -> Self {
        Self(Histogram::new(SIZE_BUCKETS))
    }
}

impl Size {
    /// Notes one of so many.
    pub fn observe(&self, count: usize) {
        self.0.observe(count as f64);
    }

    /// Registers it.
    pub fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.0.clone());
    }
}

/// Counters by one label whose values are a closed list: each has its place in it, and is there from
/// the start, at 0. Clones share everything.
#[derive(Clone, Debug)]
pub struct Tally {
    family: Family<Labels, Counter>,
    counters: Arc<[Counter]>,
}

impl Tally {
    /// Counters of these values, in their order.
    pub fn new(label: &'static str, values: impl IntoIterator<Item = &'static str>) -> Self {
        let family = Family::<Labels, Counter>::default();
        let counters = values.into_iter().map(|value| {
            let labels = vec![(label, value.to_owned())];
            family.get_or_create_owned(&labels)
        });
        Self { counters: counters.collect(), family }
    }

    /// Adds to the counter at a place of the list.
    pub fn add(&self, place: usize, count: u64) {
        if count > 0 {
            self.counters[place].inc_by(count);
        }
    }

    /// Registers them; `_total` is added to the name.
    pub fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.family.clone());
    }
}

/// Counts itself in a gauge for as long as it lives.
#[derive(Debug)]
pub struct Present(Gauge);

impl Present {
    /// One more in the gauge.
    pub fn in_gauge(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stands_in_the_text_with_name_unit_and_label() {
        let mut registry = registry();
        let (latency, tally, size) =
            (Latency::default(), Tally::new("kind", ["good", "bad"]), Size::default());
        latency.register(&mut registry, "pull_duration", "How long.");
        tally.register(&mut registry, "pulls", "How many.");
        size.register(&mut registry, "batch_changes", "How large.");
        latency.observe(Duration::from_micros(15));
        tally.add(1, 2);
        size.observe(3);
        let text = text(&registry);
        for line in [
            "# UNIT nextlead_pull_duration_seconds seconds",
            "nextlead_pull_duration_seconds_bucket{le=\"0.00002\"} 1",
            "nextlead_pull_duration_seconds_bucket{le=\"0.00001\"} 0",
            "nextlead_pulls_total{kind=\"bad\"} 2",
            "nextlead_pulls_total{kind=\"good\"} 0",
            "nextlead_batch_changes_bucket{le=\"4.0\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn who_is_present_counts_until_they_leave() {
        let gauge = Gauge::default();
        let present = Present::in_gauge(&gauge);
        assert_eq!(gauge.get(), 1);
        drop(present);
        assert_eq!(gauge.get(), 0);
    }
}
