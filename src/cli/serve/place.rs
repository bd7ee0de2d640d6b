//! Where `serve` keeps its index and its admin token, and the passwords that open servers.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::config::{QUEUE_DEFAULT, QueuePlace};
use crate::node::QUEUE_PREFIX_DEFAULT;

/// The index, and passwords
#[derive(Debug, Args)]
pub(super) struct QueueArgs {
    /// The index of the queues: memory, for one node, or redis://HOST:PORT (Redis 7 or later), which
    /// nodes with one PostgreSQL database share; of a Redis Cluster, several of its nodes parted by
    /// commas
    #[arg(
        long,
        env = "NEXTLEAD_QUEUE",
        hide_env_values = true,
        value_name = "URL",
        default_value = QUEUE_DEFAULT
    )]
    pub(super) queue: QueuePlace,
    /// What all keys of the index begin with, for installations that share a Redis
    #[arg(
        long,
        env = "NEXTLEAD_QUEUE_PREFIX",
        value_name = "TEXT",
        default_value = QUEUE_PREFIX_DEFAULT,
        value_parser = prefix
    )]
    pub(super) queue_prefix: String,
    /// File with the password of the index, unless its address has it
    #[arg(long, env = "NEXTLEAD_QUEUE_PASSWORD_FILE", value_name = "FILE")]
    queue_password_file: Option<PathBuf>,
    /// File with the password of the store's database, unless its address, PGPASSWORD or a .pgpass
    /// file has it
    #[arg(long, env = "NEXTLEAD_STORE_PASSWORD_FILE", value_name = "FILE")]
    store_password_file: Option<PathBuf>,
}

impl QueueArgs {
    pub(super) fn queue_password(&self) -> anyhow::Result<Option<String>> {
        self.queue_password_file.as_deref().map(password).transpose()
    }

    pub(super) fn store_password(&self) -> anyhow::Result<Option<String>> {
        self.store_password_file.as_deref().map(password).transpose()
    }
}

/// A password: the first line of a file.
fn password(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the password file {}", file.display()))?;
    let password = text.lines().next().unwrap_or_default();
    ensure!(!password.is_empty(), "there is no password in {}", file.display());
    Ok(password.to_owned())
}

/// A prefix goes into the names of keys, in which braces say what stays together.
fn prefix(text: &str) -> Result<String, String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    match (1..=64).contains(&text.len()) && text.bytes().all(is_fit) {
        true => Ok(text.to_owned()),
        false => Err("a prefix has 1 to 64 letters, digits or any of - _ . :".to_owned()),
    }
}

/// The admin token
#[derive(Debug, Args)]
pub(super) struct AdminArgs {
    /// The file that holds the admin token; made if it is not there. Nodes that have it in common have
    /// the token in common [default: beside the store's file, or nextlead.admin-token]
    #[arg(long, env = "NEXTLEAD_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub(super) admin_token_file: Option<PathBuf>,
}
