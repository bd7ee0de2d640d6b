//! What this node knows of a queue's lanes, so that a pull names what it wants by numbers.
//!
//! Lanes only ever join a generation, so what is known of one stays true. A script that meets a caller
//! who knows fewer lanes, or another generation, says so and does nothing; the caller learns and asks
//! again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::link::RedisProblem;
use super::record::lane_of;
use super::reply::Reply;
use super::{RedisQueue, script};
use crate::domain::{QueueKey, Tier};
use crate::queue::{Lane, OpenHours, QueueError};

/// The most lanes that an answer is believed to have: the bounded number, and coarse ones by zone.
const LANE_COUNT_MAX: usize = 16_384;
/// For how many sets of skills or of hours numbers are kept; all are dropped beyond it.
const KEPT_COUNT_MAX: usize = 1_024;
/// The number that stands for no hours.
const NO_HOURS: u16 = u16::MAX;

/// A lane as scripts number it.
#[derive(Clone, Debug)]
pub(super) struct KnownLane {
    pub(super) lane: Lane,
    pub(super) is_coarse: bool,
}

/// What a pull sends of the rep's skills: the groups that they cover, two bytes each.
#[derive(Debug, Default)]
pub(super) struct Covered {
    pub(super) callbacks: Vec<u8>,
    pub(super) others: Vec<u8>,
}

#[derive(Debug, Default)]
struct Kept {
    covered: HashMap<Arc<BTreeSet<String>>, Arc<Covered>>,
    open: HashMap<u64, Arc<Vec<u8>>>,
}

/// The lanes of one generation, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) generation: Vec<u8>,
    pub(super) lanes: Vec<KnownLane>,
    groups: BTreeMap<u16, (Tier, Arc<BTreeSet<String>>, bool)>,
    hours: BTreeMap<u16, Arc<str>>,
    kept: Mutex<Kept>,
}

impl Directory {
    /// The lanes known before and those of an answer.
    pub(super) fn read(before: &Self, mut reply: Reply) -> Result<Self, RedisProblem> {
        let generation = reply.bytes()?;
        let from = reply.count()?;
        let mut directory = Self { generation, ..Self::default() };
        if from > 0 {
            if directory.generation != before.generation || before.lanes.len() != from {
                return Err(RedisProblem::Nonsense("lanes from the first on"));
            }
            directory.lanes.clone_from(&before.lanes);
            directory.groups.clone_from(&before.groups);
            directory.hours.clone_from(&before.hours);
        }
        while !reply.is_empty() {
            directory.add(&reply.bytes()?)?;
        }
        Ok(directory)
    }

    fn add(&mut self, info: &[u8]) -> Result<(), RedisProblem> {
        const EXPECTED: RedisProblem = RedisProblem::Nonsense("a lane");
        let (numbers, text) = info.split_first_chunk::<5>().ok_or(EXPECTED)?;
        let [group, hours] = [[numbers[0], numbers[1]], [numbers[2], numbers[3]]];
        let (group, hours) = (u16::from_be_bytes(group), u16::from_be_bytes(hours));
        let (tier, lane, is_coarse) = lane_of(text).ok_or(EXPECTED)?;
        let known = self.groups.entry(group).or_insert((tier, lane.skills.clone(), is_coarse));
        let is_same = (known.0, &known.1, known.2) == (tier, &lane.skills, is_coarse);
        if !is_same || lane.hours.is_none() != (hours == NO_HOURS) {
            return Err(EXPECTED);
        }
        if let Some(name) = &lane.hours
            && self.hours.entry(hours).or_insert(name.clone()) != name
        {
            return Err(EXPECTED);
        }
        if self.lanes.len() >= LANE_COUNT_MAX {
            return Err(RedisProblem::Nonsense("fewer lanes"));
        }
        self.lanes.push(KnownLane { lane, is_coarse });
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of the hours of all lanes.
    pub(super) fn hours(&self) -> Vec<Arc<str>> {
        self.hours.values().cloned().collect()
    }

    /// The groups that these skills cover.
    pub(super) fn covered(&self, skills: &Arc<BTreeSet<String>>) -> Arc<Covered> {
        if let Some(covered) = self.kept().covered.get(skills) {
            return Arc::clone(covered);
        }
        let mut covered = Covered::default();
        for (number, (tier, needed, _)) in &self.groups {
            if needed.is_subset(skills) {
                let groups = match tier {
                    Tier::Callback => &mut covered.callbacks,
                    Tier::Ordinary => &mut covered.others,
                };
                groups.extend(number.to_be_bytes());
            }
        }
        let covered = Arc::new(covered);
        let mut kept = self.kept();
        if kept.covered.len() >= KEPT_COUNT_MAX {
            kept.covered.clear();
        }
        kept.covered.insert(Arc::clone(skills), Arc::clone(&covered));
        covered
    }

    /// A bit for each of the hours, set if they are open; no zeros at the end.
    pub(super) fn open_bits(&self, hours: &OpenHours) -> Arc<Vec<u8>> {
        if let Some(bits) = self.kept().open.get(&hours.number) {
            return Arc::clone(bits);
        }
        let mut bits = Vec::new();
        for (number, _) in self.hours.iter().filter(|(_, name)| hours.open.contains(*name)) {
            let (byte, bit) = (usize::from(number / 8), number % 8);
            bits.resize(bits.len().max(byte + 1), 0);
            bits[byte] |= 1 << bit;
        }
        let bits = Arc::new(bits);
        let mut kept = self.kept();
        if kept.open.len() >= KEPT_COUNT_MAX {
            kept.open.clear();
        }
        kept.open.insert(hours.number, Arc::clone(&bits));
        bits
    }
}

/// What is known of each queue that was ever asked about, by the connection of this number: a Redis
/// that was reached anew may have come back as it was before, and number its lanes otherwise.
#[derive(Debug, Default)]
pub(super) struct Directories {
    number: u64,
    of_queues: BTreeMap<QueueKey, Arc<Directory>>,
}

impl RedisQueue {
    fn directories(&self) -> MutexGuard<'_, Directories> {
        let mut known = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.link.number();
        if known.number != number {
            known.number = number;
            known.of_queues.values_mut().for_each(|directory| *directory = Arc::default());
        }
        known
    }

