//! The command line: one file a command, and what they share.
//!
//! A command takes the context and its arguments, prints into the writer it is given, and ends
//! with an [`Exit`] or an error that a person can act on.

mod against;
pub mod apply;
pub mod args;
pub mod cat;
pub mod check;
pub mod config;
pub mod context;
pub mod demo;
pub mod diff;
pub mod error;
pub mod exit;
mod failures;
mod fill;
pub mod git;
pub mod history;
pub mod init;
pub mod keep;
mod key_file;
mod key_words;
pub mod log;
pub mod maintain;
pub mod manual;
pub mod names;
pub mod pack;
mod page;
pub mod progress;
pub mod prove;
pub mod rehearse;
pub mod restore;
pub mod revision;
mod row_key;
pub mod scratch;
pub mod show;
pub mod sign;
pub mod signals;
pub mod snapshot;
mod ssh_keygen;
pub mod statements;
mod temporary;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use context::Context;
use error::CliError;
use exit::Exit;

/// Runs the program and gives its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if !error.use_stderr() {
                // Help or the version, which were asked for.
                let _ = error.print();
                return Exit::Done.into();
            }
            if asks_for_json() {
                let _ = writeln!(io::stdout(), "{}", CliError::from(&error).to_json());
            }
            // Nothing is left to say where even this cannot be printed.
            let _ = error.print();
            return Exit::Usage.into();
        }
    };
    let is_json = cli.global.json;
    let mut out = io::stdout().lock();
    match run(cli, &mut out) {
        Ok(exit) => exit.into(),
        Err(error) => {
            if is_json {
                let _ = writeln!(out, "{}", error.to_json());
            }
            // Whoever closed the pipe wants no more of it, and needs no explanation.
            if error.exit() != Exit::PipeClosed {
                error.print();
            }
            error.exit().into()
        }
    }
}

/// Whether `--json` is on a command line that could not be parsed.
fn asks_for_json() -> bool {
    std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json")
}

/// Runs one command.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<Exit, CliError> {
    match &cli.command {
        Command::Completions(args) => return manual::completions(args, out),
        Command::Man(args) => return manual::man(args),
        Command::Demo(args) => return demo::run(args, out),
        Command::Git(args) if args.is_textconv() => return git::textconv(args, out),
        _ => {}
    }
    let context = Context::new(cli.global)?;
    match &cli.command {
        Command::Init(args) => init::run(&context, args, out),
        Command::Check(args) => check::run(&context, args, out),
        Command::Snapshot(args) => snapshot::run(&context, args, out),
        Command::Log(args) => log::run(&context, args, out),
        Command::Show(args) => show::run(&context, args, out),
        Command::Ls(args) => show::ls(&context, args, out),
        Command::Cat(args) => cat::run(&context, args, out),
        Command::Diff(args) => diff::run(&context, args, out),
        Command::Pack(args) => pack::run(&context, args, out),
        Command::Apply(args) => apply::run(&context, args, out),
        Command::Rehearse(args) => rehearse::run(&context, args, out),
        Command::Restore(args) => restore::run(&context, args, out),
        Command::Git(args) => git::run(&context, args, out),
        Command::Tag(args) => names::tag(&context, args, out),
        Command::Ref(args) => names::reference(&context, args, out),
        Command::History(args) => history::run(&context, args, out),
        Command::Blame(args) => history::blame(&context, args, out),
        Command::Prove(args) => prove::run(&context, args, out),
        Command::CheckProof(args) => prove::check(&context, args, out),
        Command::Verify(args) => maintain::verify(&context, args, out),
        Command::Sign(args) => sign::run(&context, args, out),
        Command::Gc(args) => maintain::gc(&context, args, out),
        Command::Repair(args) => maintain::repair(&context, args, out),
        Command::Demo(_) | Command::Completions(_) | Command::Man(_) => Ok(Exit::Done),
    }
}
