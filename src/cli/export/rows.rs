//! Rows as JSON: what NDJSON writes as it is, and CSV by the paths of its columns.
//!
//! A lead's own fields have the names that an import gives them; what nextlead knows of it stands
//! apart under `nextlead`, which an import leaves out. Times are RFC 3339 in UTC, durations end in
//! `_ms`.

use anyhow::Context as _;
use prost_types::Timestamp;
use serde_json::{Map, Value, json};

use crate::api::proto::{Book, ExportedLead, ExportedTouch};
use crate::cli::json;

/// The fields of a lead that an import reads.
const LEAD_FIELDS: [&str; 20] = [
    "source_system",
    "external_id",
    "campaign_id",
    "handed_over_time",
    "name",
    "company",
    "email",
    "numbers",
    "time_zone",
    "source",
    "channel",
    "trigger",
    "stage",
    "score",
    "country",
    "region",
    "language",
    "skills",
    "engagements",
    "owner_rep_id",
];
/// What nextlead knows of a lead.
const LEAD_STATE: [&str; 20] = [
    "lead_id",
    "queue_id",
    "predecessor_lead_id",
    "stopped_numbers",
    "standing",
    "until_time",
    "reason",
    "disposition",
    "route",
    "tier",
    "changed_time",
    "ready_since_time",
    "attempt_count",
    "last_disposition",
    "first_touch_due_time",
    "first_touched_time",
    "released_count",
    "event_count",
    "nurture_until_time",
    "recorded_engagements",
];
const TOUCH_FIELDS: [&str; 18] = [
    "touch_id",
    "lead_id",
    "queue_id",
    "campaign_id",
    "source_system",
    "external_id",
    "rep_id",
    "channel",
    "direction",
    "number",
    "start_time",
    "end_time",
    "duration_ms",
    "disposition",
    "callback_time",
    "notes",
    "late",
    "recorded_time",
];
const BOOK_FIELDS: [&str; 17] = [
    "read_time",
    "queue_id",
    "campaign_id",
    "source",
    "handed_over_count",
    "ready_count",
    "waiting_count",
    "leased_count",
    "merged_count",
    "erased_count",
    "transferred_in_count",
    "transferred_out_count",
    "imbalance",
    "touched_count",
    "touched_in_time_count",
    "first_touch_mean_duration_ms",
    "touch_count",
];

/// The columns of leads; each of `attributes` gets its own.
pub(super) fn lead_columns(attributes: &[String]) -> Vec<String> {
    let own = LEAD_FIELDS.iter().map(ToString::to_string);
    let attributes = attributes.iter().map(|name| format!("attributes.{name}"));
    let state = LEAD_STATE.iter().map(|name| format!("nextlead.{name}"));
    own.chain(attributes).chain(["attributes".to_owned()]).chain(state).collect()
}

/// A lead.
pub(super) fn lead(exported: &ExportedLead) -> anyhow::Result<Value> {
    let lead = exported.lead.as_ref().context("the node sent no lead")?;
    let mut row = fields(json::of(lead)?);
    let mut state = match &exported.state {
        Some(state) => fields(json::of(state)?),
        None => Map::new(),
    };
    lift(&mut row, "handover_key");
    state.insert("queue_id".to_owned(), json!(exported.queue_id));
    for name in ["lead_id", "predecessor_lead_id", "recorded_engagements"] {
        state.insert(name.to_owned(), row.remove(name).unwrap_or_default());
    }
    // A standing is an object of its one word, with what goes with it.
    if let Some(Value::Object(standing)) = state.remove("standing")
        && let Some((word, details)) = standing.into_iter().next()
    {
        state.insert("standing".to_owned(), Value::String(word));
        state.append(&mut fields(details));
    }
    let stopped = lead.numbers.iter().filter(|one| one.stopped_by != 0);
    let stopped: Vec<_> = stopped.map(|one| one.number.as_str()).collect();
    state.insert("stopped_numbers".to_owned(), json!(stopped));
    let numbers: Vec<_> = lead.numbers.iter().map(|one| one.number.as_str()).collect();
    row.insert("numbers".to_owned(), json!(numbers));
    row.insert("nextlead".to_owned(), Value::Object(state));
    Ok(Value::Object(row))
}

/// The columns of touches.
pub(super) fn touch_columns() -> Vec<String> {
    TOUCH_FIELDS.map(String::from).to_vec()
}

/// A touch.
pub(super) fn touch(exported: &ExportedTouch) -> anyhow::Result<Value> {
    let touch = exported.touch.as_ref().context("the node sent no touch")?;
    let mut row = fields(json::of(touch)?);
    let ms = |time: &Timestamp| time.seconds * 1_000 + i64::from(time.nanos / 1_000_000);
    let times = touch.start_time.as_ref().zip(touch.end_time.as_ref());
    row.insert("duration_ms".to_owned(), json!(times.map(|(start, end)| ms(end) - ms(start))));
    row.insert("queue_id".to_owned(), json!(exported.queue_id));
    if let Some(key) = &exported.handover_key {
        row.append(&mut fields(json::of(key)?));
    }
    Ok(Value::Object(row))
}

/// The columns of books.
pub(super) fn book_columns() -> Vec<String> {
    let mut columns = BOOK_FIELDS.map(String::from).to_vec();
    columns.push("overdue_count".to_owned());
    columns.push("outcomes".to_owned());
    columns.extend(CLOSED.map(|route| format!("closed.{route}")));
    columns
}

/// The routes, as the books count them.
const CLOSED: [&str; 6] = ["won", "lost", "nurture", "suppressed", "unreachable", "superseded"];

/// The book of one campaign and source.
pub(super) fn book(book: &Book, read_time: Option<&Timestamp>) -> anyhow::Result<Value> {
    let mut row = fields(json::of(book)?);
    let mut closed = Map::new();
    if let Some(Value::Array(routes)) = row.get_mut("closed") {
        for route in routes {
            let name = route["route"].as_str().unwrap_or("unspecified").to_owned();
            closed.insert(name, route["count"].take());
        }
    }
    row.insert("closed".to_owned(), Value::Object(closed));
    let read_at = read_time.map(|at| jiff::Timestamp::new(at.seconds, at.nanos)).transpose()?;
    row.insert("read_time".to_owned(), json!(read_at.map(|at| at.to_string())));
    Ok(Value::Object(row))
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Puts the fields of an object within a row into the row itself.
fn lift(row: &mut Map<String, Value>, name: &str) {
    if let Some(Value::Object(mut inner)) = row.remove(name) {
        row.append(&mut inner);
    }
}
