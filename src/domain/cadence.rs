//! How the attempts on a lead were spread: over the parts of its day, and over the stages of a policy.
//!
//! Kept with the lead as one number, so that deciding what comes next reads no history.

use super::daypart::Daypart;

/// How the attempts since a lead was handed over, or came back from nurture, were spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cadence {
    /// How often each part of the day was tried, in the order of [`Daypart::ALL`]; 255 is the most.
    pub tried: [u8; 4],
    /// The stage of the rule that decided last, from 0.
    pub stage: u8,
    /// How many attempts were made before that stage.
    pub attempts_before: u16,
}

impl Cadence {
    /// The same with one more attempt, in a part of the day or at night.
    #[must_use]
    pub fn with_attempt(mut self, daypart: Option<Daypart>) -> Self {
        if let Some(daypart) = daypart {
            let tried = &mut self.tried[daypart as usize];
            *tried = tried.saturating_add(1);
        }
        self
    }

    /// As one number that is not negative: small as long as little was tried.
    pub fn pack(self) -> i64 {
        let [morning, noon, afternoon, evening] = self.tried.map(i64::from);
        let tried = morning | noon << 8 | afternoon << 16 | evening << 24;
        tried | i64::from(self.stage) << 32 | i64::from(self.attempts_before) << 40
    }

    /// Reads what [`Cadence::pack`] wrote; `None`: it did not write that.
    pub fn unpack(packed: i64) -> Option<Self> {
        let [morning, noon, afternoon, evening, stage, low, high, 0] = packed.to_le_bytes() else {
            return None;
        };
        let tried = [morning, noon, afternoon, evening];
        Some(Self { tried, stage, attempts_before: u16::from_le_bytes([low, high]) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cadence_reads_back(tried: [u8; 4], stage: u8, attempts_before: u16) {
            let cadence = Cadence { tried, stage, attempts_before };
            prop_assert!(cadence.pack() >= 0);
            prop_assert_eq!(Cadence::unpack(cadence.pack()), Some(cadence));
        }
    }

    #[test]
    fn what_is_no_cadence_is_refused() {
        assert_eq!(Cadence::unpack(0), Some(Cadence::default()));
        assert_eq!(Cadence::unpack(-1), None);
        assert_eq!(Cadence::unpack(1 << 56), None);
    }

    #[test]
    fn a_count_that_is_full_stays_full() {
        let full = Cadence { tried: [255; 4], ..Cadence::default() };
        assert_eq!(full.with_attempt(Some(Daypart::Noon)), full);
        let once = Cadence::default().with_attempt(Some(Daypart::Evening)).with_attempt(None);
        assert_eq!(once.tried, [0, 0, 0, 1]);
    }
}
