//! `git textconv`: the rows of a chunk, one a line, as `git show` compares them.

use std::io::Write;
use std::path::Path;

use super::args::{GitArgs, GitCommand};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::git::{ChunkBlob, ChunkCell};
use crate::report::value::{to_text, visible};

/// Prints the rows of a file. Needs neither a store nor a configuration.
pub fn textconv(args: &GitArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let GitCommand::Textconv(args) = &args.command else { return Ok(Exit::Done) };
    let content = std::fs::read(&args.file).map_err(|error| {
        CliError::because(Exit::CouldNot, format!("cannot read {}", args.file.display()), error)
    })?;
    print(&content, &args.file, out)?;
    Ok(Exit::Done)
}

fn print(content: &[u8], file: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let rows = ChunkBlob::decode(content).and_then(|blob| blob.rows()).map_err(|error| {
        let message = format!("{} holds no rows of a snapshot", file.display());
        CliError::because(Exit::CouldNot, message, error)
    })?;
    for row in rows {
        let cells: Vec<String> = row
            .cells
            .iter()
            .map(|(name, cell)| {
                let value = match cell {
                    ChunkCell::Here(value) => to_text(value),
                    ChunkCell::Apart(len) => format!("({len} bytes, in a file of its own)"),
                };
                format!("{}={value}", visible(name))
            })
            .collect();
        let times = if row.count == 1 { String::new() } else { format!("  × {}", row.count) };
        writeln!(out, "{}{times}", cells.join("  "))?;
    }
    Ok(())
}
