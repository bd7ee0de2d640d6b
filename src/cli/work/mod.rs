//! `work`: a small interactive rep. It pulls, shows the lead and why it comes, keeps its lease while it
//! is on the screen, takes one key a disposition, and has the next lead there at once.
//!
//! What a key does is decided in [`desk`], which is pure; this drives it: keys, answers and the clock in,
//! calls and pictures out.

mod calls;
mod desk;
mod input;
mod keys;
mod lead;
mod lines;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use calls::Calls;
use desk::{Desk, Effect, Event, Told};
use terminal::Screen;

use super::exit::Exit;
use super::output::Output;
use super::touch::{again_line, random_id};
use crate::api::client::Client;
use crate::clock::{Clock as _, SystemClock};

/// How often the clock on the screen moves.
const TICK: Duration = Duration::from_millis(250);

/// Work as a rep: leads come one after the other, one key ends each
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal each key works by itself. Elsewhere keys come as lines: one key or the code of a
disposition a line, the text of a note or a time as a line of its own; at the end of the input the
lead is given back. With --json each event is one JSON document a line.

A touch lasts from when the lead came until the key. If the connection is lost, the touch is sent
again with the same id until the node has it. Who quits may keep the lead: it comes first the next
time, until its lease is over.

Examples:
  nextlead work --rep ann
  nextlead work --rep ann --json < keys.txt")]
pub(super) struct WorkArgs {
    /// Who works; a rep's own token says so itself
    #[arg(long, value_name = "REP")]
    rep: Option<String>,
}

/// How the work ended.
enum End {
    Quit,
    Failed(tonic::Status),
    /// A signal told the process to stop.
    Stopped,
}

pub(super) async fn run(
    args: WorkArgs,
    node: Client,
    url: String,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let clock = SystemClock::start(0);
    let is_screen = !output.is_json && Screen::is_there();
    // The system either has random bits or has none, and says so here.
    random_id()?;
    let new_id = || random_id().expect("the system had random bits before");
    let (sender, answers) = mpsc::unbounded_channel();
    let rep = args.rep.unwrap_or_default();
    let calls = Calls::new(node, rep.clone(), sender);
    let (desk, effects) = Desk::open(rep, is_screen, clock.now(), Box::new(new_id));
    let screen = if is_screen { Some(Screen::take()?) } else { None };
    let mut work = Work { desk, calls, screen, output, url, clock };
    let end = work.until_end(effects, answers).await?;
    // What follows belongs on the terminal as it was before.
    work.screen = None;
    work.finish(end)
}

struct Work {
    desk: Desk,
    calls: Calls,
    screen: Option<Screen>,
    output: Output,
    url: String,
    clock: SystemClock,
}

impl Work {
    async fn until_end(
        &mut self,
        mut effects: Vec<Effect>,
        mut answers: mpsc::UnboundedReceiver<Event>,
    ) -> anyhow::Result<End> {
        let mut keys = input::read(self.screen.is_some());
        let mut has_keys = true;
        let mut tick = tokio::time::interval(TICK);
        let stopped = stopped();
        tokio::pin!(stopped);
        loop {
            for effect in effects {
                match effect {
                    Effect::Quit => return Ok(End::Quit),
                    Effect::Fail(status) => return Ok(End::Failed(status)),
                    Effect::Tell(told) => self.tell(&told)?,
                    call => self.calls.make(call),
                }
            }
            self.draw()?;
            let takes_keys = has_keys && (self.screen.is_some() || self.desk.takes_lines());
            let event = tokio::select! {
                biased;
                () = &mut stopped => return Ok(End::Stopped),
                Some(event) = answers.recv() => event,
                key = keys.recv(), if takes_keys => key.unwrap_or_else(|| {
                    has_keys = false;
                    Event::End
                }),
                _ = tick.tick() => Event::Tick,
            };
            if let (Event::Tick, Some(screen)) = (&event, &mut self.screen) {
                screen.follow_size();
            }
            effects = self.desk.on(event, self.clock.now());
        }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let Some(screen) = &mut self.screen else { return Ok(()) };
        let (width, height) = Screen::size();
        screen.show(view::frame(&self.desk, self.clock.now(), width, height))
    }

    fn tell(&self, told: &Told) -> anyhow::Result<()> {
        if self.screen.is_some() {
            return Ok(());
        }
        lines::tell(told, self.output, &self.url, self.clock.now())
    }

    /// Says what is left open.
    fn finish(&self, end: End) -> anyhow::Result<ExitCode> {
        let note = match self.desk.unsent() {
            Some(request) => Some(format!(
                "whether the last touch was recorded is unknown; to make sure, run {}",
                again_line(request)
            )),
            None if matches!(end, End::Stopped) && self.desk.lead.is_some() => {
                Some("the lead stays yours until its lease is over".to_owned())
            }
            None => None,
        };
        match note {
            Some(note) if self.output.is_json => eprintln!("{}", json!({"note": note})),
            Some(note) => eprintln!("note: {note}"),
            None => {}
        }
        match end {
            End::Quit => Ok(ExitCode::SUCCESS),
            End::Failed(status) => Err(status.into()),
            End::Stopped => Ok(Exit::Failed.into()),
        }
    }
}

/// Ends when the process is told to stop, or its terminal is closed.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
        let [Ok(mut terminate), Ok(mut hangup), Ok(mut interrupt)] = kinds.map(signal) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}
