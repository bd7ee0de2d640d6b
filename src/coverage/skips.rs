//! Who was served what, and skipped it: counters that were kept with every serve, put together.

use std::collections::BTreeMap;

use super::{Coverage, CoverageError};
use crate::domain::{QueueId, RepId, RepKey, ServeTally, SkipReason, ValueBand};
use crate::store::{ServeCount, ServePeriod};

const HOUR_MS: i64 = 3_600_000;

/// What became of a queue's serves.
#[derive(Clone, Debug)]
pub struct SkipReport {
    /// From when on serves are counted.
    pub from: i64,
    /// The first instant that is no longer counted.
    pub until: i64,
    /// In the order of reps and bands.
    pub rows: Vec<ServeCounts>,
}

/// What became of the serves of one rep and band.
#[derive(Clone, Debug)]
pub struct ServeCounts {
    /// The rep; `None`: all of them together.
    pub rep: Option<RepId>,
    /// What the leads were worth when they were served.
    pub band: ValueBand,
    counts: BTreeMap<ServeTally, i64>,
}

impl ServeCounts {
    /// How many were counted as that.
    pub fn of(&self, tally: ServeTally) -> i64 {
        self.counts.get(&tally).copied().unwrap_or(0)
    }

    /// How many were skipped, by reason.
    pub fn skips(&self) -> impl Iterator<Item = (SkipReason, i64)> {
        self.counts.iter().filter_map(|(tally, count)| Some((tally.skipped_for()?, *count)))
    }
}

impl SkipReport {
    /// The same without saying who: the counts of all reps, band by band.
    pub fn without_reps(self) -> Self {
        let mut bands: BTreeMap<ValueBand, BTreeMap<ServeTally, i64>> = BTreeMap::new();
        for row in self.rows {
            let sums = bands.entry(row.band).or_default();
            for (tally, count) in row.counts {
                *sums.entry(tally).or_default() += count;
            }
        }
        let row = |(band, counts)| ServeCounts { rep: None, band, counts };
        Self { rows: bands.into_iter().map(row).collect(), ..self }
    }
}

impl Coverage {
    /// What became of a queue's serves from one instant until another, both carried to the full hours
    /// that hold them: serves are counted by the hour.
    pub async fn skips(
        &self,
        queue: &QueueId,
        from: i64,
        until: i64,
    ) -> Result<SkipReport, CoverageError> {
        let names = self.names().await?;
        let queue = names.queue(Some(queue))?.expect("a queue that was named is found or refused");
        let from_hour = from.div_euclid(HOUR_MS);
        let until_hour = until.saturating_add(HOUR_MS - 1).div_euclid(HOUR_MS).max(from_hour);
        let period = ServePeriod { queue, from_hour, until_hour };
        let counts = self.store.serve_counts(&period).await?;
        let rows = rows_of(&counts, |rep| names.reps.get(&rep).cloned());
        Ok(SkipReport { from: from_hour * HOUR_MS, until: until_hour * HOUR_MS, rows })
    }
}

fn rows_of(counts: &[ServeCount], name: impl Fn(RepKey) -> Option<RepId>) -> Vec<ServeCounts> {
    let mut rows: BTreeMap<(RepId, ValueBand), BTreeMap<ServeTally, i64>> = BTreeMap::new();
    for one in counts {
        let Some(rep) = name(one.rep) else { continue };
        *rows.entry((rep, one.band)).or_default().entry(one.tally).or_default() += one.count;
    }
    let row = |((rep, band), counts)| ServeCounts { rep: Some(rep), band, counts };
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_put_together_by_rep_and_band() {
        let count = |rep, band, tally, count| ServeCount { rep: RepKey(rep), band, tally, count };
        let counts = [
            count(2, ValueBand::Tens, ServeTally::Served, 5),
            count(1, ValueBand::Hundreds, ServeTally::Served, 3),
            count(1, ValueBand::Ones, ServeTally::Served, 9),
            count(1, ValueBand::Ones, ServeTally::NoTime, 2),
            count(1, ValueBand::Ones, ServeTally::Expired, 1),
        ];
        let name = |rep: RepKey| RepId::new(if rep.0 == 1 { "zoe" } else { "ann" }).ok();

        let rows = rows_of(&counts, name);

        let places: Vec<_> =
            rows.iter().map(|row| (row.rep.as_ref().map(RepId::as_str), row.band)).collect();
        let zoe = [(Some("zoe"), ValueBand::Ones), (Some("zoe"), ValueBand::Hundreds)];
        assert_eq!(places, [(Some("ann"), ValueBand::Tens), zoe[0], zoe[1]]);
        let row = &rows[1];
        assert_eq!((row.of(ServeTally::Served), row.of(ServeTally::Expired)), (9, 1));
        assert_eq!(row.skips().collect::<Vec<_>>(), [(SkipReason::NoTime, 2)]);
        assert_eq!(row.of(ServeTally::Forbidden), 0);
    }
}
