//! What keeps a lead from being given out at an instant, as far as the store knows: one list of checks for
//! the pull, which minds the first that says something, and for whoever explains a lead, who minds all.

use super::Slate;
use super::slate::LeadRow;
use crate::domain::{
    AtCap, CapInForce, CloseReason, LeadId, Number, RepKey, Route, Standing, WaitReason, at_cap,
};
use crate::store::changes::Caps;

/// Something that keeps a lead from being given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It was erased: nothing else counts.
    Erased,
    /// It is closed.
    Closed {
        /// Why.
        why: CloseReason,
        /// What became of it.
        route: Route,
        /// When it comes back by itself; `None`: it does not.
        until: Option<i64>,
    },
    /// A rep holds it, or its grace runs.
    Leased {
        /// Who.
        rep: RepKey,
        /// Until when unless it is renewed, the grace included.
        until: i64,
    },
    /// It waits.
    Waiting {
        /// Until when.
        until: i64,
        /// For what.
        why: WaitReason,
    },
    /// Somebody said never, or not before an instant: whoever would pull it closes it for good.
    Suppressed,
    /// Its campaign is over: it is closed as soon as anybody looks.
    CampaignEnded,
    /// Its campaign is paused.
    Paused,
    /// None of its numbers may be dialled any more.
    NoNumber,
    /// One of its numbers is in another lead's lease.
    NumberHeld {
        /// That lead.
        by: LeadId,
        /// Until when unless it is renewed; `None`: nobody looked.
        until: Option<i64>,
    },
    /// Each of its numbers that may be dialled is at a cap.
    Capped(CapReached),
}

/// A number that is at a cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapReached {
    /// The first instant at which it may be dialled again, if it rests until then.
    pub until: i64,
    /// The cap that keeps it longest, and whose it is.
    pub by: CapInForce,
    /// How many of its dials lie in that cap's window.
    pub dial_count: usize,
}

impl From<AtCap<'_>> for CapReached {
    fn from(full: AtCap<'_>) -> Self {
        Self { until: full.until, by: full.by.clone(), dial_count: full.dial_count }
    }
}

type Check = fn(&Slate, &LeadRow, i64) -> Option<Hindrance>;

/// In the order in which they are told. What the dialer looks at comes after them, and then the caps.
const CHECKS: [Check; 6] = [standing, suppression, campaign_end, pause, number, held_number];

/// The first thing that keeps a lead from being given out, caps aside.
pub(super) fn first(slate: &Slate, row: &LeadRow, at: i64) -> Option<Hindrance> {
    CHECKS.iter().find_map(|check| check(slate, row, at))
}

/// Everything that does, caps aside.
pub(crate) fn all(slate: &Slate, row: &LeadRow, at: i64) -> Vec<Hindrance> {
    match standing(slate, row, at) {
        Some(Hindrance::Erased) => vec![Hindrance::Erased],
        _ => CHECKS.iter().filter_map(|check| check(slate, row, at)).collect(),
    }
}

fn standing(_: &Slate, row: &LeadRow, at: i64) -> Option<Hindrance> {
    match row.state.standing {
        Standing::Ready => None,
        Standing::Waiting { until, why } => {
            (at < until).then_some(Hindrance::Waiting { until, why })
        }
        Standing::Leased => {
            let lease = row.lease.as_ref().expect("a leased lead has a lease");
            Some(Hindrance::Leased { rep: lease.rep, until: lease.held_until })
        }
        Standing::Closed { why, route } => {
            let wakes_at = row.state.standing.due_at();
            let wakes_at = wakes_at.filter(|wakes_at| row.ended_route(at.max(*wakes_at)).is_none());
            match wakes_at {
                Some(wakes_at) if wakes_at <= at => None,
                until => Some(Hindrance::Closed { why, route, until }),
            }
        }
        Standing::Erased => Some(Hindrance::Erased),
    }
}

fn suppression(slate: &Slate, row: &LeadRow, at: i64) -> Option<Hindrance> {
    slate.is_suppressed(&row.lead.facts, at).then_some(Hindrance::Suppressed)
}

fn campaign_end(_: &Slate, row: &LeadRow, at: i64) -> Option<Hindrance> {
    row.ended_route(at).map(|_| Hindrance::CampaignEnded)
}

fn pause(_: &Slate, row: &LeadRow, _: i64) -> Option<Hindrance> {
    row.is_paused.then_some(Hindrance::Paused)
}

fn number(_: &Slate, row: &LeadRow, _: i64) -> Option<Hindrance> {
    row.lead.facts.callable_numbers().next().is_none().then_some(Hindrance::NoNumber)
}

fn held_number(slate: &Slate, row: &LeadRow, _: i64) -> Option<Hindrance> {
    let holders = row.lead.facts.callable_numbers().filter_map(|number| slate.held.get(number));
    let by = *holders.into_iter().find(|holder| **holder != row.lead.id)?;
    let lease = slate.row(by).and_then(|row| row.lease.as_ref());
    Some(Hindrance::NumberHeld { by, until: lease.map(|lease| lease.held_until) })
}

/// The cap that a number is at.
pub(crate) fn cap_on(
    slate: &Slate,
    number: &Number,
    in_force: &[CapInForce],
    at: i64,
) -> Option<CapReached> {
    let dials = slate.dials.get(number).into_iter().flatten();
    let dials: Vec<i64> = dials.map(|dial| dial.at).collect();
    at_cap(in_force, &dials, at).map(CapReached::from)
}

/// The numbers of a lead that may be dialled, as far as any cap counts for it (`None`: no cap does); or, if
/// all of them are at one, what keeps the first that may be dialled again.
pub(crate) fn dialable(
    slate: &Slate,
    row: &LeadRow,
    caps: &Caps,
    at: i64,
) -> Result<Option<Vec<Number>>, CapReached> {
    let in_force = (caps.of)(&row.lead.facts, at);
    if in_force.is_empty() {
        return Ok(None);
    }
    let (mut dialable, mut first) = (Vec::new(), None::<CapReached>);
    for number in row.lead.facts.callable_numbers() {
        match cap_on(slate, number, &in_force, at) {
            None => dialable.push(number.clone()),
            Some(full) if first.as_ref().is_none_or(|first| full.until < first.until) => {
                first = Some(full);
            }
            Some(_) => {}
        }
    }
    match first {
        Some(first) if dialable.is_empty() => Err(first),
        _ => Ok(Some(dialable)),
    }
}
