//! Never again: numbers and e-mail addresses that no queue may use any more.

use std::collections::BTreeSet;

use super::grant::replayed;
use super::{Slate, StoredAnswer, SuppressionRow};
use crate::domain::moves::Command;
use crate::domain::{
    CloseReason, EventKind, Facts, LeadId, Number, ReleaseReason, Route, Standing,
};
use crate::store::changes::{Suppress, Suppressed, SuppressionOf};
use crate::store::error::Denied;

/// Who says never, and when.
pub(super) struct Wish<'a> {
    pub(super) source: &'a str,
    pub(super) actor: &'a str,
    pub(super) now: i64,
    /// Whose wish it is was erased: it is kept as a hash.
    pub(super) is_sealed: bool,
}

/// Decides a suppression.
pub(super) fn suppress(slate: &mut Slate, suppress: &Suppress) -> Result<Suppressed, Denied> {
    if let Some(answer) = replayed(slate, suppress.request.as_ref())? {
        return match answer {
            StoredAnswer::Suppressed { was_known, closed_count } => {
                Ok(Suppressed { was_known, closed_count })
            }
            _ => Err(Denied::RequestReused),
        };
    }
    let wish = Wish {
        source: &suppress.source,
        actor: &suppress.actor,
        now: suppress.now,
        is_sealed: false,
    };
    let mut numbers = BTreeSet::new();
    let mut email = None;
    let was_known = match &suppress.what {
        SuppressionOf::Number(number) => {
            numbers.insert(number.clone());
            !add_number(slate, number, &wish)
        }
        SuppressionOf::Email(folded) => {
            email = Some(folded.clone());
            !add_email(slate, folded, &wish)
        }
    };
    let closed_count = close_carriers(slate, &numbers, email.as_deref(), None, &wish);
    let answer = StoredAnswer::Suppressed { was_known, closed_count };
    slate.answer(suppress.request.as_ref(), answer, suppress.now);
    Ok(Suppressed { was_known, closed_count })
}

/// Suppresses a person: all their numbers, the one that was dialled, and their e-mail address, and
/// closes every other lead that carries one of them. Says how many.
pub(super) fn suppress_person(
    slate: &mut Slate,
    lead: LeadId,
    dialled: Option<&Number>,
    wish: &Wish<'_>,
) -> usize {
    let lead_row = slate.known(lead).lead.clone();
    let facts = &lead_row.facts;
    let mut numbers: BTreeSet<Number> =
        facts.numbers.iter().map(|one| one.number.clone()).collect();
    numbers.extend(dialled.cloned());
    for number in &numbers {
        add_number(slate, number, wish);
    }
    let email = facts.email_folded();
    if let Some(email) = &email {
        add_email(slate, email, wish);
    }
    let closed_count = close_carriers(slate, &numbers, email.as_deref(), Some(lead), wish);
    close_suppressed(slate, lead, wish.actor, wish.now);
    closed_count
}

fn add_number(slate: &mut Slate, number: &Number, wish: &Wish<'_>) -> bool {
    let is_new = slate.suppressed_numbers.insert(number.clone());
    if is_new {
        let seal = slate.seal.as_ref().filter(|_| wish.is_sealed);
        let value = seal.map_or_else(|| number.as_str().to_owned(), |seal| seal.number(number));
        slate.new_suppressions.push(row("number", value, wish));
    }
    is_new
}

fn add_email(slate: &mut Slate, email: &str, wish: &Wish<'_>) -> bool {
    let is_new = slate.suppressed_emails.insert(email.to_owned());
    if is_new {
        let seal = slate.seal.as_ref().filter(|_| wish.is_sealed);
        let value = seal.map_or_else(|| email.to_owned(), |seal| seal.email(email));
        slate.new_suppressions.push(row("email", value, wish));
    }
    is_new
}

fn row(kind: &'static str, value: String, wish: &Wish<'_>) -> SuppressionRow {
    SuppressionRow {
        kind,
        value,
        is_hashed: wish.is_sealed,
        source: wish.source.to_owned(),
        actor: wish.actor.to_owned(),
        at: wish.now,
    }
}

/// Closes every lead but `except` that carries one of these, in any queue; says how many.
fn close_carriers(
    slate: &mut Slate,
    numbers: &BTreeSet<Number>,
    email: Option<&str>,
    except: Option<LeadId>,
    wish: &Wish<'_>,
) -> usize {
    let carries = |facts: &Facts| {
        facts.numbers.iter().any(|one| numbers.contains(&one.number))
            || email.is_some_and(|email| facts.email_folded().as_deref() == Some(email))
    };
    let leads = slate.leads.values().map(|tracked| &tracked.now.lead);
    let mut carriers: Vec<LeadId> = leads
        .filter(|lead| Some(lead.id) != except && carries(&lead.facts))
        .map(|lead| lead.id)
        .collect();
    carriers.sort_unstable();
    let mut close = |lead: &LeadId| close_suppressed(slate, *lead, wish.actor, wish.now);
    carriers.iter().filter(|lead| close(lead)).count()
}

/// Closes a lead that may never be called again, out of a rep's hands if need be; says whether it
/// had to be closed. One in nurture is closed for good.
pub(super) fn close_suppressed(slate: &mut Slate, lead: LeadId, actor: &str, now: i64) -> bool {
    if slate.known(lead).state.standing == Standing::Leased {
        forbid(slate, lead, actor, now);
    }
    let close = Command::Close { why: CloseReason::Suppressed, route: Route::Suppressed };
    slate.step(lead, close, now, |event| event.by(actor)).is_ok()
}

/// Takes a leased lead out of a rep's hands, as it may not be called there any more.
pub(super) fn forbid(slate: &mut Slate, lead: LeadId, actor: &str, now: i64) {
    let lease = slate.take_back(lead);
    let end = Command::EndLease { kind: EventKind::Released };
    let told = slate.step(lead, end, now, |event| {
        let event = event.by(actor).with("reason", ReleaseReason::Forbidden.code());
        event.with("rep", lease.rep.0)
    });
    told.expect("a leased lead's lease can end");
}
