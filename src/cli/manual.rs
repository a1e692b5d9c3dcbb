//! `completions` and `man`: generated from the command line's own definition.

use std::io::Write;

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::error::CliError;
use super::exit::Exit;
use crate::fsio::{self, FileSystem, RealFs};

/// Prints a completion script.
pub fn completions(args: &CompletionsArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "deepdiff-db", &mut script);
    out.write_all(&script)?;
    Ok(Exit::Done)
}

/// Writes a manual page for the program and for each command, into a new folder.
pub fn man(args: &ManArgs) -> Result<Exit, CliError> {
    let failed = |error: fsio::FsError| {
        let is_taken = error.kind() == std::io::ErrorKind::AlreadyExists;
        let error = CliError::because(Exit::CouldNot, "cannot write the manual pages", error);
        if is_taken { error.hint("name a folder that does not exist yet") } else { error }
    };
    let fs = RealFs;
    fs.create_dir(&args.dir).map_err(failed)?;
    let command = Cli::command();
    let pages = std::iter::once(command.clone()).chain(command.get_subcommands().map(|sub| {
        let name = format!("deepdiff-db-{}", sub.get_name());
        sub.clone().name(name.clone()).display_name(name)
    }));
    for page in pages {
        let mut roff = Vec::new();
        clap_mangen::Man::new(page.clone())
            .render(&mut roff)
            .map_err(|error| CliError::because(Exit::CouldNot, "cannot render a page", error))?;
        let path = args.dir.join(format!("{}.1", page.get_name()));
        fsio::write_new(&fs, &path, &roff).map_err(failed)?;
    }
    fs.sync_dir(&args.dir).map_err(failed)?;
    Ok(Exit::Done)
}
