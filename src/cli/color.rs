//! Colours: whether there are any, and what they mean.
//!
//! Texts are always written with their colours; the streams drop them where nobody would see them: in
//! pipes and files, with `NO_COLOR`, on a dumb terminal, with `--color never`. So no command has to ask.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ColorWhen {
    /// On a terminal that can, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorWhen {
    /// Makes this hold for all that the process prints from now on.
    pub(super) fn hold(self) {
        let choice = match self {
            Self::Auto if is_dumb() => anstream::ColorChoice::Never,
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        // The tables' own colours ask NO_COLOR again.
        crossterm::style::force_color_output(true);
    }

    /// The same for the help and the messages of the argument parser.
    pub(super) fn of_parser(self) -> clap::ColorChoice {
        match self {
            Self::Auto if is_dumb() => clap::ColorChoice::Never,
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }
}

/// Whether the terminal cannot show colours and nobody forces them. The streams ask too, but overrule
/// the answer where the variable `CI` is set.
fn is_dumb() -> bool {
    let is_forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|force| force != "0");
    std::env::var_os("TERM").is_some_and(|kind| kind == "dumb") && !is_forced
}

/// What a colour says. Most text says nothing by its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// As it should be, or able to go on.
    Good,
    /// Somebody or something is waited for.
    Waiting,
    /// Somebody must act.
    Bad,
    /// Over, or there for completeness.
    Faint,
    /// A heading.
    Strong,
}

impl Tone {
    pub(super) fn style(self) -> Style {
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Good => color(AnsiColor::Green),
            Self::Waiting => color(AnsiColor::Yellow),
            Self::Bad => color(AnsiColor::Red).bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }

    /// A text in this tone.
    pub(super) fn paint(self, text: impl Display) -> String {
        if self == Self::Plain {
            return text.to_string();
        }
        let style = self.style();
        format!("{style}{text}{style:#}")
    }

    /// The tone of where a lead stands, out of the text that says so.
    pub(super) fn of_standing(text: &str) -> Self {
        match text.split([' ', '(']).next() {
            Some("ready" | "leased") => Self::Good,
            Some("waiting") => Self::Waiting,
            Some("closed") => Self::Faint,
            _ => Self::Plain,
        }
    }

    /// The tone of a count that should be 0.
    pub(super) fn of_trouble(count: &str) -> Self {
        if matches!(count, "" | "0") { Self::Plain } else { Self::Bad }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(Tone::Plain.paint("x"), "x");
        assert_eq!(Tone::Bad.paint("x"), "\u{1b}[1m\u{1b}[31mx\u{1b}[0m");
    }

    #[test]
    fn only_trouble_is_loud() {
        assert_eq!(Tone::of_trouble("0"), Tone::Plain);
        assert_eq!(Tone::of_trouble("1,024"), Tone::Bad);
        assert_eq!(Tone::of_standing("waiting (retry) until 2026"), Tone::Waiting);
        assert_eq!(Tone::of_standing("closed (sale): won"), Tone::Faint);
        assert_eq!(Tone::of_standing(""), Tone::Plain);
    }
}
