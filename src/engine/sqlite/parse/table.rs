//! `CREATE TABLE`: columns, constraints and options, as the grammar of SQLite has them.
//!
//! A constraint of a column and the same constraint of the table come out alike.

use super::super::tokens::{Token, TokenKind, normal_text, tokens};
use super::index::{IndexTerm, terms_of};
use super::{Cursor, ParseError};

/// A `CREATE TABLE` statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::engine::sqlite) struct CreateTable {
    pub(in crate::engine::sqlite) name: String,
    pub(in crate::engine::sqlite) columns: Vec<ColumnClause>,
    pub(in crate::engine::sqlite) primary_key: Option<KeyClause>,
    pub(in crate::engine::sqlite) uniques: Vec<KeyClause>,
    pub(in crate::engine::sqlite) checks: Vec<CheckClause>,
    pub(in crate::engine::sqlite) foreign_keys: Vec<ForeignKeyClause>,
    pub(in crate::engine::sqlite) is_without_rowid: bool,
    pub(in crate::engine::sqlite) is_strict: bool,
}

/// The definition of a column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::engine::sqlite) struct ColumnClause {
    pub(in crate::engine::sqlite) name: String,
    /// The declared type as normal text; may be empty.
    pub(in crate::engine::sqlite) declared_type: String,
    pub(in crate::engine::sqlite) is_not_null: bool,
    /// The name given to NOT NULL.
    pub(in crate::engine::sqlite) not_null_name: Option<String>,
    /// What a NULL does, where it is not ABORT.
    pub(in crate::engine::sqlite) not_null_conflict: Option<String>,
    /// The default as normal text, without the brackets around an expression.
    pub(in crate::engine::sqlite) default: Option<String>,
    pub(in crate::engine::sqlite) collation: Option<String>,
    /// The expression of a generated column.
    pub(in crate::engine::sqlite) generated: Option<String>,
    /// Whether the generated value is stored.
    pub(in crate::engine::sqlite) is_stored: bool,
    /// The whole definition as normal text, as ALTER TABLE ADD COLUMN takes it.
    pub(in crate::engine::sqlite) text: String,
}

/// A primary key or unique constraint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::engine::sqlite) struct KeyClause {
    pub(in crate::engine::sqlite) name: Option<String>,
    pub(in crate::engine::sqlite) terms: Vec<KeyTerm>,
    /// What a conflict does, where it is not ABORT.
    pub(in crate::engine::sqlite) conflict: Option<String>,
    pub(in crate::engine::sqlite) is_autoincrement: bool,
    /// Whether it stands with its column: `INTEGER PRIMARY KEY DESC` is another key there.
    pub(in crate::engine::sqlite) is_of_column: bool,
}

/// A column of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sqlite) struct KeyTerm {
    pub(in crate::engine::sqlite) column: String,
    pub(in crate::engine::sqlite) collation: Option<String>,
    pub(in crate::engine::sqlite) is_descending: bool,
}

/// A check constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sqlite) struct CheckClause {
    pub(in crate::engine::sqlite) name: Option<String>,
    /// The condition as normal text.
    pub(in crate::engine::sqlite) expression: String,
    /// The conflict clause, which SQLite reads and ignores.
    pub(in crate::engine::sqlite) conflict: Option<String>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::engine::sqlite) struct ForeignKeyClause {
    pub(in crate::engine::sqlite) name: Option<String>,
    pub(in crate::engine::sqlite) columns: Vec<String>,
    pub(in crate::engine::sqlite) table: String,
    /// Empty where the primary key is meant.
    pub(in crate::engine::sqlite) referenced: Vec<String>,
    /// `SET NULL`, `SET DEFAULT`, `CASCADE` or `RESTRICT`.
    pub(in crate::engine::sqlite) on_delete: Option<String>,
    pub(in crate::engine::sqlite) on_update: Option<String>,
    /// The MATCH clause, which SQLite reads and ignores.
    pub(in crate::engine::sqlite) match_clause: Option<String>,
    /// Whether it is checked at COMMIT only.
    pub(in crate::engine::sqlite) is_deferred: bool,
}

/// Words that cannot be part of a type's name.
const AFTER_TYPE: &[&str] = &[
    "CONSTRAINT",
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "COLLATE",
    "REFERENCES",
    "AS",
    "DEFERRABLE",
];

