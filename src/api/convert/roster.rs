//! Reps, when they work, and how a queue keeps leads for them.

use crate::dialer::{RepSettings, RepView};
use crate::domain::{
    ABSENCE_COUNT_MAX, Absence, OwnLeads, QueueId, RepId, WeeklyHours, WorkTime, is_zone,
};

use super::super::proto;
use super::fields::DAY_MS;
use super::{Fields, time};

const CALLBACK_COUNT_MAX: i64 = 1_000;
const OWNER_ABSENCE_MS_MAX: i64 = 366 * DAY_MS;

/// Reads how a queue keeps leads for reps.
pub(super) fn own_leads(fields: &mut Fields, queue: &proto::Queue) -> Option<OwnLeads> {
    let usual = OwnLeads::default();
    let grace = queue.callback_grace_duration.as_ref();
    let callback_grace_ms = fields
        .duration("queue.callback_grace_duration", grace, DAY_MS)
        .unwrap_or(usual.callback_grace_ms);
    let absence = queue.owner_absence_max_duration.as_ref();
    let owner_absence_ms_max = fields
        .duration("queue.owner_absence_max_duration", absence, OWNER_ABSENCE_MS_MAX)
        .unwrap_or(usual.owner_absence_ms_max);
    let count_max = queue.callback_count_max.map_or(usual.callback_count_max, i64::from);
    if !(0..=CALLBACK_COUNT_MAX).contains(&count_max) {
        let problem = format!("must be 0 to {CALLBACK_COUNT_MAX}");
        fields.problem("queue.callback_count_max", problem);
        return None;
    }
    Some(OwnLeads {
        callback_grace_ms,
        callback_count_max: count_max,
        owner_absence_ms_max,
        is_strict_about_hours: queue.strict_rep_hours,
    })
}

/// Reads a rep.
pub(in crate::api) fn rep_settings(
    fields: &mut Fields,
    rep: Option<&proto::Rep>,
) -> Option<(RepId, RepSettings)> {
    let Some(rep) = rep else {
        fields.problem("rep", "must be given");
        return None;
    };
    let id = fields.id("rep.rep_id", &rep.rep_id, RepId::new);
    let queue = fields.id("rep.queue_id", &rep.queue_id, QueueId::new);
    let skills = fields.skills("rep.skills", &rep.skills);
    let is_active = rep.active.unwrap_or(true);
    let hours = work_hours(fields, rep);
    let absences = absences(fields, rep);
    let ends_at = fields.instant("rep.end_time", rep.end_time.as_ref());
    let work = WorkTime { hours, absences, ends_at };
    Some((id?, RepSettings { queue: queue?, skills: skills?, is_active, work }))
}

fn work_hours(fields: &mut Fields, rep: &proto::Rep) -> Option<(WeeklyHours, String)> {
    if rep.hours.is_empty() {
        if !rep.time_zone.is_empty() {
            fields.problem("rep.time_zone", "goes with hours");
        }
        return None;
    }
    if !is_zone(&rep.time_zone) {
        fields.problem("rep.time_zone", "must be a time zone by its IANA name: Europe/Berlin");
    }
    match rep.hours.parse::<WeeklyHours>() {
        Ok(hours) => Some((hours, rep.time_zone.clone())),
        Err(problem) => {
            fields.problem("rep.hours", problem.to_string());
            None
        }
    }
}

fn absences(fields: &mut Fields, rep: &proto::Rep) -> Vec<Absence> {
    if rep.absences.len() > ABSENCE_COUNT_MAX {
        fields.problem("rep.absences", format!("must be at most {ABSENCE_COUNT_MAX}"));
        return Vec::new();
    }
    let mut read = Vec::with_capacity(rep.absences.len());
    for (nth, absence) in rep.absences.iter().enumerate() {
        let field = |name: &str| format!("rep.absences[{nth}].{name}");
        let from = fields.instant_given(&field("start_time"), absence.start_time.as_ref());
        let to = fields.instant_given(&field("end_time"), absence.end_time.as_ref());
        match from.zip(to) {
            Some((from, to)) if to <= from => {
                fields.problem(&field("end_time"), "must be after start_time");
            }
            Some((from, to)) => read.push(Absence { from, to }),
            None => {}
        }
    }
    read.sort_unstable();
    read
}

