//! The figures of all rounds, and the table of their medians.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Figures;

pub(crate) struct Table {
    names: Vec<String>,
    rounds: BTreeMap<(usize, usize), Vec<Figures>>,
}

impl Table {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self { names, rounds: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, contestant: usize, reps: usize, figures: Figures) {
        self.rounds.entry((contestant, reps)).or_default().push(figures);
    }

    /// A table for each number of reps, in Markdown.
    pub(crate) fn markdown(&self, reps: &[usize]) -> String {
        let mut text = String::new();
        for &reps in reps {
            let _ = writeln!(
                text,
                "| {reps} reps | cycles/s | p50 | p99 | p99.9 | to the first |\n\
                 | --- | ---: | ---: | ---: | ---: | ---: |"
            );
            let first = self.median(0, reps, |one| one.cycles_per_s);
            for (nth, name) in self.names.iter().enumerate() {
                let of = |figure: fn(&Figures) -> f64| self.median(nth, reps, figure);
                let cycles = of(|one| one.cycles_per_s);
                let _ = writeln!(
                    text,
                    "| {name} | {cycles:.0} | {} | {} | {} | {:.2} |",
                    ms(of(|one| one.p50_us)),
                    ms(of(|one| one.p99_us)),
                    ms(of(|one| one.p999_us)),
                    cycles / first
                );
            }
            text.push('\n');
        }
        text
    }

    fn median(&self, contestant: usize, reps: usize, figure: impl Fn(&Figures) -> f64) -> f64 {
        let rounds = &self.rounds[&(contestant, reps)];
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        match figures.len() % 2 {
            1 => figures[middle],
            _ => f64::midpoint(figures[middle - 1], figures[middle]),
        }
    }
}

fn ms(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 100_000.0 => format!("{:.1} ms", us / 1_000.0),
        us => format!("{:.0} ms", us / 1_000.0),
    }
}
