//! A touch: always recorded, and under a lease that holds it moves the lead.

use super::grant::{give_first, standing_lease};
use super::suppress::{Wish, suppress_person};
use super::text::hex;
use super::transfer::hand_on;
use super::{NEXTLEAD, NewTouch, Slate, TouchRow, quality};
use crate::domain::moves::Command;
use crate::domain::{
    Cadence, DecidedBy, Direction, Disposition, Event, LeadClock, LeadId, LeaseToken, NextStep,
    Number, Occasion, Queue, Standing, Touch,
};
use crate::store::changes::{LeaseOutcome, RecordTouch, TouchRecorded};
use crate::store::error::Denied;

/// Decides a touch, and the next lease that may come with it.
pub(super) fn record(slate: &mut Slate, change: &RecordTouch) -> Result<TouchRecorded, Denied> {
    let touch = &change.touch;
    let name = (change.caller.clone(), touch.id.as_str().to_owned());
    let body_hash = hex(&change.body_hash);
    if let Some(row) = slate.touches.get(&name) {
        // What an erased lead's touches said is gone, so any body is theirs.
        if row.body_hash != body_hash && !row.body_hash.is_empty() {
            return Err(Denied::RequestReused);
        }
        return Ok(replay(slate, row.clone(), change.now));
    }
    if change.quality.is_reason_unknown {
        return Err(Denied::UnknownReason);
    }
    let row = slate.row(touch.lead).ok_or(Denied::UnknownLead(touch.lead))?;
    let is_erased = row.state.standing == Standing::Erased;
    let holds = touch.lease.is_some_and(|token| {
        row.lease.as_ref().is_some_and(|lease| {
            lease.token == token && touch.rep == Some(lease.rep) && lease.holds_at(change.now)
        })
    });
    if !holds && change.only_in.is_some_and(|queue| queue != row.state.queue) {
        return Err(Denied::UnknownLead(touch.lead));
    }
    // It is a touch of the queue that has the lead now, wherever its policy hands the lead.
    let (book, queue) = (row.book_key(), row.state.queue);
    let elsewhere = row.state.entered_at.map(|_| queue);
    stop_number(slate, change);
    count_call(slate, change, holds);
    if holds {
        move_lead(slate, change);
    } else {
        note(slate, change);
    }
    let suppressed_count = say_never(slate, change, holds, is_erased);
    slate.book_deltas.entry(book).or_default().touches += 1;
    quality::note(slate, change, queue);

    let next = change.then.as_ref().zip(touch.rep);
    let next = next.map(|(grant, rep)| give_first(slate, grant, rep, change.now));
    let late = touch.lease.is_some() && !holds;
    let body_hash = if is_erased { String::new() } else { body_hash };
    let is_quality_owed = touch.rep.is_some() && change.quality.is_owed();
    let row = TouchRow {
        lead: touch.lead,
        body_hash,
        late,
        suppressed_count,
        next: next.as_ref().and_then(leased),
        is_quality_owed,
    };
    slate.touches.insert(name, row.clone());
    slate.new_touches.push(NewTouch {
        caller: change.caller.clone(),
        touch: if is_erased { anonymous(touch) } else { touch.clone() },
        recorded_at: change.now,
        elsewhere,
        row,
    });
    let record = slate.record(touch.lead);
    Ok(TouchRecorded {
        late,
        record,
        suppressed_count,
        next,
        is_replay: false,
        is_next_lost: false,
        is_quality_owed,
    })
}

/// Counts the call, and settles what a lease that is over had left in doubt.
fn count_call(slate: &mut Slate, change: &RecordTouch, holds: bool) {
    let touch = &change.touch;
    let lease = slate.known(touch.lead).lease.as_ref();
    let granted_at = lease.filter(|_| holds).map(|lease| lease.granted_at);
    if let Some(token) = touch.lease.filter(|_| !holds) {
        slate.settle_doubt(touch.lead, token, change.now);
    }
    slate.count_dial(touch, granted_at, change.now);
}

/// Suppresses whoever said never. Says how many leads were closed, this one aside.
fn say_never(slate: &mut Slate, change: &RecordTouch, holds: bool, is_erased: bool) -> usize {
    let touch = &change.touch;
    if touch.disposition != Disposition::DoNotCall {
        return 0;
    }
    let wish = Wish {
        source: "touch",
        actor: &change.actor,
        now: change.now,
        is_sealed: is_erased,
        until: None,
    };
    // A rep speaks for whom they had in their hands: with a made-up number, a touch of any lead
    // would take it out of everybody's.
    let is_theirs = |number: &&Number| {
        let numbers = &slate.known(touch.lead).lead.facts.numbers;
        holds
            || change.is_by_system
            || is_erased
            || numbers.iter().any(|one| one.number == **number)
    };
    let dialled = touch.number.as_ref().filter(is_theirs);
    suppress_person(slate, touch.lead, dialled, &wish)
}

/// A touch that came after its lead was erased: a fact that counts, and nothing that tells of whom.
fn anonymous(touch: &Touch) -> Touch {
    Touch { number: None, notes: String::new(), ..touch.clone() }
}

fn replay(slate: &Slate, row: TouchRow, now: i64) -> TouchRecorded {
    let next = row.next.and_then(|(lead, token)| standing_lease(slate, lead, token, now));
    TouchRecorded {
        late: row.late,
        record: slate.record(row.lead),
        suppressed_count: row.suppressed_count,
        is_replay: true,
        is_quality_owed: row.is_quality_owed,
        is_next_lost: row.next.is_some() && next.is_none(),
        next: next.map(LeaseOutcome::Holds),
    }
}

