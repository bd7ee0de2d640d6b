//! `touch` records how it went, `renew` keeps a lead, `release` gives it back.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use tonic::Code;

use super::error::Noted;
use super::lead::standing_text;
use super::next::{nothing_text, quoted, rep_words, served_text};
use super::output::{Output, count};
use super::words::{
    Instant, duration_of, proto_duration_text, read_duration_ms, read_instant, read_word,
    timestamp_of, word,
};
use crate::api::client::Client;
use crate::api::proto::lead_ref::Name;
use crate::api::proto::record_touch_response::Next;
use crate::api::proto::{
    Channel, Direction, Disposition, LeadRef, Quality, RecordTouchRequest, RecordTouchResponse,
    ReleaseLeaseRequest, ReleaseReason, RenewLeaseRequest, SkipReason,
};
use crate::clock::{Clock as _, SystemClock};

/// Record how a touch went, for ever, and move the lead to where it belongs next
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead touch --rep ann --lead 17 --token TOKEN --number +493012345 --disposition no_answer
  nextlead touch --rep ann --lead 17 --token TOKEN --number +493012345 \\
      --disposition callback_any --callback-at 2026-03-02T10:00:00+01:00 --next
  nextlead touch --rep ann --lead 17 --token TOKEN --number +493012345 \\
      --disposition callback_own --callback-local \"2026-03-02 10:00\"

A touch is recorded even if its lease is over; it is then late, and moves nothing.")]
pub(super) struct TouchArgs {
    /// Who made the touch; a rep's own token says so itself
    #[arg(long, value_name = "REP")]
    rep: Option<String>,
    /// The lead's id
    #[arg(long, value_name = "LEAD")]
    lead: String,
    /// The lease, as it was served; without it the touch is recorded and moves nothing
    #[arg(long, value_name = "LEASE")]
    token: Option<String>,
    /// How it ended: no_answer, voicemail, callback_own, qualified…
    #[arg(long, value_name = "CODE", value_parser = read_word::<Disposition>)]
    disposition: Disposition,
    /// The phone number; needed for a call that we made
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// By what the lead was reached: call, email, message or meeting
    #[arg(long, value_name = "CODE", value_parser = read_word::<Channel>, default_value = "call")]
    channel: Channel,
    /// Who began: outbound is we, inbound is the lead
    #[arg(long, value_name = "CODE", value_parser = read_word::<Direction>,
          default_value = "outbound")]
    direction: Direction,
    /// When it began [default: when it ended]
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    started_at: Option<Instant>,
    /// When it ended [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    ended_at: Option<Instant>,
    /// When the lead wants to be called again: an instant with its offset, or +2h from now
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    callback_at: Option<Instant>,
    /// In its place: when a clock on the wall shows this, where the lead lives: "2026-03-02 14:30"
    #[arg(long, value_name = "TIME", conflicts_with = "callback_at")]
    callback_local: Option<String>,
    /// The zone of that clock: an IANA name [default: the lead's]
    #[arg(long, value_name = "ZONE", requires = "callback_local")]
    callback_zone: Option<String>,
    /// File with what the rep wrote down; - is standard input
    #[arg(long, value_name = "FILE")]
    notes_file: Option<PathBuf>,
    /// What the rep thinks of the lead: 1, worthless, to 5, could not be better
    #[arg(long, value_name = "1-5", value_parser = clap::value_parser!(i32).range(1..=5),
          requires = "why")]
    rating: Option<i32>,
    /// Why: one of the queue's reasons, good_fit or no_need, say
    #[arg(long, value_name = "CODE", requires = "rating")]
    why: Option<String>,
    /// Your own id of the touch, so that sending it again records nothing twice [default: random]
    #[arg(long, value_name = "ID")]
    touch_id: Option<String>,
    /// Lease the next lead to the same rep in the same commit
    #[arg(long)]
    next: bool,
}

/// Names a lease.
#[derive(Debug, Args)]
pub(super) struct LeaseArgs {
    /// Who holds the lease; a rep's own token says so itself
    #[arg(long, value_name = "REP")]
    rep: Option<String>,
    /// The lead's id
    #[arg(long, value_name = "LEAD")]
    lead: String,
    /// The lease, as it was served
    #[arg(long, value_name = "LEASE")]
    token: String,
}

