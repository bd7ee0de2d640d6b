//! `coverage` shows the books, `uncontacted` who was forgotten so far, `audit` counts it all again.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::color::Tone;
use super::lead::standing_text;
use super::output::{Output, count, percent, table, toned_facts, toned_table};
use super::unroutable::{self, UnroutableArgs, in_line_text};
use super::words::{duration_text, instant_text, millis, word};
use crate::api::client::Client;
use crate::api::proto::{
    AuditLedgerRequest, AuditLedgerResponse, Book, GetCoverageRequest, GetCoverageResponse,
    ListUncontactedRequest, ListUncontactedResponse, OutcomeResult, OutcomeTotal, Route,
    UncontactedLead,
};
use crate::domain::Currency;

/// Show where every handover stands, by campaign and source, and how many were touched
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  nextlead coverage --campaign spring
  nextlead coverage uncontacted --queue inside-sales")]
pub(super) struct CoverageArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(subcommand)]
    command: Option<CoverageCommand>,
}

#[derive(Debug, Subcommand)]
enum CoverageCommand {
    Uncontacted(UncontactedArgs),
    Unroutable(UnroutableArgs),
}

/// Whose books.
#[derive(Debug, Args)]
struct ScopeArgs {
    /// Only this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Only this campaign
    #[arg(long, value_name = "CAMPAIGN")]
    campaign: Option<String>,
}

/// List the leads that nobody has touched, the nearest deadline first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead uncontacted --queue inside-sales
  nextlead coverage uncontacted --campaign spring --with-closed --limit 1000")]
pub(super) struct UncontactedArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Also those that were closed without ever being touched
    #[arg(long)]
    with_closed: bool,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

/// Fold the whole ledger and count every book again
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 if everything adds up, 1 if not.

Example:
  nextlead audit")]
pub(super) struct AuditArgs {}

pub(super) async fn run(
    args: CoverageArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(CoverageCommand::Uncontacted(args)) => return uncontacted(args, node, output).await,
        Some(CoverageCommand::Unroutable(args)) => {
            return unroutable::run(args, node, output).await;
        }
        None => {}
    }
    let request = GetCoverageRequest {
        queue_id: args.scope.queue.unwrap_or_default(),
        campaign_id: args.scope.campaign.unwrap_or_default(),
    };
    let answer = node.coverage().get_coverage(request).await?.into_inner();
    output.answer(&answer, coverage_text)?;
    Ok(ExitCode::SUCCESS)
}

/// What is shown of one book, or of all.
#[derive(Default)]
struct Sums {
    handed_over: i64,
    ready: i64,
    waiting: i64,
    leased: i64,
    won: i64,
    closed: i64,
    merged: i64,
    erased: i64,
    transferred_in: i64,
    transferred_out: i64,
    touched: i64,
    in_time: i64,
    overdue: i64,
    imbalance: i64,
    /// Of touched leads times their mean, to weigh the mean of all.
    first_touch_ms: i128,
}

impl Sums {
    fn add(&mut self, book: &Book) {
        let closed = |is_counted: fn(Route) -> bool| -> i64 {
            let counted = book.closed.iter().filter(|one| is_counted(one.route()));
            counted.map(|one| one.count).sum()
        };
        self.handed_over += book.handed_over_count;
        self.ready += book.ready_count;
        self.waiting += book.waiting_count;
        self.leased += book.leased_count;
        self.won += closed(|route| route == Route::Won);
        self.closed += closed(|route| route != Route::Won);
        self.merged += book.merged_count;
        self.erased += book.erased_count;
        self.transferred_in += book.transferred_in_count;
        self.transferred_out += book.transferred_out_count;
        self.touched += book.touched_count;
        self.in_time += book.touched_in_time_count;
        self.overdue += book.overdue_count;
        self.imbalance += book.imbalance;
        let mean_ms = book.first_touch_mean_duration.as_ref().map_or(0, millis);
        self.first_touch_ms += i128::from(mean_ms) * i128::from(book.touched_count);
    }

    fn of(book: &Book) -> Self {
        let mut sums = Self::default();
        sums.add(book);
        sums
    }

