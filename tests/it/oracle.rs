//! A random day through the door, beside a model that goes through every lead: before each pull it
//! says who must be served, and by which order. It is written from the rules of the house, in plain
//! code, and shares nothing with the server but the clock.

mod model;
mod rules;

use std::collections::HashMap;

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use proto::{Disposition, ServeOrder};
use rules::Rules;
use tempfile::TempDir;

use crate::ground::is_index_shared;
use crate::support::{DAY_MS, HOUR_MS, MINUTE_MS, NOON, TestNode, by_id, lead_of, reason, time};

const WITHIN_MS: i64 = 4 * HOUR_MS;
const RESERVE_AFTER: u32 = 3;
const FRESH_MS: i64 = 10 * MINUTE_MS;
const LEASE_MS: i64 = 10 * MINUTE_MS;
const GRACE_MS: i64 = 30_000;
const CALLBACK_GRACE_MS: i64 = 15 * MINUTE_MS;
const PASS_MS: i64 = 15 * MINUTE_MS;
const NURTURE_MS: i64 = 40 * MINUTE_MS;
/// Zones without summer time, so that plain sums do; the last lead's is unknown.
const ZONES: [(&str, Option<i64>); 4] = [
    ("UTC", Some(0)),
    ("Asia/Tokyo", Some(9 * HOUR_MS)),
    ("America/Phoenix", Some(-7 * HOUR_MS)),
    ("", None),
];
const CAMPAIGNS: [&str; 2] = ["spring", "autumn"];
/// Each with whether they speak Dutch.
const REPS: [(&str, bool); 5] =
    [("ann", false), ("bob", true), ("cid", true), ("dan", false), ("eve", false)];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stands {
    Ready,
    Waiting(i64),
    Leased,
    Nurture(i64),
    Closed,
}

/// A lead, as far as it matters to who is served.
#[derive(Clone, Debug)]
struct Lead {
    id: i64,
    nth: u32,
    campaign: usize,
    zone: usize,
    is_dutch: bool,
    is_demo: bool,
    is_web: bool,
    score: Option<i64>,
    handed_over_at: i64,
    stands: Stands,
    /// When a callback was promised for, and by whom in person.
    callback: Option<(i64, Option<usize>)>,
    owner: Option<usize>,
    ready_since: i64,
    attempts: i32,
    is_touched: bool,
    times_released: i32,
}

impl Lead {
    fn message(&self) -> proto::Lead {
        // Where a number was issued would tell its zone; a toll-free one tells nothing.
        let lead = lead_of(CAMPAIGNS[self.campaign], self.nth);
        let numbers = match ZONES[self.zone].1 {
            Some(_) => lead.numbers.clone(),
            None => {
                let number = format!("+1800{:07}", 5_550_000 + self.nth);
                vec![proto::LeadNumber { number, ..Default::default() }]
            }
        };
        let text = |is_so: bool, word: &str| if is_so { word.to_owned() } else { String::new() };
        proto::Lead {
            time_zone: ZONES[self.zone].0.into(),
            source: if self.is_demo { "demo".into() } else { "list".into() },
            channel: text(self.is_web, "web"),
            score: self.score.map(|score| score as f64),
            skills: if self.is_dutch { vec!["dutch".into()] } else { Vec::new() },
            handed_over_time: Some(time(self.handed_over_at)),
            numbers,
            owner_rep_id: self.owner.map_or("", |rep| REPS[rep].0).into(),
            ..lead
        }
    }

    fn virtual_since(&self, rules: Rules, now: i64) -> i64 {
        let fresh = self.is_web && now < self.handed_over_at + FRESH_MS;
        let points = i64::from(self.is_demo) * rules.demo
            + self.score.unwrap_or(0) * rules.per_score
            + i64::from(fresh) * rules.fresh;
        let since = match self.stands {
            Stands::Waiting(until) => until,
            _ => self.ready_since,
        };
        since - points * MINUTE_MS
    }
}

