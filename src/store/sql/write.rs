//! Writes what a batch has changed, with few statements over many rows. Every change of state names
//! the version or the lease that it expects to find, and each statement's count is checked: a
//! difference means that this code is wrong, and fails the batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join;
use serde::Serialize;

use super::super::books::{
    LeadRow, NewDial, NewEvent, NewTouch, Slate, Tracked, hex, route_index, standing_to_text,
};
use super::super::error::StoreError;
use super::connection::{Connection, Statement};
use super::load::json;
use super::rows::{corrupt, tier_number};
use super::statements as sql;
use super::{
    erasure, forget, quality, write_books, write_calls, write_facts, write_leases, write_skips,
    write_transfers,
};
use crate::domain::{CampaignKey, LeadId, Number, QueueKey, RepKey, Standing, TouchId};

/// Writes the slate.
pub(in crate::store) async fn write(
    connection: &mut Connection,
    slate: &Slate,
) -> Result<(), StoreError> {
    let mut changed: Vec<&Tracked> = slate.changed().collect();
    changed.sort_unstable_by_key(|tracked| tracked.now.lead.id);
    let is_remote = connection.is_remote();
    if is_remote && write_calls::are_enough(slate, &changed) {
        return write_calls::write(connection, slate, &changed).await;
    }
    let handovers = handover_statements(slate);
    let leads = meanwhile(run(connection, handovers), || lead_statements(&changed)).await?;
    let standings =
        meanwhile(run(connection, leads), || standing_statements(&changed, is_remote)).await?;
    let events = meanwhile(run(connection, standings), || event_statements(slate)).await?;
    run(connection, events).await?;
    write_transfers::write(connection, slate, &changed).await?;
    let leases = write_leases::statements(slate, &changed);
    if let Some(freed) = leases.freed {
        freed.statement.bind(freed.rows).execute(connection).await?;
    }
    run(connection, [leases.ended, leases.carried, leases.given, leases.held]).await?;
    if let Some(told) = told_statement(slate) {
        told.statement.bind(told.rows).execute(connection).await?;
    }
    let touches = [touch_statement(slate), dial_statement(slate), request_statement(slate)];
    run(connection, touches).await?;
    write_facts::write(connection, slate).await?;
    write_memory(connection, slate).await?;
    run(connection, write_skips::statements(slate)).await?;
    run(connection, quality::statements(slate)).await?;
    erasure::write(connection, slate).await?;
    write_books::write(connection, slate).await
}

/// A statement with its rows; every one of them must count.
pub(in crate::store) struct Rows {
    table: &'static str,
    statement: Statement,
    pub(in crate::store) rows: String,
    pub(in crate::store) row_count: u64,
}

impl Rows {
    /// `None` without rows.
    pub(in crate::store) fn of<T: Serialize>(
        table: &'static str,
        statement: Statement,
        rows: &[T],
    ) -> Option<Self> {
        let row_count = rows.len() as u64;
        (row_count > 0).then(|| Self { table, statement, rows: json(&rows), row_count })
    }
}

pub(in crate::store) type Statements<const N: usize> = [Option<Rows>; N];

/// Runs statements, one after the other.
pub(in crate::store) async fn run<const N: usize>(
    connection: &mut Connection,
    statements: Statements<N>,
) -> Result<(), StoreError> {
    for Rows { table, statement, rows, row_count } in statements.into_iter().flatten() {
        let done = statement.bind(rows).execute(connection).await?;
        if done != row_count {
            return Err(corrupt(table, "(count)", &format!("{done} of {row_count} rows")));
        }
    }
    Ok(())
}

/// Makes what is to run next while something runs: statements run on SQLite's own thread,
/// or in another process.
async fn meanwhile<T>(
    running: impl Future<Output = Result<(), StoreError>>,
    make: impl FnOnce() -> T,
) -> Result<T, StoreError> {
    // The first is polled first, so it is under way when the other begins.
    let (done, made) = join(running, async { make() }).await;
    done.map(|()| made)
}

