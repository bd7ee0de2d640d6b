//! What a process tells about itself while it runs: log lines on standard error, and traces if somebody
//! collects them.
//!
//! What is private never comes this far: our own lines name methods, codes and numbers of leads, never
//! people. The libraries below us do print headers and frames when asked for everything, so whatever
//! the filter says, they may tell no more than `info`. And a panic is told of by its place alone: its
//! text may hold the very row that it stumbled over.

mod exporter;
mod traces;

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::str::FromStr;

use anyhow::Context as _;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

pub use exporter::TraceMetrics;
pub use traces::Endpoint;

/// The filter unless told otherwise.
pub const FILTER_DEFAULT: &str = "info";
/// What the targets of our own lines begin with.
const OURS: &str = env!("CARGO_PKG_NAME");

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected text or json"),
        }
    }
}

/// What is told, how and where to.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How log lines look.
    pub format: LogFormat,
    /// What is logged: `info`, `debug`, `nextlead::store=trace,info`. `None`: [`FILTER_DEFAULT`].
    pub filter: Option<String>,
    /// Who collects traces; `None`: nobody.
    pub traces: Option<Endpoint>,
}

/// Ends what [`start`] began: what is still to be exported gets a short while when this is dropped.
#[derive(Default)]
pub struct Guard {
    traces: Option<traces::Traces>,
}

impl Guard {
    /// What is counted of traces, if somebody collects them.
    pub fn trace_metrics(&self) -> Option<TraceMetrics> {
        self.traces.as_ref().map(traces::Traces::metrics)
    }
}

/// Begins to tell: log lines to standard error, traces to who collects them.
///
/// Fails if the filter makes no sense, or traces cannot be set up; whether anybody listens at the
/// endpoint is not asked. A second start in one process keeps the first.
pub fn start(options: &Options) -> anyhow::Result<Guard> {
    start_to(options, std::io::stderr)
}

/// Begins to tell, with log lines to whatever `writer` gives: so a test can read them.
pub fn start_to<W>(options: &Options, writer: W) -> anyhow::Result<Guard>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = options.filter.as_deref().unwrap_or(FILTER_DEFAULT);
    let filter = EnvFilter::try_new(filter).context("could not read the log filter")?;
    let lines = lines(options.format, writer).with_filter(filter.and(filter_fn(may_be_told)));
    let traces = options.traces.as_ref().map(traces::Traces::start).transpose()?;
    let spans = traces.as_ref().map(|traces| {
        tracing_opentelemetry::layer()
            .with_tracer(traces.tracer())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(traced())
    });
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> =
        std::iter::once(lines.boxed()).chain(spans.map(Layer::boxed)).collect();
    if tracing_subscriber::registry().with(layers).try_init().is_ok() {
        std::panic::set_hook(Box::new(tell_of_panic));
    }
    Ok(Guard { traces })
}

fn lines<W>(format: LogFormat, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        // To say that standard error cannot be written to it would write there, and panic: a log on a
        // full disk must not end the node.
        .log_internal_errors(false);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        // In a file or a journal, colours are only noise.
        LogFormat::Text => lines.with_ansi(is_coloured()).boxed(),
    }
}

fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata
        .target()
        .strip_prefix(OURS)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Whether a line may be told at all, whatever the filter says.
fn may_be_told(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || is_ours(metadata)
}

/// What is traced: our own spans, and within them what went wrong.
fn traced() -> FilterFn {
    let is_traced = |metadata: &Metadata<'_>| {
        let is_told = metadata.is_span() || *metadata.level() <= Level::WARN;
        is_told && *metadata.level() <= Level::DEBUG && is_ours(metadata)
    };
    filter_fn(is_traced as fn(&Metadata<'_>) -> bool).with_max_level_hint(Level::DEBUG)
}

/// Tells where a thread panicked, and what it said only if that is a text of the program itself.
fn tell_of_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or_default();
    let said = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or_default();
    tracing::error!(place, thread, said, "a thread panicked at {place}");
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Page {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn libraries_tell_no_more_than_info_whatever_the_filter_says() {
        let page = Page::default();
        let lines = tracing_subscriber::fmt::layer().with_writer(page.clone());
        let filter = EnvFilter::try_new("trace,h2=trace").unwrap();
        let lines = lines.with_filter(filter.and(filter_fn(may_be_told)));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::debug!(target: "h2::codec", "received a header");
            tracing::trace!(target: "nextleadish", "another crate");
            tracing::info!(target: "h2::server", "a word of a library");
            tracing::trace!("our own word");
            tracing::trace!(target: "nextlead", "our own name");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        for told in ["a word of a library", "our own word", "our own name"] {
            assert!(text.contains(told), "{told} is not in {text}");
        }
        for hidden in ["header", "another crate"] {
            assert!(!text.contains(hidden), "{hidden} is in {text}");
        }
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_refused() {
        let options = Options { filter: Some("store=loud".into()), ..Options::default() };
        assert!(start(&options).is_err());
        assert!("yaml".parse::<LogFormat>().is_err());
        assert_eq!("json".parse(), Ok(LogFormat::Json));
    }
}