    fn row(&self, queue: &str, campaign: &str, source: &str) -> [String; 16] {
        let mean = match self.touched {
            0 => String::new(),
            touched => {
                let mean_ms = self.first_touch_ms / i128::from(touched);
                duration_text(i64::try_from(mean_ms).unwrap_or(i64::MAX))
            }
        };
        // A handover that was merged is contacted through the lead that it was merged into.
        let moved = self.transferred_in - self.transferred_out;
        let leads = self.handed_over + moved - self.merged;
        [
            queue.to_owned(),
            campaign.to_owned(),
            source.to_owned(),
            count(self.handed_over),
            count(self.ready),
            count(self.waiting),
            count(self.leased),
            count(self.won),
            count(self.closed),
            count(self.merged),
            count(self.erased),
            count(self.touched),
            percent(self.touched, leads),
            percent(self.in_time, self.touched),
            mean,
            count(self.overdue),
        ]
    }
}

fn coverage_text(answer: &GetCoverageResponse) -> String {
    let mut all = Sums::default();
    let mut rows = Vec::new();
    for book in &answer.books {
        all.add(book);
        rows.push(Sums::of(book).row(&book.queue_id, &book.campaign_id, &book.source));
    }
    rows.push(all.row("= all", "", ""));
    let header = [
        "queue",
        "campaign",
        "source",
        "handed over",
        "ready",
        "waiting",
        "leased",
        "won",
        "closed",
        "merged",
        "erased",
        "touched",
        "of leads",
        "in time",
        "first touch",
        "overdue",
    ];
    let right: Vec<usize> = (3..header.len()).collect();
    let overdue = header.len() - 1;
    let tone = |column, text: &str| {
        if column == overdue { Tone::of_trouble(text) } else { Tone::Plain }
    };
    let balance = match all.imbalance {
        0 => "the books add up".to_owned(),
        imbalance => Tone::Bad.paint(format!("THE BOOKS ARE OFF BY {}", count(imbalance))),
    };
    let read_at = instant_text(answer.read_time.as_ref());
    let table = toned_table(header, &right, rows, tone);
    let (moved, earned) = (moved_text(answer), earned_text(answer));
    let in_line = in_line_text(&answer.in_line);
    format!("{table}\n{moved}{earned}{in_line}Read at {read_at}; {balance}.\n")
}

/// What went from queue to queue; empty as long as nothing did.
fn moved_text(answer: &GetCoverageResponse) -> String {
    let has_moved = |book: &&Book| book.transferred_in_count + book.transferred_out_count > 0;
    let row = |book: &Book| {
        [
            book.queue_id.clone(),
            book.campaign_id.clone(),
            book.source.clone(),
            count(book.transferred_in_count),
            count(book.transferred_out_count),
        ]
    };
    let rows: Vec<_> = answer.books.iter().filter(has_moved).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["queue", "campaign", "source", "transferred in", "transferred out"];
    table(header, &[3, 4], rows) + "\n"
}

/// What each campaign earned; empty as long as nobody told.
fn earned_text(answer: &GetCoverageResponse) -> String {
    let row = |book: &Book, total: &OutcomeTotal| {
        [
            book.campaign_id.clone(),
            book.source.clone(),
            word::<OutcomeResult>(total.result),
            count(total.outcome_count),
            amount_text(total.amount_minor, &total.currency),
            total.currency.clone(),
        ]
    };
    let of_book = |book: &Book| book.outcomes.iter().map(|sum| row(book, sum)).collect::<Vec<_>>();
    let rows: Vec<_> = answer.books.iter().flat_map(of_book).collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["campaign", "source", "became", "deals", "amount", ""];
    format!("What they earned\n{}\n", table(header, &[3, 4], rows))
}

/// An amount as people write it, with as many digits behind the point as its currency has.
fn amount_text(amount_minor: i64, code: &str) -> String {
    let Some(currency) = Currency::from_code(code) else { return String::new() };
    let digits = currency.digit_count();
    let unit = 10_i64.pow(u32::try_from(digits).expect("three at most"));
    match digits {
        0 => count(amount_minor),
        _ => format!("{}.{:0digits$}", count(amount_minor / unit), amount_minor % unit),
    }
}

