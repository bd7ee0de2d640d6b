//! The rule sets of each queue: the one that decides, and the one that is on its way.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::domain::{QueueId, QueueKey};
use crate::queue::{Basis, Generation};
use crate::rules::RuleSet;

/// A rule set and its version; version 0 is a queue without published rules.
#[derive(Clone)]
pub(super) struct Versioned {
    pub(super) version: i64,
    pub(super) rules: Arc<RuleSet>,
    /// Tells one ranking of a version from another: lanes may change while it runs.
    run: Arc<Run>,
}

/// One ranking by a version.
#[derive(Default)]
struct Run {
    /// The version of the lanes as it began.
    lane_version: OnceLock<i64>,
    /// What names the index that it fills.
    generation: OnceLock<Generation>,
}

impl Versioned {
    pub(super) fn new(version: i64, rules: Arc<RuleSet>) -> Self {
        Self { version, rules, run: Arc::default() }
    }

    /// What a queue without published rules goes by.
    pub(super) fn none(queue: &QueueId) -> Self {
        Self::new(0, Arc::new(RuleSet::none(queue.as_str())))
    }

    /// Notes the version of the lanes as this run begins.
    pub(super) fn begins(&self, lane_version: i64) {
        // A run begins once.
        let _ = self.run.lane_version.set(lane_version);
    }

    /// Notes the index that this run fills.
    pub(super) fn fills(&self, generation: Generation) {
        // A run stages once.
        let _ = self.run.generation.set(generation);
    }

    /// The index that this run fills.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.run.generation.get().copied()
    }

    /// Whether an index that this run fills is of these rules and lanes, or newer ones.
    pub(super) fn covers(&self, wanted: Basis) -> bool {
        let lane_version = self.run.lane_version.get();
        lane_version.is_some_and(|lane_version| {
            Basis { rule_version: self.version, lane_version: *lane_version }.covers(wanted)
        })
    }

    pub(super) fn is_same_run(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.run, &other.run)
    }
}

#[derive(Clone)]
struct Page {
    in_force: Versioned,
    /// Accepted; leads are being ranked by it.
    staged: Option<Versioned>,
    /// The last version that is known to be accepted, by whichever node.
    accepted: i64,
    /// The last version that this node saw noted in the store as being in force.
    noted: i64,
    /// One that is not in force, but that an index was built by: read once.
    aside: Option<Versioned>,
    /// The lanes that the index in use was ranked by when it was last looked at.
    seen_lanes: Option<i64>,
}

impl Page {
    /// What is known of a queue when it begins.
    fn of(in_force: Versioned) -> Self {
        Self { in_force, staged: None, accepted: 0, noted: 0, aside: None, seen_lanes: None }
    }
}

/// The rule sets of each queue.
#[derive(Default)]
pub(super) struct Rulebook(RwLock<HashMap<QueueKey, Page>>);

