//! A terminal that is drawn on, and given back as it was on every way out: the end, an error, a panic,
//! a signal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Once;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{execute, queue};

/// The terminal, while it is ours.
pub(super) struct Screen {
    is_colored: bool,
    shown: Vec<String>,
    size: (usize, usize),
}

impl Screen {
    /// Whether a rep sits in front of one that can be drawn on.
    pub(super) fn is_there() -> bool {
        let is_dumb = std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !is_dumb
    }

    /// Takes the terminal.
    pub(super) fn take() -> anyhow::Result<Self> {
        static HOOK: Once = Once::new();
        // A panic's message is written before anything is dropped, and must be readable.
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        enable_raw_mode()?;
        let choice = AutoStream::choice(&std::io::stdout());
        let screen = Self {
            is_colored: choice != ColorChoice::Never,
            shown: Vec::new(),
            size: Self::size(),
        };
        execute!(std::io::stdout(), EnterAlternateScreen, DisableLineWrap, Hide)?;
        Ok(screen)
    }

    /// How many columns and lines it has.
    pub(super) fn size() -> (usize, usize) {
        let (columns, lines) = size().unwrap_or((80, 24));
        (usize::from(columns).max(20), usize::from(lines).max(8))
    }

    /// Shows these lines and nothing else; what does not fit is cut.
    pub(super) fn show(&mut self, lines: Vec<String>) -> anyhow::Result<()> {
        if lines == self.shown {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        queue!(out, BeginSynchronizedUpdate)?;
        let (_, height) = Self::size();
        for (row, line) in (0..).zip(lines.iter().take(height)) {
            queue!(out, MoveTo(0, row))?;
            if self.is_colored {
                write!(out, "{line}")?;
            } else {
                write!(out, "{}", strip_str(line))?;
            }
            queue!(out, Clear(ClearType::UntilNewLine))?;
        }
        if lines.len() < height {
            write!(out, "\r\n")?;
            queue!(out, Clear(ClearType::FromCursorDown))?;
        }
        queue!(out, EndSynchronizedUpdate)?;
        out.flush()?;
        self.shown = lines;
        Ok(())
    }

    /// Draws everything anew next time if the terminal has another size by now.
    pub(super) fn follow_size(&mut self) {
        let size = Self::size();
        if size != self.size {
            self.size = size;
            self.shown.clear();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // On the way out there is nobody to tell what failed.
    let _ = execute!(std::io::stdout(), EnableLineWrap, Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}
