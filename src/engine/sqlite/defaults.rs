//! The value that a row gets in a column that was added after it.
//!
//! SQLite answers this itself: a private database in memory gets a row, then the column, and the
//! row is read. So the default passes through the very conversions (affinity, encoding) that a
//! real row's would. Defaults that are not constant have no such value: SQLite refuses to add such
//! a column to a table with rows.

use std::collections::HashMap;

use super::handle::{Database, Failure};
use super::tokens::{TokenKind, tokens};
use super::types::{TextEncoding, value_of};
use crate::model::Value;

/// Evaluates defaults, and remembers them.
pub(super) struct Defaults {
    encoding: TextEncoding,
    scratch: Option<Database<'static>>,
    known: HashMap<(String, bool, String), Value>,
}

impl Defaults {
    pub(super) fn new(encoding: TextEncoding) -> Defaults {
        Defaults { encoding, scratch: None, known: HashMap::new() }
    }

    /// The value of a default for a column of this type; NULL where there is no constant value.
    pub(super) fn value(&mut self, declared_type: &str, is_strict: bool, default: &str) -> Value {
        let question = (declared_type.to_owned(), is_strict, default.to_owned());
        if let Some(value) = self.known.get(&question) {
            return value.clone();
        }
        let value = self.evaluate(declared_type, is_strict, default).unwrap_or(Value::Null);
        self.known.insert(question, value.clone());
        value
    }

    fn evaluate(
        &mut self,
        declared_type: &str,
        is_strict: bool,
        default: &str,
    ) -> Result<Value, Failure> {
        let scratch = match self.scratch.take() {
            Some(scratch) => scratch,
            None => {
                let scratch = Database::in_memory()?;
                scratch.execute(&format!("PRAGMA encoding = '{}'", self.encoding.name()))?;
                scratch
            }
        };
        let value = column_default(&scratch, self.encoding, declared_type, is_strict, default);
        self.scratch = Some(scratch);
        value
    }
}

fn column_default(
    scratch: &Database<'_>,
    encoding: TextEncoding,
    declared_type: &str,
    is_strict: bool,
    default: &str,
) -> Result<Value, Failure> {
    scratch.execute("DROP TABLE IF EXISTS t")?;
    let option = if is_strict { " STRICT" } else { "" };
    scratch.execute(&format!("CREATE TABLE t(a INT){option}"))?;
    scratch.execute("INSERT INTO t VALUES (1)")?;
    let default = if is_literal(default) { default.to_owned() } else { format!("({default})") };
    scratch.execute(&format!("ALTER TABLE t ADD COLUMN b {declared_type} DEFAULT {default}"))?;
    let mut row = scratch.prepare("SELECT b FROM t")?;
    if !row.step()? {
        return Ok(Value::Null);
    }
    let mut room = String::new();
    Ok(value_of(row.cell(0)?, encoding, &mut room).to_value())
}

/// Whether a default can stand without brackets: one token, or a sign and one.
fn is_literal(default: &str) -> bool {
    match tokens(default).as_slice() {
        [token] => token.kind != TokenKind::Symbol,
        [sign, token] => {
            (sign.is_symbol("-") || sign.is_symbol("+")) && token.kind == TokenKind::Number
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_what_an_old_row_would_read() {
        let mut defaults = Defaults::new(TextEncoding::Utf8);
        let mut value = |declared, default| defaults.value(declared, false, default);
        assert_eq!(value("INTEGER", "'12'"), Value::Int(12));
        assert_eq!(value("TEXT", "12"), Value::Text("12".to_owned()));
        assert_eq!(value("REAL", "1"), Value::Float64(1.0f64.to_bits()));
        assert_eq!(value("", "-1.5"), Value::Float64((-1.5f64).to_bits()));
        assert_eq!(value("BLOB", "x'00ff'"), Value::Bytes(vec![0, 255]));
        assert_eq!(value("TEXT", "new"), Value::Text("new".to_owned()));
        assert_eq!(value("BOOLEAN", "TRUE"), Value::Int(1));
        assert_eq!(value("TEXT", "CURRENT_TIMESTAMP"), Value::Null);
        assert_eq!(value("TEXT", "random()"), Value::Null);
        assert_eq!(value("TEXT", "NULL"), Value::Null);
        assert_eq!(value("TEXT", "'a') ; DROP TABLE x; --"), Value::Null);
        assert_eq!(defaults.value("ANY", true, "'12'"), Value::Text("12".to_owned()));
        assert_eq!(defaults.value("ANY", false, "'12'"), Value::Int(12));
    }
}
