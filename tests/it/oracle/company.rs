//! The company: its queues, its campaigns and its reps, as the dice set them up and as the server is told.

use nextlead::api::proto;

use super::dice::Dice;
use super::documents::Document;
use super::leads::Lead;
use super::places::is_open;
use super::walls::{ALWAYS, Hours, OF_QUEUES, OF_REPS, wall};
use crate::support::{DAY_MS, HOUR_MS, MINUTE_MS, time};

pub(super) const QUEUES: [&str; 2] = ["sales", "service"];
pub(super) const GRACE_MS: i64 = 30_000;

pub(super) struct Queue {
    pub(super) id: &'static str,
    pub(super) zone: &'static str,
    pub(super) hours: Hours,
    /// How many minutes before the law's end no lead is offered; `None`: the law does not count.
    pub(super) margin_minutes: Option<i64>,
    /// So many dials in so long.
    pub(super) caps: Vec<(usize, i64)>,
    pub(super) lease_ms: i64,
    pub(super) lease_total_ms: i64,
    pub(super) skips_per_hour_max: Option<i32>,
    pub(super) callback_grace_ms: i64,
    pub(super) callback_count_max: i32,
    pub(super) owner_absence_ms_max: i64,
    pub(super) is_strict: bool,
    pub(super) rules: Document,
}

pub(super) fn duration(ms: i64) -> Option<prost_types::Duration> {
    let nanos = i32::try_from(ms % 1_000 * 1_000_000).unwrap();
    Some(prost_types::Duration { seconds: ms / 1_000, nanos })
}

impl Queue {
    pub(super) fn any(dice: &mut Dice, id: &'static str, rules: Document) -> Self {
        let caps = [Vec::new(), vec![(2, HOUR_MS)], vec![(1, 20 * MINUTE_MS), (4, 6 * HOUR_MS)]];
        let lease_ms = dice.minutes(5, 20);
        Self {
            id,
            zone: dice.pick(&["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney"]),
            hours: dice.pick(&OF_QUEUES),
            margin_minutes: dice.pick(&[None, Some(5), Some(5), Some(30)]),
            caps: dice.pick(&caps),
            lease_ms,
            lease_total_ms: lease_ms * 3,
            skips_per_hour_max: dice.pick(&[None, Some(3)]),
            callback_grace_ms: dice.minutes(0, 30),
            callback_count_max: dice.pick(&[2, 50]),
            owner_absence_ms_max: dice.pick(&[HOUR_MS, 2 * DAY_MS]),
            is_strict: dice.one_in(3),
            rules,
        }
    }

    pub(super) fn message(&self) -> proto::Queue {
        let law =
            self.margin_minutes.map_or(proto::CallingLaw::Exempt, |_| proto::CallingLaw::Applies);
        let cap = |(count, window_ms): &(usize, i64)| proto::Cap {
            dial_count_max: i64::try_from(*count).unwrap(),
            window_duration: duration(*window_ms),
        };
        proto::Queue {
            queue_id: self.id.into(),
            time_zone: self.zone.into(),
            hours: self.hours.text.into(),
            calling_law: law.into(),
            closing_margin_duration: self
                .margin_minutes
                .and_then(|minutes| duration(minutes * MINUTE_MS)),
            caps: self.caps.iter().map(cap).collect(),
            lease_duration: duration(self.lease_ms),
            lease_total_duration: duration(self.lease_total_ms),
            grace_duration: duration(GRACE_MS),
            skips_per_hour_max: self.skips_per_hour_max,
            callback_grace_duration: duration(self.callback_grace_ms),
            callback_count_max: Some(self.callback_count_max),
            owner_absence_max_duration: duration(self.owner_absence_ms_max),
            strict_rep_hours: self.is_strict,
            ..Default::default()
        }
    }

    /// Whether a lead may be offered: to the end of the margin.
    pub(super) fn may_offer(&self, lead: &Lead, at: i64) -> bool {
        is_open(&lead.clocks(), &self.hours, self.margin_minutes, at)
    }