    /// The queues that were ever asked about.
    pub(super) fn queues_asked_about(&self) -> Vec<QueueKey> {
        self.directories().of_queues.keys().copied().collect()
    }

    /// What is known of a queue's lanes.
    pub(super) fn directory(&self, queue: QueueKey) -> Arc<Directory> {
        Arc::clone(self.directories().of_queues.entry(queue).or_default())
    }

    pub(super) fn know(&self, queue: QueueKey, directory: Arc<Directory>) {
        self.directories().of_queues.insert(queue, directory);
    }

    /// Learns the lanes of a queue that are not known yet.
    pub(super) async fn learn(&self, queue: QueueKey) -> Result<Arc<Directory>, QueueError> {
        let known = self.directory(queue);
        let count = known.lanes.len().to_string();
        let lanes = self.run(queue, &script::LANES, &[&known.generation, count.as_bytes()]).await?;
        let reply = self.sensible(Reply::new(lanes))?;
        if reply.is_empty() {
            self.know(queue, Arc::default());
            return Err(QueueError::NotBuilt(queue));
        }
        let directory = Arc::new(self.sensible(Directory::read(&known, reply))?);
        self.know(queue, Arc::clone(&directory));
        Ok(directory)
    }

    /// Reads the generation and the number of lanes that an answer begins with, and whether this node
    /// knows all of them; `None`: there is no index.
    pub(super) fn is_known(
        &self,
        directory: &Directory,
        reply: &mut Reply,
    ) -> Result<Option<bool>, RedisProblem> {
        if reply.is_empty() {
            return Ok(None);
        }
        let generation = reply.bytes()?;
        let lane_count = reply.count()?;
        Ok(Some(generation == directory.generation && lane_count == directory.lanes.len()))
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;
    use crate::queue::redis::record::lane_text;

    fn lane(skills: &[&str], hours: Option<&str>) -> Lane {
        let skills = skills.iter().map(|skill| (*skill).to_owned()).collect();
        Lane { skills: Arc::new(skills), hours: hours.map(Into::into) }
    }

    fn info(group: u16, hours: u16, tier: Tier, lane: &Lane) -> Value {
        let [numbers, more] = [group, hours].map(u16::to_be_bytes);
        let kind = [tier as u8];
        let text = lane_text(tier, lane);
        Value::BulkString([&numbers[..], &more, &kind, &text].concat())
    }

    fn read(before: &Directory, from: i64, lanes: Vec<Value>) -> Result<Directory, RedisProblem> {
        let mut values = vec![Value::BulkString(b"one".to_vec()), Value::Int(from)];
        values.extend(lanes);
        Directory::read(before, Reply::new(Value::Array(values))?)
    }

    #[test]
    fn lanes_join_and_a_pull_names_its_groups_and_hours_by_number() {
        let first = vec![
            info(0, 0, Tier::Ordinary, &lane(&["solar"], Some("UTC"))),
            info(1, 9, Tier::Callback, &lane(&[], Some("Asia/Tokyo"))),
        ];
        let directory = read(&Directory::default(), 0, first).unwrap();
        let more = vec![info(300, NO_HOURS, Tier::Ordinary, &lane(&[], None))];
        let directory = read(&directory, 2, more).unwrap();
        assert_eq!(directory.lanes.len(), 3);
        let covered = directory.covered(&Arc::default());
        assert_eq!((&covered.callbacks[..], &covered.others[..]), (&[0, 1][..], &[1, 44][..]));
        let open = BTreeSet::from(["Asia/Tokyo".into(), "Mars".into()]);
        assert_eq!(*directory.open_bits(&OpenHours { number: 1, open }), [0, 2]);
        assert!(directory.open_bits(&OpenHours { number: 2, ..OpenHours::default() }).is_empty());
    }

    #[test]
    fn lanes_that_contradict_each_other_are_refused() {
        let one = |group, hours, lane: &Lane| vec![info(group, hours, Tier::Ordinary, lane)];
        let (utc, solar) = (lane(&[], Some("UTC")), lane(&["solar"], Some("UTC")));
        let known = read(&Directory::default(), 0, one(0, 0, &utc)).unwrap();
        for (from, lanes) in [
            (1, one(0, 0, &solar)),
            (1, one(0, 0, &lane(&[], Some("Mars")))),
            (1, one(0, 0, &lane(&[], None))),
            (1, one(0, NO_HOURS, &utc)),
            (1, vec![Value::Int(7)]),
            (2, one(0, 0, &utc)),
            (-1, one(0, 0, &utc)),
        ] {
            assert!(read(&known, from, lanes.clone()).is_err(), "{from} {lanes:?}");
        }
        assert!(read(&Directory::default(), 1, one(0, 0, &utc)).is_err());
    }
}
