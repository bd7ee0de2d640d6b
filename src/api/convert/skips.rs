//! What became of serves.

use crate::coverage::{ServeCounts, SkipReport};
use crate::domain::ServeTally;

use super::super::proto;
use super::fields::DAY_MS;
use super::{Fields, time};

/// How far back a report looks that does not say from when on.
const PERIOD_MS_DEFAULT: i64 = 7 * DAY_MS;

/// Reads the period of a report: its first instant, and the first that no longer belongs to it.
pub(in crate::api) fn period(
    fields: &mut Fields,
    from: Option<&prost_types::Timestamp>,
    until: Option<&prost_types::Timestamp>,
    now: i64,
) -> Option<(i64, i64)> {
    let until_at = match until {
        None => Some(now),
        Some(_) => fields.instant("until_time", until),
    };
    let from_at = match from {
        None => until_at.map(|until| until.saturating_sub(PERIOD_MS_DEFAULT)),
        Some(_) => fields.instant("from_time", from),
    };
    let (from_at, until_at) = (from_at?, until_at?);
    if from_at >= until_at {
        fields.problem("until_time", "must be after from_time");
        return None;
    }
    Some((from_at, until_at))
}

/// What became of a queue's serves.
pub(in crate::api) fn skips(report: &SkipReport) -> proto::GetSkipsResponse {
    proto::GetSkipsResponse {
        from_time: Some(time(report.from)),
        until_time: Some(time(report.until)),
        rows: report.rows.iter().map(row).collect(),
    }
}

fn row(row: &ServeCounts) -> proto::ServeCounts {
    let skips = row.skips().map(|(reason, count)| proto::SkipCount {
        reason: proto::SkipReason::from(reason).into(),
        count,
    });
    proto::ServeCounts {
        rep_id: row.rep.as_ref().map(ToString::to_string).unwrap_or_default(),
        points_min: row.band.points_min(),
        served_count: row.of(ServeTally::Served),
        skipped_count: row.skips().map(|(_, count)| count).sum(),
        skips: skips.collect(),
        expired_count: row.of(ServeTally::Expired),
        rep_error_count: row.of(ServeTally::RepError),
        client_lost_count: row.of(ServeTally::ClientLost),
        forbidden_count: row.of(ServeTally::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use crate::api::status::Problems;

    use super::*;

    #[test]
    fn a_period_is_the_last_week_unless_it_is_named_and_does_not_run_backwards() {
        let now = 100 * DAY_MS;
        let read = |from: Option<i64>, until: Option<i64>| {
            let mut fields = Fields::default();
            let read = period(&mut fields, from.map(time).as_ref(), until.map(time).as_ref(), now);
            let read = fields.finish(read);
            read.map_err(|Problems(all)| all.into_iter().map(|one| one.field).collect::<Vec<_>>())
        };
        assert_eq!(read(None, None), Ok((93 * DAY_MS, now)));
        assert_eq!(read(None, Some(now - DAY_MS)), Ok((92 * DAY_MS, now - DAY_MS)));
        assert_eq!(read(Some(5), Some(6)), Ok((5, 6)));
        assert_eq!(read(Some(5), Some(5)), Err(vec!["until_time".to_owned()]));
        assert_eq!(read(Some(-1), None), Err(vec!["from_time".to_owned()]));
    }
}