    /// Whether a lead that was offered may be dialled: to the law's own end.
    pub(super) fn may_dial(&self, lead: &Lead, at: i64) -> bool {
        is_open(&lead.clocks(), &self.hours, self.margin_minutes.map(|_| 0), at)
    }

    /// Until when the first touch is promised, counted in open minutes.
    pub(super) fn promised(&self, handed_over_at: i64) -> i64 {
        if self.rules.is_by_the_wall {
            return handed_over_at + self.rules.within_ms;
        }
        let (mut at, mut left_ms) = (handed_over_at, self.rules.within_ms);
        while left_ms > 0 {
            if self.hours.contains(&wall(self.zone, at)) {
                left_ms -= MINUTE_MS;
            }
            at += MINUTE_MS;
        }
        at
    }
}

pub(super) struct Campaign {
    pub(super) id: &'static str,
    pub(super) queue: usize,
    pub(super) is_dutch: bool,
    pub(super) is_paused: bool,
    pub(super) ends_at: Option<i64>,
}

impl Campaign {
    pub(super) fn has_ended(&self, now: i64) -> bool {
        self.ends_at.is_some_and(|at| at <= now)
    }
}

pub(super) struct Rep {
    pub(super) id: &'static str,
    pub(super) queue: usize,
    pub(super) is_dutch: bool,
    pub(super) is_active: bool,
    pub(super) hours: Hours,
    pub(super) zone: &'static str,
    pub(super) absences: Vec<(i64, i64)>,
    pub(super) ends_at: Option<i64>,
}

pub(super) fn skills(is_dutch: bool) -> Vec<String> {
    if is_dutch { vec!["dutch".into()] } else { Vec::new() }
}

impl Rep {
    pub(super) fn any(dice: &mut Dice, id: &'static str, queue: usize) -> Self {
        Self {
            id,
            queue,
            is_dutch: dice.one_in(2),
            is_active: true,
            hours: dice.pick(&[ALWAYS, OF_REPS[0], OF_REPS[1]]),
            zone: dice.pick(&["Europe/Berlin", "America/Chicago", "Australia/Sydney"]),
            absences: Vec::new(),
            ends_at: None,
        }
    }

    pub(super) fn message(&self, queues: &[Queue]) -> proto::Rep {
        let is_always = self.hours.text == ALWAYS.text;
        let absence = |(from, to): &(i64, i64)| proto::Absence {
            start_time: Some(time(*from)),
            end_time: Some(time(*to)),
        };
        proto::Rep {
            rep_id: self.id.into(),
            queue_id: queues[self.queue].id.into(),
            skills: skills(self.is_dutch),
            active: Some(self.is_active),
            hours: if is_always { String::new() } else { self.hours.text.into() },
            time_zone: if is_always { String::new() } else { self.zone.into() },
            absences: self.absences.iter().map(absence).collect(),
            end_time: self.ends_at.map(time),
        }
    }

    pub(super) fn has_ended(&self, now: i64) -> bool {
        self.ends_at.is_some_and(|at| at <= now)
    }

    pub(super) fn is_at_work(&self, at: i64) -> bool {
        let is_away = self.absences.iter().any(|(from, to)| (*from..*to).contains(&at));
        let is_in_hours =
            self.hours.text == ALWAYS.text || self.hours.contains(&wall(self.zone, at));
        is_in_hours && !is_away && !self.has_ended(at)
    }

    /// Whether they are at work at any instant from one up to another, looked at by the minute.
    pub(super) fn works_between(&self, from: i64, to: i64) -> bool {
        let minutes = (from.div_euclid(MINUTE_MS) + 1..).map(|minute| minute * MINUTE_MS);
        let later = minutes.take_while(|at| *at < to);
        from < to && std::iter::once(from).chain(later).any(|at| self.is_at_work(at))
    }

    /// Whether they are away for longer than that.
    pub(super) fn is_long_away(&self, longer_than_ms: i64, now: i64) -> bool {
        let mut long = self.absences.iter().filter(|(from, to)| to - from > longer_than_ms);
        long.any(|(from, to)| (*from..*to).contains(&now))
    }
}