/// Runs a statement over rows; every one of them must count.
pub(in crate::store) async fn each<T: Serialize>(
    connection: &mut Connection,
    table: &'static str,
    statement: Statement,
    rows: &[T],
) -> Result<(), StoreError> {
    run(connection, [Rows::of(table, statement, rows)]).await
}

/// Runs a statement over rows, if there are any; some may not count.
pub(in crate::store) async fn some<T: Serialize>(
    connection: &mut Connection,
    statement: Statement,
    rows: &[T],
) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    statement.bind(json(&rows)).execute(connection).await
}

fn handover_statements(slate: &Slate) -> Statements<2> {
    let mut added = Vec::new();
    let mut changed = Vec::new();
    for (once, row) in &slate.handovers {
        let key = (&once.source_system, &once.external_id, once.campaign);
        if row.is_new {
            added.push((
                key.0,
                key.1,
                key.2,
                row.queue,
                &row.source,
                row.lead,
                i64::from(row.is_merged),
                &row.facts_hash,
                row.handed_over_at,
            ));
        } else if row.is_changed {
            changed.push((key.0, key.1, key.2, &row.facts_hash));
        }
    }
    // In the order of the leads, so that the file grows in order, too.
    added.sort_unstable_by_key(|row| row.5);
    [
        Rows::of("handover", sql::ADD_HANDOVERS, &added),
        Rows::of("handover", sql::CHANGE_HANDOVERS, &changed),
    ]
}

fn lead_statements(changed: &[&Tracked]) -> Statements<4> {
    let mut added = Vec::new();
    let mut amended = Vec::new();
    let mut new_numbers = Vec::new();
    let mut old_numbers = Vec::new();
    for tracked in changed {
        let lead = &tracked.now.lead;
        let numbers: BTreeSet<&Number> = lead.facts.numbers.iter().map(|one| &one.number).collect();
        let mut known = BTreeSet::new();
        if let Some(before) = &tracked.before {
            if Arc::ptr_eq(&before.lead, lead) {
                continue;
            }
            known.extend(before.lead.facts.numbers.iter().map(|one| &one.number));
            amended.push((lead.id, lead.facts.email_folded(), &lead.facts));
        } else {
            added.push((
                lead.id,
                lead.queue,
                lead.campaign,
                &lead.source_system,
                &lead.external_id,
                lead.handed_over_at,
                tracked.now.state.first_touch_due_at,
                lead.predecessor,
                lead.facts.email_folded(),
                &lead.facts,
            ));
        }
        new_numbers.extend(numbers.difference(&known).map(|one| (*one, lead.id, lead.queue)));
        old_numbers.extend(known.difference(&numbers).map(|one| (*one, lead.id)));
    }
    new_numbers.sort_unstable();
    [
        Rows::of("lead", sql::ADD_LEADS, &added),
        Rows::of("lead", sql::CHANGE_FACTS, &amended),
        Rows::of("lead_number", sql::DROP_LEAD_NUMBERS, &old_numbers),
        Rows::of("lead_number", sql::ADD_LEAD_NUMBERS, &new_numbers),
    ]
}

/// The number of a standing's first word, and that of a closed lead's route.
fn state_numbers(standing: &Standing) -> (i64, Option<usize>) {
    match standing {
        Standing::Ready => (0, None),
        Standing::Waiting { .. } => (1, None),
        Standing::Leased => (2, None),
        Standing::Closed { route, .. } => (3, Some(route_index(route))),
        Standing::Erased => (4, None),
    }
}

fn due_ms(row: &LeadRow) -> Option<i64> {
    if row.is_parked { None } else { row.state.standing.due_at() }
}

/// A row of `add_standings.sql`.
#[derive(Serialize)]
struct NewStanding<'a>(
    LeadId,
    QueueKey,
    CampaignKey,
    &'a str,
    i64,
    String,
    Option<usize>,
    i64,
    i64,
    i64,
    i64,
    i32,
    Option<&'static str>,
    Option<i64>,
    i32,
    i64,
    i64,
    Option<i64>,
    i64,
    i64,
    Option<RepKey>,
    Option<i64>,
    Option<RepKey>,
);

