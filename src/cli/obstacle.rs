//! What keeps a lead from being served, in words.

use super::lead::bar_text;
use super::words::{instant_text, proto_duration_text, word};
use crate::api::proto::{
    CloseReason, KeeperState, Obstacle, ObstacleKind, ReachedCap, Route, SuppressedContact,
    WaitReason,
};

/// One line, and until when it lasts.
pub(super) fn obstacle_row(obstacle: &Obstacle) -> [String; 2] {
    [obstacle_text(obstacle), instant_text(obstacle.until_time.as_ref())]
}

/// What it is, with what it takes to do something about it.
pub(super) fn obstacle_text(obstacle: &Obstacle) -> String {
    let rep = &obstacle.rep_id;
    let missing = obstacle.missing_skills.join(", ");
    match ObstacleKind::try_from(obstacle.kind) {
        Ok(ObstacleKind::Erased) => "everything personal about it was erased".to_owned(),
        Ok(ObstacleKind::Closed) => {
            let why = word::<CloseReason>(obstacle.close_reason);
            format!("it is closed: {} ({why})", word::<Route>(obstacle.route))
        }
        Ok(ObstacleKind::Leased) => format!("{rep} holds it"),
        Ok(ObstacleKind::Waiting) => waiting_text(obstacle),
        Ok(ObstacleKind::Suppressed) => {
            let what: Vec<_> = obstacle.suppressed.iter().map(contact_text).collect();
            format!("it is suppressed: {}", what.join("; "))
        }
        Ok(ObstacleKind::CampaignEnded) => "its campaign is over: it is about to close".to_owned(),
        Ok(ObstacleKind::Paused) => "its campaign is paused".to_owned(),
        Ok(ObstacleKind::NoNumber) => "none of its numbers may be dialled".to_owned(),
        Ok(ObstacleKind::NumberInUse) => {
            format!("a number of it is in a rep's hands with lead {}", obstacle.other_lead_id)
        }
        Ok(ObstacleKind::UnknownZone) => "nothing tells its time zone".to_owned(),
        Ok(ObstacleKind::OutsideHours) => {
            let bar = obstacle.bar.as_ref().map_or(String::new(), bar_text);
            match obstacle.until_time {
                Some(_) => format!("it is outside calling hours ({bar})"),
                None => format!("its calling hours do not open within 40 days ({bar})"),
            }
        }
        Ok(ObstacleKind::Capped) => {
            let cap = obstacle.cap.as_ref().map_or(String::new(), cap_text);
            format!("its numbers are at a cap: {cap}")
        }
        Ok(ObstacleKind::Kept) => kept_text(obstacle),
        Ok(ObstacleKind::NoRepWithSkills) => {
            let skills = obstacle.skills.join(", ");
            match (skills.as_str(), missing.as_str()) {
                ("", _) => "the queue has no active rep".to_owned(),
                (skills, "") => format!("no active rep has all of its skills: {skills}"),
                (skills, missing) => {
                    format!("no active rep has its skills: {skills}; nobody has: {missing}")
                }
            }
        }
        Ok(ObstacleKind::RepOtherQueue) => format!("{rep} works queue {}", obstacle.rep_queue_id),
        Ok(ObstacleKind::RepInactive) => format!("{rep} may not pull, or works here no more"),
        Ok(ObstacleKind::RepOffDuty) => format!("{rep} is off duty"),
        Ok(ObstacleKind::RepLacksSkills) => format!("{rep} lacks: {missing}"),
        Ok(ObstacleKind::RepPassed) if obstacle.last_resort => {
            format!("{rep} passed it: they get it when nothing else is left, as nobody else could")
        }
        Ok(ObstacleKind::RepPassed) => format!("{rep} passed it"),
        Ok(ObstacleKind::RepHoldsLead) => format!("{rep} holds lead {}", obstacle.other_lead_id),
        Ok(ObstacleKind::RepOwesFeedback) => format!("{rep} owes feedback first"),
        _ => word::<ObstacleKind>(obstacle.kind),
    }
}

fn waiting_text(obstacle: &Obstacle) -> String {
    let what = match WaitReason::try_from(obstacle.wait_reason) {
        Ok(WaitReason::Callback) => "a callback that was promised",
        Ok(WaitReason::Retry) => "its next attempt",
        Ok(WaitReason::Cap) => "a number to come off its cap",
        _ => return "it waits".to_owned(),
    };
    match obstacle.rep_id.as_str() {
        "" => format!("it waits for {what}"),
        rep => format!("it waits for {what} by {rep}"),
    }
}

