//! Chance with a seed: the same seed gives the same leads, the same calls and the same schedule.
//!
//! SplitMix64: any number is a good seed, so the n-th lead gets its own out of the seed and n.

/// A source of numbers that look random.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The source for one thing out of many: the n-th lead, the n-th rep.
    pub(super) fn new(seed: u64, nth: u64) -> Self {
        let mut mixed = Self(seed ^ nth.wrapping_mul(0xd6e8_feb8_6659_fd93));
        mixed.next();
        mixed
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to below `count`, which is at least 1.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        // The high half of the product: every value comes up as often, to one part in 2^64 / count.
        u64::try_from((u128::from(self.next()) * u128::from(count)) >> 64).expect("below a u64")
    }

    /// A part of one, above 0 and at most 1.
    pub(super) fn part(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in a double")]
        let bits = ((self.next() >> 11) + 1) as f64;
        bits / 9_007_199_254_740_992.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_another_others() {
        let numbers = |seed, nth| {
            let mut random = Random::new(seed, nth);
            (0..4).map(|_| random.next()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1, 7), numbers(1, 7));
        assert_ne!(numbers(1, 7), numbers(2, 7));
        assert_ne!(numbers(1, 7), numbers(1, 8));
    }

    #[test]
    fn numbers_stay_in_their_bounds_and_come_up_alike() {
        let mut random = Random::new(5, 0);
        let mut counts = [0; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(random.below(10)).unwrap()] += 1;
            let part = random.part();
            assert!(part > 0.0 && part <= 1.0);
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }
}
