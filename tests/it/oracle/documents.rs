//! Rule documents: made up by the dice, written as the server reads them, and kept as what they mean.

use jiff::ToSpan;
use jiff::civil::Date;
use nextlead::api::proto::Disposition;

use super::company::QUEUES;
use super::dice::Dice;
use crate::support::{HOUR_MS, MINUTE_MS};

/// What management has to decide about; all others are settled by themselves.
const UNSETTLED: [Disposition; 12] = [
    Disposition::NoAnswer,
    Disposition::Busy,
    Disposition::Voicemail,
    Disposition::Congestion,
    Disposition::DeadAir,
    Disposition::DroppedBeforeRep,
    Disposition::Gatekeeper,
    Disposition::WrongTime,
    Disposition::NotInterested,
    Disposition::NotQualified,
    Disposition::Language,
    Disposition::NeedsSpecialist,
];

/// What a queue's rules say.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) demo: i64,
    pub(super) per_score: i64,
    pub(super) per_attempt: i64,
    pub(super) fresh: i64,
    pub(super) within_ms: i64,
    pub(super) is_by_the_wall: bool,
    pub(super) reserve_after: u32,
    pub(super) after: Vec<After>,
}

/// For how long a web lead is fresh.
pub(super) const FRESH_MS: i64 = 10 * MINUTE_MS;

/// What some dispositions lead to.
#[derive(Clone, Debug)]
pub(super) struct After {
    pub(super) dispositions: Vec<Disposition>,
    pub(super) stages: Vec<Stage>,
    pub(super) attempts_min: i32,
    pub(super) attempts_max: i32,
    pub(super) then: Then,
}

#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) for_the_first_ms: Option<i64>,
    pub(super) attempts: Option<i32>,
    pub(super) retry_in: Vec<Delay>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Delay {
    For(i64),
    NextDaypart,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    NurtureFor(i64),
    NurtureUntil(Date),
    NurtureUntilEngagement,
    Lost,
    Unreachable,
    /// The other queue goes on with it.
    OtherQueue,
}

pub(super) fn code(disposition: Disposition) -> String {
    disposition.as_str_name().trim_start_matches("DISPOSITION_").to_lowercase()
}

impl Document {
    /// Some document, published on this date.
    pub(super) fn any(dice: &mut Dice, today: Date) -> Self {
        let mut dispositions = UNSETTLED;
        dice.shuffle(&mut dispositions);
        let groups = dispositions.chunks(3).enumerate();
        Self {
            demo: dice.below(200),
            per_score: dice.below(3),
            per_attempt: dice.below(60) - 40,
            fresh: 1 + dice.below(200),
            within_ms: dice.minutes(30, 480),
            is_by_the_wall: dice.one_in(2),
            reserve_after: u32::try_from(1 + dice.below(4)).unwrap(),
            after: groups.map(|(nth, group)| After::any(dice, nth, group, today)).collect(),
        }
    }

    pub(super) fn text(&self, queue: &str) -> String {
        let Self { demo, per_score, per_attempt, fresh, reserve_after, .. } = self;
        let within = self.within_ms / MINUTE_MS;
        let clock = if self.is_by_the_wall { "clock = \"wall\"\n" } else { "" };
        let after: String = self.after.iter().map(|after| after.text(queue)).collect();
        format!(
            "queue = \"{queue}\"\npoint_is = \"1m\"\n\
             [first_touch]\nwithin = \"{within}m\"\nreserve_after = {reserve_after}\n{clock}\
             [[value]]\nname = \"demo\"\nwhen = 'lead.source == \"demo\"'\npoints = {demo}\n\
             [[value]]\nname = \"score\"\npoints = 'lead.score * {per_score}.0'\n\
             [[value]]\nname = \"tried\"\npoints = 'lead.attempts * {per_attempt}'\n\
             [[value]]\nname = \"fresh\"\nwhen = 'lead.channel == \"web\"'\npoints = {fresh}\n\
             for_the_first = \"10m\"\n{after}"
        )
    }

    /// The rule for a disposition, if management has to give one.
    pub(super) fn after(&self, disposition: Disposition) -> Option<&After> {
        self.after.iter().find(|after| after.dispositions.contains(&disposition))
    }
}

