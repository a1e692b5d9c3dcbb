//! What SQLite itself says of its schema: `sqlite_schema` and the pragmas, typed.
//!
//! Nothing is interpreted here. All of it is read from the main database, in whatever transaction
//! is open.

use super::connect::{Locked, classify};
use super::handle::Statement;
use super::sql::quoted;
use crate::engine::error::EngineError;

/// A row of `sqlite_schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SchemaEntry {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) table: String,
    pub(super) sql: Option<String>,
}

/// A row of `PRAGMA table_list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableEntry {
    pub(super) name: String,
    /// `table`, `view`, `shadow` or `virtual`.
    pub(super) kind: String,
    pub(super) is_without_rowid: bool,
    pub(super) is_strict: bool,
}

/// A row of `PRAGMA table_xinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnInfo {
    pub(super) name: String,
    pub(super) declared_type: String,
    pub(super) is_not_null: bool,
    pub(super) default: Option<String>,
    /// The place in the primary key, from 1; 0 for none.
    pub(super) key_place: i64,
    pub(super) generated: Generated,
    /// From `sqlite3_table_column_metadata`.
    pub(super) collation: String,
    pub(super) is_autoincrement: bool,
}

/// Whether a column's value is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generated {
    /// It is data.
    No,
    /// Computed when read.
    Virtual,
    /// Computed when written.
    Stored,
}

/// An index, by `PRAGMA index_list` and `PRAGMA index_xinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexInfo {
    pub(super) name: String,
    pub(super) is_unique: bool,
    pub(super) origin: Origin,
    pub(super) is_partial: bool,
    /// The key terms, in order.
    pub(super) terms: Vec<IndexTermInfo>,
}

/// Why an index is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// By a CREATE INDEX statement.
    Statement,
    /// For a UNIQUE constraint.
    Unique,
    /// For the primary key.
    PrimaryKey,
}

/// A key term of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexTermInfo {
    /// The column; `None` for an expression (or the rowid).
    pub(super) column: Option<String>,
    pub(super) is_descending: bool,
    pub(super) collation: String,
}

/// A foreign key, by `PRAGMA foreign_key_list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignKeyInfo {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    /// Empty where the primary key is meant.
    pub(super) referenced: Vec<String>,
    pub(super) on_update: String,
    pub(super) on_delete: String,
}

impl Locked<'_> {
    /// Everything in `sqlite_schema`.
    pub(super) fn schema_entries(&self) -> Result<Vec<SchemaEntry>, EngineError> {
        self.list(
            "SELECT type, name, tbl_name, sql FROM main.sqlite_schema",
            "read the schema of",
            |row| {
                Ok(SchemaEntry {
                    kind: text(row, 0)?,
                    name: text(row, 1)?,
                    table: text(row, 2)?,
                    sql: row.text(3)?.map(str::to_owned),
                })
            },
        )
    }

    /// Every table and view of the main database.
    pub(super) fn table_entries(&self) -> Result<Vec<TableEntry>, EngineError> {
        self.list("PRAGMA main.table_list", "list the tables of", |row| {
            Ok(TableEntry {
                name: text(row, 1)?,
                kind: text(row, 2)?,
                is_without_rowid: row.int(4) != 0,
                is_strict: row.int(5) != 0,
            })
        })
    }

    /// The columns of a table, generated ones included, in its order.
    pub(super) fn columns(&self, table: &str) -> Result<Vec<ColumnInfo>, EngineError> {
        let action = format!("read the columns of table `{table}` of");
        let sql = format!("PRAGMA main.table_xinfo({})", quoted(table));
        let mut columns = self.list(&sql, &action, |row| {
            Ok(ColumnInfo {
                name: text(row, 1)?,
                declared_type: text(row, 2)?,
                is_not_null: row.int(3) != 0,
                default: row.text(4)?.map(str::to_owned),
                key_place: row.int(5),
                generated: match row.int(6) {
                    2 => Generated::Virtual,
                    3 => Generated::Stored,
                    _ => Generated::No,
                },
                collation: String::new(),
                is_autoincrement: false,
            })
        })?;
        for column in &mut columns {
            let metadata = self
                .database
                .column_metadata(table, &column.name)
                .map_err(|failure| classify(self.name, &action, failure))?;
            column.collation = metadata.collation;
            column.is_autoincrement = metadata.is_autoincrement;
        }
        Ok(columns)
    }

    /// The indexes of a table.
    pub(super) fn indexes(&self, table: &str) -> Result<Vec<IndexInfo>, EngineError> {
        let action = format!("read the indexes of table `{table}` of");
        let sql = format!("PRAGMA main.index_list({})", quoted(table));
        let mut indexes = self.list(&sql, &action, |row| {
            Ok(IndexInfo {
                name: text(row, 1)?,
                is_unique: row.int(2) != 0,
                origin: match text(row, 3)?.as_str() {
                    "pk" => Origin::PrimaryKey,
                    "u" => Origin::Unique,
                    _ => Origin::Statement,
                },
                is_partial: row.int(4) != 0,
                terms: Vec::new(),
            })
        })?;
        for index in &mut indexes {
            let sql = format!("PRAGMA main.index_xinfo({})", quoted(&index.name));
            let terms = self.list(&sql, &action, |row| {
                let term = IndexTermInfo {
                    column: row.text(2)?.map(str::to_owned),
                    is_descending: row.int(3) != 0,
                    collation: row.text(4)?.unwrap_or("BINARY").to_owned(),
                };
                Ok((row.int(5) != 0).then_some(term))
            })?;
            index.terms = terms.into_iter().flatten().collect();
        }
        Ok(indexes)
    }

    /// The foreign keys of a table.
    pub(super) fn foreign_keys(&self, table: &str) -> Result<Vec<ForeignKeyInfo>, EngineError> {
        let action = format!("read the foreign keys of table `{table}` of");
        let sql = format!("PRAGMA main.foreign_key_list({})", quoted(table));
        let rows = self.list(&sql, &action, |row| {
            let id = row.int(0);
            let to = row.text(4)?.map(str::to_owned);
            Ok((id, text(row, 2)?, text(row, 3)?, to, text(row, 5)?, text(row, 6)?))
        })?;
        let mut keys: Vec<(i64, ForeignKeyInfo)> = Vec::new();
        for (id, table, from, to, on_update, on_delete) in rows {
            if keys.last().is_none_or(|(last, _)| *last != id) {
                let key = ForeignKeyInfo {
                    table,
                    columns: Vec::new(),
                    referenced: Vec::new(),
                    on_update,
                    on_delete,
                };
                keys.push((id, key));
            }
            if let Some((_, key)) = keys.last_mut() {
                key.columns.push(from);
                key.referenced.extend(to);
            }
        }
        Ok(keys.into_iter().map(|(_, key)| key).collect())
    }

    /// Runs a query and makes something of each row.
    pub(super) fn list<T>(
        &self,
        sql: &str,
        action: &str,
        mut make: impl FnMut(&mut Statement<'_>) -> Result<T, super::handle::Failure>,
    ) -> Result<Vec<T>, EngineError> {
        let wrong = |failure| classify(self.name, action, failure);
        let mut statement = self.database.prepare(sql).map_err(wrong)?;
        let mut rows = Vec::new();
        while statement.step().map_err(wrong)? {
            rows.push(make(&mut statement).map_err(wrong)?);
        }
        Ok(rows)
    }
}

fn text(row: &mut Statement<'_>, index: i32) -> Result<String, super::handle::Failure> {
    Ok(row.text(index)?.unwrap_or_default().to_owned())
}
