//! Changes on their way to Redis: many in one script, several scripts on their way at once.
//!
//! A script holds all other calls up while it runs, so it takes a bounded number of changes; each
//! lead comes at most once in it, which spares it to look at what it has just written.

use std::collections::HashMap;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use redis::Value;

use super::RedisQueue;
use super::link::RedisProblem;
use super::record::{generation_name, lane_text, lead_bytes, record, version_number};
use super::reply::Reply;
use super::script;
use crate::domain::{LeadId, QueueKey};
use crate::queue::{Applied, Generation, QueueError, Update};

/// How many changes one script makes: about a millisecond's work.
const CHANGES_A_SCRIPT_MAX: usize = 250;
/// How many scripts are on their way at once.
const SCRIPTS_UNDER_WAY_MAX: usize = 4;

/// Which line changes are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    InUse,
    Staged(Generation),
}

/// A change as a script reads it.
struct Change {
    lead: LeadId,
    /// Where it goes; `None`: it leaves.
    lane: Option<Vec<u8>>,
    /// Its record, or the version by which it left.
    body: Vec<u8>,
}

impl Change {
    fn new(update: Update) -> Self {
        match update {
            Update::Put(entry) => Self {
                lead: entry.lead,
                lane: Some(lane_text(entry.tier, &entry.lane)),
                body: record(&entry),
            },
            Update::Remove { lead, version, .. } => {
                let body = version_number(version).to_string().into_bytes();
                Self { lead, lane: None, body }
            }
        }
    }
}

/// The changes of one script, of different leads.
#[derive(Default)]
struct Batch {
    lanes: Vec<Vec<u8>>,
    changes: Vec<[Vec<u8>; 3]>,
}

impl Batch {
    /// A batch of changes that are sorted by their lanes.
    fn new(changes: &[Change]) -> Self {
        let mut batch = Self::default();
        for Change { lead, lane, body } in changes {
            if let Some(lane) = lane
                && batch.lanes.last() != Some(lane)
            {
                batch.lanes.push(lane.clone());
            }
            // Places count from 1; those that leave, which come first, have none.
            let place = if lane.is_some() { batch.lanes.len() } else { 0 };
            let place = place.to_string().into_bytes();
            batch.changes.push([lead_bytes(*lead).to_vec(), place, body.clone()]);
        }
        batch
    }

    fn arguments<'b>(&'b self, line: &'b [u8], lane_count: &'b str) -> Vec<&'b [u8]> {
        let mut arguments = vec![line, lane_count.as_bytes()];
        arguments.extend(self.lanes.iter().map(Vec::as_slice));
        arguments.extend(self.changes.iter().flatten().map(Vec::as_slice));
        arguments
    }
}

/// What became of the changes of one script; `None`: there was no line to take them in.
type Outcome = Option<(usize, bool)>;

impl RedisQueue {
    /// Takes changes into a line, queue by queue: those of one lead in their order, others side by side.
    pub(super) async fn apply_to(
        &self,
        line: Line,
        updates: Vec<Update>,
    ) -> Result<Applied, QueueError> {
        let (mut applied, mut not_built) = (Applied::default(), None);
        for (queue, batches) in batches(updates) {
            let mut is_built = true;
            // A lead may come in several rounds, whose order counts.
            for round in batches {
                let mut waiting = round.into_iter();
                let mut under_way = FuturesUnordered::new();
                loop {
                    while under_way.len() < SCRIPTS_UNDER_WAY_MAX
                        && let Some(batch) = waiting.next()
                    {
                        under_way.push(self.send(queue, line, batch));
                    }
                    let Some(outcome) = under_way.next().await else { break };
                    match outcome? {
                        Some((changed_count, is_overtaken)) => {
                            applied.changed_count += changed_count;
                            if is_overtaken && !applied.overtaken.contains(&queue) {
                                applied.overtaken.push(queue);
                            }
                        }
                        None => is_built = false,
                    }
                }
            }
            match line {
                Line::InUse if !is_built => drop(not_built.get_or_insert(queue)),
                Line::Staged(_) if !is_built => return Err(QueueError::Overtaken(queue)),
                Line::InUse | Line::Staged(_) => {}
            }
        }
        not_built.map_or(Ok(applied), |queue| Err(QueueError::NotBuilt(queue)))
    }

