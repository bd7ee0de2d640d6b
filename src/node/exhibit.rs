//! Everything that is counted and measured, put together for whoever asks at `/metrics`.
//!
//! What is counted is in the handles of each part. What is a state is read when somebody asks: the
//! books of each queue, its index, the disk, the process. The books are read at most every other
//! second, however many ask, and never waited for long: what could not be read shows as it was last
//! seen, with when that was.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::info::Info;

use crate::api::CallMetrics;
use crate::api::front::Tally;
use crate::auth::JwtVerifier;
use crate::clock::{Clock, Stopwatch};
use crate::coverage::Coverage;
use crate::dialer::{Dialer, Unroutable};
use crate::domain::{QueueKey, Route};
use crate::health::Health;
use crate::metrics::{self, FractionGauge, Gauge, Gauges, Registry};
use crate::queue::RedisMeasures;
use crate::store::{Book, BookFilter, Store, StoreMetrics, UncontactedPage};
use crate::telemetry::TraceMetrics;

use super::front::FrontMetrics;
use super::process;

/// How long a scrape waits for the books.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// The parts of a node that is up.
pub(super) struct Parts {
    pub(super) store: Arc<dyn Store>,
    pub(super) store_metrics: StoreMetrics,
    pub(super) dialer: Dialer,
    pub(super) coverage: Coverage,
    pub(super) tally: Arc<Tally>,
    pub(super) jwt: Option<Arc<JwtVerifier>>,
    pub(super) redis: Option<RedisMeasures>,
    pub(super) disk_reserve_bytes: u64,
    pub(super) clock: Arc<dyn Clock>,
}

/// Everything that is counted and measured.
pub(super) struct Exhibit {
    registry: Mutex<Registry>,
    states: States,
    health: Health,
    /// The store's file, if it is one.
    file: Option<PathBuf>,
    started: Stopwatch,
    parts: OnceLock<Parts>,
    /// When the books were last read; held while somebody reads them.
    read: tokio::sync::Mutex<Option<Stopwatch>>,
    fresh_for: Duration,
}

impl Exhibit {
    /// What there is to show before anything is open. Books that were read stay fresh for a while.
    pub(super) fn new(file: Option<PathBuf>, health: Health, fresh_for: Duration) -> Self {
        let mut registry = metrics::registry();
        let states = States::default();
        states.register(&mut registry);
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "What runs", Info::new(version));
        Self {
            registry: Mutex::new(registry),
            states,
            health,
            file,
            started: Stopwatch::start(),
            parts: OnceLock::new(),
            read: tokio::sync::Mutex::default(),
            fresh_for,
        }
    }

    /// Adds the parts, once they are up.
    pub(super) fn add(&self, parts: Parts, calls: &CallMetrics, traces: Option<&TraceMetrics>) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        parts.store_metrics.register(&mut registry);
        parts.dialer.metrics().register(&mut registry);
        parts.coverage.metrics().register(&mut registry);
        calls.register(&mut registry);
        if let Some(redis) = &parts.redis {
            redis.register(&mut registry);
        }
        registry.register_collector(Box::new(FrontMetrics(parts.tally.clone())));
        if let Some(traces) = traces {
            traces.register(&mut registry);
        }
        drop(registry);
        assert!(self.parts.set(parts).is_ok(), "the parts come up once");
    }

    /// Everything as text.
    pub(super) async fn text(self: Arc<Self>) -> String {
        if let Some(parts) = self.parts.get() {
            self.read_books(parts).await;
        }
        // Files are looked at and a long text is written: not on the network's thread.
        let written = tokio::task::spawn_blocking(move || {
            self.read_machine();
            metrics::text(&self.registry.lock().unwrap_or_else(PoisonError::into_inner))
        });
        written.await.unwrap_or_default()
    }

    async fn read_books(&self, parts: &Parts) {
        let mut read = self.read.lock().await;
        if read.is_some_and(|read| read.elapsed() < self.fresh_for) {
            return;
        }
        let reading = tokio::time::timeout(READ_WITHIN, self.states.read(parts)).await;
        if reading.is_ok_and(|read| read.is_some()) {
            *read = Some(Stopwatch::start());
        }
    }

    fn read_machine(&self) {
        let states = &self.states;
        states.uptime.set(self.started.elapsed().as_secs_f64());
        states.ready.set(i64::from(self.health.is_ready()));
        for part in self.health.parts() {
            let labels = vec![("part", part.name.to_owned())];
            let is_up = i64::from(part.problem.is_none());
            states.up.get_or_create_owned(&labels).set(is_up);
        }
        if let Some(file) = &self.file {
            for (name, ending) in [("database", ""), ("log", "-wal")] {
                let path = format!("{}{ending}", file.display());
                let length = std::fs::metadata(path).map_or(0, |file| file.len());
                set(&states.store_bytes, &[("file", name)], length);
            }
        }
        let numbers = [
            (&states.disk_free, self.file.as_deref().and_then(process::disk_free_bytes)),
            (&states.resident, process::resident_bytes()),
            (&states.open_files, process::open_file_count()),
        ];
        for (gauge, number) in numbers {
            if let Some(number) = number {
                gauge.set(whole(number));
            }
        }
    }
}

/// States, as they were last read.
#[derive(Default)]
struct States {
    handed_over: Gauges,
    standings: Gauges,
    overdue: Gauges,
    unroutable: Gauges,
    index: Gauges,
    oldest_untouched: FractionGauge,
    books_imbalance: Gauge,
    books_read_at: FractionGauge,
    up: Gauges,
    ready: Gauge,
    store_bytes: Gauges,
    disk_free: Gauge,
    resident: Gauge,
    open_files: Gauge,
    uptime: FractionGauge,
}