/// A rep.
pub(in crate::api) fn rep(view: RepView) -> proto::Rep {
    let work = view.settings.work;
    let absence = |one: &Absence| proto::Absence {
        start_time: Some(time(one.from)),
        end_time: Some(time(one.to)),
    };
    let (hours, time_zone) = match work.hours {
        Some((hours, zone)) => (hours.to_string(), zone),
        None => Default::default(),
    };
    proto::Rep {
        rep_id: view.id.to_string(),
        queue_id: view.settings.queue.to_string(),
        skills: view.settings.skills.into_iter().collect(),
        active: Some(view.settings.is_active),
        hours,
        time_zone,
        absences: work.absences.iter().map(absence).collect(),
        end_time: work.ends_at.map(time),
    }
}

#[cfg(test)]
mod tests {
    use crate::api::status::Problems;

    use super::*;

    fn message() -> proto::Rep {
        let (rep_id, queue_id) = ("ann".into(), "inside".into());
        proto::Rep { rep_id, queue_id, ..Default::default() }
    }

    fn read(message: &proto::Rep) -> Result<RepSettings, Vec<String>> {
        let mut fields = Fields::default();
        let read = rep_settings(&mut fields, Some(message));
        let read = fields.finish(read).map(|(_, settings)| settings);
        read.map_err(|Problems(all)| all.into_iter().map(|one| one.field).collect())
    }

    #[test]
    fn a_rep_is_active_unless_somebody_says_otherwise() {
        let active = |active| read(&proto::Rep { active, ..message() }).unwrap().is_active;
        assert!(active(None) && active(Some(true)) && !active(Some(false)));
    }

    #[test]
    fn a_rep_without_hours_always_works_and_one_with_hours_names_a_zone() {
        assert_eq!(read(&message()).unwrap().work, WorkTime::default());
        let hours = "mon-fri 09:00-17:00".to_owned();
        let bare = proto::Rep { hours: hours.clone(), ..message() };
        assert_eq!(read(&bare).unwrap_err(), ["rep.time_zone"]);
        let zone = proto::Rep { time_zone: "UTC".into(), ..message() };
        assert_eq!(read(&zone).unwrap_err(), ["rep.time_zone"]);
        let late = proto::Rep { hours: "late".into(), ..zone.clone() };
        assert_eq!(read(&late).unwrap_err(), ["rep.hours"]);
        assert!(read(&proto::Rep { hours, ..zone }).unwrap().work.hours.is_some());
    }

    #[test]
    fn a_rep_is_sent_as_they_were_read_with_absences_in_order() {
        let absence = |from: i64, to: i64| proto::Absence {
            start_time: Some(time(from)),
            end_time: Some(time(to)),
        };
        let given = proto::Rep {
            hours: "mon-fri 09:00-17:00".into(),
            time_zone: "Europe/Berlin".into(),
            absences: vec![absence(50, 60), absence(10, 20)],
            end_time: Some(time(99)),
            ..message()
        };
        let settings = read(&given).unwrap();
        assert_eq!(settings.work.absences[0], Absence { from: 10, to: 20 });
        let view = RepView { id: RepId::new("ann").unwrap(), settings: settings.clone() };
        assert_eq!(read(&rep(view)).unwrap().work, settings.work);
        let backwards = proto::Rep { absences: vec![absence(5, 5)], ..message() };
        assert_eq!(read(&backwards).unwrap_err(), ["rep.absences[0].end_time"]);
        let many = vec![absence(1, 2); ABSENCE_COUNT_MAX + 1];
        assert_eq!(
            read(&proto::Rep { absences: many, ..message() }).unwrap_err(),
            ["rep.absences"]
        );
    }
}
