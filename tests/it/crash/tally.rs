//! What was tried and what became of it, by kind: a table that grows with each test of this process,
//! for who runs them for long.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One kind of fault.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) kind: String,
    /// The combination.
    pub(crate) on: &'static str,
    pub(crate) seed: u64,
    pub(crate) count: u64,
    pub(crate) violation_count: usize,
    /// How long it took, each time, until a change was acknowledged again.
    pub(crate) recoveries: Vec<Duration>,
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// Adds a row, and prints all that there are.
pub(crate) fn add(row: Row) {
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    rows.push(row);
    eprintln!("{}", table(&rows));
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| kind | on | count | violations | recovery p50 | max | seed |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in rows {
        let mut recoveries = row.recoveries.clone();
        recoveries.sort_unstable();
        let ms = |took: Option<&Duration>| {
            took.map_or_else(|| "-".to_owned(), |took| format!("{} ms", took.as_millis()))
        };
        let (p50, max) = (ms(recoveries.get(recoveries.len() / 2)), ms(recoveries.last()));
        let Row { kind, on, seed, count, violation_count, .. } = row;
        let line =
            format!("| {kind} | {on} | {count} | {violation_count} | {p50} | {max} | {seed} |");
        writeln!(table, "{line}").expect("a text takes what is written");
    }
    table
}

#[test]
fn a_row_tells_what_was_tried_and_how_soon_it_went_on() {
    let ms = |ms: &[u64]| ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
    let row = |recoveries| Row {
        kind: "kill".into(),
        on: "SQLite",
        seed: 7,
        count: 3,
        violation_count: 0,
        recoveries,
    };
    let table = table(&[row(ms(&[30, 10, 20])), row(ms(&[]))]);
    let lines: Vec<_> = table.lines().skip(2).collect();
    assert_eq!(
        lines,
        ["| kill | SQLite | 3 | 0 | 20 ms | 30 ms | 7 |", "| kill | SQLite | 3 | 0 | - | - | 7 |"]
    );
}
