//! Conditions that are true of exactly the row they were made from.
//!
//! NULL-safe, by the bytes of a value: the scale of a numeric, the bits of a float, the fields of
//! an interval, the text of a json. A value that is bound is compared by its length alone: whoever
//! applies a statement compares the row byte by byte before.

use super::declared::{Declared, Form, find, has_own_collation};
use super::literals;
use super::sql::ServerEncoding;
use super::types::Reading;
use crate::engine::error::EngineError;
use crate::engine::{LargeKind, Operand};
use crate::model::{Attribute, ColumnSpec, Decimal, Fact, ObjectKind, ObjectName, Value};

/// A column as statements see it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its name, quoted.
    pub(super) quoted: String,
    /// Its type.
    pub(super) declared: Declared,
    /// Whether only `OVERRIDING SYSTEM VALUE` sets it.
    pub(super) is_identity_always: bool,
}

/// What a value is compared with: the forms of its column, or where those are not known, of the
/// values themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) form: Form,
    is_collated: bool,
}

impl Column {
    /// The column of a table. The facts are sorted by id.
    pub(super) fn new(
        table: &ObjectName,
        spec: &ColumnSpec,
        facts: &[Fact],
        encoding: &ServerEncoding,
    ) -> Column {
        let fact = find(facts, ObjectKind::Column, table, &spec.name);
        let identity = fact.and_then(|fact| fact.attributes.get("identity"));
        let mut declared = Declared::of(&spec.declared_type, facts);
        declared.is_collated |= has_own_collation(fact);
        Column {
            name: spec.name.clone(),
            quoted: encoding.quoted(&spec.name),
            declared,
            is_identity_always: identity == Some(&Attribute::Text("ALWAYS".to_owned())),
        }
    }

    /// How the column is compared with these values.
    pub(super) fn comparison<'v>(
        &self,
        mut values: impl Iterator<Item = Operand<'v>>,
    ) -> Comparison {
        let form = self.declared.form.or_else(|| values.find_map(|operand| form_of(&operand)));
        Comparison {
            form: form.unwrap_or(Form::AsText),
            is_collated: self.declared.is_collated || self.declared.form.is_none(),
        }
    }

    /// The condition that the column, written so, is NULL.
    fn is_null(&self, expression: &str) -> String {
        match self.declared.may_have_fields {
            // `IS NULL` is true of a composite whose fields are all NULL, which is no NULL.
            true => format!("num_nulls({expression}) = 1"),
            false => format!("{expression} IS NULL"),
        }
    }

    /// The type that values are of where they are compared.
    pub(super) fn compared_type(&self, comparison: Comparison) -> &str {
        match comparison.form {
            Form::AsText | Form::Output => "text",
            _ => &self.declared.base,
        }
    }

    /// The condition that the column, written so, has exactly this value.
    pub(super) fn guard(
        &self,
        expression: &str,
        operand: Operand<'_>,
        writer: &Writer<'_>,
    ) -> Result<String, EngineError> {
        let value = match operand {
            Operand::Bound { bytes, .. } => {
                let comparison = self.comparison(std::iter::once(operand));
                return Ok(format!("{} = {bytes}", comparison.length(expression)));
            }
            Operand::Literal(Value::Null) => return Ok(self.is_null(expression)),
            Operand::Literal(value) => value,
        };
        let comparison = self.comparison(std::iter::once(operand));
        let left = comparison.exact(&self.operand_of(expression, comparison));
        Ok(match comparison.form {
            Form::Plain | Form::Text => {
                let literal = writer.plain(self, value)?;
                format!("{left} = {}", self.typed_if_own(literal))
            }
            Form::Bytes(function) => {
                format!("{left} = {function}({})", writer.literal(self, value)?)
            }
            Form::AsText | Form::Output => format!("{left} = {}", writer.literal(self, value)?),
        })
    }

    /// The same where its operators are what compares it.
    pub(super) fn operand_of(&self, expression: &str, comparison: Comparison) -> String {
        match comparison.form {
            Form::Plain => self.operand(expression),
            _ => expression.to_owned(),
        }
    }

    /// The column, written so, as its operators take it.
    pub(super) fn operand(&self, expression: &str) -> String {
        match self.declared.is_wrapped {
            true => format!("{expression}::{}", self.declared.base),
            false => expression.to_owned(),
        }
    }

    /// The condition that the column has a value by its own comparison, which an index answers;
    /// `None` where it has none.
    pub(super) fn indexed(
        &self,
        expression: &str,
        value: &Value,
        writer: &Writer<'_>,
    ) -> Result<Option<String>, EngineError> {
        if !self.declared.has_equality || value.is_null() {
            return Ok(None);
        }
        let literal = writer.plain(self, value)?;
        let left = self.operand(expression);
        Ok(Some(format!("{left} = {}", self.typed_if_own(literal))))
    }

    /// A literal takes the type of a built-in column by itself.
    fn typed_if_own(&self, literal: String) -> String {
        match self.declared.base.contains(['.', '['])
            && !self.declared.base.starts_with("pg_catalog.")
        {
            true => format!("CAST({literal} AS {})", self.declared.base),
            false => literal,
        }
    }
}

