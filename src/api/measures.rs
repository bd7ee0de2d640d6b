//! What the door counts: calls by method and code, how long they took, and rows of imports.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use tonic::Code;

use crate::auth::METHODS;
use crate::metrics::{Counter, Gauge, Labels, Latencies, Latency, Registry, Tally};

use super::calls::code_name;
use super::proto::ImportLeadsResponse;

/// Methods that may take their time: they wait for a lead, read everything, or stream.
const LONG: &[&str] = &[
    "RepService/NextLead",
    "IntakeService/ImportLeads",
    "RulesService/PublishRules",
    "CoverageService/AuditLedger",
    "AdminService/Backup",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];
/// How many codes gRPC has.
const CODE_COUNT: usize = 17;
/// What became of a row of an import.
const ROWS: [&str; 5] = ["opened", "updated", "unchanged", "merged", "rejected"];

/// A method, with its own handles.
pub(super) struct Method {
    /// `RepService/NextLead`; of other packages with the package.
    pub(super) name: &'static str,
    pub(super) may_take_long: bool,
    /// By code; made when a call first ends with it.
    codes: [OnceLock<Counter>; CODE_COUNT],
    latency: OnceLock<Latency>,
}

impl Method {
    fn new(path: &'static str) -> Arc<Self> {
        let name = path.strip_prefix("/nextlead.v1.").or_else(|| path.strip_prefix('/'));
        let name = name.unwrap_or(path);
        Arc::new(Self {
            name,
            may_take_long: LONG.contains(&name),
            codes: Default::default(),
            latency: OnceLock::new(),
        })
    }
}

/// What the door counts. Clones share everything.
#[derive(Clone)]
pub struct CallMetrics {
    methods: Arc<HashMap<&'static str, Arc<Method>>>,
    /// Stands for every path that is no method.
    other: Arc<Method>,
    calls: Family<Labels, Counter>,
    latencies: Latencies,
    pub(super) running: Gauge,
    pub(super) panics: Counter,
    rows: Tally,
}

impl Default for CallMetrics {
    fn default() -> Self {
        let open_to_all = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];
        let paths = METHODS.iter().map(|(path, _)| *path).chain(open_to_all);
        Self {
            methods: Arc::new(paths.map(|path| (path, Method::new(path))).collect()),
            other: Method::new("other"),
            calls: Family::default(),
            latencies: Latencies::default(),
            running: Gauge::default(),
            panics: Counter::default(),
            rows: Tally::new("outcome", ROWS),
        }
    }
}

impl CallMetrics {
    /// Puts everything into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Calls that ended, by method and gRPC code";
        registry.register("calls", help, self.calls.clone());
        let help = "How long calls took, from their headers to the end of their answer";
        self.latencies.register(registry, "call_duration", help);
        registry.register("calls_running", "Calls under way", self.running.clone());
        let help = "Handlers that panicked; their calls were answered INTERNAL";
        registry.register("panics", help, self.panics.clone());
        self.rows.register(registry, "import_rows", "Rows of imports that were answered");
    }

    /// The method of a path.
    pub(super) fn method(&self, path: &str) -> Arc<Method> {
        self.methods.get(path).unwrap_or(&self.other).clone()
    }

    /// Notes that a call ended.
    pub(super) fn ended(&self, method: &Method, code: Code, took: Duration) {
        let counter = method.codes[code as usize].get_or_init(|| {
            let labels =
                vec![("method", method.name.to_owned()), ("code", code_name(code).to_owned())];
            self.calls.get_or_create_owned(&labels)
        });
        counter.inc();
        let latency = method.latency.get_or_init(|| self.latencies.of("method", method.name));
        latency.observe(took);
    }

    /// Notes what became of the rows of a batch.
    pub(super) fn imported(&self, answer: &ImportLeadsResponse) {
        let counts = [
            answer.opened_count,
            answer.updated_count,
            answer.unchanged_count,
            answer.merged_count,
            answer.rejected_count,
        ];
        for (place, count) in counts.into_iter().enumerate() {
            self.rows.add(place, u64::try_from(count).unwrap_or(0));
        }
    }
}
