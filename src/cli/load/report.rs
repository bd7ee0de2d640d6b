//! What came of a run: tables for people, or one line of JSON for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::books::Books;
use super::floor::{Floor, Measures};
use super::history::Findings;
use super::latency::Times;
use super::own_node::{OwnNode, Usage};
use super::{LoadArgs, Used};
use crate::cli::output::{Output, count, table};

/// The parts of all cycles whose times are told, with their names.
const PARTS: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

/// What came of a run.
pub(super) struct Report {
    reps: usize,
    connections: usize,
    leads: u64,
    seconds: f64,
    /// Cycles a second that were meant to begin; `None`: a closed loop.
    rate: Option<f64>,
    /// With the response times of a closed loop corrected.
    measures: Measures,
    touches: u64,
    empty: u64,
    errors: u64,
    late: u64,
    findings: Findings,
    /// `None`: the books were not read.
    audit: Option<Audit>,
    filled: Option<Duration>,
    node: Option<NodeUse>,
}

/// What the node's audit says.
#[derive(Clone, Copy)]
struct Audit {
    imbalance: i64,
    events: i64,
    touches: i64,
}

/// What the node that was started used.
struct NodeUse {
    start: Duration,
    idle_bytes: Option<u64>,
    memory_bytes: Option<u64>,
    peak_bytes: Option<u64>,
    /// CPU time by thread, for each second of the run.
    busy: BTreeMap<String, f64>,
}

impl Report {
    /// Looks at a run that is over.
    pub(super) fn of(
        args: &LoadArgs,
        own: Option<&OwnNode>,
        filled: Option<Duration>,
        idle: Option<Usage>,
        used: Option<Used>,
        floor: &Floor,
        books: Option<&Books>,
    ) -> Self {
        let history = floor.history.borrow();
        let mut measures = floor.measures.borrow().clone();
        let seconds = floor.window.seconds();
        if args.rate().is_none() {
            measures.response = measures.response.corrected(round(&measures, seconds, args.reps()));
        }
        Self {
            reps: args.reps(),
            connections: args.connections(),
            leads: if filled.is_some() { args.leads } else { 0 },
            seconds,
            rate: args.rate(),
            measures,
            touches: history.acknowledged_count(),
            empty: floor.counts.empty.get(),
            errors: floor.counts.errors.get(),
            late: floor.counts.late.get(),
            findings: match books {
                Some(books) => history.against_books(books.touches.iter().copied()),
                None => history.findings(),
            },
            audit: books.map(|books| Audit {
                imbalance: books.imbalance,
                events: books.event_count,
                touches: books.touch_count,
            }),
            filled,
            node: own.zip(used).map(|(own, used)| NodeUse::of(own, idle.as_ref(), &used)),
        }
    }

    fn cycles_per_s(&self) -> f64 {
        per_second(self.measures.service.count(), self.seconds)
    }

    /// What the node did not keep.
    pub(super) fn problems(&self) -> Vec<String> {
        let Findings { held_twice, served_again, lost_touches, false_touches } = self.findings;
        let imbalance = self.audit.map_or(0, |audit| audit.imbalance.unsigned_abs());
        let problems = [
            (held_twice, "leads or numbers were in two hands at once"),
            (served_again, "leads came again that had been called and put away"),
            (lost_touches, "touches were acknowledged and are not in the books"),
            (false_touches, "touches are in the books twice, or were sent by nobody"),
            (self.late, "touches were late though no lease was over"),
            (imbalance, "is what the books are out of balance by"),
        ];
        let found = problems.into_iter().filter(|(count, _)| *count > 0);
        let mut found: Vec<String> = found.map(|(count, what)| format!("{count} {what}")).collect();
        if self.measures.service.count() == 0 {
            found.push("not one cycle was measured".to_owned());
        }
        found
    }

    /// Prints it on standard output.
    pub(super) fn print(&self, output: Output) -> anyhow::Result<()> {
        if output.is_json { output.line(&self.json()) } else { output.text(&self.text()) }
    }

