//! How often a number was dialled, and whether a lead may be given out under the caps that bind it.
//!
//! A number in a rep's hands is in nobody else's, so a held number is the slot that its lease took: it goes
//! back with a release, becomes a dial with the touch that names it, and stays counted from the lease's
//! beginning, in doubt, when the lease ends and nobody says whether the call was made.

use std::collections::BTreeSet;

use super::{Slate, hindrance};
use crate::domain::moves::Command;
use crate::domain::{Channel, Direction, LeadId, LeaseToken, Number, Touch, instant_text};
use crate::store::books::NEXTLEAD;
use crate::store::changes::{Caps, Turned};

/// A dial that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) at: i64,
    /// The lease that ended in doubt.
    pub(crate) token: Option<LeaseToken>,
}

/// A dial to store.
#[derive(Clone, Debug)]
pub(crate) struct NewDial {
    /// The number, or the hash that stands for it.
    pub(crate) number: String,
    pub(crate) lead: LeadId,
    pub(crate) dial: Dial,
}

impl Slate {
    /// The numbers of a lead that may be dialled now, as far as any cap counts for it. If all of them are
    /// at one, the lead waits for the first that may be dialled again.
    pub(super) fn dialable(
        &mut self,
        lead: LeadId,
        caps: &Caps,
        now: i64,
    ) -> Result<Option<Vec<Number>>, Turned> {
        let first = match hindrance::dialable(self, self.known(lead), caps, now) {
            Ok(dialable) => return Ok(dialable),
            Err(first) => first,
        };
        let (until, cap) = (first.until, first.by.cap);
        let told = self.step(lead, Command::Cap { until }, now, |event| {
            let event = event.by(NEXTLEAD).with("rule", &first.by.rule);
            let event = event.with("dial_count", first.dial_count);
            let event = event.with("dial_count_max", cap.dial_count_max);
            event.with("window_ms", cap.window_ms).with("until", instant_text(until))
        });
        told.expect("a lead that was found servable can wait");
        Err(Turned::Capped { until })
    }

    /// Counts a call that was made. One under a lease was not made before it.
    pub(super) fn count_dial(&mut self, touch: &Touch, granted_at: Option<i64>, now: i64) {
        let is_dial = touch.channel == Channel::Call && touch.direction == Direction::Outbound;
        let Some(number) = touch.number.as_ref().filter(|_| is_dial) else { return };
        let at = touch.started_at.max(granted_at.unwrap_or(i64::MIN)).min(now);
        self.add_dial(touch.lead, number, Dial { at, token: None });
    }

    /// Counts every number that may have been dialled under a lease that ends, as nobody can say.
    pub(super) fn doubt(&mut self, lead: LeadId) {
        let lease = self.known(lead).lease.clone().expect("a lease that ends is there");
        let held = || self.held_by.get(&lead).into_iter().flatten().cloned();
        let numbers: BTreeSet<Number> = match lease.dialable {
            Some(dialable) => dialable.into_iter().collect(),
            None => held().collect(),
        };
        for number in numbers {
            let dial = Dial { at: lease.granted_at, token: Some(lease.token) };
            self.add_dial(lead, &number, dial);
        }
    }

    /// A touch has told what became of a lease that was over: there is nothing to doubt any more.
    pub(super) fn settle_doubt(&mut self, lead: LeadId, token: LeaseToken, now: i64) {
        let is_of_it = |dial: &Dial| dial.token == Some(token);
        self.new_dials.retain(|new| !is_of_it(&new.dial));
        for dials in self.dials.values_mut() {
            dials.retain(|dial| !is_of_it(dial));
        }
        self.told_leases.push(token);
        // It may not even have been noticed that it is over.
        let lease = self.known(lead).lease.clone();
        if let Some(lease) = lease.filter(|lease| lease.token == token && !lease.holds_at(now)) {
            self.renew(crate::domain::Lease { dialable: Some(Vec::new()), ..lease });
        }
    }

    fn add_dial(&mut self, lead: LeadId, number: &Number, dial: Dial) {
        self.dials.entry(number.clone()).or_default().push(dial);
        let is_erased = self.known(lead).state.standing == crate::domain::Standing::Erased;
        let seal = self.seal.as_ref().filter(|_| is_erased);
        let text = seal.map_or_else(|| number.as_str().to_owned(), |seal| seal.number(number));
        self.new_dials.push(NewDial { number: text, lead, dial });
    }
}
