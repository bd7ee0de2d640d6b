//! How far the demo is: a bar on a terminal, a line a month elsewhere, and a JSON
//! document a line for programs; all on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::Output;

const TEMPLATE: &str = "{msg:36} {wide_bar} {human_pos}/{human_len} calls {elapsed}";

/// The progress of a run.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Whether a program reads it.
    is_json: bool,
}

impl Progress {
    /// Nothing of `call_count` calls is made yet.
    pub(super) fn start(call_count: usize, output: Output) -> Self {
        let length = u64::try_from(call_count).ok();
        let bar = ProgressBar::with_draw_target(length, output.progress_target());
        bar.set_style(ProgressStyle::with_template(TEMPLATE).expect("the template is constant"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, is_json: output.is_json }
    }

    /// A month begins.
    pub(super) fn begin(&self, month: &str, order: &str) {
        let what = format!("{month} {order}");
        if self.is_json {
            eprintln!("{}", serde_json::json!({"progress": what}));
        } else if self.bar.is_hidden() {
            eprintln!("{what}");
        }
        self.bar.set_message(what);
    }

    /// Calls were made.
    pub(super) fn made(&self, call_count: usize) {
        self.bar.inc(u64::try_from(call_count).unwrap_or(u64::MAX));
    }

    /// The demo is done.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
