//! What people read of a queue: counts, its order from the front, a lead's place, what it holds.

use crate::domain::{LeadId, QueueKey, Rank, RepKey};
use crate::queue::lane::{Openness, openness};
use crate::queue::{Ask, Census, Counts, KnownSlice, Lane, Place, QueueError, Snapshot};

use super::directory::Directory;
use super::link::RedisProblem;
use super::record::{lane_of, lead_bytes, tier_of};
use super::reply::Reply;
use super::{LEARN_COUNT_MAX, RedisQueue, script};

/// The most leads that a snapshot shows, whatever is asked for.
const PLACE_COUNT_MAX: usize = 10_000;
/// The most leads that one slice of what is held is asked for, and the most that are believed.
const SLICE_SIZE_MAX: usize = 10_000;
const SLICE_BELIEVED_MAX: usize = 1_000_000;

/// How many leads stand where.
#[derive(Debug, Default)]
struct Sizes {
    waiting: usize,
    next_due_at: Option<i64>,
    in_flight: usize,
    /// Kept for whomever.
    kept: usize,
    /// Of what is kept for nobody by the number of the lane, coarse ones too.
    lanes: Vec<(usize, usize)>,
    /// The same of what is kept for a rep, or for any.
    rooms: Vec<(RepKey, usize, usize)>,
    /// Leads of coarse lanes by what they need themselves.
    mixed: Vec<(Lane, usize)>,
}

impl RedisQueue {
    /// Counts what stands where. For a rep who asks, what fell due by then is put in line first, and
    /// nobody else's own leads are told apart.
    async fn sizes(
        &self,
        queue: QueueKey,
        asked: Option<(i64, RepKey)>,
    ) -> Result<(std::sync::Arc<Directory>, Sizes), QueueError> {
        let asked = asked.map(|(now, rep)| [now, rep.0].map(|number| number.to_string()));
        let asked = asked.unwrap_or_default();
        let arguments = asked.each_ref().map(String::as_bytes);
        let mut directory = self.directory(queue);
        for _ in 0..LEARN_COUNT_MAX {
            let answer = self.run(queue, &script::SIZES, &arguments).await?;
            let mut reply = self.sensible(Reply::new(answer))?;
            match self.sensible(self.is_known(&directory, &mut reply))? {
                None => return Err(QueueError::NotBuilt(queue)),
                Some(true) => {
                    let sizes = self.sensible(sizes(reply, directory.lanes.len()))?;
                    return Ok((directory, sizes));
                }
                Some(false) => directory = self.learn(queue).await?,
            }
        }
        self.sensible(Err(RedisProblem::Nonsense("lanes that can be counted")))
    }

    pub(super) async fn count_for(&self, ask: &Ask) -> Result<Counts, QueueError> {
        let (directory, sizes) = self.sizes(ask.queue, Some((ask.now, ask.rep))).await?;
        let own = sizes.rooms.iter().map(|(_, number, size)| (*number, *size));
        let own_count = own.clone().fold(0, |sum: usize, (_, size)| sum.saturating_add(size));
        let mut counts = Counts {
            kept: sizes.kept.saturating_sub(own_count),
            waiting: sizes.waiting,
            next_due_at: sizes.next_due_at,
            in_flight: sizes.in_flight,
            ..Counts::default()
        };
        let lanes = sizes.lanes.iter().copied().chain(own);
        let exact = lanes.map(|(number, size)| (&directory.lanes[number], size));
        let exact =
            exact.filter(|(lane, _)| !lane.is_coarse).map(|(lane, size)| (&lane.lane, size));
        for (lane, size) in exact.chain(sizes.mixed.iter().map(|(lane, size)| (lane, *size))) {
            let count = match openness(lane, &ask.skills, &ask.hours) {
                Openness::Open => &mut counts.open,
                Openness::Closed => &mut counts.closed,
                Openness::Unskilled => &mut counts.unskilled,
                Openness::Unroutable => &mut counts.unroutable,
            };
            *count = count.saturating_add(size);
        }
        Ok(counts)
    }

    pub(super) async fn count_all(&self, queue: QueueKey) -> Result<Census, QueueError> {
        let (directory, sizes) = self.sizes(queue, None).await?;
        let lane = |number: usize| directory.lanes[number].lane.clone();
        Ok(Census {
            lanes: sizes.lanes.iter().map(|(number, size)| (lane(*number), *size)).collect(),
            kept: sizes
                .rooms
                .iter()
                .map(|(rep, number, size)| (*rep, lane(*number), *size))
                .collect(),
            waiting: sizes.waiting,
            in_flight: sizes.in_flight,
        })
    }

