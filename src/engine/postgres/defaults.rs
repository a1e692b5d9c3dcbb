//! Defaults that are constants, as values: what a row has that was there before the column.
//!
//! Only what is certainly a constant is evaluated, by the server and in the form in which the
//! column's values are read: a quoted text, number or truth value with casts, of a type that has a
//! binary form here, or of an enum.

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;

use super::binary::Decoder;
use super::errors::Failure;
use super::sql::ServerEncoding;
use super::tables::{Column, Selection};
use super::types::{ColumnReading, Reading};
use crate::model::{Flow, RowSink, SinkError, Value, ValueRef};

/// How many constants are asked for at once; the server's limit is 1,664 columns.
const AT_ONCE: usize = 500;

/// A constant to evaluate.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    expression: String,
    column: ColumnReading,
}

/// The default of a column, where it is a constant.
pub(super) fn constant(column: &Column, encoding: &ServerEncoding) -> Option<Constant> {
    let expression = column.default.as_deref()?;
    // Input functions of other types look things up, or are somebody's own.
    let is_known = !matches!(column.reading, Reading::Other | Reading::Output) || column.is_enum;
    if column.is_domain || !is_known || !is_constant(expression) {
        return None;
    }
    // Text in another encoding is read by its bytes, a constant of the catalog in UTF-8.
    if !encoding.is_utf8() && !expression.is_ascii() {
        return None;
    }
    // The column's own type has the length and scale that a new row gets.
    let typed = format!("CAST({expression} AS {})", column.declared_type);
    Some(Constant { expression: column.reading.expression(&typed), column: column.reading() })
}

/// The values of constants, in their order.
pub(super) async fn evaluate(
    connection: &mut PgConnection,
    selection: &Selection,
    constants: &[Constant],
) -> Result<Vec<Value>, Failure> {
    let mut values = Kept(Vec::with_capacity(constants.len()));
    for constants in constants.chunks(AT_ONCE) {
        let list: Vec<&str> = constants.iter().map(|c| c.expression.as_str()).collect();
        let sql = format!("COPY (SELECT {}) TO STDOUT (FORMAT binary)", list.join(", "));
        let columns: Vec<ColumnReading> = constants.iter().map(|c| c.column.clone()).collect();
        let mut decoder = Decoder::new(&columns, &selection.encoding);
        let mut stream = connection.copy_out_raw(&sql).await?;
        while let Some(piece) = stream.try_next().await? {
            decoder.feed(&piece, &mut values).map_err(|wrong| wrong_default(selection, wrong))?;
        }
        decoder.finish().map_err(|wrong| wrong_default(selection, wrong))?;
    }
    Ok(values.0)
}

fn wrong_default(selection: &Selection, wrong: super::binary::Wrong) -> Failure {
    Failure::Engine(wrong.error(&selection.database, "read the defaults of columns of"))
}

struct Kept(Vec<Value>);

impl RowSink for Kept {
    fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
        self.0.push(value.to_value());
        Ok(())
    }

    fn end_row(&mut self) -> Result<Flow, SinkError> {
        Ok(Flow::Continue)
    }
}

/// Whether an expression, as the server writes it, is a constant: a literal, and casts after it.
pub(super) fn is_constant(expression: &str) -> bool {
    let Some(rest) = literal_end(expression) else { return false };
    rest.is_empty() || (rest.starts_with("::") && is_type(&rest[2..]))
}

/// What follows the literal that an expression begins with.
fn literal_end(expression: &str) -> Option<&str> {
    for word in ["true", "false", "NULL"] {
        if let Some(rest) = expression.strip_prefix(word) {
            return (rest.is_empty() || rest.starts_with("::")).then_some(rest);
        }
    }
    if let Some(text) = expression.strip_prefix('\'') {
        let mut at = 0;
        loop {
            at += text[at..].find('\'')? + 1;
            match text[at..].strip_prefix('\'') {
                Some(_) => at += 1,
                None => return Some(&text[at..]),
            }
        }
    }
    let is_in_parentheses = expression.starts_with('(');
    let number = expression.strip_prefix('(').unwrap_or(expression);
    let number = number.strip_prefix('-').unwrap_or(number);
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    if end == 0 {
        return None;
    }
    let rest = &number[end..];
    if is_in_parentheses { rest.strip_prefix(')') } else { Some(rest) }
}

/// Whether a text is the name of a type and nothing else: words, names, a length, brackets.
fn is_type(text: &str) -> bool {
    let mut is_quoted = false;
    let mut depth = 0;
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            '0'..='9' | ',' => {}
            ' ' | '_' | '.' | '[' | ']' if depth == 0 => {}
            c if c.is_alphabetic() && depth == 0 => {}
            _ => return false,
        }
    }
    !is_quoted && depth == 0 && !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_constants_and_nothing_else_is() {
        for constant in [
            "0",
            "(-1)",
            "'-1'::integer",
            "1.50",
            "true",
            "NULL::character varying",
            "'it''s'::text",
            "'{}'::integer[]",
            "'a'::public.\"my mood\"",
            "'x'::character varying(10)",
            "'0'::numeric(10,2)",
            "'2024-01-01 00:00:00'::timestamp without time zone",
        ] {
            assert!(is_constant(constant), "{constant}");
        }
        for expression in [
            "now()",
            "('now'::text)::date",
            "nextval('s'::regclass)",
            "CURRENT_TIMESTAMP",
            "(1 + 1)",
            "'a'::text || 'b'::text",
            "'a'::text COLLATE \"C\"; x",
            "true OR false",
            "'x'::f('y')",
            "'unclosed",
            "-",
            "",
        ] {
            assert!(!is_constant(expression), "{expression}");
        }
    }
}