impl<'a> NewStanding<'a> {
    fn of(row: &'a LeadRow) -> Self {
        let state = &row.state;
        let (number, route) = state_numbers(&state.standing);
        Self(
            state.lead,
            state.queue,
            state.campaign,
            &row.source,
            number,
            standing_to_text(&state.standing),
            route,
            tier_number(state.tier),
            state.seq,
            state.changed_at,
            state.ready_since,
            state.attempts,
            state.last_disposition.map(|disposition| disposition.code()),
            state.first_touched_at,
            state.times_released,
            state.first_touch_due_at.unwrap_or(state.handed_over_at),
            i64::from(state.first_touch_due_at.is_some()),
            due_ms(row),
            row.last_event,
            state.cadence.pack(),
            state.owner,
            state.callback.map(|callback| callback.at),
            state.callback.and_then(|callback| callback.to),
        )
    }
}

/// A row of `change_standings.sql`, `serve_standings.sql` and `touch_standings.sql`.
#[derive(Serialize)]
struct MovedStanding(
    LeadId,
    i64,
    i64,
    String,
    Option<usize>,
    i64,
    i64,
    i64,
    i64,
    i32,
    Option<&'static str>,
    Option<i64>,
    i32,
    Option<i64>,
    i64,
    i64,
    Option<RepKey>,
    Option<i64>,
    Option<RepKey>,
);

impl MovedStanding {
    fn of(row: &LeadRow, before: &LeadRow) -> Self {
        let state = &row.state;
        let (number, route) = state_numbers(&state.standing);
        Self(
            state.lead,
            before.state.seq,
            number,
            standing_to_text(&state.standing),
            route,
            tier_number(state.tier),
            state.seq,
            state.changed_at,
            state.ready_since,
            state.attempts,
            state.last_disposition.map(|disposition| disposition.code()),
            state.first_touched_at,
            state.times_released,
            due_ms(row),
            row.last_event,
            state.cadence.pack(),
            state.owner,
            state.callback.map(|callback| callback.at),
            state.callback.and_then(|callback| callback.to),
        )
    }
}

/// The statements for where leads stand; of a server's, all that are there already stand in the last.
pub(in crate::store) fn standing_statements(
    changed: &[&Tracked],
    is_remote: bool,
) -> Statements<4> {
    let mut added = Vec::new();
    let [mut served, mut touched, mut moved] = [Vec::new(), Vec::new(), Vec::new()];
    for tracked in changed {
        let (row, state) = (&tracked.now, &tracked.now.state);
        let Some(before) = &tracked.before else {
            added.push(NewStanding::of(row));
            continue;
        };
        let is_same_route =
            state_numbers(&state.standing).1 == state_numbers(&before.state.standing).1;
        let is_same_rep =
            state.owner == before.state.owner && state.callback == before.state.callback;
        let rows = if is_remote || !is_same_route || !is_same_rep {
            &mut moved
        } else if state.first_touched_at != before.state.first_touched_at
            || due_ms(row) != due_ms(before)
        {
            &mut touched
        } else {
            &mut served
        };
        rows.push(MovedStanding::of(row, before));
    }
    [
        Rows::of("standing", sql::ADD_STANDINGS, &added),
        Rows::of("standing", sql::SERVE_STANDINGS, &served),
        Rows::of("standing", sql::TOUCH_STANDINGS, &touched),
        Rows::of("standing", sql::CHANGE_STANDINGS, &moved),
    ]
}

pub(in crate::store) fn event_statements(slate: &Slate) -> Statements<1> {
    let rows: Vec<_> = slate
        .events
        .iter()
        .map(|NewEvent { key, previous, event }| {
            (
                key,
                event.lead,
                event.seq,
                previous,
                event.at,
                event.kind.code(),
                &event.actor,
                event.from.as_ref().map(standing_to_text),
                standing_to_text(&event.to),
                event.rule_version,
                (!event.detail.is_empty()).then(|| json(&event.detail)),
            )
        })
        .collect();
    [Rows::of("ledger", sql::ADD_EVENTS, &rows)]
}

