//! Skips: a rep gives a lead back that they could have called, or lets it run out. How many a rep may
//! do in an hour, and what is counted of every serve, so that nobody picks leads unseen.

use super::codes::codes;

codes! {
    /// Why a rep passes on a lead: a closed list, so that it can be counted and says nothing personal.
    SkipReason {
        /// Somebody else should call it: another language, product or region.
        NotMyArea = "not_my_area",
        /// What marketing handed over cannot be right.
        BadData = "bad_data",
        /// Rep and lead know each other.
        KnowsMe = "knows_me",
        /// The rep does not trust themselves to it.
        TooHard = "too_hard",
        /// The rep has to stop now.
        NoTime = "no_time",
        /// None of these.
        Other = "other",
    }
}

codes! {
    /// What is counted of a serve: that it happened, and how it ended if no touch came of it.
    ServeTally {
        /// The lead was served.
        Served = "served",
        /// Skipped: [`SkipReason::NotMyArea`].
        NotMyArea = "not_my_area",
        /// Skipped: [`SkipReason::BadData`].
        BadData = "bad_data",
        /// Skipped: [`SkipReason::KnowsMe`].
        KnowsMe = "knows_me",
        /// Skipped: [`SkipReason::TooHard`].
        TooHard = "too_hard",
        /// Skipped: [`SkipReason::NoTime`].
        NoTime = "no_time",
        /// Skipped: [`SkipReason::Other`].
        Other = "other",
        /// The lease ran out, and its grace too, and nobody had touched the lead.
        Expired = "expired",
        /// Taken by mistake.
        RepError = "rep_error",
        /// Lost by the rep's program.
        ClientLost = "client_lost",
        /// Taken out of the rep's hands, as it may not be called there any more.
        Forbidden = "forbidden",
    }
}

impl ServeTally {
    /// Why the lead was skipped, if it was.
    pub fn skipped_for(self) -> Option<SkipReason> {
        SkipReason::from_code(self.code())
    }
}

impl From<SkipReason> for ServeTally {
    fn from(reason: SkipReason) -> Self {
        Self::from_code(reason.code()).expect("every skip reason has its tally")
    }
}

codes! {
    /// How much a lead was worth when it was served, in powers of ten: a band is ten times the one
    /// before, and so is the head start in line that its points give.
    ///
    /// Fixed, and not a share of the queue's leads: a serve falls into its band when it happens, for
    /// good, so counts of different weeks, reps and rules compare.
    ValueBand {
        /// No points, or fewer.
        None = "0",
        /// 1 to 9.
        Ones = "1",
        /// 10 to 99.
        Tens = "10",
        /// 100 to 999.
        Hundreds = "100",
        /// 1,000 to 9,999.
        Thousands = "1000",
        /// 10,000 and more.
        TenThousands = "10000",
    }
}

impl ValueBand {
    /// The band of so many points.
    pub fn of(points: i64) -> Self {
        let within = |band: &&Self| band.points_min() <= points.max(0);
        *Self::ALL.iter().rev().find(within).expect("no band begins above nothing")
    }

    /// The fewest points of the band; everything below counts as nothing.
    pub fn points_min(self) -> i64 {
        self.code().parse().expect("a band's code is a number")
    }
}

/// Skips are counted over so long, back from now.
pub const SKIP_WINDOW_MS: i64 = 3_600_000;

/// Whether a rep may skip now, who did at these instants and may so often within the window.
///
/// `Err`: from when on they may; `None`: never, as none is allowed.
pub fn may_skip(
    skipped_at: impl Iterator<Item = i64>,
    count_max: u32,
    now: i64,
) -> Result<(), Option<i64>> {
    let ends_at = skipped_at.map(|at| at.saturating_add(SKIP_WINDOW_MS));
    let mut counted: Vec<i64> = ends_at.filter(|ends_at| *ends_at > now).collect();
    counted.sort_unstable();
    let count_max = usize::try_from(count_max).unwrap_or(usize::MAX);
    // The skip that has to fall out of the window for one to be free.
    match counted.len().checked_sub(count_max) {
        None => Ok(()),
        Some(too_many) => Err(counted.get(too_many).copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_tally_and_reads_back() {
        for reason in SkipReason::ALL {
            assert_eq!(ServeTally::from(*reason).skipped_for(), Some(*reason));
        }
        let skips = ServeTally::ALL.iter().filter(|one| one.skipped_for().is_some());
        assert_eq!(skips.count(), SkipReason::ALL.len());
    }

    #[test]
    fn a_band_is_ten_times_the_one_before() {
        let bands = [(i64::MIN, 0), (0, 0), (1, 1), (9, 1), (10, 10), (99, 10), (100, 100)];
        for (points, least) in bands.into_iter().chain([(9_999, 1_000), (i64::MAX, 10_000)]) {
            assert_eq!(ValueBand::of(points).points_min(), least, "{points} points");
        }
    }

    #[test]
    fn a_skip_is_free_again_an_hour_after_the_oldest_that_counts() {
        let now = 10 * SKIP_WINDOW_MS;
        let skips = [now - 5, now - SKIP_WINDOW_MS, now - 70, now - SKIP_WINDOW_MS + 1];
        let check = |count_max| may_skip(skips.into_iter(), count_max, now);
        // The one that is exactly an hour old no longer counts.
        assert_eq!(check(4), Ok(()));
        assert_eq!(check(3), Err(Some(now + 1)));
        assert_eq!(check(2), Err(Some(now - 70 + SKIP_WINDOW_MS)));
        assert_eq!(check(1), Err(Some(now - 5 + SKIP_WINDOW_MS)));
        assert_eq!(check(0), Err(None));
    }
}
