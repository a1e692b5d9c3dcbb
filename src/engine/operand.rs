//! How values and rows are given to whoever writes statements.

use crate::model::Value;

/// What a large value is, which is all that a guard says of it beside its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LargeKind {
    /// Text, in whatever encoding.
    Text,
    /// Bytes.
    Bytes,
}

impl LargeKind {
    /// The stable name, as in the files of a pack.
    pub fn as_str(self) -> &'static str {
        match self {
            LargeKind::Text => "text",
            LargeKind::Bytes => "blob",
        }
    }

    /// The kind of this stable name.
    pub fn from_name(name: &str) -> Option<LargeKind> {
        [LargeKind::Text, LargeKind::Bytes].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How a value stands in a statement.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'v> {
    /// By its own text.
    Literal(&'v Value),
    /// By a parameter; the value is bound when the statement runs.
    Bound {
        /// What it is.
        kind: LargeKind,
        /// How many bytes it has as the database keeps it.
        bytes: u64,
        /// The text of the parameter.
        parameter: &'v str,
    },
}

impl<'v> From<&'v Value> for Operand<'v> {
    fn from(value: &'v Value) -> Self {
        Operand::Literal(value)
    }
}

/// A column's name and its value in a statement.
pub type Cell<'c> = (&'c str, Operand<'c>);

/// A row as a statement expects it.
#[derive(Debug, Clone)]
pub struct RowGuard<'c> {
    /// The values of its key; none where rows have no key.
    pub key: Vec<Value>,
    /// All of its columns.
    pub before: Vec<Cell<'c>>,
}

/// A row as a statement expects it, and what it changes.
#[derive(Debug, Clone)]
pub struct RowUpdate<'c> {
    /// The row.
    pub row: RowGuard<'c>,
    /// The columns that change, and their new values.
    pub changes: Vec<Cell<'c>>,
}
