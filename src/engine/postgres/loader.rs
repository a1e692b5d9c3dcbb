//! Filling a table: rows as the text of COPY, piece by piece.
//!
//! COPY takes identity columns as they are given, and every type by its own input function. A piece
//! is one COPY of its own, so memory is bounded and an error comes soon; what was sent before it is
//! undone with the transaction.

use futures_util::FutureExt as _;

use super::literals;
use super::session::PostgresSession;
use crate::engine::error::EngineError;
use crate::model::{TableSpec, Value};

/// How many bytes are sent at once, a row more or less.
const PIECE: usize = 4 << 20;

/// The first version whose `"char"` reads a byte that is no ASCII as an octal number.
const OCTAL_CHAR: u32 = 150_000;

/// Fills a table.
pub struct PostgresLoader<'s> {
    session: &'s PostgresSession<'s>,
    table: &'s TableSpec,
    sql: String,
    piece: Vec<u8>,
    rows: u64,
}

impl<'s> PostgresLoader<'s> {
    pub(super) fn new(session: &'s PostgresSession<'s>, table: &'s TableSpec) -> Self {
        let encoding = &session.link().server.encoding;
        let columns: Vec<String> =
            table.columns.iter().map(|column| encoding.quoted(&column.name)).collect();
        // A table without columns takes no list of them.
        let list =
            if columns.is_empty() { String::new() } else { format!("({}) ", columns.join(", ")) };
        let sql = format!(
            "COPY {} {list}FROM STDIN (FORMAT text, ENCODING '{}')",
            encoding.qualified(&table.name),
            encoding.name
        );
        PostgresLoader { session, table, sql, piece: Vec::new(), rows: 0 }
    }

    /// Adds a row.
    pub fn push(&mut self, row: &[Value]) -> Result<(), EngineError> {
        for (place, value) in row.iter().enumerate() {
            if place > 0 {
                self.piece.push(b'\t');
            }
            if self.push_value(place, value).is_none() {
                let column = self.table.columns.get(place);
                return Err(EngineError::ValueKind {
                    engine: "PostgreSQL",
                    table: self.table.name.to_string(),
                    column: column.map(|column| column.name.clone()).unwrap_or_default(),
                    value: "a value that this server has no text for".to_owned(),
                });
            }
        }
        self.piece.push(b'\n');
        self.rows += 1;
        if self.piece.len() >= PIECE { self.send() } else { Ok(()) }
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<(), EngineError> {
        if self.rows > 0 { self.send() } else { Ok(()) }
    }

    /// Appends the text of a value; `None` where there is none.
    fn push_value(&mut self, place: usize, value: &Value) -> Option<()> {
        let server = &self.session.link().server;
        match value {
            Value::Null => self.piece.extend_from_slice(b"\\N"),
            Value::RawText { bytes, .. }
                if self.table.columns.get(place)?.declared_type == "\"char\"" =>
            {
                let [byte] = bytes.as_slice() else { return None };
                if server.number < OCTAL_CHAR {
                    return None;
                }
                self.piece.extend_from_slice(format!("\\\\{byte:03o}").as_bytes());
            }
            Value::RawText { charset, bytes } if *charset == server.encoding.name => {
                push_escaped(&mut self.piece, bytes);
            }
            value => {
                let text = literals::plain(value)?;
                if text.contains('\0') || !(server.encoding.is_utf8() || text.is_ascii()) {
                    return None;
                }
                push_escaped(&mut self.piece, text.as_bytes());
            }
        }
        Some(())
    }

    fn send(&mut self) -> Result<(), EngineError> {
        let (sql, piece) = (self.sql.clone(), std::mem::take(&mut self.piece));
        let rows = std::mem::take(&mut self.rows);
        let action = format!("fill table `{}` of", self.table.name);
        let taken = self.session.call(&action, move |connection| {
            async move {
                // Until all of it is over, the driver is somewhere in the middle.
                connection.is_broken = true;
                let copied = async {
                    let mut copy = connection.session.copy_in_raw(&sql).await?;
                    copy.send(piece).await?;
                    copy.finish().await
                }
                .await;
                let is_answered =
                    copied.as_ref().err().is_none_or(|error| error.as_database_error().is_some());
                connection.is_broken = !is_answered;
                Ok(copied?)
            }
            .boxed()
        })?;
        if taken == rows {
            return Ok(());
        }
        Err(EngineError::Constraint {
            database: self.session.link().name.clone(),
            action,
            message: format!("it took {taken} of {rows} rows; does a trigger of it keep some out?"),
        })
    }
}

/// Appends text with what COPY takes for more than itself escaped.
fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.push(byte),
        }
    }
}
