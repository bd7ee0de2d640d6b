//! What reps think of the leads of each campaign and source, and who has not said so yet.

use std::collections::BTreeMap;

use super::{Coverage, CoverageError};
use crate::domain::{CampaignId, LeadId, QueueId, RepId, TouchId};
use crate::store::{Owed, OwedBy, QualityCount, QualityPeriod};

/// How much owed feedback a report names.
const OWED_COUNT_MAX: usize = 1_000;

/// Feedback on the touches of a period.
#[derive(Clone, Debug)]
pub struct QualityReport {
    /// By rep: how much of what was asked for they gave.
    pub reps: Vec<(RepId, QualitySums)>,
    /// By campaign and source: how good its leads are.
    pub sources: Vec<((CampaignId, String), QualitySums)>,
    /// What is owed, whenever the touch was, the oldest first; at most 1,000.
    pub owed: Vec<OwedView>,
}

/// Sums of feedback. Whole numbers: whoever wants a mean divides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QualitySums {
    /// Touches after which it was asked for.
    pub asked: i64,
    /// Of those, answered.
    pub answered: i64,
    /// Ratings, unasked ones as well.
    pub ratings: i64,
    /// The sum of those ratings.
    pub rating_sum: i64,
    /// How often each reason was given.
    pub reasons: BTreeMap<String, i64>,
}

/// Feedback that a rep owes.
#[derive(Clone, Debug)]
pub struct OwedView {
    /// Who.
    pub rep: RepId,
    /// On which lead.
    pub lead: LeadId,
    /// On which touch.
    pub touch: TouchId,
    /// Since when.
    pub touched_at: i64,
    /// Whether the rep is held back for it.
    pub is_required: bool,
}

impl QualitySums {
    fn add(&mut self, one: &QualityCount) {
        if one.is_asked {
            self.asked += one.count;
        }
        let Some(given) = &one.given else { return };
        if one.is_asked {
            self.answered += one.count;
        }
        self.ratings += one.count;
        self.rating_sum += one.count * i64::from(given.rating);
        *self.reasons.entry(given.reason.clone()).or_default() += one.count;
    }
}

impl Coverage {
    /// Feedback on the touches of a queue's leads that were recorded from one instant until another.
    pub async fn quality(
        &self,
        queue: &QueueId,
        from: i64,
        until: i64,
    ) -> Result<QualityReport, CoverageError> {
        let names = self.names().await?;
        let queue = names.queue(Some(queue))?.expect("a queue that was named is found or refused");
        let period = QualityPeriod { queue, from, until };
        let mut reps: BTreeMap<RepId, QualitySums> = BTreeMap::new();
        let mut sources: BTreeMap<(CampaignId, String), QualitySums> = BTreeMap::new();
        for one in self.store.quality_counts(&period).await? {
            if let Some(rep) = names.reps.get(&one.rep) {
                reps.entry(rep.clone()).or_default().add(&one);
            }
            if let Some(campaign) = names.campaigns.get(&one.campaign) {
                sources.entry((campaign.clone(), one.source.clone())).or_default().add(&one);
            }
        }
        let view = |one: Owed| {
            let rep = names.reps.get(&one.rep)?.clone();
            let Owed { lead, touch, touched_at, is_required, .. } = one;
            Some(OwedView { rep, lead, touch, touched_at, is_required })
        };
        let owed = self.store.owed(OwedBy::Queue(queue), OWED_COUNT_MAX).await?;
        Ok(QualityReport {
            reps: reps.into_iter().collect(),
            sources: sources.into_iter().collect(),
            owed: owed.into_iter().filter_map(view).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CampaignKey, Quality, RepKey};

    #[test]
    fn the_share_is_of_what_was_asked_and_the_sum_of_all_that_was_said() {
        let count = |is_asked, rating: Option<u8>, count| QualityCount {
            rep: RepKey(1),
            campaign: CampaignKey(1),
            source: "web".into(),
            is_asked,
            given: rating.map(|rating| Quality { rating, reason: "other".into() }),
            count,
        };
        let mut sums = QualitySums::default();
        for one in [count(true, None, 3), count(true, Some(4), 2), count(false, Some(1), 1)] {
            sums.add(&one);
        }
        assert_eq!((sums.asked, sums.answered), (5, 2));
        assert_eq!((sums.ratings, sums.rating_sum), (3, 9));
        assert_eq!(sums.reasons["other"], 3);
    }
}
