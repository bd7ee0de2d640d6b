//! Who has which lead, as the softphones see it: whether any was ever in two hands at once.
//!
//! Told by what arrives at the softphones and by nothing that the server says about itself. A lead is
//! in a rep's hands from the answer that brings it to the answer that takes its touch.

use std::collections::HashMap;

/// Leads and numbers in reps' hands.
#[derive(Debug, Default)]
pub(super) struct Watch {
    holders: HashMap<String, usize>,
    held_twice: u64,
}

impl Watch {
    /// A rep got a lead with its number.
    pub(super) fn taken(&mut self, rep: usize, lead_id: &str, number: &str) {
        let lead_held = self.take(rep, lead_id);
        let number_held = self.take(rep, number);
        self.held_twice += u64::from(lead_held || number_held);
    }

    /// A rep is done with a lead.
    pub(super) fn given_back(&mut self, rep: usize, lead_id: &str, number: &str) {
        for what in [lead_id, number] {
            if self.holders.get(what) == Some(&rep) {
                self.holders.remove(what);
            }
        }
    }

    /// How often a rep got a lead, or a number, that another rep had.
    pub(super) fn held_twice(&self) -> u64 {
        self.held_twice
    }

    /// Whether somebody else had it. A lead's id has no `+`, a number always does.
    fn take(&mut self, rep: usize, what: &str) -> bool {
        let before = self.holders.insert(what.to_owned(), rep);
        before.is_some_and(|holder| holder != rep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_in_two_hands_is_seen() {
        let mut watch = Watch::default();
        watch.taken(0, "1", "+12015550100");
        watch.taken(1, "1", "+12015550100");
        assert_eq!(watch.held_twice(), 1);
    }

    #[test]
    fn a_number_in_two_hands_is_seen_though_the_leads_differ() {
        let mut watch = Watch::default();
        watch.taken(0, "1", "+12015550100");
        watch.taken(1, "2", "+12015550100");
        assert_eq!(watch.held_twice(), 1);
    }

    #[test]
    fn a_lead_that_was_given_back_may_go_to_another() {
        let mut watch = Watch::default();
        watch.taken(0, "1", "+12015550100");
        watch.given_back(0, "1", "+12015550100");
        watch.taken(1, "1", "+12015550100");
        // The first rep's word about it counts no more.
        watch.given_back(0, "1", "+12015550100");
        watch.taken(2, "1", "+12015550100");
        assert_eq!(watch.held_twice(), 1);
    }
}