/// Keep a lead for longer, up to what its queue allows in all
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead renew --rep ann --lead 17 --token TOKEN --for 20m")]
pub(super) struct RenewArgs {
    #[command(flatten)]
    lease: LeaseArgs,
    /// How long the lease shall last from now on [default: the queue's lease]
    #[arg(long = "for", value_name = "DURATION", value_parser = read_duration_ms)]
    duration: Option<i64>,
    /// A call to the lead is under way: keep it, even if it may not be dialled any more by now
    #[arg(long)]
    in_call: bool,
}

/// Give a lead back without a touch: no attempt is counted, and it keeps its place in line
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead release --rep ann --lead 17 --token TOKEN --why bad_data
  nextlead release --rep ann --lead 17 --token TOKEN --reason rep_error

How many skips a rep has within an hour may be limited: see `nextlead queue set --help`.")]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    lease: LeaseArgs,
    /// Why: skipped, rep_error or client_lost
    #[arg(long, value_name = "CODE", value_parser = read_word::<ReleaseReason>,
          default_value = "skipped")]
    reason: ReleaseReason,
    /// Why it is skipped: not_my_area, bad_data, knows_me, too_hard, no_time or other; needed for a skip
    #[arg(long, value_name = "CODE", value_parser = read_word::<SkipReason>,
          required_if_eq("reason", "skipped"))]
    why: Option<SkipReason>,
}

pub(super) async fn run(args: TouchArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let request = request_of(args, SystemClock::start(0).now())?;
    let rep = request.rep_id.clone();
    let touch_id = request.touch_id.clone();
    let again = again_text(&request);
    let answer = node.reps().record_touch(request).await.map_err(|status| {
        if is_refusal(status.code()) {
            return anyhow::Error::from(status);
        }
        let note = format!(
            "whether it was recorded is unknown; sent again with {again} and all else alike, it is \
             recorded once"
        );
        Noted { note, source: status }.into()
    })?;
    output.answer(&answer.into_inner(), |answer| touch_text(&rep, &touch_id, answer))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the node said no, so that nothing was recorded.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Unauthenticated
    )
}

/// The arguments that make the same touch of the same command: what was taken from the clock or by
/// chance would be different the second time.
fn again_text(request: &RecordTouchRequest) -> String {
    let mut text = format!("--touch-id {}", request.touch_id);
    let instants = [
        ("started-at", &request.start_time),
        ("ended-at", &request.end_time),
        ("callback-at", &request.callback_time),
    ];
    for (name, instant) in instants {
        let at = instant.as_ref().and_then(|at| jiff::Timestamp::new(at.seconds, at.nanos).ok());
        if let Some(at) = at {
            text.push_str(&format!(" --{name} {at}"));
        }
    }
    if !request.callback_local_time.is_empty() {
        text.push_str(&format!(" --callback-local {}", quoted(&request.callback_local_time)));
    }
    if !request.callback_time_zone.is_empty() {
        text.push_str(&format!(" --callback-zone {}", quoted(&request.callback_time_zone)));
    }
    text
}

/// The command that records a touch again. The notes, which are private, are not in it.
pub(super) fn again_line(request: &RecordTouchRequest) -> String {
    let lead = match request.lead.as_ref().and_then(|lead| lead.name.as_ref()) {
        Some(Name::LeadId(lead)) => lead.as_str(),
        _ => "",
    };
    let number = match request.number.as_str() {
        "" => String::new(),
        number => format!(" --number {}", quoted(number)),
    };
    let next = if request.then_next { " --next" } else { "" };
    let notes = if request.notes.is_empty() { "" } else { " --notes-file FILE" };
    format!(
        "nextlead touch{} --lead {lead} --token {}{number} --disposition {} {}{notes}{next}",
        rep_words(&request.rep_id),
        request.lease_token,
        word::<Disposition>(request.disposition),
        again_text(request),
    )
}

fn request_of(args: TouchArgs, now: i64) -> anyhow::Result<RecordTouchRequest> {
    let ended = args.ended_at.map_or(timestamp_of(now), |instant| instant.timestamp(now));
    Ok(RecordTouchRequest {
        rep_id: args.rep.unwrap_or_default(),
        lead: named(args.lead),
        touch_id: match args.touch_id {
            Some(touch_id) => touch_id,
            None => random_id()?,
        },
        lease_token: args.token.unwrap_or_default(),
        channel: args.channel as i32,
        direction: args.direction as i32,
        number: args.number.unwrap_or_default(),
        start_time: Some(args.started_at.map_or(ended, |instant| instant.timestamp(now))),
        end_time: Some(ended),
        disposition: args.disposition as i32,
        callback_time: args.callback_at.map(|instant| instant.timestamp(now)),
        notes: match args.notes_file {
            Some(path) => notes(&path)?,
            None => String::new(),
        },
        then_next: args.next,
        callback_local_time: args.callback_local.unwrap_or_default(),
        callback_time_zone: args.callback_zone.unwrap_or_default(),
        quality: args.rating.zip(args.why).map(|(rating, reason)| Quality { rating, reason }),
    })
}