fn leased(outcome: &LeaseOutcome) -> Option<(LeadId, LeaseToken)> {
    match outcome {
        LeaseOutcome::Granted { granted, .. } | LeaseOutcome::Holds(granted) => {
            Some((granted.lease.lead, granted.lease.token))
        }
        LeaseOutcome::Owes | LeaseOutcome::NoneHeld { .. } => None,
    }
}

/// Stops the dialled number for this lead if the disposition says so.
fn stop_number(slate: &mut Slate, change: &RecordTouch) {
    let touch = &change.touch;
    let Some(number) = touch.number.as_ref().filter(|_| touch.disposition.stops_number()) else {
        return;
    };
    let facts = &slate.known(touch.lead).lead.facts;
    let place = facts.numbers.iter().position(|one| one.number == *number && one.stopped.is_none());
    if let Some(place) = place {
        let mut facts = facts.clone();
        facts.numbers[place].stopped = Some(touch.disposition);
        slate.set_facts(touch.lead, facts);
    }
}

/// How a lead's attempts are spread, with the one of this touch if it is one.
fn cadence(slate: &Slate, change: &RecordTouch) -> Cadence {
    let row = slate.known(change.touch.lead);
    if change.touch.direction != Direction::Outbound {
        return row.state.cadence;
    }
    // Nobody calls in the future.
    let at = change.touch.started_at.min(change.now);
    let clock = LeadClock::of(&row.lead.facts, &change.queue);
    row.state.cadence.with_attempt(clock.daypart_at(at))
}

/// Moves the lead as the policy says, and ends its lease.
fn move_lead(slate: &mut Slate, change: &RecordTouch) {
    let touch = &change.touch;
    let is_attempt = touch.direction == Direction::Outbound;
    let cadence = cadence(slate, change);
    slate.take_back(touch.lead);
    let row = slate.known(touch.lead);
    let decided = change.policy.next_step(&Occasion {
        disposition: touch.disposition,
        callback_at: touch.callback_at,
        attempts: row.state.attempts.saturating_add(i32::from(is_attempt)),
        cadence,
        facts: &row.lead.facts,
        handed_over_at: row.state.entered_at.unwrap_or(row.state.handed_over_at),
        transfers: row.state.transfers,
        queue: &change.queue,
        now: change.now,
    });
    let to = decided.by.as_ref().and_then(|by| by.queue.as_ref());
    let to = to.and_then(|to| change.others.iter().find(|queue| queue.id == *to)).cloned();
    let to = to.filter(|to| to.key != row.state.queue);
    let next = match decided.step {
        // There is no such queue: the lead is not to vanish with it.
        NextStep::Transfer if to.is_none() => NextStep::NOWHERE_LEFT,
        step => step,
    };
    let is_own = touch.disposition == Disposition::CallbackOwn;
    let command = Command::Touch {
        disposition: touch.disposition,
        started_at: touch.started_at,
        is_attempt,
        cadence: decided.cadence,
        next,
        promised_to: touch.rep.filter(|_| is_own),
    };
    let told = slate.step(touch.lead, command, change.now, |event| {
        let event = event.by(&change.actor).with("touch", &touch.id);
        let mut event = event.with("disposition", touch.disposition.code());
        if is_own {
            // A lease is a rep's, and they record under it in their own name.
            event = event.with("promised_to", &change.actor);
        }
        match decided.by {
            Some(by) => explained(event, by, change.rule_version),
            None => event,
        }
    });
    told.expect("a lead with a lease is leased");
    if let (NextStep::Transfer, Some(to)) = (next, to) {
        route_to(slate, change, &to);
    }
}

/// The policy hands the lead to another queue.
fn route_to(slate: &mut Slate, change: &RecordTouch, to: &Queue) {
    let told = hand_on(slate, change.touch.lead, (to, true), change.now, |event| {
        let event = event.by(NEXTLEAD).with("from", &change.queue.id);
        event.with("touch", &change.touch.id)
    });
    told.expect("a lead that its policy hands on is ready");
}

/// The event with what in the policy decided what follows.
fn explained(mut event: Event, by: DecidedBy, rule_version: i64) -> Event {
    event.rule_version = Some(rule_version).filter(|version| *version > 0);
    let rule = by.rule.map_or_else(|| "built-in".to_owned(), |nth| nth.to_string());
    let event = event.with("after", rule);
    let told = [
        ("stage", by.stage.map(|nth| nth.to_string())),
        ("retry", by.nth.map(|nth| nth.to_string())),
        ("daypart", by.daypart.map(|daypart| daypart.code().to_owned())),
        ("reason", by.reason),
    ];
    let told = told.into_iter().filter_map(|(name, value)| Some((name, value?)));
    told.fold(event, |event, (name, value)| event.with(name, value))
}

/// Counts a touch that does not move the lead.
fn note(slate: &mut Slate, change: &RecordTouch) {
    let touch = &change.touch;
    let is_outbound = touch.direction == Direction::Outbound;
    let command = Command::Note {
        disposition: touch.disposition,
        started_at: touch.started_at,
        is_attempt: is_outbound,
        cadence: cadence(slate, change),
        is_first_touch: touch.lease.is_none() && change.is_by_system && is_outbound,
    };
    let told = slate.step(touch.lead, command, change.now, |event| {
        let event = event.by(&change.actor).with("touch", &touch.id);
        let event = event.with("disposition", touch.disposition.code());
        if touch.lease.is_some() { event.with("late", true) } else { event }
    });
    told.expect("a note goes with every standing");
}
