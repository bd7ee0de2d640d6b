//! `token` makes, lists and ends the tokens by which people and programs get in.
//!
//! A token's text is a secret that is shown once: alone on standard output, what else there is to say
//! about it on standard error; or in a file that its owner alone can read.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use super::output::{Output, printable, table};
use super::words::{
    Instant, duration_of, instant_text, read_duration_ms, read_instant, read_word, timestamp_of,
    word,
};
use crate::api::client::Client;
use crate::api::proto::create_token_request::Validity;
use crate::api::proto::{
    CreateTokenRequest, ListTokensRequest, ListTokensResponse, RevokeTokenRequest, Role, Token,
};

const PAGE_SIZE: i32 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    Create(CreateArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Make a token for a person or a program. Its text is shown this once
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead token create crm --role intake --out crm.token
  nextlead token create \"Ann's softphone\" --role rep --rep ann --for 30d")]
pub(super) struct CreateArgs {
    /// Who or what carries it. One that takes another's place keeps its name
    name: String,
    /// What it opens: rep, manager, marketing, intake or admin
    #[arg(long, value_name = "ROLE", value_parser = read_word::<Role>)]
    role: Role,
    /// The rep that it acts for, with the role of a rep
    #[arg(long, value_name = "REP")]
    rep: Option<String>,
    /// How long it is valid, at most 366d [default: 90d]
    #[arg(long = "for", value_name = "DURATION", value_parser = read_duration_ms)]
    lifetime: Option<i64>,
    /// Until when it is valid: an instant with its offset, or +30d from now
    #[arg(long, value_name = "INSTANT", value_parser = read_instant, conflicts_with = "lifetime")]
    until: Option<Instant>,
    /// Write its text into this new file, readable by you alone, instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// List the tokens, newest first: who carries them, until when, and when they were last used
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead token list --live")]
pub(super) struct ListArgs {
    /// Only those that open something now: neither expired nor revoked
    #[arg(long)]
    live: bool,
}

/// Revoke a token, at once: who is connected by it is cut off
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead token revoke 7")]
pub(super) struct RevokeArgs {
    /// The token's id, as it is listed; not its text
    id: String,
}

pub(super) async fn run(
    command: TokenCommand,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Create(args) => create(args, node, output).await?,
        TokenCommand::List(args) => list(&args, node, output).await?,
        TokenCommand::Revoke(args) => revoke(args, node, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(args: CreateArgs, node: Client, output: Output) -> anyhow::Result<()> {
    let until = match args.until {
        Some(Instant::At(at)) => Some(Validity::ExpireTime(timestamp_of(at))),
        Some(Instant::In(ms)) => Some(Validity::LifetimeDuration(duration_of(ms))),
        None => None,
    };
    let lifetime = args.lifetime.map(|ms| Validity::LifetimeDuration(duration_of(ms)));
    let request = CreateTokenRequest {
        name: args.name,
        role: args.role.into(),
        rep_id: args.rep.unwrap_or_default(),
        validity: until.or(lifetime),
        request_id: String::new(),
    };
    // A token whose text has no place to go to would be lost: the place comes first.
    let place = args.out.map(SecretFile::new).transpose()?;
    let mut answer = node.admin().create_token(request).await?.into_inner();
    if answer.token_text.is_empty() {
        bail!("the node made the token before, and nobody can show its text again");
    }
    let made = answer.token.clone().unwrap_or_default();
    let written = place.map(|place| place.keep(&answer.token_text)).transpose();
    let written = written.with_context(|| {
        format!("the token was made and its text is lost: revoke {}", made.token_id)
    })?;
    if written.is_some() {
        answer.token_text.clear();
    }
    if output.is_json {
        return output.answer(&answer, |_| String::new());
    }
    let said = made_text(&made, written.as_deref());
    match written {
        Some(_) => output.text(&said),
        None => {
            eprint!("{said}");
            output.text(&answer.token_text)
        }
    }
}

fn made_text(token: &Token, written: Option<&Path>) -> String {
    let place = match written {
        Some(path) => format!("its text is in {}", path.display()),
        None => "its text is shown this once".to_owned(),
    };
    format!(
        "made token {} ({}), valid until {}; {place}\n",
        token.token_id,
        printable(&whose(token)),
        instant_text(token.expire_time.as_ref()),
    )
}

fn whose(token: &Token) -> String {
    let role = word::<Role>(token.role);
    match token.rep_id.as_str() {
        "" => format!("{role}, {}", token.name),
        rep => format!("{role} {rep}, {}", token.name),
    }
}

/// A new file for a secret. It is gone again unless the secret came.
struct SecretFile {
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl SecretFile {
    fn new(path: PathBuf) -> anyhow::Result<Self> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = made.with_context(|| format!("cannot make the file {}", path.display()))?;
        Ok(Self { path, file, is_kept: false })
    }

    fn keep(mut self, secret: &str) -> anyhow::Result<PathBuf> {
        let written = writeln!(self.file, "{secret}").and_then(|()| self.file.sync_all());
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.is_kept = true;
        Ok(self.path.clone())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // Made by us a moment ago, and empty or half written.
            let _ = fs::remove_file(&self.path);
        }
    }
}

async fn list(args: &ListArgs, node: Client, output: Output) -> anyhow::Result<()> {
    let mut all = ListTokensResponse::default();
    let mut request =
        ListTokensRequest { live_only: args.live, page_size: PAGE_SIZE, page_token: String::new() };
    loop {
        let page = node.admin().list_tokens(request.clone()).await?.into_inner();
        all.tokens.extend(page.tokens);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    output.answer(&all, |all| tokens_text(&all.tokens))
}

async fn revoke(args: RevokeArgs, node: Client, output: Output) -> anyhow::Result<()> {
    let request = RevokeTokenRequest { token_id: args.id, request_id: String::new() };
    let answer = node.admin().revoke_token(request).await?.into_inner();
    output.answer(&answer, |answer| tokens_text(answer.token.as_slice()))
}

fn tokens_text(tokens: &[Token]) -> String {
    let rows = tokens.iter().map(|token| {
        let last_use = instant_text(token.last_used_time.as_ref());
        [
            token.token_id.clone(),
            token.name.clone(),
            word::<Role>(token.role),
            token.rep_id.clone(),
            instant_text(token.expire_time.as_ref()),
            if last_use.is_empty() { "never".to_owned() } else { last_use },
            instant_text(token.revoked_time.as_ref()),
        ]
    });
    table(["token", "name", "role", "rep", "valid until", "last used", "revoked"], &[], rows)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_goes_into_a_new_file_of_its_owner_s_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.token");
        SecretFile::new(path.clone()).unwrap().keep("nl_1").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "nl_1\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        assert!(SecretFile::new(path.clone()).is_err(), "it is there already");
        assert_eq!(fs::read_to_string(&path).unwrap(), "nl_1\n");
    }

    #[test]
    fn a_file_without_its_secret_is_gone_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.token");
        drop(SecretFile::new(path.clone()).unwrap());
        assert!(!path.exists());
    }
}
