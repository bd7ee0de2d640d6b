//! What a batch counts of serves, and against reps who skip; and what it looks up of them.

use std::collections::BTreeSet;

use super::super::books::{Change, NewSkip, ServeKey, SkipRow, Slate};
use super::super::changes::ReleaseCause;
use super::super::error::StoreError;
use super::connection::Connection;
use super::load::json;
use super::rows::{packed, token};
use super::statements as sql;
use super::write::{Rows, Statements};
use crate::domain::{RepKey, SKIP_WINDOW_MS};

/// Loads what counts against the reps who are about to skip, where that is limited.
pub(in crate::store) async fn load(
    connection: &mut Connection,
    slate: &mut Slate,
    changes: &[&Change],
) -> Result<(), StoreError> {
    let mut reps: BTreeSet<RepKey> = BTreeSet::new();
    let mut since = i64::MAX;
    for change in changes {
        let Change::Release(release) = change else { continue };
        if let ReleaseCause::Skip { per_hour_max: Some(_), .. } = release.cause {
            reps.insert(release.rep);
            since = since.min(release.now.saturating_sub(SKIP_WINDOW_MS));
        }
    }
    if reps.is_empty() {
        return Ok(());
    }
    let query = sql::LOAD_SKIPS.bind(json(&reps)).bind(since);
    let rows: Vec<(RepKey, String, i64, i64)> = packed(connection, "skip", query).await?;
    for (rep, text, at, counts_from) in rows {
        let row = SkipRow { at, counts_from };
        slate.skips.entry(rep).or_default().insert(token("skip", &text)?, row);
    }
    Ok(())
}

/// The statements for skips and for the counters of serves.
pub(in crate::store) fn statements(slate: &Slate) -> Statements<2> {
    let skip = |skip: &NewSkip| (skip.token.to_text(), skip.rep, skip.at);
    let skips: Vec<_> = slate.new_skips.iter().map(skip).collect();
    let count = |(key, count): (&ServeKey, &i64)| {
        (key.queue, key.hour, key.rep, key.band.points_min(), key.tally.code(), *count)
    };
    let serves: Vec<_> = slate.serve_deltas.iter().map(count).collect();
    [Rows::of("skip", sql::ADD_SKIPS, &skips), Rows::of("serve_count", sql::COUNT_SERVES, &serves)]
}