impl After {
    fn any(dice: &mut Dice, nth: usize, dispositions: &[Disposition], today: Date) -> Self {
        // Whatever the dice say, some leads are tried again and some are not.
        let stage_count = [1, 0, 2, 3][nth % 4];
        let mut stages: Vec<Stage> = Vec::new();
        let (mut days_ms, mut attempts) = (0, 1);
        for nth in 0..stage_count {
            let is_last = nth + 1 == stage_count;
            days_ms += dice.minutes(60, 900);
            attempts += 1 + i32::try_from(dice.below(2)).unwrap();
            let (by_time, by_count) = [(true, true), (true, false), (false, true)][dice.place(3)];
            let is_endless = is_last && (stage_count == 1 || dice.one_in(2));
            stages.push(Stage {
                for_the_first_ms: (by_time && !is_endless).then_some(days_ms),
                attempts: (by_count && !is_endless).then_some(attempts),
                retry_in: (0..1 + dice.below(3)).map(|_| Delay::any(dice)).collect(),
            });
        }
        let attempts_max = attempts + 1 + i32::try_from(dice.below(3)).unwrap();
        let has_least = stages.len() > 1 && dice.one_in(2);
        Self {
            dispositions: dispositions.to_vec(),
            attempts_min: if has_least { attempts_max - 1 } else { 0 },
            attempts_max,
            stages,
            then: Then::any(dice, today),
        }
    }

    fn text(&self, queue: &str) -> String {
        let codes: Vec<String> = self.dispositions.iter().map(|one| code(*one)).collect();
        let mut text =
            format!("[[after]]\ndispositions = {codes:?}\nthen = {}\n", self.then.text(queue));
        if self.stages.is_empty() {
            return text;
        }
        text += &format!("attempts_max = {}\n", self.attempts_max);
        if self.attempts_min > 0 {
            text += &format!("attempts_min = {}\n", self.attempts_min);
        }
        if let [only] = &self.stages[..] {
            return text + &only.text();
        }
        for stage in &self.stages {
            text += "[[after.stage]]\n";
            if let Some(ms) = stage.for_the_first_ms {
                text += &format!("for_the_first = \"{}m\"\n", ms / MINUTE_MS);
            }
            if let Some(attempts) = stage.attempts {
                text += &format!("attempts = {attempts}\n");
            }
            text += &stage.text();
        }
        text
    }
}

impl Stage {
    fn text(&self) -> String {
        let delays: Vec<String> = self.retry_in.iter().map(|delay| delay.text()).collect();
        format!("retry_in = {delays:?}\n")
    }
}

impl Delay {
    fn any(dice: &mut Dice) -> Self {
        let minutes = |minutes: i64| Self::For(minutes * MINUTE_MS);
        let all = [minutes(1), minutes(5), minutes(20), minutes(180), Self::NextDaypart];
        dice.pick(&all)
    }

    fn text(self) -> String {
        match self {
            Self::For(ms) => format!("{}m", ms / MINUTE_MS),
            Self::NextDaypart => "next_daypart".to_owned(),
        }
    }
}

impl Then {
    fn any(dice: &mut Dice, today: Date) -> Self {
        match dice.below(10) {
            0..3 => Self::NurtureFor(dice.minutes(10, 400)),
            3 => Self::NurtureFor(40 * HOUR_MS),
            4 => Self::NurtureUntil(today.checked_add(2.days()).unwrap()),
            5 => Self::NurtureUntilEngagement,
            6 => Self::Lost,
            7..9 => Self::OtherQueue,
            _ => Self::Unreachable,
        }
    }

    fn text(self, queue: &str) -> String {
        match self {
            Self::NurtureFor(ms) => format!("{{ nurture = \"{}m\" }}", ms / MINUTE_MS),
            Self::NurtureUntil(date) => format!("{{ nurture_until = \"{date}\" }}"),
            Self::NurtureUntilEngagement => "{ nurture = \"until_engagement\" }".to_owned(),
            Self::Lost => "{ lost = \"given_up\" }".to_owned(),
            Self::Unreachable => "\"unreachable\"".to_owned(),
            Self::OtherQueue => {
                let other = QUEUES.iter().find(|other| **other != queue).unwrap();
                format!("{{ queue = \"{other}\" }}")
            }
        }
    }
}
