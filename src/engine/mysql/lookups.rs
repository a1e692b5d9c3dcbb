//! Selects of some rows of a table: those with one of many keys, those that refer to a parent.
//!
//! They lock what they find until the end of the transaction, and so see what was committed last,
//! not what was there when the transaction began. Where the server may take other rows for equal
//! to what is asked for, these come, too.

use std::mem::discriminant;

use super::rows::Layout;
use super::sql::{literal, quoted, text};
use crate::model::{KeyColumn, RowKey, RowKeySource, TableSpec, Value};

/// How many keys one select looks up: MariaDB makes a join of a list of a thousand, and then the
/// order in which rows are locked is anybody's.
const KEYS: usize = 400;

/// A select takes no more keys once it is this long.
const FULL: usize = 256 * 1024;

/// What the primary key's index is called.
const PRIMARY: &str = "PRIMARY";

/// The selects of the rows with one of these keys, for update. `index` is the one that begins with
/// the key's columns. `None` where rows have no such keys.
pub(super) fn by_keys(
    layout: &Layout,
    table: &TableSpec,
    keys: &[Vec<Value>],
    index: Option<&str>,
) -> Option<Vec<String>> {
    let names: Vec<String> = table.key.column_names().into_iter().map(quoted).collect();
    if names.is_empty() || keys.iter().any(|key| key.len() != names.len()) {
        return None;
    }
    let mut head = layout.select(table);
    if let Some(index) = index {
        head.push_str(&format!(" FORCE INDEX ({})", quoted(index)));
    }
    let mut selects = Vec::new();
    for group in alike(keys) {
        let mut listed: Vec<String> = Vec::new();
        let mut length = 0;
        for key in group {
            if is_broken(key) {
                selects.push(format!("{head} WHERE {} FOR UPDATE", by_bytes(&names, key)?));
                continue;
            }
            let one = match key.as_slice() {
                [value] => literal(value)?,
                _ => by_values(&names, key)?,
            };
            length += one.len();
            listed.push(one);
            if listed.len() == KEYS || length >= FULL {
                selects.push(listing(&head, &names, &listed));
                listed.clear();
                length = 0;
            }
        }
        if !listed.is_empty() {
            selects.push(listing(&head, &names, &listed));
        }
    }
    Some(selects)
}

/// Keys of several columns are compared column by column: of a row, `(a, t) IN ((1, '01:02:03.5'))`,
/// MySQL compares a time with a text as texts.
fn listing(head: &str, names: &[String], listed: &[String]) -> String {
    let condition = match names {
        [name] => format!("{name} IN ({})", listed.join(", ")),
        _ => listed.join(" OR "),
    };
    format!("{head} WHERE {condition} FOR UPDATE")
}

fn by_values(names: &[String], key: &[Value]) -> Option<String> {
    let conditions: Option<Vec<String>> = names
        .iter()
        .zip(key)
        .map(|(name, value)| Some(format!("{name} = {}", literal(value)?)))
        .collect();
    Some(format!("({})", conditions?.join(" AND ")))
}

/// The keys by the kinds of their values: in a list of several kinds the server compares by none
/// that an index answers.
fn alike(keys: &[Vec<Value>]) -> Vec<Vec<&Vec<Value>>> {
    let mut groups: Vec<Vec<&Vec<Value>>> = Vec::new();
    let is_alike = |one: &Value, other: &Value| {
        discriminant(one) == discriminant(other) && charset(one) == charset(other)
    };
    for key in keys {
        let group = groups.iter_mut().find(|group| {
            let first = group.first().into_iter().flat_map(|key| key.iter());
            first.zip(key).all(|(one, other)| is_alike(one, other))
        });
        match group {
            Some(group) => group.push(key),
            None => groups.push(vec![key]),
        }
    }
    groups
}

fn charset(value: &Value) -> Option<&str> {
    match value {
        Value::RawText { charset, .. } => Some(charset),
        _ => None,
    }
}

/// Whether the server takes a value for damaged, and has it in no literal: bytes that are not what
/// their charset says.
fn is_broken(key: &[Value]) -> bool {
    key.iter().filter_map(charset).any(|name| matches!(name, "utf8mb4" | "utf8mb3" | "ascii"))
}

fn by_bytes(names: &[String], key: &[Value]) -> Option<String> {
    let conditions: Option<Vec<String>> = names
        .iter()
        .zip(key)
        .map(|(name, value)| match value {
            Value::RawText { bytes, .. } => {
                let bytes = literal(&Value::Bytes(bytes.clone()))?;
                Some(format!("CAST({name} AS BINARY) = {bytes}"))
            }
            value => Some(format!("{name} = {}", literal(value)?)),
        })
        .collect();
    Some(conditions?.join(" AND "))
}

