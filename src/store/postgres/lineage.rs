//! Which history a server goes on with. A standby that takes over begins a new timeline, so whoever was
//! there before it, and comes back as a primary, is found out by a lower one: what it knows and what it
//! would store is of a past that others have left. Known only to this process, as whatever lies in a
//! database that has fallen behind has fallen behind with it.

use std::sync::{Mutex, PoisonError};

use sqlx::{PgConnection, Row as _};

use super::super::error::StoreError;
use super::super::sql::failure;

/// The system's identifier and the timeline that it writes.
const QUESTION: &str = "SELECT system_identifier::text, \
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system()";

/// A history that a server goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lineage {
    /// What tells one system from all others, its standbys excepted.
    system: String,
    timeline: u32,
}

/// The last history that any session of this process met.
#[derive(Debug, Default)]
pub(super) struct Lineages(Mutex<Option<Lineage>>);

impl Lineages {
    /// The timeline that a session must be of to be used; 0 if servers do not tell.
    pub(super) fn timeline(&self) -> u32 {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map_or(0, |last| last.timeline)
    }

    /// Asks a primary; answers its timeline, 0 if it does not tell. [`StoreError::Unfit`] if it goes on
    /// with a history that others have left, or with another one altogether.
    pub(super) async fn check(&self, connection: &mut PgConnection) -> Result<u32, StoreError> {
        let row = match sqlx::query(QUESTION).fetch_one(connection).await {
            Ok(row) => row,
            // Some who host servers keep this to themselves.
            Err(sqlx::Error::Database(refusal)) => {
                tracing::debug!(
                    refusal = refusal.message(),
                    "the server does not tell its timeline"
                );
                return Ok(0);
            }
            Err(error) => return Err(failure(error)),
        };
        let text = |place: usize| row.try_get::<&str, _>(place).map_err(failure);
        let timeline = u32::from_str_radix(text(1)?, 16).unwrap_or(0);
        self.meet(Lineage { system: text(0)?.to_owned(), timeline })
    }

    fn meet(&self, met: Lineage) -> Result<u32, StoreError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let timeline = met.timeline;
        match last.as_ref() {
            Some(last) if last.system != met.system => {
                let problem = "it is another server than the one that this node started with; if \
                    that is meant, start the node again"
                    .to_owned();
                return Err(StoreError::Unfit { problem });
            }
            Some(last) if last.timeline > timeline => {
                let problem = format!(
                    "it goes on with timeline {timeline}, which another server left for timeline {}: \
                     it must not be written to any more",
                    last.timeline
                );
                return Err(StoreError::Unfit { problem });
            }
            Some(last) if last.timeline < timeline => {
                let before = last.timeline;
                tracing::warn!(before, timeline, "another database server took over");
            }
            _ => {}
        }
        *last = Some(met);
        Ok(timeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_goes_on_and_never_back() {
        let met = |system: &str, timeline| Lineage { system: system.to_owned(), timeline };
        let lineages = Lineages::default();
        assert_eq!(lineages.timeline(), 0);
        assert_eq!(lineages.meet(met("a", 3)).unwrap(), 3);
        assert_eq!(lineages.meet(met("a", 3)).unwrap(), 3);
        assert_eq!(lineages.meet(met("a", 4)).unwrap(), 4);
        assert!(matches!(lineages.meet(met("a", 3)), Err(StoreError::Unfit { .. })));
        assert!(matches!(lineages.meet(met("b", 9)), Err(StoreError::Unfit { .. })));
        assert_eq!((lineages.timeline(), lineages.meet(met("a", 4)).unwrap()), (4, 4));
    }
}
