//! The ledger: the append-only events of every lead. Folding them gives the standing.

use std::collections::BTreeMap;

use super::codes::codes;
use super::id::LeadId;
use super::standing::{LeadState, Standing};

codes! {
    /// What happened.
    EventKind {
        /// A handover opened the lead.
        Opened = "opened",
        /// Its handover was sent again with other facts.
        Updated = "updated",
        /// Another handover was merged into it.
        Merged = "merged",
        /// A wait or a nurture ended.
        Woken = "woken",
        /// A rep got it.
        Leased = "leased",
        /// The rep gave it back.
        Released = "released",
        /// The lease ran out, and its grace too.
        Expired = "expired",
        /// A touch under its lease.
        Touched = "touched",
        /// A touch that did not move it.
        Noted = "noted",
        /// Turned down for a cap: it waits until a number of it may be dialled again.
        Capped = "capped",
        /// Closed for another reason than a touch.
        Closed = "closed",
        /// A manager gave it to a rep for good, or to nobody any more.
        Assigned = "assigned",
        /// Everything personal about it was erased.
        Erased = "erased",
        /// It did something by itself.
        Engaged = "engaged",
        /// What became of it in the CRM was told.
        Outcome = "outcome",
        /// Another queue works it from here on.
        Transferred = "transferred",
    }
}

/// One event of one lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The lead.
    pub lead: LeadId,
    /// Its number within the lead: from 1, without gaps.
    pub seq: i64,
    /// When it happened; never before the event in front of it.
    pub at: i64,
    /// What happened.
    pub kind: EventKind,
    /// Who did it: a rep's id, a client's name, or `"nextlead"`.
    pub actor: String,
    /// Where the lead stood before; `None` for the first event.
    pub from: Option<Standing>,
    /// Where it stands from here on.
    pub to: Standing,
    /// The rule version by which it was chosen, for a lease.
    pub rule_version: Option<i64>,
    /// What else is worth knowing: ids, codes and numbers, never personal data.
    pub detail: BTreeMap<String, String>,
}

impl Event {
    /// The event that led to `state`.
    pub fn new(kind: EventKind, from: Option<Standing>, state: &LeadState) -> Self {
        Self {
            lead: state.lead,
            seq: state.seq,
            at: state.changed_at,
            kind,
            actor: String::new(),
            from,
            to: state.standing,
            rule_version: None,
            detail: BTreeMap::new(),
        }
    }

    /// The same event with who did it.
    #[must_use]
    pub fn by(mut self, actor: &str) -> Self {
        actor.clone_into(&mut self.actor);
        self
    }

    /// The same event with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }
}

/// Why the events of a lead make no history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// There is none.
    #[error("it has no event")]
    Empty,
    /// A number is missing or stands twice.
    #[error("event {0} is missing or stands twice")]
    Gap(i64),
    /// An event does not begin where the one before it ended.
    #[error("event {0} does not begin where the one before it ended")]
    Broken(i64),
    /// An event happened before its predecessor.
    #[error("event {0} lies before its predecessor")]
    Backwards(i64),
}

/// What an event has to tell for the fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: i64,
    /// From where.
    pub from: Option<Standing>,
    /// To where.
    pub to: Standing,
}

impl From<&Event> for Link {
    fn from(event: &Event) -> Self {
        Self { seq: event.seq, at: event.at, from: event.from, to: event.to }
    }
}

/// Folds the events of one lead, in order, to where it stands and how many there are.
pub fn fold(links: impl IntoIterator<Item = Link>) -> Result<(Standing, i64), LedgerFault> {
    let mut last: Option<Link> = None;
    for link in links {
        let expected = last.map_or(1, |last| last.seq + 1);
        if link.seq != expected {
            return Err(LedgerFault::Gap(expected));
        }
        if link.from != last.map(|last| last.to) {
            return Err(LedgerFault::Broken(link.seq));
        }
        if last.is_some_and(|last| link.at < last.at) {
            return Err(LedgerFault::Backwards(link.seq));
        }
        last = Some(link);
    }
    last.map(|last| (last.to, last.seq)).ok_or(LedgerFault::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(seq: i64, at: i64, from: Option<Standing>, to: Standing) -> Link {
        Link { seq, at, from, to }
    }

    #[test]
    fn a_gap_a_break_and_a_step_back_in_time_are_each_found() {
        let ready = Standing::Ready;
        let leased = Standing::Leased;
        let opened = link(1, 10, None, ready);
        assert_eq!(fold([opened, link(2, 20, Some(ready), leased)]), Ok((leased, 2)));
        assert_eq!(fold([]), Err(LedgerFault::Empty));
        assert_eq!(fold([opened, link(3, 20, Some(ready), leased)]), Err(LedgerFault::Gap(2)));
        assert_eq!(fold([opened, link(2, 20, Some(leased), ready)]), Err(LedgerFault::Broken(2)));
        assert_eq!(fold([opened, link(2, 9, Some(ready), leased)]), Err(LedgerFault::Backwards(2)));
    }
}
