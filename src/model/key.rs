//! What identifies a row of a table, and when two key values are the same to the database.

/// The identity of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKey {
    /// The values of these columns, in this order.
    Columns {
        /// The columns, in key order.
        columns: Vec<KeyColumn>,
        /// Where the key comes from.
        source: RowKeySource,
        /// Whether a key value may be NULL (SQLite): such rows are identified by their key and row
        /// hash, with a multiplicity; the others by their key alone.
        may_be_null: bool,
    },
    /// The table has no usable key: the hash of the whole row, with a multiplicity.
    RowHash,
}

/// A column of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// The column's name.
    pub name: String,
    /// When the database takes two values of it for the same key.
    pub matching: KeyMatching,
}

/// The equality by which a database's unique index compares a key column, as far as the model
/// knows its rule. Rows are matched by bytes first, and then by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyMatching {
    /// Equal bytes, or equal numbers of different kinds or scales (1, 1.0 and 1.00).
    Binary,
    /// ASCII letters compare without case (SQLite `NOCASE`).
    AsciiNoCase,
    /// Trailing spaces do not count (SQLite `RTRIM`).
    TrailingSpaces,
    /// A rule the model does not know.
    Unknown,
}

/// Where a row key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKeySource {
    /// Named in the configuration, verified unique while reading.
    Configured,
    /// The primary key.
    PrimaryKey,
    /// A total unique index over NOT NULL columns.
    UniqueIndex,
}

impl RowKey {
    /// The names of the key's columns, in key order; empty for [`RowKey::RowHash`].
    pub fn column_names(&self) -> Vec<&str> {
        match self {
            RowKey::Columns { columns, .. } => columns.iter().map(|c| c.name.as_str()).collect(),
            RowKey::RowHash => Vec::new(),
        }
    }
}
