//! How far a run is: a line on a terminal, a line a step elsewhere, and a JSON document a line for
//! programs; all on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::Output;

const STEP: &str = "{msg} {elapsed}";
const COUNTED: &str = "{msg:24} {wide_bar} {human_pos}/{human_len} {elapsed}";

/// The progress of a run.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Whether a program reads it.
    is_json: bool,
}

impl Progress {
    /// Nothing is done yet.
    pub(super) fn new(output: Output) -> Self {
        let bar = ProgressBar::with_draw_target(None, output.progress_target());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, is_json: output.is_json }
    }

    /// A step begins whose end nobody can tell.
    pub(super) fn begin(&self, what: &'static str) {
        self.show(what, STEP);
    }

    /// A step begins that has so many parts.
    pub(super) fn begin_count(&self, what: &'static str, count: u64) {
        self.bar.set_length(count);
        self.show(what, COUNTED);
    }

    fn show(&self, what: &'static str, template: &str) {
        if self.is_json {
            eprintln!("{}", serde_json::json!({"progress": what}));
        } else if self.bar.is_hidden() {
            eprintln!("{what}");
        }
        self.bar.set_style(ProgressStyle::with_template(template).expect("it is constant"));
        self.bar.reset();
        self.bar.set_message(what);
    }

    /// So many more parts are done.
    pub(super) fn more(&self, count: u64) {
        self.bar.inc(count);
    }

    /// The run is done.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
