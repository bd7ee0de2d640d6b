//! Feedback in SQL: what a batch looks up and writes of it, and what is reported.

use std::collections::BTreeSet;

use super::super::books::{Change, LateFeedback, NewFeedback, Slate};
use super::super::changes::Grant;
use super::super::error::StoreError;
use super::super::reports::{Owed, OwedBy, QualityCount, QualityPeriod};
use super::connection::{Connection, Row};
use super::load::{json, limit_of};
use super::rows::{corrupt, packed};
use super::statements as sql;
use super::write::{Rows, Statements};
use crate::domain::{CampaignKey, LeadId, Quality, QualityMode, RepKey, TouchId};

fn grant_of(change: &Change) -> Option<(&Grant, RepKey)> {
    match change {
        Change::Lease(grant) => Some((grant, grant.rep)),
        Change::Touch(change) => change.then.as_ref().zip(change.touch.rep),
        _ => None,
    }
}

/// A row of `load_feedback.sql`.
type FeedbackColumns = (RepKey, TouchId, String, Option<u8>, Option<String>);

/// Loads what is owed by reps who would get no lead for it, and what is about to be rated.
pub(in crate::store) async fn load(
    connection: &mut Connection,
    slate: &mut Slate,
    changes: &[&Change],
) -> Result<(), StoreError> {
    let grants = changes.iter().filter_map(|change| grant_of(change));
    let reps: BTreeSet<RepKey> =
        grants.filter(|(grant, _)| grant.holds_back).map(|(_, rep)| rep).collect();
    if !reps.is_empty() {
        let query = sql::LOAD_OWED.bind(json(&reps));
        let rows: Vec<(RepKey, String, String)> = packed(connection, "feedback", query).await?;
        for (rep, touch, caller) in rows {
            slate.owed.entry(rep).or_default().insert((touch, caller));
        }
    }
    let mut rated = Vec::new();
    for change in changes {
        if let Change::Rate(rate) = change {
            rated.push((rate.rep, &rate.touch));
        }
    }
    if rated.is_empty() {
        return Ok(());
    }
    rated.sort_unstable();
    rated.dedup();
    let query = sql::LOAD_FEEDBACK.bind(json(&rated));
    let rows: Vec<FeedbackColumns> = packed(connection, "feedback", query).await?;
    for (rep, touch, caller, rating, reason) in rows {
        let given = rating.zip(reason).map(|(rating, reason)| Quality { rating, reason });
        let name = (touch.as_str().to_owned(), caller);
        slate.feedback.entry((rep, touch)).or_default().push((name, given));
    }
    Ok(())
}

fn mode_number(mode: QualityMode) -> i64 {
    match mode {
        QualityMode::Off => 0,
        QualityMode::Asked => 1,
        QualityMode::Required => 2,
    }
}

/// The statements for feedback that is asked for, and that is given later.
pub(in crate::store) fn statements(slate: &Slate) -> Statements<2> {
    let new = |one: &NewFeedback| {
        let given = one.given.as_ref();
        (
            one.name.0.clone(),
            one.name.1.clone(),
            one.lead,
            one.rep,
            one.queue,
            one.campaign,
            one.source.clone(),
            one.touched_at,
            mode_number(one.mode),
            given.map(|quality| quality.rating),
            given.map(|quality| quality.reason.clone()),
            given.map(|_| one.touched_at),
        )
    };
    let late = |one: &LateFeedback| {
        let (name, quality) = (one.name.clone(), one.quality.clone());
        (name.0, name.1, quality.rating, quality.reason, one.at)
    };
    let added: Vec<_> = slate.new_feedback.iter().map(new).collect();
    let given: Vec<_> = slate.late_feedback.iter().map(late).collect();
    [
        Rows::of("feedback", sql::ADD_FEEDBACK, &added),
        Rows::of("feedback", sql::GIVE_FEEDBACK, &given),
    ]
}

/// What is owed, the oldest first.
pub(in crate::store) async fn owed(
    connection: &mut Connection,
    owed_by: OwedBy,
    limit: usize,
) -> Result<Vec<Owed>, StoreError> {
    let query = match owed_by {
        OwedBy::Rep(rep) => sql::OWED_BY_REP.bind(rep.0),
        OwedBy::Queue(queue) => sql::OWED_IN_QUEUE.bind(queue.0),
    };
    let query = query.bind(limit_of(limit));
    query.all(connection).await?.iter().map(owed_row).collect()
}

fn owed_row(row: &Row) -> Result<Owed, StoreError> {
    let touch = row.text(2)?;
    let bad = || corrupt("feedback", "touch_id", "(hidden)");
    Ok(Owed {
        rep: RepKey(row.integer(0)?),
        lead: LeadId(row.integer(1)?),
        touch: TouchId::new(touch).map_err(|_| bad())?,
        touched_at: row.integer(3)?,
        is_required: row.integer(4)? == 2,
    })
}

/// What was asked for and given in a queue, of touches in a period.
pub(in crate::store) async fn counts(
    connection: &mut Connection,
    period: &QualityPeriod,
) -> Result<Vec<QualityCount>, StoreError> {
    let query = sql::QUALITY_COUNTS.bind(period.queue.0).bind(period.from).bind(period.until);
    query.all(connection).await?.iter().map(count).collect()
}

fn count(row: &Row) -> Result<QualityCount, StoreError> {
    let given = row.maybe_integer(4)?.zip(row.maybe_string(5)?);
    let quality = |(rating, reason): (i64, String)| {
        let bad = || corrupt("feedback", "rating", &rating.to_string());
        Ok::<_, StoreError>(Quality { rating: u8::try_from(rating).map_err(|_| bad())?, reason })
    };
    Ok(QualityCount {
        rep: RepKey(row.integer(0)?),
        campaign: CampaignKey(row.integer(1)?),
        source: row.string(2)?,
        is_asked: row.integer(3)? == 1,
        given: given.map(quality).transpose()?,
        count: row.integer(6)?,
    })
}
