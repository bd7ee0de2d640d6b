//! `completions` and `man` print what a shell and a reader need to know of the commands, out of the
//! commands themselves.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use super::Cli;
use super::output::Output;

/// Print what makes a shell complete nextlead's commands and flags
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead completions bash > /etc/bash_completion.d/nextlead
  nextlead completions zsh > ~/.zfunc/_nextlead
  nextlead completions fish > ~/.config/fish/completions/nextlead.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Print the manual page of nextlead, or write those of all its commands
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead man > nextlead.1
  nextlead man --out /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write all pages into this folder, which is made if need be
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, output: Output) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "nextlead", &mut script);
    let script = String::from_utf8(script).context("the script is no text")?;
    if output.is_json {
        let shell = args.shell.to_string();
        output.document(&json!({"shell": shell, "script": script}))?;
    } else {
        output.text(&script)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(args: ManArgs, output: Output) -> anyhow::Result<ExitCode> {
    let Some(folder) = args.out else {
        let page = page(Cli::command())?;
        if output.is_json {
            output.document(&json!({"page": page}))?;
        } else {
            output.text(&page)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut files = Vec::new();
    write_pages(command, &folder, &mut files)?;
    files.sort();
    if output.is_json {
        output.document(&json!({"folder": folder, "files": files}))?;
    } else {
        output.text(&format!("Wrote {} pages into {}.\n", files.len(), folder.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    String::from_utf8(page).context("the page is no text")
}

/// Writes the page of a command, `nextlead-rules-check.1`, say, and those of its subcommands.
fn write_pages(
    command: Command,
    folder: &std::path::Path,
    files: &mut Vec<String>,
) -> anyhow::Result<()> {
    for subcommand in command.get_subcommands().filter(|one| !one.is_hide_set()).cloned() {
        write_pages(subcommand, folder, files)?;
    }
    let man = Man::new(command);
    let path = man
        .generate_to(folder)
        .with_context(|| format!("cannot write a page into {}", folder.display()))?;
    files.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
    Ok(())
}
