//! What do all the checks cost: the law of calling hours in every place, caps a number, owners, reps with
//! hours, limits on skips and feedback on quality, against a queue that calls anybody at any hour?
//!
//! Two dialers over SQLite with the same leads and the index in memory, in one process; the benchmark turns
//! from one to the other and back, so that both see the same machine. A cycle is a pull and the touch
//! after it, each with its own commit to the disk.
//!
//! `cargo bench --bench checks -- 1000000`; 100,000 leads without a number, 10,000 with `--quick`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod company;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use company::{NOW, clock};
use hdrhistogram::Histogram;
use nextlead::clock::ManualClock;
use nextlead::dialer::{Dialer, NewLead, NewTouch, Pull, Pulled, RepSettings, Served};
use nextlead::domain::{
    CallingLaw, CampaignId, Cap, Channel, Direction, Disposition, LeadNumber, Number, OwnLeads,
    QualityMode, QualitySettings, QueueSettings, RepId, TouchId, WorkTime,
};
use nextlead::store::Store;

const HOUR_MS: i64 = 3_600_000;
const REP_COUNT: usize = 50;
const SKILL_COUNT: usize = 25;
/// How many of the skills a rep has: with them, a fifth of the lanes is open to them at any time.
const REP_SKILL_COUNT: usize = 10;
const ROUND_CYCLES: usize = 500;
/// Area codes of one zone each, in states with and without laws of their own.
const AREA_CODES: [(u64, &str); 14] = [
    (205, "America/Chicago"),
    (206, "America/Los_Angeles"),
    (212, "America/New_York"),
    (213, "America/Los_Angeles"),
    (301, "America/New_York"),
    (303, "America/Denver"),
    (305, "America/New_York"),
    (312, "America/Chicago"),
    (404, "America/New_York"),
    (405, "America/Chicago"),
    (503, "America/Los_Angeles"),
    (504, "America/Chicago"),
    (512, "America/Chicago"),
    (801, "America/Denver"),
];

/// One queue with its leads, and what was measured of it.
struct Side {
    dialer: Dialer,
    store: Arc<dyn Store>,
    clock: ManualClock,
    cycle_count: usize,
    pulls: Histogram<u64>,
    touches: Histogram<u64>,
    cpu: Duration,
    _folder: tempfile::TempDir,
}

fn campaign(nth: usize) -> CampaignId {
    CampaignId::new(&format!("campaign-{:02}", nth % SKILL_COUNT)).expect("an id")
}

fn rep_id(nth: usize) -> RepId {
    RepId::new(&format!("rep-{nth:03}")).expect("an id")
}

fn skill(nth: usize) -> String {
    format!("skill-{:02}", nth % SKILL_COUNT)
}

/// A lead whose number was issued in one place; every twentieth belongs to a rep, where anything does.
fn lead(nth: usize, is_checked: bool) -> NewLead {
    let mut lead = company::lead(nth, &campaign(nth));
    let (area_code, zone) = AREA_CODES[nth % AREA_CODES.len()];
    let number = format!("+1{area_code}{}", 2_000_000 + nth / AREA_CODES.len());
    let number = Number::from_e164(&number).expect("a number");
    lead.facts.numbers = vec![LeadNumber { number, stopped: None }];
    lead.facts.zone = nth.is_multiple_of(2).then(|| zone.to_owned());
    lead.owner = (is_checked && nth.is_multiple_of(20)).then(|| rep_id(nth % REP_COUNT));
    lead
}

fn settings(is_checked: bool) -> QueueSettings {
    let settings = company::queue_settings();
    if !is_checked {
        let hours = "always".parse().expect("hours");
        return QueueSettings { hours, law: CallingLaw::Exempt, ..settings };
    }
    let cap = |dial_count_max, hours| Cap { dial_count_max, window_ms: hours * HOUR_MS };
    let own = OwnLeads { is_strict_about_hours: true, ..OwnLeads::default() };
    let quality = QualitySettings { mode: QualityMode::Asked, ..QualitySettings::default() };
    QueueSettings {
        caps: vec![cap(3, 24), cap(10, 30 * 24)],
        skips_per_hour_max: Some(20),
        own,
        quality: Box::new(quality),
        ..settings
    }
}