/// Monday to Friday, eight to eight, on the wall of who lives there.
fn is_open(zone: usize, now: i64) -> bool {
    let Some(offset_ms) = ZONES[zone].1 else { return false };
    let local = now + offset_ms;
    let weekday = (local.div_euclid(DAY_MS) + 3) % 7;
    weekday < 5 && (8 * HOUR_MS..20 * HOUR_MS).contains(&local.rem_euclid(DAY_MS))
}

/// What a rep holds.
struct Hold {
    lead: usize,
    served: proto::ServedLead,
    expires_at: i64,
    is_rep_free: bool,
}

struct Model {
    leads: Vec<Lead>,
    rules: Rules,
    debts: HashMap<usize, u32>,
    passes: HashMap<(usize, usize), i64>,
    /// By rep; one whose grace runs stands beside one that is new.
    holds: Vec<(usize, Hold)>,
    /// Those who may not pull.
    inactive: Vec<usize>,
    ended_at: Option<i64>,
}

/// Numbers that look random, and are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((bits ^ (bits >> 31)) >> 1).unwrap() % count
    }

    fn one_in(&mut self, count: i64) -> bool {
        self.below(count) == 0
    }
}

struct Day {
    node: TestNode,
    model: Model,
    dice: Dice,
    now: i64,
    pull_counts: HashMap<ServeOrder, u32>,
}

impl Day {
    async fn start(seed: u64) -> Self {
        let mut node = TestNode::start_bare(TempDir::new().unwrap(), ManualClock::at(NOON)).await;
        node.put_queue("sales", "mon-fri 08:00-20:00").await;
        for campaign in CAMPAIGNS {
            node.put_campaign(campaign, "sales", None).await;
        }
        for (rep, is_dutch) in REPS {
            node.put_rep(rep, "sales", if is_dutch { &["dutch"] } else { &[] }).await;
        }
        let rules = Rules { demo: 30, per_score: 1, fresh: 200 };
        node.publish(&rules.text()).await;
        let (leads, holds) = (Vec::new(), Vec::new());
        let (debts, passes) = (HashMap::new(), HashMap::new());
        let model =
            Model { leads, rules, debts, passes, holds, inactive: Vec::new(), ended_at: None };
        Self { node, model, dice: Dice(seed), now: NOON, pull_counts: HashMap::new() }
    }

    /// Hands a few leads over, in one batch.
    async fn hand_over(&mut self) {
        let first = self.model.leads.len();
        for _ in 0..1 + self.dice.below(12) {
            let dice = &mut self.dice;
            let handed_over_at = self.now - dice.below(30) * MINUTE_MS;
            let has_score = !dice.one_in(4);
            let lead = Lead {
                id: 0,
                nth: u32::try_from(self.model.leads.len()).unwrap(),
                campaign: usize::from(dice.one_in(4)),
                zone: usize::try_from([0, 0, 0, 1, 1, 2, 2, 3][dice.below(8) as usize]).unwrap(),
                is_dutch: dice.one_in(4),
                is_demo: dice.one_in(3),
                is_web: dice.one_in(2),
                score: has_score.then(|| dice.below(60)),
                handed_over_at,
                stands: Stands::Ready,
                callback: None,
                owner: dice.one_in(6).then(|| usize::try_from(dice.below(5)).unwrap()),
                ready_since: handed_over_at,
                attempts: 0,
                is_touched: false,
                times_released: 0,
            };
            self.model.leads.push(lead);
        }
        let rows = self.model.leads[first..].iter().zip(1..);
        let rows = rows
            .map(|(lead, row_number)| proto::ImportRow { row_number, lead: Some(lead.message()) });
        let batch = proto::ImportLeadsRequest { rows: rows.collect(), ..Default::default() };
        let answers = self.node.intake.import_leads(tokio_stream::once(batch)).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        for (lead, row) in self.model.leads[first..].iter_mut().zip(answer.rows) {
            let Some(proto::import_row_result::Result::Taken(taken)) = row.result else {
                panic!("{:?}", row.result)
            };
            assert_eq!(taken.outcome(), proto::HandoverOutcome::Opened);
            lead.id = taken.lead_id.parse().unwrap();
        }
    }

