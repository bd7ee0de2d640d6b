//! One lead with all that a pull looks at in the store, to ask why it is not given out, and when it could
//! be if nobody does anything. It holds what was read at one time: nothing in here changes.

use std::borrow::Cow;
use std::fmt;

use super::books::{self, CapReached, Hindrance, LeadRow, Slate};
use super::changes::{Caps, LeadRecord};
use crate::domain::{Disposition, LeadId};

/// A lead, as a pull would find it.
pub struct Sight {
    pub(super) slate: Slate,
    pub(super) lead: LeadId,
    pub(super) caps: Option<Caps>,
    pub(super) suppressions: Vec<SuppressionOfLead>,
}

/// What is suppressed of a lead: no number and no address is in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressionOfLead {
    /// Which of its numbers, from 0; `None`: its e-mail address.
    pub number: Option<usize>,
    /// Where the wish came from.
    pub source: String,
    /// When it was recorded.
    pub at: i64,
    /// When it ends, or ended; `None`: never.
    pub until: Option<i64>,
}

/// What is known of one number of a lead; no number is in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberSight {
    /// How a call ended that stopped it for this lead.
    pub stopped: Option<Disposition>,
    /// It is suppressed.
    pub is_suppressed: bool,
    /// It is in the lease of this other lead.
    pub held_by: Option<LeadId>,
    /// It is at a cap.
    pub capped: Option<CapReached>,
}

impl NumberSight {
    /// Whether nothing about the number itself forbids to dial it.
    pub fn is_callable(&self) -> bool {
        self.stopped.is_none()
            && !self.is_suppressed
            && self.held_by.is_none()
            && self.capped.is_none()
    }
}

impl fmt::Debug for Sight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sight({}, hidden)", self.lead)
    }
}

impl Sight {
    /// The lead.
    pub fn record(&self) -> LeadRecord {
        self.slate.record(self.lead)
    }

    /// What of it is suppressed at an instant.
    pub fn suppressions_at(&self, at: i64) -> impl Iterator<Item = &SuppressionOfLead> {
        self.suppressions.iter().filter(move |one| one.until.is_none_or(|until| at < until))
    }

    /// What would keep it from being given out at an instant, the instant of reading or a later one, if
    /// nobody did anything until then: in the order in which a pull looks, and none left out. Leases that
    /// nobody renews are over by then, and calls that may have been made under them count.
    pub fn hindrances_at(&self, at: i64) -> Vec<Hindrance> {
        let slate = self.ahead(at);
        let row = self.row(&slate);
        let mut found = books::hindrances(&slate, row, at);
        if let (Some(caps), false) = (&self.caps, found.contains(&Hindrance::Erased))
            && let Err(full) = books::dialable(&slate, row, caps, at)
        {
            found.push(Hindrance::Capped(full));
        }
        found
    }

    /// Each of its numbers at an instant.
    pub fn numbers_at(&self, at: i64) -> Vec<NumberSight> {
        let slate = self.ahead(at);
        let facts = &self.row(&slate).lead.facts;
        let in_force = self.caps.as_ref().map(|caps| (caps.of)(facts, at));
        let suppressed: Vec<usize> =
            self.suppressions_at(at).filter_map(|one| one.number).collect();
        let numbers = facts.numbers.iter().enumerate().map(|(place, one)| NumberSight {
            stopped: one.stopped,
            is_suppressed: suppressed.contains(&place),
            held_by: slate.held.get(&one.number).copied().filter(|by| *by != self.lead),
            capped: in_force
                .as_deref()
                .and_then(|in_force| books::cap_on(&slate, &one.number, in_force, at)),
        });
        numbers.collect()
    }

    fn row<'a>(&self, slate: &'a Slate) -> &'a LeadRow {
        slate.known(self.lead)
    }

    /// The slate as time alone makes it by an instant.
    fn ahead(&self, at: i64) -> Cow<'_, Slate> {
        let leases = self.slate.leads.values().filter_map(|tracked| tracked.now.lease.as_ref());
        if leases.into_iter().all(|lease| lease.holds_at(at)) {
            return Cow::Borrowed(&self.slate);
        }
        let mut slate = self.slate.clone();
        books::end_leases(&mut slate, at);
        Cow::Owned(slate)
    }
}