pub(super) async fn uncontacted(
    args: UncontactedArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut all = ListUncontactedResponse::default();
    let mut request = ListUncontactedRequest {
        queue_id: args.scope.queue.unwrap_or_default(),
        campaign_id: args.scope.campaign.unwrap_or_default(),
        with_closed: args.with_closed,
        page_size: i32::try_from(limit.min(1_000)).expect("at most a thousand"),
        page_token: String::new(),
    };
    while all.leads.len() < limit {
        let page = node.coverage().list_uncontacted(request.clone()).await?.into_inner();
        all.leads.extend(page.leads);
        // Kept in the answer, so that a reader sees whether there are more.
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
        request.page_token.clone_from(&all.next_page_token);
    }
    all.leads.truncate(limit);
    output.answer(&all, uncontacted_text)?;
    Ok(ExitCode::SUCCESS)
}

fn uncontacted_text(answer: &ListUncontactedResponse) -> String {
    if answer.leads.is_empty() {
        return "Every lead was touched.\n".to_owned();
    }
    let header = ["lead", "queue", "campaign", "external id", "handed over", "first due", "stands"];
    let tone = |column, text: &str| match column {
        6 => Tone::of_standing(text),
        _ => Tone::Plain,
    };
    let mut text = toned_table(header, &[0], answer.leads.iter().map(uncontacted_row), tone);
    if !answer.next_page_token.is_empty() {
        text.push_str("There are more: see --limit.\n");
    }
    text
}

fn uncontacted_row(lead: &UncontactedLead) -> [String; 7] {
    let state = lead.state.as_ref();
    let (campaign, external_id) = match &lead.handover_key {
        Some(key) => (key.campaign_id.clone(), key.external_id.clone()),
        None => (String::new(), String::new()),
    };
    [
        lead.lead_id.clone(),
        lead.queue_id.clone(),
        campaign,
        external_id,
        instant_text(lead.handed_over_time.as_ref()),
        instant_text(state.and_then(|state| state.first_touch_due_time.as_ref())),
        standing_text(state.and_then(|state| state.standing.as_ref())),
    ]
}

pub(super) async fn audit(_: AuditArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let answer = node.coverage().audit_ledger(AuditLedgerRequest {}).await?.into_inner();
    output.answer(&answer, audit_text)?;
    Ok(if answer.imbalance == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn audit_text(answer: &AuditLedgerResponse) -> String {
    let facts = [
        ("leads", count(answer.lead_count)),
        ("handovers", count(answer.handover_count)),
        ("events", count(answer.event_count)),
        ("touches", count(answer.touch_count)),
        ("books", count(answer.book_count)),
        ("imbalance", count(answer.imbalance)),
    ];
    let mut text = toned_facts(facts, |name, value| match name {
        "imbalance" => Tone::of_trouble(value),
        _ => Tone::Plain,
    });
    if !answer.faults.is_empty() {
        let rows = answer.faults.iter().map(|fault| [fault.what.clone(), fault.problem.clone()]);
        text.push('\n');
        text.push_str(&table(["what", "problem"], &[], rows));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::RouteCount;

    fn book(campaign: &str, handed_over: i64, touched: i64, mean_seconds: i64) -> Book {
        Book {
            campaign_id: campaign.to_owned(),
            handed_over_count: handed_over,
            ready_count: handed_over - 3,
            closed: vec![
                RouteCount { route: Route::Won as i32, count: 1 },
                RouteCount { route: Route::Lost as i32, count: 1 },
            ],
            merged_count: 1,
            touched_count: touched,
            touched_in_time_count: touched,
            first_touch_mean_duration: Some(prost_types::Duration {
                seconds: mean_seconds,
                nanos: 0,
            }),
            ..Book::default()
        }
    }

    #[test]
    fn the_last_row_sums_all_books_and_weighs_the_mean() {
        let answer = GetCoverageResponse {
            books: vec![book("a", 11, 9, 60), book("b", 101, 1, 660)],
            ..Default::default()
        };
        let mut all = Sums::default();
        answer.books.iter().for_each(|book| all.add(book));
        let row = all.row("= all", "", "");
        assert_eq!(row[3], "112");
        assert_eq!((row[7].as_str(), row[8].as_str(), row[9].as_str()), ("2", "2", "2"));
        assert_eq!(row[12], "9.0 %");
        assert_eq!(row[14], "2m");
        assert!(coverage_text(&answer).contains("the books add up"));
    }

    #[test]
    fn books_that_are_off_are_loud() {
        let off = Book { imbalance: 2, ..Book::default() };
        let answer = GetCoverageResponse { books: vec![off], ..Default::default() };
        assert!(coverage_text(&answer).contains("OFF BY 2"));
    }
}