    /// Marketing scores a lead anew.
    async fn update(&mut self) {
        let nth = self.dice.below(self.model.leads.len() as i64) as usize;
        let lead = &mut self.model.leads[nth];
        lead.score = Some(self.dice.below(60));
        let (message, id) = (lead.message(), lead.id);
        assert_eq!(self.node.hand_over(message).await, id.to_string());
    }

    /// Compares an answer with what had to be served.
    fn check(&mut self, rep: usize, served: Option<proto::ServedLead>) {
        let predicted = self.model.predict(rep, self.now);
        let told = served.as_ref().map(|served| {
            let id: i64 = served.lead.as_ref().unwrap().lead_id.parse().unwrap();
            (id, served.why.as_ref().unwrap().order())
        });
        let expected = predicted.map(|(nth, order)| (self.model.leads[nth].id, order));
        assert_eq!(told, expected, "to {} at {}", REPS[rep].0, self.now - NOON);
        if let (Some((nth, order)), Some(served)) = (predicted, served) {
            *self.pull_counts.entry(order).or_default() += 1;
            self.model.serve(rep, nth, served, self.now);
        }
    }

    async fn pull(&mut self, rep: usize) {
        let name = REPS[rep].0;
        if let Some(hold) = self.model.held(rep) {
            let (nth, zone) = (hold.lead, self.model.leads[hold.lead].zone);
            if is_open(zone, self.now) {
                let token = hold.served.lease_token.clone();
                let again = self.node.pull_lead(name).await;
                assert!(again.held_before && again.lease_token == token);
                return;
            }
            // Its hours are over: the pull ends that lease and goes on.
            self.model.take_hold(rep);
            self.model.come_back(rep, nth, self.now + PASS_MS);
        }
        let served = match self.node.pull(name).await {
            proto::next_lead_response::Answer::Served(served) => Some(served),
            proto::next_lead_response::Answer::Nothing(nothing) => {
                assert!(!nothing.should_retry);
                None
            }
        };
        self.check(rep, served);
    }

    async fn touch(&mut self, rep: usize) {
        let mut disposition = match self.dice.below(10) {
            0..4 => Disposition::NoAnswer,
            4..6 => Disposition::Busy,
            6 if self.dice.one_in(3) => Disposition::CallbackAny,
            6 => Disposition::CallbackOwn,
            7 => Disposition::NotInterested,
            8 => Disposition::WrongNumber,
            _ => Disposition::Sale,
        };
        let hold = self.model.take_hold(rep);
        let callback_at = self.now + (1 + self.dice.below(90)) * MINUTE_MS;
        let mut touch = self.node.touch_of(REPS[rep].0, &hold.served, disposition);
        if matches!(disposition, Disposition::CallbackAny | Disposition::CallbackOwn) {
            touch.callback_time = Some(time(callback_at));
            if !is_open(self.model.leads[hold.lead].zone, callback_at) {
                let refused = self.node.reps.record_touch(touch.clone()).await.unwrap_err();
                assert_eq!(reason(&refused), "CALLBACK_ILLEGAL");
                disposition = Disposition::NoAnswer;
                touch = self.node.touch_of(REPS[rep].0, &hold.served, disposition);
            }
        }
        touch.then_next = !self.dice.one_in(3);
        let then_next = touch.then_next;
        let answer = self.node.reps.record_touch(touch).await.unwrap().into_inner();
        assert!(!answer.late && !answer.replayed);
        self.model.touch((rep, hold.lead), disposition, callback_at, self.now);
        if then_next {
            let served = match answer.next {
                Some(proto::record_touch_response::Next::NextServed(served)) => Some(served),
                Some(proto::record_touch_response::Next::NextNothing(_)) => None,
                other => panic!("{other:?}"),
            };
            self.check(rep, served);
        }
    }

    async fn release(&mut self, rep: usize) {
        let hold = self.model.take_hold(rep);
        let request = proto::ReleaseLeaseRequest {
            rep_id: REPS[rep].0.into(),
            lead: Some(by_id(&self.model.leads[hold.lead].id.to_string())),
            lease_token: hold.served.lease_token,
            reason: proto::ReleaseReason::Skipped.into(),
            skip_reason: proto::SkipReason::NoTime.into(),
            ..Default::default()
        };
        self.node.reps.release_lease(request).await.unwrap();
        self.model.come_back(rep, hold.lead, self.now + PASS_MS);
    }