impl States {
    fn register(&self, registry: &mut Registry) {
        let by_label: [(&str, &str, &Gauges); 7] = [
            ("handed_over", "Handovers in the books, by queue", &self.handed_over),
            (
                "standings",
                "Handovers by queue and by where the leads stand that they opened; closed ones by route",
                &self.standings,
            ),
            (
                "overdue_leads",
                "Open untouched leads whose first-touch deadline has passed, by queue",
                &self.overdue,
            ),
            (
                "unroutable_leads",
                "Ready leads that nobody may take, by queue and the first reason that is true of them: \
no_hours (no time zone or no number is left), never_open (the law and the queue's hours do not meet), no_rep \
(no active rep of the queue has the skills)",
                &self.unroutable,
            ),
            (
                "index_leads",
                "Leads in the index, by queue and state: ready ones are those that somebody may take",
                &self.index,
            ),
            ("up", "Whether a part of the node is up", &self.up),
            ("store_bytes", "Size of the store's files", &self.store_bytes),
        ];
        for (name, help, gauges) in by_label {
            registry.register(name, help, gauges.clone());
        }
        let single: [(&str, &str, &Gauge); 5] = [
            ("ready", "Whether every part of the node is up", &self.ready),
            (
                "books_imbalance",
                "Handed over and transferred in, less transferred out and where they all are, over all \
books, when they were last read",
                &self.books_imbalance,
            ),
            ("disk_free_bytes", "Free on the disk of the store", &self.disk_free),
            ("process_resident_memory_bytes", "Memory of the process", &self.resident),
            ("process_open_fds", "Open files and connections of the process", &self.open_files),
        ];
        for (name, help, gauge) in single {
            registry.register(name, help, gauge.clone());
        }
        let fractions: [(&str, &str, &FractionGauge); 3] = [
            (
                "oldest_untouched_age_seconds",
                "Since when the open untouched lead that is most due was handed over; 0: there is none",
                &self.oldest_untouched,
            ),
            ("books_read_timestamp_seconds", "When the books were last read", &self.books_read_at),
            ("uptime_seconds", "How long the node has been running", &self.uptime),
        ];
        for (name, help, gauge) in fractions {
            registry.register(name, help, gauge.clone());
        }
    }

    /// Reads books and index. `None`: they could not be read.
    async fn read(&self, parts: &Parts) -> Option<()> {
        let now = parts.clock.now();
        // Without an index the books are shown all the same, and nothing old of the index is.
        let censuses = parts.dialer.census().await.unwrap_or_else(|_| {
            self.index.clear();
            self.unroutable.clear();
            Vec::new()
        });
        let books = parts.store.books(&BookFilter::default(), now).await.ok()?;
        let page = UncontactedPage { limit: 1, ..UncontactedPage::default() };
        let untouched = parts.store.uncontacted(&page).await.ok()?;
        for queue in parts.dialer.queue_keys() {
            self.show_books(queue.0.as_str(), queue.1, &books);
        }
        for census in &censuses {
            let queue = census.queue.as_str();
            for (state, count) in [
                ("ready", census.servable),
                ("unroutable", census.unroutable.iter().sum()),
                ("paused", census.paused),
                ("waiting", census.waiting),
                ("in_flight", census.in_flight),
            ] {
                set(&self.index, &[("queue", queue), ("state", state)], count);
            }
            for (why, count) in Unroutable::ALL.iter().zip(census.unroutable) {
                set(&self.unroutable, &[("queue", queue), ("why", why.code())], count);
            }
        }
        let imbalance: i64 = books.iter().map(|book| book.imbalance().abs()).sum();
        self.books_imbalance.set(imbalance);
        let age_ms = untouched.first().map_or(0, |lead| now - lead.state.handed_over_at);
        self.oldest_untouched.set(seconds(age_ms.max(0)));
        self.books_read_at.set(seconds(now));
        Some(())
    }

    fn show_books(&self, queue: &str, key: QueueKey, books: &[Book]) {
        let of_queue = || books.iter().filter(|book| book.queue == key);
        let sum = |count: fn(&Book) -> i64| of_queue().map(count).sum::<i64>();
        set(&self.handed_over, &[("queue", queue)], sum(|book| book.handed_over));
        set(&self.overdue, &[("queue", queue)], sum(|book| book.overdue));
        for (standing, count) in [
            ("ready", sum(|book| book.ready)),
            ("waiting", sum(|book| book.waiting)),
            ("leased", sum(|book| book.leased)),
            ("merged", sum(|book| book.merged)),
            ("erased", sum(|book| book.erased)),
        ] {
            set(&self.standings, &[("queue", queue), ("standing", standing)], count);
        }
        for (place, route) in Route::CODES.iter().enumerate() {
            let count: i64 = of_queue().map(|book| book.closed[place]).sum();
            let labels = [("queue", queue), ("standing", "closed"), ("route", *route)];
            set(&self.standings, &labels, count);
        }
    }
}

fn set<T: TryInto<i64>>(gauges: &Gauges, labels: &[(&'static str, &str)], count: T) {
    let labels = labels.iter().map(|(label, value)| (*label, (*value).to_owned())).collect();
    gauges.get_or_create_owned(&labels).set(whole(count));
}

/// A count as gauges have them.
fn whole<T: TryInto<i64>>(count: T) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
