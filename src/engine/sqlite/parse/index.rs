//! `CREATE INDEX`, and the terms of keys and indexes.

use super::super::tokens::{Token, normal_text};
use super::{Cursor, ParseError, split_at_commas};

/// A `CREATE INDEX` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sqlite) struct CreateIndex {
    pub(in crate::engine::sqlite) name: String,
    pub(in crate::engine::sqlite) table: String,
    pub(in crate::engine::sqlite) is_unique: bool,
    pub(in crate::engine::sqlite) terms: Vec<IndexTerm>,
    /// The condition of a partial index.
    pub(in crate::engine::sqlite) condition: Option<String>,
}

/// One term of an index or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sqlite) struct IndexTerm {
    /// The name, where the term is nothing but a name. Whether it names a column is for the
    /// catalog to say.
    pub(in crate::engine::sqlite) name: Option<String>,
    /// The term without collation and order, as normal text.
    pub(in crate::engine::sqlite) expression: String,
    /// The collation given with the term.
    pub(in crate::engine::sqlite) collation: Option<String>,
    /// Whether it is in descending order.
    pub(in crate::engine::sqlite) is_descending: bool,
}

/// Parses a stored `CREATE INDEX` statement.
pub(in crate::engine::sqlite) fn parse_index(text: &str) -> Result<CreateIndex, ParseError> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect_words(&["CREATE"])?;
    let is_unique = cursor.take_words(&["UNIQUE"]);
    cursor.expect_words(&["INDEX"])?;
    let name = cursor.object_name("the index's name")?;
    cursor.expect_words(&["ON"])?;
    let table = cursor.expect_name("the table's name")?;
    let terms = terms_of(&cursor.bracketed()?)?;
    let condition = if cursor.take_words(&["WHERE"]) {
        let rest = cursor.rest();
        if rest.is_empty() {
            return Err(ParseError::new("the index has an empty WHERE"));
        }
        Some(normal_text(&rest))
    } else {
        cursor.expect_end()?;
        None
    };
    Ok(CreateIndex { name, table, is_unique, terms, condition })
}

/// The terms of a bracketed list.
pub(super) fn terms_of(tokens: &[Token<'_>]) -> Result<Vec<IndexTerm>, ParseError> {
    split_at_commas(tokens).into_iter().map(term_of).collect()
}

/// Reads a term from its end: `expression [COLLATE name] [ASC | DESC] [NULLS FIRST | LAST]`.
fn term_of(tokens: &[Token<'_>]) -> Result<IndexTerm, ParseError> {
    let mut tokens = tokens;
    if let [head @ .., nulls, _] = tokens
        && nulls.is_word("NULLS")
        && !head.is_empty()
    {
        tokens = head;
    }
    let mut is_descending = false;
    if let [head @ .., order] = tokens
        && !head.is_empty()
        && (order.is_word("ASC") || order.is_word("DESC"))
    {
        is_descending = order.is_word("DESC");
        tokens = head;
    }
    // Brackets around the whole mean nothing. Of several collations the outermost counts.
    let mut collation = None;
    loop {
        if let [head @ .., word, name] = tokens
            && word.is_word("COLLATE")
            && !head.is_empty()
        {
            collation = collation.or(name.name());
            tokens = head;
        } else if let Some(inner) = inside_brackets(tokens) {
            tokens = inner;
        } else {
            break;
        }
    }
    let name = match tokens {
        [] => return Err(ParseError::new("a key or index has an empty term")),
        [name] => name.name(),
        _ => None,
    };
    Ok(IndexTerm { name, expression: normal_text(tokens), collation, is_descending })
}

/// What stands inside, where one pair of brackets is around the whole.
fn inside_brackets<'a, 't>(tokens: &'a [Token<'t>]) -> Option<&'a [Token<'t>]> {
    let [first, inner @ .., last] = tokens else {
        return None;
    };
    if !first.is_symbol("(") || !last.is_symbol(")") || inner.is_empty() {
        return None;
    }
    let mut depth = 0usize;
    for token in inner {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            // The first bracket is closed before the end: it is not around the whole. A comma
            // inside would be a row value, which no key can have.
            depth = depth.checked_sub(1)?;
        }
    }
    Some(inner)
}
