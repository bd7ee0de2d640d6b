//! Never again, or not before an instant: numbers, e-mail addresses and persons that no queue may use.

use std::collections::BTreeSet;

use foldhash::HashSet;

use super::grant::replayed;
use super::{Slate, StoredAnswer, SuppressionRow};
use crate::domain::moves::Command;
use crate::domain::{
    CloseReason, EventKind, Facts, LeadId, Number, ReleaseReason, Route, ServeTally, Standing,
};
use crate::store::changes::{Suppress, SuppressAll, Suppressed, SuppressedAll, SuppressionOf};
use crate::store::error::Denied;

/// Who says never, and when.
pub(super) struct Wish<'a> {
    pub(super) source: &'a str,
    pub(super) actor: &'a str,
    pub(super) now: i64,
    /// Whose wish it is was erased: it is kept as a hash.
    pub(super) is_sealed: bool,
    /// When it ends.
    pub(super) until: Option<i64>,
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
        until: suppress.until,
    };
    let whats = spelled_out(slate, &suppress.what)?;
    let was_known = add_all(slate, &whats, &wish) == 0;
    let mut closed_count = close_carriers(slate, &Said::of(&whats), None, &wish);
    if let SuppressionOf::Person(lead) = suppress.what {
        // One without numbers and address is carried by nobody, and is closed all the same.
        closed_count += usize::from(close_suppressed(slate, lead, wish.actor, wish.now));
    }
    let answer = StoredAnswer::Suppressed { was_known, closed_count };
    slate.answer(suppress.request.as_ref(), answer, suppress.now);
    Ok(Suppressed { was_known, closed_count })
}

/// Decides many suppressions. Of the leads that carry one of them only a bounded number is loaded.
pub(super) fn suppress_all(slate: &mut Slate, all: &SuppressAll) -> SuppressedAll {
    let (source, actor) = (&all.source, &all.actor);
    let wish = Wish { source, actor, now: all.now, is_sealed: false, until: all.until };
    let new_count = add_all(slate, &all.whats, &wish);
    let closed_count = close_carriers(slate, &Said::of(&all.whats), None, &wish);
    SuppressedAll { new_count, closed_count, is_unfinished: slate.has_more_carriers }
}

/// What said never.
#[derive(Default)]
struct Said {
    numbers: HashSet<Number>,
    emails: HashSet<String>,
}

impl Said {
    fn of(whats: &[SuppressionOf]) -> Self {
        let mut said = Self::default();
        for what in whats {
            match what {
                SuppressionOf::Number(number) => drop(said.numbers.insert(number.clone())),
                SuppressionOf::Email(folded) => drop(said.emails.insert(folded.clone())),
                SuppressionOf::Person(_) => {}
            }
        }
        said
    }

    fn includes(&self, facts: &Facts) -> bool {
        facts.numbers.iter().any(|one| self.numbers.contains(&one.number))
            || facts.email_folded().is_some_and(|email| self.emails.contains(&email))
    }
}

/// Says how many are new.
fn add_all(slate: &mut Slate, whats: &[SuppressionOf], wish: &Wish<'_>) -> usize {
    let mut add = |what: &&SuppressionOf| match what {
        SuppressionOf::Number(number) => add_number(slate, number, wish),
        SuppressionOf::Email(folded) => add_email(slate, folded, wish),
        SuppressionOf::Person(_) => false,
    };
    whats.iter().filter(|what| add(what)).count()
}

/// Suppresses a person: all their numbers, the one that was dialled, and their e-mail address, and
/// closes every other lead that carries one of them. Says how many.
pub(super) fn suppress_person(
    slate: &mut Slate,
    lead: LeadId,
    dialled: Option<&Number>,
    wish: &Wish<'_>,
) -> usize {
    let whats = person(&slate.known(lead).lead.facts, dialled);
    add_all(slate, &whats, wish);
    let closed_count = close_carriers(slate, &Said::of(&whats), Some(lead), wish);
    close_suppressed(slate, lead, wish.actor, wish.now);
    closed_count
}

/// What a person is known by: all of their numbers, one that was dialled, and their e-mail address.
fn person(facts: &Facts, dialled: Option<&Number>) -> Vec<SuppressionOf> {
    let numbers: BTreeSet<&Number> =
        facts.numbers.iter().map(|one| &one.number).chain(dialled).collect();
    let numbers = numbers.into_iter().cloned().map(SuppressionOf::Number);
    numbers.chain(facts.email_folded().map(SuppressionOf::Email)).collect()
}

/// What is suppressed, one value each.
fn spelled_out(slate: &Slate, what: &SuppressionOf) -> Result<Vec<SuppressionOf>, Denied> {
    let SuppressionOf::Person(lead) = what else { return Ok(vec![what.clone()]) };
    let row = slate.row(*lead).filter(|row| row.state.standing != Standing::Erased);
    Ok(person(&row.ok_or(Denied::UnknownLead(*lead))?.lead.facts, None))
}

/// What becomes of a value with what is known of it: whether it is new, and whether it is to be written.
fn outcome(known: Option<Option<i64>>, wish: &Wish<'_>) -> (bool, bool) {
    let is_new = match known {
        Some(None) => false,
        Some(Some(until)) => until <= wish.now,
        None => true,
    };
    let lasts_longer = match (known, wish.until) {
        (Some(None), _) => false,
        (Some(Some(_)), None) | (None, _) => true,
        (Some(Some(known)), Some(until)) => known < until,
    };
    (is_new, lasts_longer)
}

fn add_number(slate: &mut Slate, number: &Number, wish: &Wish<'_>) -> bool {
    let (is_new, is_written) = outcome(slate.suppressed_numbers.get(number).copied(), wish);
    if is_written {
        slate.suppressed_numbers.insert(number.clone(), wish.until);
        let seal = slate.seal.as_ref().filter(|_| wish.is_sealed);
        let value = seal.map_or_else(|| number.as_str().to_owned(), |seal| seal.number(number));
        slate.new_suppressions.push(row("number", value, wish));
    }
    is_new
}

fn add_email(slate: &mut Slate, email: &str, wish: &Wish<'_>) -> bool {
    let (is_new, is_written) = outcome(slate.suppressed_emails.get(email).copied(), wish);
    if is_written {
        slate.suppressed_emails.insert(email.to_owned(), wish.until);
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
        until: wish.until,
    }
}

/// Closes every lead but `except` that carries one of these, in any queue; says how many.
fn close_carriers(
    slate: &mut Slate,
    said: &Said,
    except: Option<LeadId>,
    wish: &Wish<'_>,
) -> usize {
    let leads = slate.leads.values().map(|tracked| &tracked.now.lead);
    let mut carriers: Vec<LeadId> = leads
        .filter(|lead| Some(lead.id) != except && said.includes(&lead.facts))
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
    slate.doubt(lead);
    let lease = slate.take_back(lead);
    slate.tally(&lease, ServeTally::Forbidden);
    let end = Command::EndLease { kind: EventKind::Released };
    let told = slate.step(lead, end, now, |event| {
        let event = event.by(actor).with("reason", ReleaseReason::Forbidden.code());
        event.with("rep", lease.rep.0)
    });
    told.expect("a leased lead's lease can end");
}