/// Words that begin a table constraint. None of them can be a column's bare name.
const TABLE_CONSTRAINTS: &[&str] = &["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

/// Parses a stored `CREATE TABLE` statement.
pub(in crate::engine::sqlite) fn parse_table(text: &str) -> Result<CreateTable, ParseError> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect_words(&["CREATE", "TABLE"])?;
    let mut table =
        CreateTable { name: cursor.object_name("the table's name")?, ..CreateTable::default() };
    cursor.expect_symbol("(")?;
    loop {
        if TABLE_CONSTRAINTS.iter().any(|word| cursor.is_word(word)) {
            table_constraints(&mut cursor, &mut table)?;
            break;
        }
        column(&mut cursor, &mut table)?;
        if !cursor.take_symbol(",") {
            break;
        }
    }
    cursor.expect_symbol(")")?;
    options(&mut cursor, &mut table)?;
    cursor.expect_end()?;
    if table.columns.is_empty() {
        return Err(ParseError::new("the table has no columns"));
    }
    Ok(table)
}

fn options(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<(), ParseError> {
    while cursor.peek().is_some_and(|token| !token.is_symbol(";")) {
        if cursor.take_words(&["WITHOUT", "ROWID"]) {
            table.is_without_rowid = true;
        } else if cursor.take_words(&["STRICT"]) {
            table.is_strict = true;
        } else {
            return Err(cursor.unexpected("an option of the table"));
        }
        cursor.take_symbol(",");
    }
    Ok(())
}

fn column(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<(), ParseError> {
    let start = cursor.at;
    let mut column =
        ColumnClause { name: cursor.expect_name("a column's name")?, ..ColumnClause::default() };
    column.declared_type = declared_type(cursor)?;
    let mut name = None;
    while cursor.peek().is_some_and(|token| !token.is_symbol(",") && !token.is_symbol(")")) {
        if cursor.take_words(&["CONSTRAINT"]) {
            name = Some(cursor.expect_name("the constraint's name")?);
        } else {
            column_constraint(cursor, table, &mut column, name.take())?;
        }
    }
    column.text = cursor.text_since(start);
    table.columns.push(column);
    Ok(())
}

/// Reads a type as SQLite does: words and names, then up to two signed numbers in brackets. The
/// words GENERATED ALWAYS at its end are not part of it.
fn declared_type(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    let start = cursor.at;
    while let Some(token) = cursor.peek() {
        let is_part = match token.kind {
            TokenKind::Word => !AFTER_TYPE.iter().any(|word| token.is_word(word)),
            TokenKind::Quoted | TokenKind::Text => true,
            _ => false,
        };
        if !is_part {
            break;
        }
        cursor.at += 1;
    }
    let words = cursor.at - start;
    if words > 0 && cursor.is_symbol("(") {
        cursor.bracketed()?;
        return Ok(cursor.text_since(start));
    }
    Ok(stored_type(&cursor.tokens[start..cursor.at]))
}

/// The type without GENERATED ALWAYS at its end.
fn stored_type(tokens: &[Token<'_>]) -> String {
    match tokens {
        [head @ .., first, second] if first.is_word("GENERATED") && second.is_word("ALWAYS") => {
            normal_text(head)
        }
        _ => normal_text(tokens),
    }
}

fn column_constraint(
    cursor: &mut Cursor<'_>,
    table: &mut CreateTable,
    column: &mut ColumnClause,
    name: Option<String>,
) -> Result<(), ParseError> {
    let term =
        |is_descending| KeyTerm { column: column.name.clone(), collation: None, is_descending };
    if cursor.take_words(&["NOT", "NULL"]) {
        column.is_not_null = true;
        column.not_null_name = name;
        column.not_null_conflict = conflict(cursor)?;
    } else if cursor.take_words(&["NULL"]) {
        conflict(cursor)?;
    } else if cursor.take_words(&["PRIMARY", "KEY"]) {
        let terms = vec![term(descending(cursor))];
        let conflict = conflict(cursor)?;
        let is_autoincrement = cursor.take_words(&["AUTOINCREMENT"]);
        let key = KeyClause { name, terms, conflict, is_autoincrement, is_of_column: true };
        set_primary_key(table, key)?;
    } else if cursor.take_words(&["UNIQUE"]) {
        let terms = vec![term(false)];
        let conflict = conflict(cursor)?;
        let is_of_column = true;
        table.uniques.push(KeyClause {
            name,
            terms,
            conflict,
            is_of_column,
            ..KeyClause::default()
        });
    } else if cursor.take_words(&["CHECK"]) {
        check(cursor, table, name)?;
    } else if cursor.take_words(&["DEFAULT"]) {
        column.default = Some(default_value(cursor)?);
    } else if cursor.take_words(&["COLLATE"]) {
        column.collation = Some(cursor.expect_name("a collation")?);
    } else if cursor.take_words(&["REFERENCES"]) {
        let columns = vec![column.name.clone()];
        foreign_key(cursor, table, name, columns)?;
    } else if cursor.take_words(&["GENERATED", "ALWAYS", "AS"]) || cursor.take_words(&["AS"]) {
        column.generated = Some(normal_text(&cursor.bracketed()?));
        column.is_stored = cursor.take_words(&["STORED"]);
        cursor.take_words(&["VIRTUAL"]);
    } else {
        deferral(cursor, table)?;
    }
    Ok(())
}

fn table_constraints(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<(), ParseError> {
    let mut name = None;
    while !cursor.is_symbol(")") {
        if cursor.take_symbol(",") {
            continue;
        }
        if cursor.take_words(&["CONSTRAINT"]) {
            name = Some(cursor.expect_name("the constraint's name")?);
        } else {
            table_constraint(cursor, table, name.take())?;
        }
    }
    Ok(())
}

fn table_constraint(
    cursor: &mut Cursor<'_>,
    table: &mut CreateTable,
    name: Option<String>,
) -> Result<(), ParseError> {
    if cursor.take_words(&["PRIMARY", "KEY"]) {
        let mut inner = cursor.bracketed()?;
        let is_autoincrement = inner.last().is_some_and(|token| token.is_word("AUTOINCREMENT"));
        if is_autoincrement {
            inner.pop();
        }
        let terms = key_terms(&inner)?;
        let conflict = conflict(cursor)?;
        set_primary_key(
            table,
            KeyClause { name, terms, conflict, is_autoincrement, ..KeyClause::default() },
        )
    } else if cursor.take_words(&["UNIQUE"]) {
        let terms = key_terms(&cursor.bracketed()?)?;
        let conflict = conflict(cursor)?;
        table.uniques.push(KeyClause { name, terms, conflict, ..KeyClause::default() });
        Ok(())
    } else if cursor.take_words(&["CHECK"]) {
        check(cursor, table, name)
    } else if cursor.take_words(&["FOREIGN", "KEY"]) {
        let columns = cursor.name_list()?;
        cursor.expect_words(&["REFERENCES"])?;
        foreign_key(cursor, table, name, columns)
    } else {
        deferral(cursor, table)
    }
}

fn set_primary_key(table: &mut CreateTable, key: KeyClause) -> Result<(), ParseError> {
    if table.primary_key.is_some() {
        return Err(ParseError::new("the table has two primary keys"));
    }
    table.primary_key = Some(key);
    Ok(())
}

fn key_terms(tokens: &[Token<'_>]) -> Result<Vec<KeyTerm>, ParseError> {
    let column_of = |term: IndexTerm| match term.name {
        Some(column) => {
            Ok(KeyTerm { column, collation: term.collation, is_descending: term.is_descending })
        }
        None => Err(ParseError::new(format!("`{}` is no column of a key", term.expression))),
    };
    terms_of(tokens)?.into_iter().map(column_of).collect()
}

fn check(
    cursor: &mut Cursor<'_>,
    table: &mut CreateTable,
    name: Option<String>,
) -> Result<(), ParseError> {
    let expression = normal_text(&cursor.bracketed()?);
    let conflict = conflict(cursor)?;
    table.checks.push(CheckClause { name, expression, conflict });
    Ok(())
}

/// `DEFAULT (expression)`, or a sign and a literal, or a literal or a word.
fn default_value(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    if cursor.is_symbol("(") {
        return Ok(default_text(&cursor.bracketed()?));
    }
    let start = cursor.at;
    if !cursor.take_symbol("-") {
        cursor.take_symbol("+");
    }
    match cursor.next() {
        Some(token) if token.kind != TokenKind::Symbol => {}
        _ => return Err(ParseError::new("expected a value after DEFAULT")),
    }
    Ok(default_text(&cursor.tokens[start..cursor.at]))
}

/// The default that a pragma tells, in the form this parser gives it.
pub(in crate::engine::sqlite) fn normal_default(text: &str) -> String {
    default_text(&tokens(text))
}

/// The normal text of a default; a sign stands close to its number.
fn default_text(tokens: &[Token<'_>]) -> String {
    match tokens {
        [sign, number]
            if number.kind == TokenKind::Number && (sign.is_symbol("-") || sign.is_symbol("+")) =>
        {
            format!("{}{}", sign.text, number.text)
        }
        _ => normal_text(tokens),
    }
}

fn foreign_key(
    cursor: &mut Cursor<'_>,
    table: &mut CreateTable,
    name: Option<String>,
    columns: Vec<String>,
) -> Result<(), ParseError> {
    let mut key = ForeignKeyClause {
        name,
        columns,
        table: cursor.expect_name("the referenced table")?,
        ..ForeignKeyClause::default()
    };
    if cursor.is_symbol("(") {
        key.referenced = cursor.name_list()?;
    }
    loop {
        if cursor.take_words(&["ON", "DELETE"]) {
            key.on_delete = action(cursor)?;
        } else if cursor.take_words(&["ON", "UPDATE"]) {
            key.on_update = action(cursor)?;
        } else if cursor.take_words(&["ON", "INSERT"]) {
            action(cursor)?;
        } else if cursor.take_words(&["MATCH"]) {
            key.match_clause = Some(cursor.expect_name("a kind of match")?.to_ascii_uppercase());
        } else {
            break;
        }
    }
    table.foreign_keys.push(key);
    Ok(())
}

/// The action of a foreign key; `None` for NO ACTION, which is the default.
fn action(cursor: &mut Cursor<'_>) -> Result<Option<String>, ParseError> {
    const ACTIONS: &[&[&str]] =
        &[&["SET", "NULL"], &["SET", "DEFAULT"], &["CASCADE"], &["RESTRICT"]];
    if cursor.take_words(&["NO", "ACTION"]) {
        return Ok(None);
    }
    match ACTIONS.iter().find(|words| cursor.take_words(words)) {
        Some(words) => Ok(Some(words.join(" "))),
        None => Err(cursor.unexpected("an action")),
    }
}

/// `[NOT] DEFERRABLE [INITIALLY DEFERRED | INITIALLY IMMEDIATE]`, about the last foreign key.
fn deferral(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<(), ParseError> {
    let is_refused = cursor.take_words(&["NOT", "DEFERRABLE"]);
    if !is_refused && !cursor.take_words(&["DEFERRABLE"]) {
        return Err(cursor.unexpected("a constraint"));
    }
    let is_deferred = cursor.take_words(&["INITIALLY", "DEFERRED"]);
    if !is_deferred {
        cursor.take_words(&["INITIALLY", "IMMEDIATE"]);
    }
    if let Some(key) = table.foreign_keys.last_mut() {
        key.is_deferred = is_deferred && !is_refused;
    }
    Ok(())
}

fn descending(cursor: &mut Cursor<'_>) -> bool {
    let is_descending = cursor.take_words(&["DESC"]);
    if !is_descending {
        cursor.take_words(&["ASC"]);
    }
    is_descending
}

/// `ON CONFLICT …`; `None` for ABORT, which is the default.
fn conflict(cursor: &mut Cursor<'_>) -> Result<Option<String>, ParseError> {
    const RESOLUTIONS: &[&str] = &["ROLLBACK", "ABORT", "FAIL", "IGNORE", "REPLACE"];
    if !cursor.take_words(&["ON", "CONFLICT"]) {
        return Ok(None);
    }
    match RESOLUTIONS.iter().find(|word| cursor.take_words(&[word])) {
        Some(&"ABORT") => Ok(None),
        Some(word) => Ok(Some((*word).to_owned())),
        None => Err(cursor.unexpected("a conflict resolution")),
    }
}