    /// Takes nothing into a line, to learn whether there is one.
    pub(super) async fn apply_nothing(
        &self,
        queue: QueueKey,
        line: Line,
    ) -> Result<(), QueueError> {
        let outcome = self.send(queue, line, Batch::default()).await?;
        outcome.map(drop).ok_or(QueueError::Overtaken(queue))
    }

    /// Which leads a line in use would change; a look at many is several scripts.
    pub(super) async fn look_at(
        &self,
        queue: QueueKey,
        updates: &[Update],
    ) -> Result<Vec<LeadId>, QueueError> {
        let mut leads = Vec::new();
        for some in updates.chunks(CHANGES_A_SCRIPT_MAX) {
            let changes = some.iter().cloned().map(Change::new).map(|change| {
                let is_put: &[u8] = if change.lane.is_some() { b"1" } else { b"0" };
                [lead_bytes(change.lead).to_vec(), is_put.to_vec(), change.body]
            });
            let changes: Vec<[Vec<u8>; 3]> = changes.collect();
            let arguments: Vec<&[u8]> = changes.iter().flatten().map(Vec::as_slice).collect();
            let answer = self.run(queue, &script::LOOK, &arguments).await?;
            let mut reply = self.sensible(Reply::new(answer))?;
            if self.sensible(reply.number())? == 0 {
                return Err(QueueError::NotBuilt(queue));
            }
            let before = leads.len();
            while !reply.is_empty() && leads.len() < before + some.len() {
                leads.push(self.sensible(reply.lead())?);
            }
        }
        Ok(leads)
    }

    async fn send(&self, queue: QueueKey, line: Line, batch: Batch) -> Result<Outcome, QueueError> {
        let name = match line {
            Line::InUse => "use".to_owned(),
            Line::Staged(generation) => generation_name(generation),
        };
        let lane_count = batch.lanes.len().to_string();
        let arguments = batch.arguments(name.as_bytes(), &lane_count);
        let answer = self.run(queue, &script::APPLY, &arguments).await?;
        let (outcome, is_known) = self.sensible(self.outcome(queue, line, answer, &batch))?;
        if outcome.is_some() && !is_known {
            // The names of its hours are asked for before the next pull.
            self.learn(queue).await?;
        }
        Ok(outcome)
    }

    fn outcome(
        &self,
        queue: QueueKey,
        line: Line,
        answer: Value,
        batch: &Batch,
    ) -> Result<(Outcome, bool), RedisProblem> {
        let mut reply = Reply::new(answer)?;
        let is_known = self.is_known(&self.directory(queue), &mut reply)?;
        let changed_count = reply.count()?;
        let is_overtaken = reply.number()? != 0;
        if changed_count > batch.changes.len() {
            return Err(RedisProblem::Nonsense("fewer changes"));
        }
        let is_built = reply.number()? != 0;
        let outcome = is_built.then_some((changed_count, is_overtaken));
        Ok((outcome, line != Line::InUse || is_known.unwrap_or(false)))
    }
}

/// The changes of each queue in rounds of scripts: those of one round are of different leads.
fn batches(updates: Vec<Update>) -> Vec<(QueueKey, Vec<Vec<Batch>>)> {
    let mut queues: Vec<(QueueKey, Vec<Update>)> = Vec::new();
    for update in updates {
        let queue = match &update {
            Update::Put(entry) => entry.queue,
            Update::Remove { queue, .. } => *queue,
        };
        match queues.iter_mut().find(|(known, _)| *known == queue) {
            Some((_, updates)) => updates.push(update),
            None => queues.push((queue, vec![update])),
        }
    }
    queues.into_iter().map(|(queue, updates)| (queue, rounds(updates))).collect()
}

fn rounds(updates: Vec<Update>) -> Vec<Vec<Batch>> {
    let mut rounds: Vec<Vec<Change>> = Vec::new();
    let mut round_of: HashMap<LeadId, usize> = HashMap::new();
    for update in updates {
        let change = Change::new(update);
        let number = round_of.entry(change.lead).or_insert(0);
        if rounds.len() <= *number {
            rounds.push(Vec::new());
        }
        rounds[*number].push(change);
        *number += 1;
    }
    let batches = |mut round: Vec<Change>| {
        // Leads of one lane together: a script looks few lanes up, and adds to them all at once.
        round.sort_by(|one, other| one.lane.cmp(&other.lane));
        round.chunks(CHANGES_A_SCRIPT_MAX).map(Batch::new).collect()
    };
    rounds.into_iter().map(batches).collect()
}