/// The select of at most `limit` rows of a child that refer to a row of a parent, by the equality
/// of the foreign key, which is the server's.
pub(super) fn referring(
    layout: &Layout,
    child: &TableSpec,
    columns: &[KeyColumn],
    parent_key: &[Value],
    limit: u64,
) -> Option<String> {
    if columns.is_empty() || columns.len() != parent_key.len() {
        return None;
    }
    let conditions: Option<Vec<String>> = columns
        .iter()
        .zip(parent_key)
        .map(|(column, value)| Some(format!("{} = {}", quoted(&column.name), literal(value)?)))
        .collect();
    Some(format!(
        "{} WHERE {} LIMIT {limit} LOCK IN SHARE MODE",
        layout.select(child),
        conditions?.join(" AND ")
    ))
}

/// What is to be asked to learn which index begins with the columns of a table's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyIndex {
    /// Nothing: it is this one.
    Known(&'static str),
    /// The indexes of the table, of which [`leading`] takes one.
    Ask(String),
}

/// Which index answers a lookup by key.
pub(super) fn key_index(table: &TableSpec) -> KeyIndex {
    if let RowKey::Columns { source: RowKeySource::PrimaryKey, .. } = &table.key {
        return KeyIndex::Known(PRIMARY);
    }
    KeyIndex::Ask(format!(
        "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {} AND INDEX_TYPE = 'BTREE' \
         ORDER BY NON_UNIQUE, INDEX_NAME, SEQ_IN_INDEX",
        text(&table.name.name)
    ))
}

/// The first of the indexes that begins with these columns, in whatever order. The indexes come as
/// their names, columns, and lengths of prefixes, in order.
pub(super) fn leading<'i>(
    columns: &[&str],
    indexes: impl Iterator<Item = (&'i str, &'i str, bool)>,
) -> Option<String> {
    let mut current: Option<&str> = None;
    let mut found = 0;
    let mut is_leading = true;
    for (index, column, is_whole) in indexes {
        if current != Some(index) {
            (current, found, is_leading) = (Some(index), 0, true);
        }
        is_leading &= is_whole && columns.iter().any(|name| name.eq_ignore_ascii_case(column));
        found += 1;
        if is_leading && found == columns.len() {
            return Some(index.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ColumnSpec, KeyMatching, ObjectName};

    fn table(names: &[&str]) -> TableSpec {
        let column = |name: &&str| ColumnSpec {
            name: (*name).to_owned(),
            declared_type: "int".to_owned(),
            default: Value::Null,
        };
        let key =
            |name: &&str| KeyColumn { name: (*name).to_owned(), matching: KeyMatching::Binary };
        TableSpec {
            name: ObjectName::bare("t"),
            columns: names.iter().map(column).collect(),
            key: RowKey::Columns {
                columns: names.iter().map(key).collect(),
                source: RowKeySource::PrimaryKey,
                may_be_null: false,
            },
            reads_in_key_order: true,
            column_order: Vec::new(),
        }
    }

    #[test]
    fn keys_are_looked_up_in_lists_of_one_kind() {
        let table = table(&["a", "b"]);
        let keys = [
            vec![Value::Int(1), Value::Int(2)],
            vec![Value::Text("x".to_owned()), Value::Int(2)],
            vec![Value::Int(3), Value::Int(4)],
        ];
        let selects = by_keys(&Layout::of(&table), &table, &keys, Some(PRIMARY)).unwrap();
        let head = "SELECT `a`, `b` FROM `t` FORCE INDEX (`PRIMARY`) WHERE";
        assert_eq!(
            selects,
            [
                format!("{head} (`a` = 1 AND `b` = 2) OR (`a` = 3 AND `b` = 4) FOR UPDATE"),
                format!("{head} (`a` = _utf8mb4 x'78' AND `b` = 2) FOR UPDATE"),
            ]
        );
        assert_eq!(by_keys(&Layout::of(&table), &table, &[vec![Value::Int(1)]], None), None);
    }

    #[test]
    fn long_lists_are_several() {
        let table = table(&["a"]);
        let keys: Vec<Vec<Value>> = (0..1000).map(|key| vec![Value::Int(key)]).collect();
        let selects = by_keys(&Layout::of(&table), &table, &keys, None).unwrap();
        assert_eq!(selects.len(), 3);
        assert!(selects[2].ends_with(", 999) FOR UPDATE"));
    }

    #[test]
    fn the_index_that_begins_with_the_key() {
        let indexes = [
            ("p", "a", false),
            ("x", "c", true),
            ("x", "a", true),
            ("y", "B", true),
            ("y", "a", true),
            ("y", "c", true),
        ];
        let leading = |columns: &[&str]| leading(columns, indexes.into_iter());
        assert_eq!(leading(&["a", "b"]).as_deref(), Some("y"));
        assert_eq!(leading(&["a"]), None);
        assert_eq!(leading(&["c"]).as_deref(), Some("x"));
    }
}