impl Comparison {
    /// What is equal for two values only if they are the same.
    pub(super) fn exact(&self, expression: &str) -> String {
        match self.form {
            Form::Text if self.is_collated => format!("{expression} COLLATE \"C\""),
            Form::Plain | Form::Text => expression.to_owned(),
            Form::Bytes(function) => format!("{function}({expression})"),
            Form::AsText => self.collated(format!("{expression}::text")),
            Form::Output => self.collated(Reading::Output.expression(expression)),
        }
    }

    /// Text whose collation tells all bytes apart.
    fn collated(&self, text: String) -> String {
        if self.is_collated { format!("({text}) COLLATE \"C\"") } else { text }
    }

    /// The same of a value of [`Column::compared_type`].
    pub(super) fn exact_value(&self, expression: &str) -> String {
        match self.form {
            Form::Bytes(function) => format!("{function}({expression})"),
            _ => expression.to_owned(),
        }
    }

    /// Whether two values that are equal by their type's comparison are the same.
    pub(super) fn is_equality(&self) -> bool {
        matches!((self.form, self.is_collated), (Form::Plain, _) | (Form::Text, false))
    }

    /// How many bytes a value has.
    pub(super) fn length(&self, expression: &str) -> String {
        match self.form {
            Form::Plain | Form::Text | Form::Bytes(_) => format!("octet_length({expression})"),
            Form::AsText | Form::Output => format!("octet_length({})", self.exact(expression)),
        }
    }
}

/// The form that fits a value of a type of which nothing is known.
fn form_of(operand: &Operand<'_>) -> Option<Form> {
    let value = match operand {
        Operand::Bound { kind: LargeKind::Bytes, .. } => return Some(Form::Plain),
        Operand::Bound { kind: LargeKind::Text, .. } => return Some(Form::Output),
        Operand::Literal(value) => *value,
    };
    Some(match value {
        Value::Null => return None,
        Value::Float32(_) => Form::Bytes("float4send"),
        Value::Float64(_) => Form::Bytes("float8send"),
        Value::Interval(_) => Form::Bytes("interval_send"),
        // It may be padded, and of any collation.
        Value::Text(_) | Value::RawText { .. } => Form::Output,
        Value::Decimal(_) | Value::Json(_) | Value::Other(_) => Form::AsText,
        _ => Form::Plain,
    })
}

/// Writes values for one table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'w> {
    /// The table, for messages.
    pub(super) table: &'w ObjectName,
    /// The encoding of its database.
    pub(super) encoding: &'w ServerEncoding,
}

impl Writer<'_> {
    /// A literal that takes the type of where it stands.
    pub(super) fn literal(&self, column: &Column, value: &Value) -> Result<String, EngineError> {
        if let Value::RawText { bytes, .. } = value
            && column.declared.base == "\"char\""
        {
            return literals::byte(bytes).ok_or_else(|| self.cannot_hold(column, value));
        }
        literals::literal(value, self.encoding).ok_or_else(|| self.cannot_hold(column, value))
    }

    /// The same, numbers and truth values as themselves.
    pub(super) fn plain(&self, column: &Column, value: &Value) -> Result<String, EngineError> {
        Ok(match value {
            Value::Int(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Decimal(Decimal::Finite(_)) => {
                literals::plain(value).ok_or_else(|| self.cannot_hold(column, value))?.into_owned()
            }
            _ => self.literal(column, value)?,
        })
    }

    /// A value that a column gets.
    pub(super) fn written(
        &self,
        column: &Column,
        operand: Operand<'_>,
    ) -> Result<String, EngineError> {
        match operand {
            Operand::Literal(value) => self.plain(column, value),
            Operand::Bound { kind, parameter, .. } => Ok(self.bound(column, kind, parameter)),
        }
    }

    /// A parameter, as the type of its column. Where the database is not of UTF-8, text comes as
    /// bytes.
    fn bound(&self, column: &Column, kind: LargeKind, parameter: &str) -> String {
        let cast = &column.declared.cast;
        match kind {
            LargeKind::Text if !self.encoding.is_utf8() => {
                let name = &self.encoding.name;
                format!("CAST(convert_from({parameter}, '{name}') AS {cast})")
            }
            _ => format!("CAST({parameter} AS {cast})"),
        }
    }

    fn cannot_hold(&self, column: &Column, value: &Value) -> EngineError {
        let what = match value {
            Value::UInt(number) => format!("{number}, which is above its largest integer"),
            Value::Float32(_) | Value::Float64(_) => {
                "a number that is none, of a kind that no text is read as".to_owned()
            }
            Value::RawText { charset, .. } => format!("text of the charset {charset}"),
            _ => "text with a zero byte in it".to_owned(),
        };
        EngineError::ValueKind {
            engine: "PostgreSQL",
            table: self.table.to_string(),
            column: column.name.clone(),
            value: what,
        }
    }
}
