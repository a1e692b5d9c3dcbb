//! `CREATE TRIGGER`.

use super::super::tokens::normal_text;
use super::{Cursor, ParseError};

/// A `CREATE TRIGGER` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sqlite) struct CreateTrigger {
    pub(in crate::engine::sqlite) name: String,
    /// The table or view.
    pub(in crate::engine::sqlite) table: String,
    /// `BEFORE`, `AFTER` or `INSTEAD OF`.
    pub(in crate::engine::sqlite) timing: &'static str,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub(in crate::engine::sqlite) event: &'static str,
    /// The columns of an `UPDATE OF`.
    pub(in crate::engine::sqlite) columns: Vec<String>,
    /// The condition, as normal text.
    pub(in crate::engine::sqlite) condition: Option<String>,
    /// From `BEGIN` to `END`, as normal text.
    pub(in crate::engine::sqlite) body: String,
}

/// Parses a stored `CREATE TRIGGER` statement.
pub(in crate::engine::sqlite) fn parse_trigger(text: &str) -> Result<CreateTrigger, ParseError> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect_words(&["CREATE", "TRIGGER"])?;
    let name = cursor.object_name("the trigger's name")?;
    let timing = if cursor.take_words(&["AFTER"]) {
        "AFTER"
    } else if cursor.take_words(&["INSTEAD", "OF"]) {
        "INSTEAD OF"
    } else {
        cursor.take_words(&["BEFORE"]);
        "BEFORE"
    };
    let mut columns = Vec::new();
    let event = if cursor.take_words(&["INSERT"]) {
        "INSERT"
    } else if cursor.take_words(&["DELETE"]) {
        "DELETE"
    } else {
        cursor.expect_words(&["UPDATE"])?;
        if cursor.take_words(&["OF"]) {
            columns.push(cursor.expect_name("a column")?);
            while cursor.take_symbol(",") {
                columns.push(cursor.expect_name("a column")?);
            }
        }
        "UPDATE"
    };
    cursor.expect_words(&["ON"])?;
    let table = cursor.object_name("the table's name")?;
    cursor.take_words(&["FOR", "EACH", "ROW"]);
    let condition = if cursor.take_words(&["WHEN"]) { Some(condition(&mut cursor)?) } else { None };
    if !cursor.is_word("BEGIN") {
        return Err(cursor.unexpected("BEGIN"));
    }
    let body = cursor.rest();
    if !body.last().is_some_and(|token| token.is_word("END")) {
        return Err(ParseError::new("the trigger does not end in END"));
    }
    Ok(CreateTrigger { name, table, timing, event, columns, condition, body: normal_text(&body) })
}

/// The condition ends at the first BEGIN outside brackets. BEGIN may be a name in an expression
/// (SQLite falls back to that), but then a whole expression would stand before it only where an
/// operator follows the name; the last candidate before a statement's first word is taken.
fn condition(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    const STATEMENTS: &[&str] = &["INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "WITH"];
    let start = cursor.at;
    let mut depth = 0usize;
    while let Some(token) = cursor.peek() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0
            && cursor.at > start
            && token.is_word("BEGIN")
            && cursor
                .peek_after(1)
                .is_some_and(|next| STATEMENTS.iter().any(|word| next.is_word(word)))
        {
            return Ok(cursor.text_since(start));
        }
        cursor.at += 1;
    }
    Err(ParseError::new("the trigger has no BEGIN"))
}
