//! `restore` puts a backup in a store's place. It calls no node: none may run on that store.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args};

use super::output::{Output, count, facts};
use super::words::{instant_text, timestamp_of};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{STORE_DEFAULT, StorePlace};
use crate::store::{OldTokens, Restore, Restored, SqliteStore};

/// Put a backup in a store's place, with no node running on it
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("tokens").required(true).args(["keep_tokens", "revoke_tokens"]))]
#[command(after_help = "\
The backup is checked before anything is touched: every page, every reference, the books. Leases in
it get new tokens, so no lease that a client holds fits; a rep who pulls gets their lead with the new
one. New leads get ids that were never given out.

What was recorded after the backup was taken is lost, and the command says from which instant on.
Send it again: wishes never to be called, erasures, handovers, touches. Whoever sends what is there
already adds nothing.

Examples:
  nextlead restore nextlead.backup --store sqlite://nextlead.db --keep-tokens
  nextlead restore nextlead.backup --store sqlite://nextlead.db --revoke-tokens --force")]
pub(super) struct RestoreArgs {
    /// The backup, as `nextlead backup` wrote it. It is only read
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// The store to put it in the place of
    #[arg(long, env = "NEXTLEAD_STORE", value_name = "sqlite://FILE", default_value = STORE_DEFAULT)]
    store: StorePlace,
    /// Let access tokens open what they opened when the backup was taken: one that was revoked
    /// since then opens it again
    #[arg(long)]
    keep_tokens: bool,
    /// Revoke every access token that is in the backup
    #[arg(long)]
    revoke_tokens: bool,
    /// Replace a store that is there; it is kept, with .replaced added to its name
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(args: RestoreArgs, output: Output) -> anyhow::Result<ExitCode> {
    let RestoreArgs { backup, store, keep_tokens, force, .. } = args;
    let StorePlace::File(store) = store else {
        bail!(
            "the store is a database on a server: restore it there, with pg_restore or from its \
             archive, while no node runs"
        );
    };
    let order = Restore {
        backup,
        store,
        replaces: force,
        tokens: if keep_tokens { OldTokens::Keep } else { OldTokens::Revoke },
        now: SystemClock::start(0).now(),
    };
    let restored = SqliteStore::restore(&order).await;
    let restored =
        restored.with_context(|| format!("could not restore {}", order.backup.display()))?;
    let store = order.store.display().to_string();
    let kept = restored.kept.as_ref().map(|path| path.display().to_string());
    if output.is_json {
        output.document(&serde_json::json!({
            "store": store,
            "last_event_time": instant_or_null(restored.last_instant),
            "lead_count": restored.lead_count,
            "touch_count": restored.touch_count,
            "lease_count": restored.lease_count,
            "revoked_token_count": restored.revoked_count,
            "kept": kept,
        }))?;
    } else {
        output.text(&told(&restored, store, kept))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn instant_or_null(at: i64) -> serde_json::Value {
    if at == 0 { serde_json::Value::Null } else { instant_text(Some(&timestamp_of(at))).into() }
}

fn told(restored: &Restored, store: String, kept: Option<String>) -> String {
    let number = |number: u64| count(i64::try_from(number).unwrap_or(i64::MAX));
    let table = facts([
        ("restored", store),
        ("leads", count(restored.lead_count)),
        ("touches", count(restored.touch_count)),
        ("leases with new tokens", number(restored.lease_count)),
        ("access tokens revoked", number(restored.revoked_count)),
        ("the store before", kept.unwrap_or_default()),
    ]);
    let since = match restored.last_instant {
        0 => "The backup is of an empty store.".to_owned(),
        at => format!(
            "Whatever was recorded after {} is lost.",
            instant_text(Some(&timestamp_of(at)))
        ),
    };
    format!("{table}\n{since} Send it again, wishes never to be called and erasures first.\n")
}
