//! The rule sets of each queue: the one that decides, and the one that is on its way.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{QueueId, QueueKey};
use crate::rules::RuleSet;

/// A rule set and its version; version 0 is a queue without published rules.
#[derive(Clone)]
pub(super) struct Versioned {
    pub(super) version: i64,
    pub(super) rules: Arc<RuleSet>,
    /// Tells one ranking of a version from another: lanes may change while it runs.
    run: Arc<()>,
}

impl Versioned {
    pub(super) fn new(version: i64, rules: Arc<RuleSet>) -> Self {
        Self { version, rules, run: Arc::new(()) }
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
        self.change(|pages| pages.insert(queue, Page { in_force, staged: None }));
    }

    /// Begins a queue without rules, unless it has some.
    pub(super) fn begin_without_rules(&self, queue: QueueKey, id: &QueueId) {
        self.change(|pages| {
            pages.entry(queue).or_insert_with(|| {
                let rules = Arc::new(RuleSet::none(id.as_str()));
                Page { in_force: Versioned::new(0, rules), staged: None }
            });
        });
    }

    /// What decides now. Every queue of the roster has one.
    pub(super) fn in_force(&self, queue: QueueKey) -> Versioned {
        self.pages(|pages| pages.get(&queue).map(|page| page.in_force.clone()))
            .expect("a queue of the roster has a page from its beginning")
    }

    /// What is on its way.
    pub(super) fn staged(&self, queue: QueueKey) -> Option<Versioned> {
        self.pages(|pages| pages.get(&queue).and_then(|page| page.staged.clone()))
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
}
