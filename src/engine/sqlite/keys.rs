//! Which columns identify a table's rows (`docs/format.md`, "Row keys").
//!
//! What the configuration names, else the primary key, else the unique index over NOT NULL columns
//! with the fewest columns (then by their names, never by their place in the definition), else the
//! row itself. A rowid that is no column is never used: VACUUM changes it.

use super::agreement::TableInfo;
use super::pragmas::{ColumnInfo, Generated, IndexInfo};
use super::types::TextEncoding;
use crate::engine::error::EngineError;
use crate::model::snapshot::Scope;
use crate::model::{KeyColumn, KeyMatching, RowKey, RowKeySource};

/// The row key of a table, and whether SQLite reads the table in the key's byte order.
pub(super) fn choose(
    info: &TableInfo,
    scope: &Scope,
    encoding: TextEncoding,
) -> Result<(RowKey, bool), EngineError> {
    let table = &info.entry.name;
    let named = scope.key_overrides.iter().find(|(name, _)| name.eq_ignore_ascii_case(table));
    if let Some((_, columns)) = named {
        let columns = configured(info, columns)?;
        let is_alias = info
            .rowid_alias()
            .is_some_and(|alias| columns.len() == 1 && columns[0].name == alias.name);
        let source = RowKeySource::Configured;
        return Ok((RowKey::Columns { columns, source, may_be_null: false }, is_alias));
    }
    if let Some(key) = primary_key(info) {
        let is_ordered = is_in_key_order(info, encoding);
        return Ok((key, is_ordered));
    }
    Ok((unique_index(info).unwrap_or(RowKey::RowHash), false))
}

/// The equality of a collation.
pub(super) fn matching(collation: &str) -> KeyMatching {
    match collation.to_ascii_uppercase().as_str() {
        "BINARY" => KeyMatching::Binary,
        "NOCASE" => KeyMatching::AsciiNoCase,
        "RTRIM" => KeyMatching::TrailingSpaces,
        _ => KeyMatching::Unknown,
    }
}

fn configured(info: &TableInfo, names: &[String]) -> Result<Vec<KeyColumn>, EngineError> {
    let refuse =
        |reason: String| EngineError::KeyOverride { table: info.entry.name.clone(), reason };
    if names.is_empty() {
        return Err(refuse("it names no column".to_owned()));
    }
    let mut columns: Vec<KeyColumn> = Vec::new();
    for name in names {
        let column =
            info.column(name).ok_or_else(|| refuse(format!("the table has no column `{name}`")))?;
        if column.generated != Generated::No {
            return Err(refuse(format!("column `{name}` is generated")));
        }
        if columns.iter().any(|known| known.name == column.name) {
            return Err(refuse(format!("column `{name}` is named twice")));
        }
        columns.push(key_column(column, &column.collation));
    }
    Ok(columns)
}

fn key_column(column: &ColumnInfo, collation: &str) -> KeyColumn {
    KeyColumn { name: column.name.clone(), matching: matching(collation) }
}

fn primary_key(info: &TableInfo) -> Option<RowKey> {
    let source = RowKeySource::PrimaryKey;
    if let Some(alias) = info.rowid_alias() {
        let columns = vec![key_column(alias, "BINARY")];
        return Some(RowKey::Columns { columns, source, may_be_null: false });
    }
    let columns = index_columns(info, info.primary_key_index()?)?;
    // SQLite lets a primary key hold NULL, except in a WITHOUT ROWID or STRICT table, where the
    // pragma says NOT NULL (https://www.sqlite.org/lang_createtable.html#the_primary_key).
    let may_be_null = !info.entry.is_without_rowid
        && columns.iter().any(|key| info.column(&key.name).is_some_and(|c| !c.is_not_null));
    Some(RowKey::Columns { columns, source, may_be_null })
}

/// The columns of an index, without repetitions; `None` where a term is no column with data.
fn index_columns(info: &TableInfo, index: &IndexInfo) -> Option<Vec<KeyColumn>> {
    let mut columns: Vec<KeyColumn> = Vec::new();
    for term in &index.terms {
        let column = info.column(term.column.as_deref()?)?;
        if column.generated != Generated::No {
            return None;
        }
        if columns.iter().all(|known| known.name != column.name) {
            columns.push(key_column(column, &term.collation));
        }
    }
    (!columns.is_empty()).then_some(columns)
}

fn unique_index(info: &TableInfo) -> Option<RowKey> {
    let is_not_null =
        |key: &KeyColumn| info.column(&key.name).is_some_and(|column| column.is_not_null);
    let names = |columns: &[KeyColumn]| -> Vec<String> {
        columns.iter().map(|column| column.name.clone()).collect()
    };
    info.indexes
        .iter()
        .filter(|index| index.is_unique && !index.is_partial)
        .filter_map(|index| Some((index_columns(info, index)?, &index.name)))
        .filter(|(columns, _)| columns.iter().all(is_not_null))
        .min_by_key(|(columns, name)| {
            let rules: Vec<String> =
                columns.iter().map(|column| format!("{:?}", column.matching)).collect();
            (columns.len(), names(columns), rules, (*name).clone())
        })
        .map(|(columns, _)| RowKey::Columns {
            columns,
            source: RowKeySource::UniqueIndex,
            may_be_null: false,
        })
}

/// The rowid is in order by itself. The key of a WITHOUT ROWID table is in byte order where it
/// compares bytes; numbers of different kinds in one column can still break it, which the reader
/// of the rows notices.
fn is_in_key_order(info: &TableInfo, encoding: TextEncoding) -> bool {
    if info.rowid_alias().is_some() {
        return true;
    }
    info.entry.is_without_rowid
        && encoding == TextEncoding::Utf8
        && info.primary_key_index().is_some_and(|index| {
            index
                .terms
                .iter()
                .all(|term| !term.is_descending && matching(&term.collation) == KeyMatching::Binary)
        })
}
