//! How a pack is run: which way, how it ends, what is allowed, on which connection.

use std::collections::BTreeSet;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use crate::engine::Session;
use crate::model::SinkError;
use crate::pack::Run;

/// Reads the whole target within the transaction and gives its state's id.
pub type ReadState<'a> = dyn FnMut(&Session<'_>) -> Result<String, SinkError> + 'a;

/// What is done when everything came out right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Commit.
    Commit,
    /// Roll back.
    DryRun,
}

/// What is checked besides rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A target: its identity, its schema, its receipts.
    Target,
    /// A scratch copy, which has none of these.
    Scratch,
}

/// Takes the verb and the object of a statement.
pub type Tell = dyn Fn(&str, &str) + Send + Sync;

/// Is told of each statement before it goes to the database.
#[derive(Clone)]
pub struct Watch(pub Arc<Tell>);

impl Debug for Watch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// How a pack is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which way.
    pub run: Run,
    /// What is done in the end.
    pub finish: Finish,
    /// Whether the target may be another than the one the pack was made for.
    pub accepts_target: bool,
    /// Tables whose triggers may fire, beside those that were allowed when the pack was made.
    pub triggers: BTreeSet<String>,
    /// How many rows that are not as expected are listed.
    pub limit: usize,
    /// The moment for the receipt, as text.
    pub at: String,
    /// Who is told how far it is.
    pub watch: Option<Watch>,
}

impl Options {
    /// The usual ones: forward, committed, nothing allowed.
    pub fn new(at: impl Into<String>) -> Self {
        Options {
            run: Run::Forward,
            finish: Finish::Commit,
            accepts_target: false,
            triggers: BTreeSet::new(),
            limit: 100,
            at: at.into(),
            watch: None,
        }
    }
}

/// A target whose connection is held.
pub struct Held<'a, 's> {
    /// The connection.
    pub session: &'a mut Session<'s>,
    /// What identifies the target.
    pub identity: &'a str,
}
