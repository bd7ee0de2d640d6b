//! The router behind the network: months handed over to a real node, and worked by softphones that
//! each have a connection of their own.

use std::cell::RefCell;

use anyhow::{Context as _, bail, ensure};
use futures_util::future::try_join_all;

use crate::api::client::{Client, connect};
use crate::api::proto::attribute_value::Value as AttributeKind;
use crate::api::proto::{
    AttributeValue, AuditLedgerRequest, AuditLedgerResponse, Book, CallingLaw, Campaign,
    GetCoverageRequest, HandoverKey, ImportLeadsRequest, ImportLeadsResponse, ImportRow, Lead,
    LeadNumber, PublishRulesRequest, Queue, Rep, Route, UpsertCampaignRequest, UpsertQueueRequest,
    UpsertRepRequest,
};
use crate::domain::Value;

use super::RULES;
use super::floor::{Answer, REP_COUNT, RepCall, Router};
use super::leads::{DemoLead, Month};
use super::node_thread::NodeThread;
use super::softphone::{Notes, Softphone, rep_id};
use super::time::timestamp;

/// The queue that all of the demo's reps work; `rules.toml` names it too.
const QUEUE_ID: &str = "bank-calls";
/// The system that the leads come from.
const SOURCE_SYSTEM: &str = "demo";
/// How many leads a batch of the import has.
const BATCH_ROW_COUNT: usize = 2_000;

/// A node, and everybody who calls it.
pub(super) struct Server {
    node: NodeThread,
    client: Client,
    softphones: Vec<Softphone>,
    notes: RefCell<Notes>,
    campaign_id: String,
    first_row: usize,
    book: Option<Book>,
}

impl Server {
    /// Sets up the queue, its rules and its reps on a new node.
    pub(super) async fn open(node: NodeThread) -> anyhow::Result<Self> {
        let address = format!("http://{}", node.address);
        let client = connect(&address, &node.token).await?;
        let mut softphones = Vec::with_capacity(REP_COUNT);
        for rep in 0..REP_COUNT {
            softphones.push(Softphone::new(rep, &connect(&address, &node.token).await?));
        }
        let server = Self {
            node,
            client,
            softphones,
            notes: RefCell::new(Notes::new()),
            campaign_id: String::new(),
            first_row: 0,
            book: None,
        };
        server.set_up().await?;
        Ok(server)
    }

    async fn set_up(&self) -> anyhow::Result<()> {
        let mut queues = self.client.queues();
        let queue = Queue {
            queue_id: QUEUE_ID.to_owned(),
            time_zone: "UTC".to_owned(),
            // The file has days and no hours, so the demo's calls are made around the clock.
            hours: "always".to_owned(),
            calling_law: CallingLaw::Exempt.into(),
            ..Queue::default()
        };
        let request = UpsertQueueRequest { queue: Some(queue), ..Default::default() };
        queues.upsert_queue(request).await.context("could not make the queue")?;
        let request = PublishRulesRequest {
            queue_id: QUEUE_ID.to_owned(),
            text: RULES.to_owned(),
            reason: "the demo".to_owned(),
            wait: true,
            ..Default::default()
        };
        let mut rules = self.client.rules();
        rules.publish_rules(request).await.context("could not publish the rules")?;
        for rep in 0..REP_COUNT {
            let queue_id = QUEUE_ID.to_owned();
            let rep = Rep { rep_id: rep_id(rep), queue_id, ..Rep::default() };
            let request = UpsertRepRequest { rep: Some(rep), ..Default::default() };
            queues.upsert_rep(request).await.context("could not make a rep")?;
        }
        Ok(())
    }

    /// Hands a month over at `now`: a campaign, and all of its leads.
    pub(super) async fn hand_over(&mut self, month: &Month, now: i64) -> anyhow::Result<()> {
        self.campaign_id.clone_from(&month.name);
        self.first_row = month.leads.first().context("a month has leads")?.row;
        self.book = None;
        self.upsert_campaign(None).await?;
        let rows: Vec<_> = month.leads.iter().map(|lead| self.row(lead, now)).collect();
        let batches: Vec<_> = (1..)
            .zip(rows.chunks(BATCH_ROW_COUNT))
            .map(|(batch_number, rows)| ImportLeadsRequest {
                batch_number,
                rows: rows.to_vec(),
                ..Default::default()
            })
            .collect();
        let batches = tokio_stream::iter(batches);
        let mut intake = self.client.intake();
        let answers = intake.import_leads(batches).await.context("could not hand over")?;
        let mut answers = answers.into_inner();
        let mut opened_count = 0;
        while let Some(answer) = answers.message().await.context("could not hand over")? {
            let ImportLeadsResponse { batch_number, rejected_count, .. } = answer;
            ensure!(rejected_count == 0, "batch {batch_number} has rows that were rejected");
            opened_count += answer.opened_count;
        }
        ensure!(usize::try_from(opened_count)? == rows.len(), "a handover opened no lead");
        Ok(())
    }

