//! What can go wrong with a tree, in words that name the table and the key.

use crate::codec::{DecodeError, Kind, key};
use crate::model::{ObjectId, Value};
use crate::store::objects::ObjectError;

/// An error of building, reading or comparing trees.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// Rows did not come in strictly ascending key order: they must go through the sorter.
    #[error("table {table}: the row with key {key} does not come in key order")]
    OutOfOrder {
        /// The table.
        table: String,
        /// The key, readable.
        key: String,
    },
    /// Two rows have one key where keys must be unique.
    #[error("table {table}: more than one row has the key {key}")]
    DuplicateKey {
        /// The table.
        table: String,
        /// The key, readable.
        key: String,
    },
    /// A key column is NULL where the key allows none.
    #[error("table {table}: a column of the key is NULL where the key allows none")]
    NullInKey {
        /// The table.
        table: String,
    },
    /// An object is missing or could not be read or written.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// An object is what its id says, but no program should have written it.
    #[error("table {table}: object {id} ({kind}) is malformed")]
    Malformed {
        /// The table.
        table: String,
        /// What it should be.
        kind: Kind,
        /// The object.
        id: ObjectId,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// A row that an encoder handed over is none of its table's.
    #[error("table {table}: a row cannot be read back")]
    Row {
        /// The table.
        table: String,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// A value that is stored apart is not what its row says.
    #[error("value {id} is malformed")]
    Value {
        /// The object.
        id: ObjectId,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// The two sides of a comparison identify their rows by different columns.
    #[error(
        "table {table}: rows are identified by ({left}) on one side and by ({right}) on the other"
    )]
    KeysDiffer {
        /// The table.
        table: String,
        /// The key columns on the left.
        left: String,
        /// The key columns on the right.
        right: String,
    },
    /// Values were asked for where only keys and row hashes were stored.
    #[error("table {table}: only keys and row hashes were stored, no values")]
    HashOnly {
        /// The table.
        table: String,
    },
    /// A checkpoint that cannot be resumed from.
    #[error("table {table}: cannot resume from the checkpoint: {why}")]
    Checkpoint {
        /// The table.
        table: String,
        /// Why.
        why: String,
    },
    /// A scratch file could not be written or read.
    #[error("could not {verb} a scratch file")]
    Scratch {
        /// What was being done.
        verb: &'static str,
        /// The cause, with the path.
        #[source]
        source: std::io::Error,
    },
    /// A worker thread ended in the middle of a chunk.
    #[error("table {table}: a worker thread failed while writing a chunk")]
    WorkerFailed {
        /// The table.
        table: String,
    },
}

/// How much of a text in a key is shown.
const SHOWN: usize = 60;

/// A key in words, as error messages show it: `(7, 'text')`.
pub fn describe_key(key: &[u8]) -> String {
    let Ok(decoded) = key::decode(key) else {
        return format!("(a long key, x'{}…')", hex(&key[..key.len().min(16)]));
    };
    let mut parts: Vec<String> = decoded.values.iter().map(describe_value).collect();
    parts.extend(decoded.row_hash.map(|hash| format!("row {}", hash.short())));
    format!("({})", parts.join(", "))
}

fn describe_value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::UInt(n) => n.to_string(),
        Value::Text(text) | Value::Json(text) | Value::Other(text) => {
            let shown: String = text.chars().take(SHOWN).collect();
            let more = if shown.len() < text.len() { "…" } else { "" };
            format!("'{shown}{more}'")
        }
        Value::Bytes(bytes) => {
            let more = if bytes.len() > SHOWN { "…" } else { "" };
            format!("x'{}{more}'", hex(&bytes[..bytes.len().min(SHOWN)]))
        }
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
