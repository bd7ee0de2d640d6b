//! Bringing the tables up to date, one transaction a migration.

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::super::error::StoreError;
use super::failure::{failure, unavailable};
use crate::failpoint;

/// Where the crate keeps what was run.
const TABLE: &str = "_sqlx_migrations";

/// Brings the tables up to date. [`StoreError::Newer`] if a later release was here before.
pub(in crate::store) async fn migrate<C: Migrate>(
    migrations: &Migrator,
    connection: &mut C,
) -> Result<(), StoreError> {
    // A new store has no such table.
    let applied = connection.list_applied_migrations(TABLE).await.unwrap_or_default();
    let from = applied.iter().map(|one| one.version).max().unwrap_or(0);
    let to = migrations.iter().map(|one| one.version).max().unwrap_or(0);
    if from > 0 && from < to {
        tracing::warn!(
            from,
            to,
            "bringing the store up to date; an earlier release cannot open it any more"
        );
    }
    match step_by_step(migrations, from, connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(migration)) => Err(StoreError::Newer { migration }),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(failure(error))
        }
        Err(error) => Err(unavailable(error)),
    }
}

/// Runs what there is to run one by one, then compares what ran before with what we know of it.
async fn step_by_step<C: Migrate>(
    migrations: &Migrator,
    from: i64,
    connection: &mut C,
) -> Result<(), MigrateError> {
    for migration in migrations.iter().filter(|migration| migration.version > from) {
        failpoint::reach("store.before-migration");
        migrations.run_direct(Some(migration.version), connection, false).await?;
        failpoint::reach("store.after-migration");
    }
    migrations.run_direct(None, connection, false).await
}
