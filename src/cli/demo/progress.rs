//! How far the demo is: a bar on a terminal, a line a month elsewhere; both on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{msg:36} {wide_bar} {human_pos}/{human_len} calls {elapsed}";

/// The progress of a run.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Nothing of `call_count` calls is made yet.
    pub(super) fn start(call_count: usize) -> Self {
        let length = u64::try_from(call_count).ok();
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template(TEMPLATE).expect("the template is constant"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// A month begins.
    pub(super) fn begin(&self, month: &str, order: &str) {
        let what = format!("{month} {order}");
        if self.0.is_hidden() {
            eprintln!("{what}");
        }
        self.0.set_message(what);
    }

    /// Calls were made.
    pub(super) fn made(&self, call_count: usize) {
        self.0.inc(u64::try_from(call_count).unwrap_or(u64::MAX));
    }

    /// The demo is done.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