    async fn pass_time(&mut self, ms: i64) {
        self.node.pass_time(ms).await;
        self.now += ms;
        self.model.pass_time(self.now);
    }

    /// A manager gives a lead to somebody, or to nobody.
    async fn assign(&mut self) {
        let nth = self.dice.below(self.model.leads.len() as i64) as usize;
        let owner = usize::try_from(self.dice.below(6)).ok().filter(|rep| *rep < REPS.len());
        let lead = &mut self.model.leads[nth];
        lead.owner = owner;
        let request = proto::AssignLeadRequest {
            lead: Some(by_id(&lead.id.to_string())),
            owner_rep_id: owner.map_or("", |rep| REPS[rep].0).into(),
            ..Default::default()
        };
        self.node.queues.assign_lead(request).await.unwrap();
    }

    /// A rep who holds nothing leaves, or comes back.
    async fn come_or_go(&mut self, rep: usize) {
        let is_back = self.model.inactive.contains(&rep);
        match is_back {
            true => self.model.inactive.retain(|one| *one != rep),
            false => self.model.inactive.push(rep),
        }
        let (rep_id, is_dutch) = REPS[rep];
        let rep = proto::Rep {
            rep_id: rep_id.into(),
            queue_id: "sales".into(),
            skills: if is_dutch { vec!["dutch".into()] } else { Vec::new() },
            active: Some(is_back),
            ..Default::default()
        };
        let request = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
        self.node.queues.upsert_rep(request).await.unwrap();
    }

    async fn step(&mut self) {
        let rep = self.dice.below(REPS.len() as i64) as usize;
        let is_held = self.model.held(rep).is_some();
        match self.dice.below(26) {
            0 => self.hand_over().await,
            1 if !self.model.leads.is_empty() => self.update().await,
            2..8 => {
                let ms = self.dice.below(240) * 1_000 + self.dice.below(2);
                self.pass_time(ms).await;
            }
            8 if is_held => self.release(rep).await,
            9..20 if is_held => self.touch(rep).await,
            24 if !self.model.leads.is_empty() => self.assign().await,
            // Whose grace runs has a lead that still waits for their touch.
            25 if !self.model.holds.iter().any(|(holder, _)| *holder == rep) => {
                self.come_or_go(rep).await;
            }
            _ if self.model.inactive.contains(&rep) => {}
            _ => self.pull(rep).await,
        }
    }
}

async fn a_day(seed: u64, step_count: usize) {
    let mut day = Day::start(seed).await;
    for nth in 0..step_count {
        if nth == step_count / 3 {
            day.model.rules = Rules { demo: 120, per_score: 2, fresh: 45 };
            day.node.publish(&day.model.rules.text()).await;
        } else if nth == step_count / 2 {
            let end_at = day.now + MINUTE_MS;
            day.node.put_campaign(CAMPAIGNS[1], "sales", Some(end_at)).await;
            day.model.ended_at = Some(end_at);
        } else if nth == step_count * 2 / 3 {
            day.node = day.node.restart().await;
            // Debts live in the index; a missing one counts as full.
            day.model.debts.retain(|_, _| is_index_shared());
        }
        day.step().await;
    }
    let report = day.node.audit().await;
    assert_eq!(report.lead_count, day.model.leads.len() as i64);
    for order in [ServeOrder::Callback, ServeOrder::FirstTouch, ServeOrder::Ordinary] {
        let count = day.pull_counts.get(&order).copied().unwrap_or_default();
        assert!(count > 10, "{count} pulls by {order:?} say little");
    }
}

#[tokio::test]
async fn every_pull_of_a_random_day_is_the_one_that_an_oracle_names() {
    a_day(1, 2_500).await;
}

#[tokio::test]
async fn so_it_is_on_another_day() {
    a_day(2, 2_500).await;
}