/// A row of `add_touches.sql`.
#[derive(Serialize)]
struct TouchColumns<'a>(
    &'a str,
    &'a TouchId,
    &'a str,
    LeadId,
    Option<RepKey>,
    Option<String>,
    &'static str,
    &'static str,
    &'a Option<Number>,
    i64,
    i64,
    &'static str,
    Option<i64>,
    &'a str,
    i64,
    i64,
    usize,
    Option<LeadId>,
    Option<String>,
    Option<QueueKey>,
);

impl<'a> From<&'a NewTouch> for TouchColumns<'a> {
    fn from(new: &'a NewTouch) -> Self {
        let (touch, row) = (&new.touch, &new.row);
        Self(
            &new.caller,
            &touch.id,
            &row.body_hash,
            touch.lead,
            touch.rep,
            touch.lease.map(|token| token.to_text()),
            touch.channel.code(),
            touch.direction.code(),
            &touch.number,
            touch.started_at,
            touch.ended_at,
            touch.disposition.code(),
            touch.callback_at,
            &touch.notes,
            i64::from(row.late),
            new.recorded_at,
            row.suppressed_count,
            row.next.map(|(lead, _)| lead),
            row.next.map(|(_, token)| token.to_text()),
            new.elsewhere,
        )
    }
}

pub(in crate::store) fn touch_statement(slate: &Slate) -> Option<Rows> {
    let rows: Vec<TouchColumns<'_>> = slate.new_touches.iter().map(Into::into).collect();
    Rows::of("touch", sql::ADD_TOUCHES, &rows)
}

pub(in crate::store) fn dial_statement(slate: &Slate) -> Option<Rows> {
    let row = |new: &NewDial| {
        (new.number.clone(), new.dial.at, new.lead, new.dial.token.map(|token| token.to_text()))
    };
    let rows: Vec<_> = slate.new_dials.iter().map(row).collect();
    Rows::of("dial", sql::ADD_DIALS, &rows)
}

/// Of these some may not count: mostly a late touch comes in time for its lease to be doubted.
pub(in crate::store) fn told_statement(slate: &Slate) -> Option<Rows> {
    let tokens: Vec<_> = slate.told_leases.iter().map(|token| token.to_text()).collect();
    Rows::of("dial", sql::DROP_DOUBTS, &tokens)
}

pub(in crate::store) fn request_statement(slate: &Slate) -> Option<Rows> {
    let requests: Vec<_> = slate
        .new_requests
        .iter()
        .map(|row| {
            let key = &row.key;
            (&key.caller, &key.id, hex(&key.body_hash), json(&row.answer), row.at)
        })
        .collect();
    Rows::of("request", sql::ADD_REQUESTS, &requests)
}

pub(in crate::store) fn pass_statement(slate: &Slate) -> Option<Rows> {
    let passes: Vec<_> =
        slate.new_passes.iter().map(|((rep, lead), until)| (*rep, *lead, *until)).collect();
    Rows::of("pass", sql::PUT_PASSES, &passes)
}

/// What has to be known later: passes, suppressions; and what is over is forgotten.
async fn write_memory(connection: &mut Connection, slate: &Slate) -> Result<(), StoreError> {
    if let Some(passes) = pass_statement(slate) {
        passes.statement.bind(passes.rows).execute(connection).await?;
    }
    let suppressions: Vec<_> = slate
        .new_suppressions
        .iter()
        .map(|row| {
            let is_hashed = i64::from(row.is_hashed);
            (row.kind, &row.value, is_hashed, &row.source, &row.actor, row.at, row.until)
        })
        .collect();
    each(connection, "suppression", sql::ADD_SUPPRESSIONS, &suppressions).await?;
    forget::forget(connection, slate).await
}