    /// The lead as marketing would hand it over: what is known, and nothing of its fate.
    fn row(&self, lead: &DemoLead, now: i64) -> ImportRow {
        let facts = &lead.facts;
        let numbers = facts.numbers.iter().map(|entry| {
            let number = entry.number.as_str().to_owned();
            LeadNumber { number, ..LeadNumber::default() }
        });
        let attributes = facts.attributes.iter();
        let attributes = attributes.map(|(name, value)| (name.clone(), attribute(value)));
        let row_number = i64::try_from(lead.row).expect("a file has fewer rows");
        let lead = Lead {
            handover_key: Some(HandoverKey {
                source_system: SOURCE_SYSTEM.to_owned(),
                external_id: lead.row.to_string(),
                campaign_id: self.campaign_id.clone(),
            }),
            handed_over_time: Some(timestamp(now)),
            numbers: numbers.collect(),
            time_zone: facts.zone.clone().unwrap_or_default(),
            source: facts.source.clone(),
            attributes: attributes.collect(),
            ..Lead::default()
        };
        ImportRow { row_number, lead: Some(lead) }
    }

    async fn upsert_campaign(&self, ends_at: Option<i64>) -> anyhow::Result<()> {
        let campaign = Campaign {
            campaign_id: self.campaign_id.clone(),
            queue_id: QUEUE_ID.to_owned(),
            end_time: ends_at.map(timestamp),
            end_route: Route::Nurture.into(),
            ..Campaign::default()
        };
        let request = UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
        let mut intake = self.client.intake();
        intake.upsert_campaign(request).await.context("could not set the campaign")?;
        Ok(())
    }

    async fn read_book(&self) -> anyhow::Result<Book> {
        let request = GetCoverageRequest {
            campaign_id: self.campaign_id.clone(),
            ..GetCoverageRequest::default()
        };
        let mut coverage = self.client.coverage();
        let response = coverage.get_coverage(request).await.context("could not read coverage")?;
        match <[Book; 1]>::try_from(response.into_inner().books) {
            Ok([book]) => Ok(book),
            Err(books) => bail!("{} has {} books", self.campaign_id, books.len()),
        }
    }

    /// The books of the month whose campaign ended last.
    pub(super) fn take_book(&mut self) -> anyhow::Result<Book> {
        self.book.take().context("the campaign has not ended")
    }

    /// Counts all of the node's books again, out of its ledger.
    pub(super) async fn audit(&self) -> anyhow::Result<AuditLedgerResponse> {
        let mut coverage = self.client.coverage();
        let response = coverage.audit_ledger(AuditLedgerRequest {}).await;
        Ok(response.context("could not audit the ledger")?.into_inner())
    }

    /// Hangs up, and stops the node. Returns what the softphones saw.
    pub(super) async fn close(self) -> anyhow::Result<Notes> {
        drop((self.client, self.softphones));
        self.node.stop().await?;
        Ok(self.notes.into_inner())
    }
}

impl Router for Server {
    async fn round(&mut self, _now: i64, calls: &[RepCall]) -> anyhow::Result<Vec<Answer>> {
        let (first_row, notes) = (self.first_row, &self.notes);
        let mut calls = calls.iter().peekable();
        let mut on_the_line = Vec::with_capacity(calls.len());
        for (rep, softphone) in self.softphones.iter_mut().enumerate() {
            if let Some(call) = calls.next_if(|call| call.rep == rep) {
                on_the_line.push(softphone.make(call.step, first_row, notes));
            }
        }
        try_join_all(on_the_line).await
    }

    async fn end_campaign(&mut self, now: i64) -> anyhow::Result<()> {
        self.upsert_campaign(Some(now)).await?;
        self.node.sweep().await?;
        self.book = Some(self.read_book().await?);
        Ok(())
    }
}

fn attribute(value: &Value) -> AttributeValue {
    let value = match value {
        Value::Bool(value) => AttributeKind::BoolValue(*value),
        Value::Int(value) => AttributeKind::IntValue(*value),
        Value::Double(value) => AttributeKind::DoubleValue(*value),
        Value::Text(value) => AttributeKind::StringValue(value.clone()),
    };
    AttributeValue { value: Some(value) }
}
