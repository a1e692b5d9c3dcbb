//! `CREATE VIEW` and `CREATE VIRTUAL TABLE`.

use super::super::tokens::normal_text;
use super::{Cursor, ParseError, split_at_commas};

/// A `CREATE VIEW` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sqlite) struct CreateView {
    pub(in crate::engine::sqlite) name: String,
    /// The names given to its columns, where they are given.
    pub(in crate::engine::sqlite) columns: Vec<String>,
    /// The query, as normal text.
    pub(in crate::engine::sqlite) query: String,
}

/// A `CREATE VIRTUAL TABLE` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sqlite) struct CreateVirtualTable {
    pub(in crate::engine::sqlite) name: String,
    pub(in crate::engine::sqlite) module: String,
    /// The arguments, each as normal text.
    pub(in crate::engine::sqlite) arguments: Vec<String>,
}

/// Parses a stored `CREATE VIEW` statement.
pub(in crate::engine::sqlite) fn parse_view(text: &str) -> Result<CreateView, ParseError> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect_words(&["CREATE", "VIEW"])?;
    let name = cursor.object_name("the view's name")?;
    let columns = if cursor.is_symbol("(") { cursor.name_list()? } else { Vec::new() };
    cursor.expect_words(&["AS"])?;
    let rest = cursor.rest();
    if rest.is_empty() {
        return Err(ParseError::new("the view has no query"));
    }
    Ok(CreateView { name, columns, query: normal_text(&rest) })
}

/// Parses a stored `CREATE VIRTUAL TABLE` statement.
pub(in crate::engine::sqlite) fn parse_virtual_table(
    text: &str,
) -> Result<CreateVirtualTable, ParseError> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect_words(&["CREATE", "VIRTUAL", "TABLE"])?;
    let name = cursor.object_name("the virtual table's name")?;
    cursor.expect_words(&["USING"])?;
    let module = cursor.expect_name("the module's name")?;
    let mut arguments = Vec::new();
    if cursor.is_symbol("(") {
        let inner = cursor.bracketed()?;
        if !inner.is_empty() {
            arguments = split_at_commas(&inner).into_iter().map(normal_text).collect();
        }
    }
    cursor.expect_end()?;
    Ok(CreateVirtualTable { name, module, arguments })
}