    fn json(&self) -> Value {
        let mut line = json!({
            "loop": if self.rate.is_some() { "open" } else { "closed" },
            "reps": self.reps,
            "connections": self.connections,
            "leads": self.leads,
            "seconds": self.seconds,
            "rate_per_s": self.rate.map(tenths),
            "cycles": self.measures.service.count(),
            "cycles_per_s": tenths(self.cycles_per_s()),
            "touches": self.touches,
            "empty": self.empty,
            "errors": self.errors,
            "late_touches": self.late,
            "held_twice": self.findings.held_twice,
            "served_again": self.findings.served_again,
            "lost_touches": self.audit.map(|_| self.findings.lost_touches),
            "false_touches": self.audit.map(|_| self.findings.false_touches),
            "ledger_imbalance": self.audit.map(|audit| audit.imbalance),
            "ledger_events": self.audit.map(|audit| audit.events),
            "ledger_touches": self.audit.map(|audit| audit.touches),
            "fill_s": self.filled.map(|took| tenths(took.as_secs_f64())),
        });
        let times = [
            ("", &self.measures.response),
            ("service_", &self.measures.service),
            ("start_delay_", &self.measures.start_delay),
        ];
        for (prefix, times) in times {
            for (name, part) in PARTS {
                line[format!("{prefix}{name}_us")] = times.at(part).into();
            }
            line[format!("{prefix}max_us")] = times.longest().into();
        }
        if let Some(node) = &self.node {
            line["node"] = node.json();
        }
        line
    }

    fn text(&self) -> String {
        let Measures { response, service, start_delay } = &self.measures;
        let mut text = self.heading();
        let mut rows: Vec<[String; 4]> = PARTS
            .iter()
            .map(|(name, part)| {
                let at = |times: &Times| microseconds(times.at(*part));
                [(*name).to_owned(), at(response), at(service), at(start_delay)]
            })
            .collect();
        let longest = [response, service, start_delay].map(|times| microseconds(times.longest()));
        let [first, second, third] = longest;
        rows.push(["longest".to_owned(), first, second, third]);
        let header = ["a cycle, µs", "response, corrected", "service", "began late by"];
        text += &table(header, &[1, 2, 3], rows);
        text += "\n";
        text += &table(["what", "how much"], &[1], self.facts());
        text
    }

    fn heading(&self) -> String {
        let how = match self.rate {
            Some(rate) => format!("{rate:.1} cycles a second meant to begin, "),
            None => String::new(),
        };
        format!(
            "{} reps on {} connections, {how}{:.1} cycles a second for {} s\n\n",
            count(i64::try_from(self.reps).unwrap_or(i64::MAX)),
            self.connections,
            self.cycles_per_s(),
            self.seconds
        )
    }

    fn facts(&self) -> Vec<[String; 2]> {
        let number = |number: u64| count(i64::try_from(number).unwrap_or(i64::MAX));
        let mut rows = vec![
            ["cycles measured".into(), number(self.measures.service.count())],
            ["touches acknowledged".into(), number(self.touches)],
            ["answers without a lead".into(), number(self.empty)],
            ["calls made again".into(), number(self.errors)],
            ["touches that were late".into(), number(self.late)],
            ["leads or numbers in two hands".into(), number(self.findings.held_twice)],
            ["leads that came again".into(), number(self.findings.served_again)],
        ];
        if let Some(Audit { imbalance, events, touches }) = self.audit {
            rows.push(["touches lost".into(), number(self.findings.lost_touches)]);
            rows.push(["touches too many".into(), number(self.findings.false_touches)]);
            rows.push(["books out of balance by".into(), count(imbalance)]);
            rows.push(["events in the ledger".into(), count(events)]);
            rows.push(["touches in the books".into(), count(touches)]);
        }
        if let Some(took) = self.filled {
            let each = per_second(self.leads, took.as_secs_f64());
            let took = took.as_secs_f64();
            let text = format!("{} in {took:.1} s ({each:.0} a second)", number(self.leads));
            rows.push(["leads handed over".into(), text]);
        }
        rows.extend(self.node.iter().flat_map(NodeUse::facts));
        rows
    }
}

/// How long a rep's round takes on average: a call, and thinking until the next.
fn round(measures: &Measures, seconds: f64, reps: usize) -> Duration {
    let cycles = u32::try_from(measures.service.count()).unwrap_or(u32::MAX).max(1);
    let reps = u32::try_from(reps).unwrap_or(u32::MAX);
    Duration::from_secs_f64(seconds * f64::from(reps) / f64::from(cycles))
}

