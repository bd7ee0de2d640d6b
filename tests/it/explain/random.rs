//! The next instant against the pull itself: whatever the hours, caps, waits, keepers and skills, the lead
//! is served at the instant that was told and at none before, as every rep pulls at every quarter of an hour.

use nextlead::api::proto;
use proto::Disposition;

use super::super::support::{DAY_MS, HOUR_MS, MINUTE_MS, NOON, TestNode, lead, time};
use super::{cap, queue, rep};

const STEP_MS: i64 = 15 * MINUTE_MS;
/// How long is looked for somebody who gets it.
const DAYS: i64 = 4;
const SEEDS: u64 = 24;

/// A small generator: the same days each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, count: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % count
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.roll(of.len() as u64)).unwrap()].clone()
    }

    /// A while, in whole steps.
    fn a_while(&mut self, hours: u64) -> i64 {
        i64::try_from(self.roll(hours * 4) + 1).unwrap() * STEP_MS
    }
}

async fn put_all(node: &mut TestNode, dice: &mut Dice) {
    let hours = ["always", "mon-fri 09:00-12:30, mon-fri 14:00-17:00", "tue-sat 10:00-11:15"];
    node.set_queue(proto::Queue {
        hours: dice.pick(&hours).into(),
        caps: dice.pick(&[
            vec![],
            vec![cap(1, 5 * HOUR_MS)],
            vec![cap(2, DAY_MS), cap(1, HOUR_MS)],
        ]),
        strict_rep_hours: dice.roll(2) == 0,
        calling_law: dice.pick(&[0, proto::CallingLaw::Exempt.into()]),
        ..queue()
    })
    .await;
    if dice.roll(2) == 0 {
        node.publish("[first_touch]\nwithin = \"6h\"\n").await;
    }
    for id in ["ann", "bob"] {
        let from = NOON + dice.a_while(24);
        let absence = proto::Absence {
            start_time: Some(time(from)),
            end_time: Some(time(from + dice.a_while(72))),
        };
        let mut one = rep(id);
        one.hours = dice.pick(&["", "mon-fri 08:00-16:00", "mon-sun 15:00-23:00"]).into();
        one.time_zone = if one.hours.is_empty() { String::new() } else { "UTC".into() };
        one.absences = if dice.roll(2) == 0 { vec![absence] } else { vec![] };
        one.end_time = (dice.roll(4) == 0).then(|| time(NOON + dice.a_while(72)));
        one.skills = dice.pick(&[vec![], vec!["welsh".to_owned()]]);
        node.set_rep(one).await;
    }
}

/// A lead after a few things have happened to it.
async fn worked_lead(node: &mut TestNode, dice: &mut Dice) -> String {
    let zones = ["UTC", "America/New_York", "Asia/Kolkata", "Europe/Berlin"];
    let one = proto::Lead {
        time_zone: dice.pick(&zones).into(),
        owner_rep_id: dice.pick(&["", "ann", "bob"]).into(),
        skills: dice.pick(&[vec![], vec![], vec!["welsh".to_owned()]]),
        ..lead(1)
    };
    let id = node.hand_over(one.clone()).await;
    for _ in 0..dice.roll(3) {
        node.dial(&id, &one.numbers[0].number).await;
        node.pass_time(dice.a_while(3)).await;
    }
    for rep in ["ann", "bob"] {
        if dice.roll(2) == 0 {
            continue;
        }
        let request = proto::NextLeadRequest { rep_id: rep.into(), ..Default::default() };
        let Ok(answer) = node.reps.next_lead(request).await else { continue };
        let Some(proto::next_lead_response::Answer::Served(served)) = answer.into_inner().answer
        else {
            continue;
        };
        // Some leads stay in the rep's hands until the lease runs out: not a whole step.
        if dice.roll(3) > 0 {
            node.touch(rep, &served, Disposition::NoAnswer).await;
        }
        node.pass_time(dice.a_while(2)).await;
    }
    id
}

#[tokio::test]
async fn the_next_instant_is_the_first_at_which_a_pull_gets_the_lead() {
    let (mut told_count, mut never_count) = (0, 0);
    for seed in 1..=SEEDS {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        dice.roll(2);
        let mut node = TestNode::start().await;
        put_all(&mut node, &mut dice).await;
        let id = worked_lead(&mut node, &mut dice).await;
        let explained = node.explain(&id).await;
        let told = explained.next_servable_time.map(|at| at.seconds * 1_000);
        let end = node.now() + DAYS * DAY_MS;
        // Who holds it would get it again: only the next lease counts.
        let mut at = node.now();
        let is_held = !explained.held_by_rep_id.is_empty();
        let mut served = None;
        while at <= end && served.is_none() {
            let is_out = is_held && told.is_some_and(|told| at < told);
            if !is_out && node.taker(&["ann", "bob"]).await.is_some() {
                served = Some(at);
                break;
            }
            // An instant that lies between two steps is not jumped over.
            let next = at + STEP_MS;
            let next = told.filter(|told| (at + 1..next).contains(told)).unwrap_or(next);
            node.pass_time(next - at).await;
            at = next;
        }
        let told = told.filter(|told| *told <= end);
        assert_eq!(served, told, "seed {seed}: {:?}", explained.obstacles);
        told_count += usize::from(told.is_some());
        never_count += usize::from(told.is_none());
    }
    assert!(told_count > 10 && never_count > 1, "{told_count} served, {never_count} not");
}
