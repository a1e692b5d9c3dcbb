//! Which columns identify a table's rows.
//!
//! What the configuration names, else the primary key, else the total unique index over NOT NULL
//! columns with the fewest columns (then by their names), else the row itself. An index on
//! expressions, on part of the rows, or one that is not valid is no identity. Deferrable ones are:
//! what others committed satisfies them.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;

use super::errors::Failure;
use super::query;
use super::sql::ServerEncoding;
use super::tables::Column;
use super::types::{TextOrder, is_byte_ordered, matching};
use crate::engine::error::EngineError;
use crate::model::snapshot::Scope;
use crate::model::{KeyColumn, KeyMatching, ObjectName, RowKey, RowKeySource};

/// A unique index over columns alone.
#[derive(Debug, Clone)]
pub(super) struct Index {
    name: String,
    is_primary: bool,
    /// The numbers of its columns, without those it merely includes.
    columns: Vec<i16>,
    /// Whether each column is compared by an operator class of the server's own.
    is_builtin: Vec<bool>,
    /// The collation of each column, where it is not the column's own.
    has_other_collation: Vec<bool>,
}

/// The indexes that may identify rows, by the number of their table.
pub(super) async fn indexes(
    connection: &mut PgConnection,
) -> Result<BTreeMap<u32, Vec<Index>>, Failure> {
    let sql = "SELECT i.indrelid::text, c.relname::text, i.indisprimary, i.indnkeyatts::text, \
         i.indkey::text, i.indclass::text, \
         (SELECT pg_catalog.string_agg((k.collated = 0 OR k.collated = a.attcollation)::text, \
         ' ' ORDER BY k.place) \
         FROM pg_catalog.unnest(i.indcollation::pg_catalog.oid[]) WITH ORDINALITY \
         AS k(collated, place) \
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid \
         AND a.attnum = i.indkey[k.place - 1]) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_am m ON m.oid = c.relam \
         WHERE i.indisunique AND i.indisvalid AND i.indislive AND i.indpred IS NULL \
         AND i.indexprs IS NULL AND (m.amname = 'btree' OR i.indisprimary)";
    let mut indexes: BTreeMap<u32, Vec<Index>> = BTreeMap::new();
    for row in query::rows(connection, sql.to_owned()).await? {
        let Some(table) = row.number(0) else { continue };
        let count: usize = row.number(3).unwrap_or_default();
        indexes.entry(table).or_default().push(Index {
            name: row.text(1).to_owned(),
            is_primary: row.is_true(2),
            columns: row.text(4).split(' ').take(count).filter_map(|n| n.parse().ok()).collect(),
            is_builtin: row
                .text(5)
                .split(' ')
                .map(|oid| oid.parse::<u32>().is_ok_and(|oid| oid < 16_384))
                .collect(),
            has_other_collation: row.text(6).split(' ').map(|same| same != "true").collect(),
        });
    }
    Ok(indexes)
}

/// The row key of a table, and whether the server reads the table in the key's byte order.
pub(super) fn choose(
    table: &ObjectName,
    columns: &[Column],
    indexes: &[Index],
    scope: &Scope,
    encoding: &ServerEncoding,
) -> Result<(RowKey, bool), EngineError> {
    if let Some(names) = configured_names(table, scope) {
        let columns = configured(table, columns, names)?;
        let source = RowKeySource::Configured;
        return Ok((RowKey::Columns { columns, source, may_be_null: false }, false));
    }
    let mut usable: Vec<(&Index, Vec<&Column>)> =
        indexes.iter().filter_map(|index| Some((index, index_columns(index, columns)?))).collect();
    usable.sort_by_key(|(index, columns)| {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        (!index.is_primary, columns.len(), names, index.name.clone())
    });
    let Some((index, columns)) = usable.into_iter().next() else {
        return Ok((RowKey::RowHash, false));
    };
    let source =
        if index.is_primary { RowKeySource::PrimaryKey } else { RowKeySource::UniqueIndex };
    let is_ordered = is_ordered(index, &columns, encoding);
    let columns = columns
        .iter()
        .enumerate()
        .map(|(place, column)| key_column(column, Some((index, place))))
        .collect();
    Ok((RowKey::Columns { columns, source, may_be_null: false }, is_ordered))
}

/// The columns of an index, without repetitions, where each holds data and no NULL.
fn index_columns<'c>(index: &Index, columns: &'c [Column]) -> Option<Vec<&'c Column>> {
    let mut found: Vec<&Column> = Vec::new();
    for number in &index.columns {
        let column = columns.iter().find(|column| column.number == *number)?;
        if column.is_generated || !(column.is_not_null || index.is_primary) {
            return None;
        }
        if found.iter().all(|known| known.number != column.number) {
            found.push(column);
        }
    }
    (!found.is_empty()).then_some(found)
}

fn key_column(column: &Column, index: Option<(&Index, usize)>) -> KeyColumn {
    let is_known = index.is_none_or(|(index, place)| {
        index.is_builtin.get(place) == Some(&true)
            && index.has_other_collation.get(place) == Some(&false)
    });
    let matching = if is_known {
        matching(column.base_type, column.is_enum, column.reading, column.order)
    } else {
        KeyMatching::Unknown
    };
    KeyColumn { name: column.name.clone(), matching }
}

/// Text of other encodings than UTF-8 is of two kinds in the model, which sort apart.
fn is_ordered(index: &Index, columns: &[&Column], encoding: &ServerEncoding) -> bool {
    let last = columns.len() - 1;
    let is_plain = index.columns.len() == columns.len()
        && index.is_builtin.iter().take(columns.len()).all(|&is_builtin| is_builtin);
    is_plain
        && columns.iter().enumerate().all(|(place, column)| {
            let order = if encoding.is_utf8() { column.order } else { TextOrder::Language };
            is_byte_ordered(column.reading, order, place == last)
        })
}

/// The key that the configuration names for a table, by its name or its name with the schema.
fn configured_names<'s>(table: &ObjectName, scope: &'s Scope) -> Option<&'s [String]> {
    let full = table.to_string();
    let named = |wanted: &str| scope.key_overrides.iter().find(|(name, _)| name == wanted);
    named(&full).or_else(|| named(&table.name)).map(|(_, columns)| columns.as_slice())
}

fn configured(
    table: &ObjectName,
    columns: &[Column],
    names: &[String],
) -> Result<Vec<KeyColumn>, EngineError> {
    let refuse = |reason: String| EngineError::KeyOverride { table: table.to_string(), reason };
    if names.is_empty() {
        return Err(refuse("it names no column".to_owned()));
    }
    let mut key: Vec<KeyColumn> = Vec::new();
    for name in names {
        let column = columns
            .iter()
            .find(|column| column.name == *name)
            .ok_or_else(|| refuse(format!("the table has no column `{name}`")))?;
        if column.is_generated {
            return Err(refuse(format!("column `{name}` is generated")));
        }
        if key.iter().any(|known| known.name == *name) {
            return Err(refuse(format!("column `{name}` is named twice")));
        }
        key.push(key_column(column, None));
    }
    Ok(key)
}