    pub(super) async fn snapshot(
        &self,
        queue: QueueKey,
        now: i64,
        limit: usize,
    ) -> Result<Snapshot, QueueError> {
        let limit = limit.min(PLACE_COUNT_MAX);
        let arguments = ["peek".to_owned(), now.to_string(), limit.to_string()];
        let arguments = arguments.each_ref().map(String::as_bytes);
        let answer = self.run(queue, &script::VIEW, &arguments).await?;
        let mut reply = self.sensible(Reply::new(answer))?;
        if self.sensible(reply.number())? == 0 {
            return Err(QueueError::NotBuilt(queue));
        }
        let ready_count = self.sensible(reply.count())?;
        let places = self.sensible(places(reply, limit))?;
        Ok(Snapshot { taken_at: now, ready_count, places })
    }

    pub(super) async fn place(
        &self,
        queue: QueueKey,
        lead: LeadId,
        now: i64,
    ) -> Result<Option<(usize, usize)>, QueueError> {
        let (now, lead) = (now.to_string(), lead_bytes(lead));
        let answer = self.run(queue, &script::VIEW, &[b"place", now.as_bytes(), &lead]).await?;
        let mut reply = self.sensible(Reply::new(answer))?;
        if self.sensible(reply.number())? == 0 {
            return Err(QueueError::NotBuilt(queue));
        }
        if reply.is_empty() {
            return Ok(None);
        }
        let before_count = self.sensible(reply.count())?;
        let ready_count = self.sensible(reply.count())?;
        Ok(Some((before_count, ready_count)))
    }

    pub(super) async fn slice(
        &self,
        queue: QueueKey,
        from: u64,
        limit: usize,
    ) -> Result<KnownSlice, QueueError> {
        let limit = limit.clamp(1, SLICE_SIZE_MAX);
        let arguments = [from.to_string(), limit.to_string()];
        let arguments = arguments.each_ref().map(String::as_bytes);
        let answer = self.run(queue, &script::KNOWN, &arguments).await?;
        let mut reply = self.sensible(Reply::new(answer))?;
        if reply.is_empty() {
            return Err(QueueError::NotBuilt(queue));
        }
        let next = Some(self.sensible(reply.cursor())?).filter(|next| *next != 0);
        let mut leads = Vec::new();
        while !reply.is_empty() {
            if leads.len() >= SLICE_BELIEVED_MAX {
                return self.sensible(Err(RedisProblem::Nonsense("fewer leads")));
            }
            leads.push((self.sensible(reply.lead())?, self.sensible(reply.number())?));
        }
        Ok(KnownSlice { leads, next })
    }
}

fn sizes(mut reply: Reply, lane_count: usize) -> Result<Sizes, RedisProblem> {
    let mut sizes = Sizes {
        waiting: reply.count()?,
        next_due_at: reply.maybe_number()?,
        in_flight: reply.count()?,
        kept: reply.count()?,
        ..Sizes::default()
    };
    let lane = |reply: &mut Reply| {
        let (number, size) = (reply.count()?, reply.count()?);
        let is_known = number < lane_count;
        if is_known {
            Ok((number, size))
        } else {
            Err(RedisProblem::Nonsense("a lane that is known"))
        }
    };
    let known_count = reply.count()?;
    for _ in 0..known_count {
        sizes.lanes.push(lane(&mut reply)?);
    }
    let kept_count = reply.count()?;
    for _ in 0..kept_count {
        let rep = reply.maybe_rep()?.ok_or(RedisProblem::Nonsense("a rep"))?;
        let (number, size) = lane(&mut reply)?;
        sizes.rooms.push((rep, number, size));
    }
    while !reply.is_empty() {
        let text = reply.bytes()?;
        let (_, lane, _) = lane_of(&text).ok_or(RedisProblem::Nonsense("a lane"))?;
        sizes.mixed.push((lane, reply.count()?));
    }
    Ok(sizes)
}

fn places(mut reply: Reply, limit: usize) -> Result<Vec<Place>, RedisProblem> {
    let mut places = Vec::new();
    while !reply.is_empty() {
        if places.len() >= limit {
            return Err(RedisProblem::Nonsense("fewer places"));
        }
        let tier = tier_of(reply.number()?).ok_or(RedisProblem::Nonsense("a tier"))?;
        let virtual_since = reply.number()?;
        let lead = reply.lead()?;
        let rank = Rank { tier, virtual_since, lead };
        let (head_start_ms, first_touch_due_at) = (reply.number()?, reply.maybe_instant()?);
        let keeper = reply.maybe_rep()?;
        places.push(Place { lead, rank, head_start_ms, first_touch_due_at, keeper });
    }
    Ok(places)
}