fn per_second(count: u64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far from 2^53")]
    let count = count as f64;
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn microseconds(us: u64) -> String {
    count(i64::try_from(us).unwrap_or(i64::MAX))
}

impl NodeUse {
    fn of(own: &OwnNode, idle: Option<&Usage>, used: &Used) -> Self {
        let seconds = used.elapsed.as_secs_f64();
        let busy = used.after.since(&used.before);
        let busy = busy.into_iter().map(|(name, time)| (name, time.as_secs_f64() / seconds));
        Self {
            start: own.start,
            idle_bytes: idle.and_then(|usage| usage.memory_bytes),
            memory_bytes: used.after.memory_bytes,
            peak_bytes: used.after.memory_peak_bytes,
            // A hundredth of a core is the sweep of a node that has nothing to do.
            busy: busy.filter(|(_, share)| *share >= 0.005).collect(),
        }
    }

    fn json(&self) -> Value {
        let busy: serde_json::Map<String, Value> = self
            .busy
            .iter()
            .map(|(name, share)| (name.clone(), ((share * 1_000.0).round() / 1_000.0).into()))
            .collect();
        json!({
            "start_ms": u64::try_from(self.start.as_millis()).unwrap_or(u64::MAX),
            "memory_before_bytes": self.idle_bytes,
            "memory_bytes": self.memory_bytes,
            "memory_peak_bytes": self.peak_bytes,
            "cores_by_thread": busy,
        })
    }

    fn facts(&self) -> Vec<[String; 2]> {
        let mib = |bytes: Option<u64>| match bytes {
            Some(bytes) => format!("{} MiB", bytes >> 20),
            None => "-".to_owned(),
        };
        let mut rows = vec![
            ["the node started in".into(), format!("{:.2} s", self.start.as_secs_f64())],
            ["its memory before the load".into(), mib(self.idle_bytes)],
            ["its memory under load".into(), mib(self.memory_bytes)],
            ["the most it ever had".into(), mib(self.peak_bytes)],
        ];
        let busy = self.busy.iter();
        rows.extend(busy.map(|(name, share)| {
            [format!("cores that thread {name} took"), format!("{share:.2}")]
        }));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut service = Times::new();
        service.record(Duration::from_millis(2));
        let measures = Measures { response: service.clone(), start_delay: Times::new(), service };
        Report {
            reps: 64,
            connections: 64,
            leads: 1_000,
            seconds: 2.0,
            rate: None,
            measures,
            touches: 1,
            empty: 0,
            errors: 0,
            late: 0,
            findings: Findings::default(),
            audit: Some(Audit { imbalance: 0, events: 5, touches: 1 }),
            filled: None,
            node: None,
        }
    }

    #[test]
    fn a_line_has_what_a_program_looks_for() {
        let line = report().json();
        assert_eq!(line["cycles_per_s"], 0.5);
        for name in ["p50_us", "p99_us", "p999_us"] {
            assert!(line[name].as_u64().unwrap().abs_diff(2_000) < 10, "{line}");
        }
        for name in ["held_twice", "lost_touches", "ledger_imbalance"] {
            assert_eq!(line[name], 0, "{name}");
        }
        let unread = Report { audit: None, ..report() }.json();
        assert!(unread["lost_touches"].is_null(), "what nobody looked at is not said to be 0");
    }

    #[test]
    fn each_thing_that_is_held_against_a_node_fails_the_run() {
        assert!(report().problems().is_empty());
        let finding = |findings| Report { findings, ..report() };
        for bad in [
            finding(Findings { held_twice: 1, ..Findings::default() }),
            finding(Findings { served_again: 1, ..Findings::default() }),
            finding(Findings { lost_touches: 1, ..Findings::default() }),
            finding(Findings { false_touches: 1, ..Findings::default() }),
            Report { late: 1, ..report() },
            Report { audit: Some(Audit { imbalance: -1, events: 5, touches: 1 }), ..report() },
        ] {
            assert_eq!(bad.problems().len(), 1);
        }
    }

    #[test]
    fn a_run_without_a_cycle_proves_nothing() {
        let nothing = Measures { service: Times::new(), ..report().measures };
        assert_eq!(Report { measures: nothing, ..report() }.problems().len(), 1);
    }

    #[test]
    fn people_read_the_same_numbers() {
        let text = report().text();
        assert!(text.contains("64 reps on 64 connections, 0.5 cycles a second for 2 s"), "{text}");
        assert!(text.contains("books out of balance by"), "{text}");
    }
}
