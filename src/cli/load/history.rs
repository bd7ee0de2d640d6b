//! What the reps saw, checked while it happens: by their own answers, not by what the node says of
//! itself.
//!
//! A lead is in a rep's hands from the answer that brings it until the answer that takes its touch. No
//! touch of this command brings a lead back before the run is over, so nobody else may get it in all
//! that time, nor afterwards. A number that leads share is free as soon as the touch is recorded, which
//! the rep does not see: it counts as in their hands until the touch is *sent*.

use std::collections::{HashMap, HashSet};

/// What the clients saw so far.
#[derive(Default)]
pub(super) struct History {
    holders: HashMap<String, usize>,
    /// Numbers by who is calling them.
    calling: HashMap<String, usize>,
    /// Leads whose touch was acknowledged.
    done: HashSet<String>,
    /// Touches that were sent, by rep and number; true: acknowledged.
    touches: HashMap<(usize, u64), bool>,
    held_twice: u64,
    served_again: u64,
}

/// What the history says against the node when its books are read in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// How often a rep got a lead, or a number, that another one had.
    pub(super) held_twice: u64,
    /// How often a lead was served that had been called and put away.
    pub(super) served_again: u64,
    /// Touches that were acknowledged and are not in the books.
    pub(super) lost_touches: u64,
    /// Touches that are in the books twice, or that nobody sent.
    pub(super) false_touches: u64,
}

impl History {
    /// A rep got a lead, to be called at this number.
    pub(super) fn taken(&mut self, rep: usize, lead_id: &str, number: &str) {
        let lead = self.holders.insert(lead_id.to_owned(), rep);
        let called = self.calling.insert(number.to_owned(), rep);
        let others = [lead, called].into_iter().flatten().any(|holder| holder != rep);
        self.held_twice += u64::from(others);
        self.served_again += u64::from(self.done.contains(lead_id));
    }

    /// A rep sends a touch: they are no longer on the phone.
    pub(super) fn touching(&mut self, rep: usize, touch: u64, number: &str) {
        self.touches.entry((rep, touch)).or_insert(false);
        if self.calling.get(number) == Some(&rep) {
            self.calling.remove(number);
        }
    }

    /// A touch is acknowledged: the lead is out of the rep's hands, and put away.
    pub(super) fn touched(&mut self, rep: usize, touch: u64, lead_id: &str) {
        self.touches.insert((rep, touch), true);
        self.done.insert(lead_id.to_owned());
        self.forget(rep, lead_id);
    }

    /// A rep gave a lead back, or lost it, without a touch: it may come again.
    pub(super) fn given_back(&mut self, rep: usize, lead_id: &str, number: &str) {
        self.forget(rep, lead_id);
        if self.calling.get(number) == Some(&rep) {
            self.calling.remove(number);
        }
    }

    fn forget(&mut self, rep: usize, lead_id: &str) {
        if self.holders.get(lead_id) == Some(&rep) {
            self.holders.remove(lead_id);
        }
    }

    /// How many touches were acknowledged.
    pub(super) fn acknowledged_count(&self) -> u64 {
        u64::try_from(self.touches.values().filter(|is_acknowledged| **is_acknowledged).count())
            .unwrap_or(u64::MAX)
    }

    /// What there is to say without the books.
    pub(super) fn findings(&self) -> Findings {
        Findings {
            held_twice: self.held_twice,
            served_again: self.served_again,
            ..Findings::default()
        }
    }

    /// Holds the history against the touches in the books, each by rep and number.
    pub(super) fn against_books(&self, booked: impl IntoIterator<Item = (usize, u64)>) -> Findings {
        let mut missing: HashSet<_> = self.touches.iter().filter(|(_, is)| **is).collect();
        let mut seen = HashSet::new();
        let mut false_touches = 0;
        for touch in booked {
            match self.touches.get_key_value(&touch) {
                Some(entry) if seen.insert(touch) => drop(missing.remove(&entry)),
                // Twice, or sent by nobody. One without an answer may be there or not.
                _ => false_touches += 1,
            }
        }
        let lost_touches = u64::try_from(missing.len()).unwrap_or(u64::MAX);
        Findings { lost_touches, false_touches, ..self.findings() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "+12015550100";

    /// A rep takes a lead and calls it.
    fn called(history: &mut History, rep: usize, touch: u64, lead: &str, number: &str) {
        history.taken(rep, lead, number);
        history.touching(rep, touch, number);
        history.touched(rep, touch, lead);
    }

    #[test]
    fn a_good_history_is_clean() {
        let mut history = History::default();
        called(&mut history, 0, 1, "1", NUMBER);
        // The next lead has the same number, and the first rep has hung up.
        called(&mut history, 1, 1, "2", NUMBER);
        history.taken(0, "3", "+12015550101");
        history.given_back(0, "3", "+12015550101");
        called(&mut history, 1, 2, "3", "+12015550101");
        assert_eq!(history.acknowledged_count(), 3);
        assert_eq!(history.against_books([(0, 1), (1, 1), (1, 2)]), Findings::default());
    }

    #[test]
    fn a_lead_in_two_hands_is_found_also_while_its_touch_is_under_way() {
        let mut history = History::default();
        history.taken(0, "1", NUMBER);
        history.taken(1, "1", NUMBER);
        assert_eq!(history.findings().held_twice, 1);
        history.taken(2, "2", "+12015550101");
        history.touching(2, 1, "+12015550101");
        history.taken(3, "2", "+12015550101");
        assert_eq!(history.findings().held_twice, 2);
    }

    #[test]
    fn a_number_in_two_hands_is_found_though_the_leads_differ() {
        let mut history = History::default();
        history.taken(0, "1", NUMBER);
        history.taken(1, "2", NUMBER);
        assert_eq!(history.findings().held_twice, 1);
    }

    #[test]
    fn the_same_lead_again_for_the_rep_who_has_it_is_fine() {
        let mut history = History::default();
        history.taken(0, "1", NUMBER);
        history.taken(0, "1", NUMBER);
        assert_eq!(history.findings(), Findings::default());
    }

    #[test]
    fn a_lead_that_was_called_and_comes_again_is_found() {
        let mut history = History::default();
        called(&mut history, 0, 1, "1", NUMBER);
        history.taken(1, "1", NUMBER);
        let findings = history.findings();
        assert_eq!((findings.held_twice, findings.served_again), (0, 1));
    }

    #[test]
    fn acknowledged_touches_that_are_missing_are_lost() {
        let mut history = History::default();
        called(&mut history, 0, 1, "1", NUMBER);
        called(&mut history, 0, 2, "2", "+12015550101");
        assert_eq!(history.against_books([(0, 2)]).lost_touches, 1);
    }

    #[test]
    fn a_touch_without_an_answer_may_be_there_or_not() {
        let mut history = History::default();
        history.taken(0, "1", NUMBER);
        history.touching(0, 1, NUMBER);
        assert_eq!(history.against_books([]), Findings::default());
        assert_eq!(history.against_books([(0, 1)]), Findings::default());
    }

    #[test]
    fn touches_that_are_there_twice_or_come_from_nobody_are_found() {
        let mut history = History::default();
        called(&mut history, 0, 1, "1", NUMBER);
        assert_eq!(history.against_books([(0, 1), (0, 1)]).false_touches, 1);
        assert_eq!(history.against_books([(0, 1), (7, 1)]).false_touches, 1);
    }
}