impl Rulebook {
    fn pages<T>(&self, read: impl FnOnce(&HashMap<QueueKey, Page>) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<QueueKey, Page>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins with what decides from the start.
    pub(super) fn begin(&self, queue: QueueKey, in_force: Versioned) {
        let page = Page { accepted: in_force.version, ..Page::of(in_force) };
        self.change(|pages| pages.insert(queue, page));
    }

    /// Begins a queue without rules, unless it has some.
    pub(super) fn begin_without_rules(&self, queue: QueueKey, id: &QueueId) {
        self.change(|pages| {
            pages.entry(queue).or_insert_with(|| Page::of(Versioned::none(id)));
        });
    }

    /// What decides now. Every queue of the roster has one.
    pub(super) fn in_force(&self, queue: QueueKey) -> Versioned {
        self.pages(|pages| pages.get(&queue).map(|page| page.in_force.clone()))
            .expect("a queue of the roster has a page from its beginning")
    }

    /// A version that was read before.
    pub(super) fn known(&self, queue: QueueKey, version: i64) -> Option<Versioned> {
        self.pages(|pages| {
            let page = pages.get(&queue)?;
            let all = [Some(&page.in_force), page.staged.as_ref(), page.aside.as_ref()];
            all.into_iter().flatten().find(|one| one.version == version).cloned()
        })
    }

    /// Keeps a version that is not in force, in the place of the one before.
    pub(super) fn put_aside(&self, queue: QueueKey, versioned: Versioned) {
        self.change(|pages| {
            if let Some(page) = pages.get_mut(&queue) {
                page.aside = Some(versioned);
            }
        });
    }

    /// What is on its way.
    pub(super) fn staged(&self, queue: QueueKey) -> Option<Versioned> {
        self.pages(|pages| pages.get(&queue).and_then(|page| page.staged.clone()))
    }

    /// Notes a version that was accepted. Answers the last that was.
    pub(super) fn accept(&self, queue: QueueKey, version: i64) -> i64 {
        self.change(|pages| {
            let Some(page) = pages.get_mut(&queue) else { return version };
            page.accepted = page.accepted.max(version).max(page.in_force.version);
            page.accepted
        })
    }

    /// Remembers that a version is noted in the store. Answers whether that is new.
    pub(super) fn note(&self, queue: QueueKey, version: i64) -> bool {
        self.change(|pages| {
            let Some(page) = pages.get_mut(&queue) else { return false };
            let is_new = page.noted < version;
            page.noted = page.noted.max(version);
            is_new
        })
    }

    /// Notes by which lanes the index in use is ranked.
    pub(super) fn saw_lanes(&self, queue: QueueKey, lane_version: i64) {
        self.change(|pages| {
            if let Some(page) = pages.get_mut(&queue) {
                page.seen_lanes = Some(lane_version);
            }
        });
    }

    /// By which lanes the index in use was ranked when it was last looked at.
    pub(super) fn seen_lanes(&self, queue: QueueKey) -> Option<i64> {
        self.pages(|pages| pages.get(&queue).and_then(|page| page.seen_lanes))
    }

    /// Puts a version on its way; one that was on its way before is overtaken. Refuses a version that
    /// was overtaken itself.
    pub(super) fn stage(&self, queue: QueueKey, staged: Versioned) -> bool {
        self.change(|pages| {
            let Some(page) = pages.get_mut(&queue) else { return false };
            let newest = page.staged.as_ref().unwrap_or(&page.in_force).version;
            let is_newest = newest <= staged.version;
            if is_newest {
                page.staged = Some(staged);
            }
            is_newest
        })
    }

    /// Whether this run is still the one on its way.
    pub(super) fn is_staged(&self, queue: QueueKey, run: &Versioned) -> bool {
        self.staged(queue).is_some_and(|staged| staged.is_same_run(run))
    }

    /// Whether the run on its way fills this index.
    pub(super) fn is_filling(&self, queue: QueueKey, generation: Generation) -> bool {
        self.staged(queue).is_some_and(|staged| staged.generation() == Some(generation))
    }

    /// Takes a run off its way, as it failed: the same version may be published again.
    pub(super) fn unstage(&self, queue: QueueKey, run: &Versioned) {
        self.change(|pages| {
            if let Some(page) = pages.get_mut(&queue) {
                page.staged.take_if(|staged| staged.is_same_run(run));
            }
        });
    }

    /// Lets what is on its way decide.
    pub(super) fn enforce(&self, queue: QueueKey) {
        self.change(|pages| {
            if let Some(page) = pages.get_mut(&queue)
                && let Some(staged) = page.staged.take()
            {
                page.in_force = staged;
            }
        });
    }

    /// Lets a version decide that another node put in force, unless a newer one does. What is on its
    /// way here and older is overtaken.
    pub(super) fn advance(&self, queue: QueueKey, newer: &Versioned) -> bool {
        self.change(|pages| {
            let Some(page) = pages.get_mut(&queue) else { return false };
            if newer.version <= page.in_force.version {
                return false;
            }
            page.in_force = newer.clone();
            page.staged.take_if(|staged| staged.version < newer.version);
            true
        })
    }
}