fn named(lead: String) -> Option<LeadRef> {
    Some(LeadRef { name: Some(Name::LeadId(lead)) })
}

pub(super) fn random_id() -> anyhow::Result<String> {
    let mut bits = [0; 16];
    if getrandom::fill(&mut bits).is_err() {
        bail!("the system gives no random bits for a touch id; name one with --touch-id");
    }
    Ok(format!("{:032x}", u128::from_be_bytes(bits)))
}

fn notes(path: &Path) -> anyhow::Result<String> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.with_context(|| format!("cannot read the notes in {}", path.display()))?;
    Ok(text.trim_end().to_owned())
}

fn touch_text(rep: &str, touch_id: &str, answer: &RecordTouchResponse) -> String {
    let standing = answer.state.as_ref().and_then(|state| state.standing.as_ref());
    let standing = standing_text(standing);
    let mut text = match (answer.replayed, answer.late) {
        (true, _) => format!("Touch {touch_id} was recorded before; the lead is {standing}.\n"),
        (false, true) => format!(
            "Touch {touch_id} is recorded. Its lease was over, so it moved nothing; the lead is \
             {standing}.\n"
        ),
        (false, false) => format!("Touch {touch_id} is recorded; the lead is {standing}.\n"),
    };
    if answer.suppressed_count > 0 {
        let closed = match answer.suppressed_count {
            1 => "1 other lead with this contact was closed".to_owned(),
            leads => format!("{} other leads with this contact were closed", count(leads)),
        };
        text.push_str(&format!("{closed}.\n"));
    }
    match &answer.next {
        None => {}
        Some(Next::NextServed(served)) => {
            text.push('\n');
            text.push_str(&served_text(rep, served));
        }
        Some(Next::NextNothing(nothing)) => {
            text.push('\n');
            text.push_str(&nothing_text(nothing));
        }
        Some(Next::NextLost(_)) => {
            text.push_str("\nThe lead that came with it is gone, its lease is over: pull again.\n");
        }
    }
    text
}

pub(super) async fn renew(
    args: RenewArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let request = RenewLeaseRequest {
        rep_id: args.lease.rep.unwrap_or_default(),
        lead: named(args.lease.lead),
        lease_token: args.lease.token,
        renewal_duration: args.duration.map(duration_of),
        in_call: args.in_call,
        request_id: String::new(),
    };
    let answer = node.reps().renew_lease(request).await?.into_inner();
    output.answer(&answer, |answer| {
        let lasts = proto_duration_text(answer.remaining_duration.as_ref());
        let in_all = proto_duration_text(answer.renewable_duration.as_ref());
        format!("The lease lasts {lasts} from now; renewals can keep it {in_all} in all.\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn release(
    args: ReleaseArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let lead = args.lease.lead.clone();
    let request = ReleaseLeaseRequest {
        rep_id: args.lease.rep.unwrap_or_default(),
        lead: named(args.lease.lead),
        lease_token: args.lease.token,
        reason: args.reason as i32,
        skip_reason: args.why.map_or(0, i32::from),
        request_id: String::new(),
    };
    let answer = node.reps().release_lease(request).await?.into_inner();
    output.answer(&answer, |_| format!("Lead {lead} is back in line.\n"))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_differ() {
        let (one, other) = (random_id().unwrap(), random_id().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
    }

    #[test]
    fn sending_again_names_all_that_would_differ() {
        let request = RecordTouchRequest {
            touch_id: "t1".into(),
            start_time: Some(timestamp_of(1_500)),
            end_time: Some(timestamp_of(2_000)),
            ..Default::default()
        };
        assert_eq!(
            again_text(&request),
            "--touch-id t1 --started-at 1970-01-01T00:00:01.5Z --ended-at 1970-01-01T00:00:02Z"
        );
    }

    #[test]
    fn a_late_touch_says_that_it_moved_nothing() {
        let answer = RecordTouchResponse { late: true, ..Default::default() };
        assert!(touch_text("ann", "t1", &answer).contains("moved nothing"));
        let answer = RecordTouchResponse { suppressed_count: 2, ..Default::default() };
        assert!(touch_text("ann", "t1", &answer).contains("2 other leads"));
    }
}