fn contact_text(one: &SuppressedContact) -> String {
    let what = match one.number_position {
        0 => "its e-mail address".to_owned(),
        position => format!("number {position}"),
    };
    let at = instant_text(one.suppressed_time.as_ref());
    let until = match instant_text(one.until_time.as_ref()) {
        until if until.is_empty() => String::new(),
        until => format!(", until {until}"),
    };
    format!("{what}, by {} at {at}{until}", one.source)
}

/// `3 of 3 dials in 24h (US-FL, Fla. Stat. …)`.
pub(super) fn cap_text(reached: &ReachedCap) -> String {
    let cap = reached.cap.unwrap_or_default();
    let whose = match reached.jurisdiction.as_str() {
        "" => "the queue's".to_owned(),
        jurisdiction => format!("{jurisdiction}, {}", reached.citation),
    };
    let window = proto_duration_text(cap.window_duration.as_ref());
    format!("{} dials in {window}, of at most {} ({whose})", reached.dial_count, cap.dial_count_max)
}

fn kept_text(obstacle: &Obstacle) -> String {
    let rep = &obstacle.rep_id;
    let keeper = obstacle.keeper.unwrap_or_default();
    let why = if keeper.promised { "a callback was promised" } else { "it is theirs" };
    format!("it is kept for {rep}: {why}; {}", keeper_text(&keeper))
}

fn keeper_text(keeper: &KeeperState) -> String {
    let mut text = match (keeper.at_work, instant_text(keeper.back_time.as_ref())) {
        (true, _) => "they are at work".to_owned(),
        (false, back) if back.is_empty() => "nobody knows when they are back".to_owned(),
        (false, back) => format!("they are back at {back}"),
    };
    let end = instant_text(keeper.end_time.as_ref());
    if !end.is_empty() {
        text.push_str(&format!(", and leave at {end}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::{CallingBar, Cap};

    fn text(kind: ObstacleKind, obstacle: Obstacle) -> String {
        obstacle_text(&Obstacle { kind: kind.into(), ..obstacle })
    }

    #[test]
    fn what_closes_the_hours_is_named_with_its_law() {
        let of = |jurisdiction: &str, citation: &str| {
            let bar = Some(CallingBar {
                time_zone: "America/New_York".into(),
                jurisdiction: jurisdiction.into(),
                citation: citation.into(),
            });
            let until_time = Some(prost_types::Timestamp { seconds: 0, nanos: 0 });
            text(ObstacleKind::OutsideHours, Obstacle { bar, until_time, ..Default::default() })
        };
        assert_eq!(
            of("US-FL", "Fla. Stat. 501.616(6)"),
            "it is outside calling hours (America/New_York: US-FL, Fla. Stat. 501.616(6))"
        );
        assert_eq!(of("", ""), "it is outside calling hours (America/New_York: the queue's hours)");
    }

    #[test]
    fn a_cap_and_a_suppression_tell_whose_they_are() {
        let day = prost_types::Duration { seconds: 86_400, nanos: 0 };
        let cap = Some(ReachedCap {
            cap: Some(Cap { dial_count_max: 3, window_duration: Some(day) }),
            dial_count: 4,
            jurisdiction: "US-FL".into(),
            citation: "Fla. Stat. 501.616(6)(b)".into(),
            until_time: None,
        });
        let capped = text(ObstacleKind::Capped, Obstacle { cap, ..Default::default() });
        assert!(capped.ends_with(", of at most 3 (US-FL, Fla. Stat. 501.616(6)(b))"), "{capped}");
        let suppressed = vec![
            SuppressedContact { number_position: 2, source: "touch".into(), ..Default::default() },
            SuppressedContact { source: "robinson".into(), ..Default::default() },
        ];
        let said = text(ObstacleKind::Suppressed, Obstacle { suppressed, ..Default::default() });
        assert!(
            said.contains("number 2, by touch") && said.contains("e-mail address, by robinson")
        );
    }

    #[test]
    fn a_keeper_is_told_with_where_they_are() {
        let keeper = Some(KeeperState { at_work: true, ..Default::default() });
        let kept = Obstacle { rep_id: "ann".into(), keeper, ..Default::default() };
        let kept = text(ObstacleKind::Kept, kept);
        assert_eq!(kept, "it is kept for ann: it is theirs; they are at work");
    }
}