impl Side {
    async fn open(is_checked: bool, lead_count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Ten in New York, nine in Chicago; too early in Denver and Los Angeles for the queue's hours.
        let clock = ManualClock::at(NOW + 3 * HOUR_MS);
        let (dialer, store) = company::open(&folder.path().join("nextlead.db"), &clock).await;
        let queue = company::queue_id();
        dialer.put_queue(queue.clone(), settings(is_checked)).await.expect("a queue");
        for nth in 0..SKILL_COUNT {
            let settings = company::campaign_settings(&[skill(nth)]);
            dialer.put_campaign(campaign(nth), queue.clone(), settings).await.expect("a campaign");
        }
        for nth in 0..REP_COUNT {
            let hours = "mon-fri 08:00-20:00".parse().expect("hours");
            let hours = is_checked.then(|| (hours, "America/New_York".to_owned()));
            let settings = RepSettings {
                queue: queue.clone(),
                skills: (nth..nth + REP_SKILL_COUNT).map(skill).collect::<BTreeSet<_>>(),
                is_active: true,
                work: WorkTime { hours, ..WorkTime::default() },
            };
            dialer.put_rep(rep_id(nth), settings).await.expect("a rep");
        }
        company::hand_over(&dialer, lead_count, |nth| lead(nth, is_checked)).await;
        let histogram = || Histogram::new_with_bounds(1, 60_000_000, 3).expect("fixed bounds");
        Self {
            dialer,
            store,
            clock,
            cycle_count: 0,
            pulls: histogram(),
            touches: histogram(),
            cpu: Duration::ZERO,
            _folder: folder,
        }
    }

    async fn round(&mut self) {
        let cpu_before = cpu_of_process();
        for _ in 0..ROUND_CYCLES {
            self.clock.advance(200);
            let rep = rep_id(self.cycle_count % REP_COUNT);
            self.cycle(rep).await;
            self.cycle_count += 1;
        }
        while self.dialer.sweep(1_000).await.expect("a sweep").is_unfinished() {}
        self.cpu += cpu_of_process() - cpu_before;
    }

    async fn cycle(&mut self, rep: RepId) {
        let pull = Pull { rep: rep.clone(), wait_ms: 0, request: None };
        let begun = clock();
        let answer = self.dialer.next_lead(pull).await.expect("an answer");
        self.pulls.saturating_record(micros(begun.elapsed()));
        let Pulled::Served(served) = answer else { panic!("there are leads for everybody") };
        let touch = no_answer(&served, rep, self.cycle_count, self.dialer.now());
        let begun = clock();
        self.dialer.record_touch(touch).await.expect("a touch");
        self.touches.saturating_record(micros(begun.elapsed()));
    }

    fn cpu_a_cycle(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.cycle_count as f64
    }
}

fn no_answer(served: &Served, rep: RepId, nth: usize, now: i64) -> NewTouch {
    NewTouch {
        id: TouchId::new(&format!("touch-{nth}")).expect("an id"),
        caller: "bench".to_owned(),
        body_hash: [0; 32],
        lead: served.record.state.lead,
        rep: Some(rep),
        is_own: false,
        token: Some(served.lease.token),
        channel: Channel::Call,
        direction: Direction::Outbound,
        number: served.callable_numbers().first().map(|&number| number.clone()),
        started_at: now,
        ended_at: now,
        disposition: Disposition::NoAnswer,
        callback: None,
        notes: String::new(),
        quality: None,
        then_next: false,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The processor time of this process so far, to a hundredth of a second; 0 where the system does not say.
fn cpu_of_process() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in brackets; user and system time are the 14th and 15th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}

async fn measure(lead_count: usize, round_count: usize) {
    let mut free = Side::open(false, lead_count).await;
    let mut checked = Side::open(true, lead_count).await;
    for _ in 0..round_count {
        free.round().await;
        checked.round().await;
    }
    println!("{lead_count} leads each     no checks   all checks   ratio");
    let row = |what: &str, one: f64, other: f64| {
        println!("{what:<18} {one:>10.0} µs {other:>9.0} µs {:>7.2}", other / one);
    };
    for (what, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        let of = |times: &Histogram<u64>| times.value_at_quantile(quantile) as f64;
        row(&format!("pull, {what}"), of(&free.pulls), of(&checked.pulls));
        row(&format!("touch, {what}"), of(&free.touches), of(&checked.touches));
    }
    row("processor, a cycle", free.cpu_a_cycle(), checked.cpu_a_cycle());
    for side in [free, checked] {
        side.store.close().await;
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.iter().find_map(|argument| argument.parse().ok());
    let is_quick = arguments.iter().any(|argument| argument == "--quick" || argument == "--test");
    let lead_count = wanted.unwrap_or(if is_quick { 10_000 } else { 100_000 });
    let round_count = if is_quick { 1 } else { 10 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(measure(lead_count, round_count));
}
