//! Errors as a person meets them: a message, its causes, a hint, and the exit code of its kind.

use std::error::Error;
use std::fmt;

use super::exit::Exit;
use crate::report::value::visible;

/// Why a command failed.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    hint: Option<String>,
}

impl CliError {
    /// An error with nothing below it.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        CliError { exit, message: message.into(), source: None, hint: None }
    }

    /// The command line or the configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        CliError::new(Exit::Usage, message)
    }

    /// What was being done when `source` happened.
    pub fn because(
        exit: Exit,
        message: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        CliError { exit, message: message.into(), source: Some(source.into()), hint: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code of this kind of error.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The message and its causes, outermost first.
    pub fn chain(&self) -> Vec<String> {
        let mut chain = vec![self.message.clone()];
        let mut source = self.source.as_deref().map(|source| source as &dyn Error);
        while let Some(error) = source {
            let text = error.to_string();
            // A wrapper that is transparent says the same thing again.
            if chain.last() != Some(&text) {
                chain.push(text);
            }
            source = error.source();
        }
        chain.retain(|line| !line.is_empty());
        chain
    }

    /// Prints the error for a person, on standard error.
    pub fn print(&self) {
        let mut out = std::io::stderr().lock();
        // Where standard error is closed, nobody is left to tell.
        let _ = self.write(&mut out);
    }

    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        for (depth, line) in self.chain().iter().enumerate() {
            let line = harmless(line);
            writeln!(out, "{} {line}", if depth == 0 { "error:" } else { "  because:" })?;
        }
        match &self.hint {
            Some(hint) => writeln!(out, "hint: {}", harmless(hint)),
            None => Ok(()),
        }
    }

    /// The error as one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        let chain = self.chain();
        serde_json::json!({
            "error": chain.first(),
            "causes": chain.get(1..),
            "hint": self.hint,
            "exit": self.exit.code(),
        })
    }
}

/// Lines in which a name from a database cannot move the terminal's cursor.
fn harmless(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CliError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
