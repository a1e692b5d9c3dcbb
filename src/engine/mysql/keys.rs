//! Which columns identify a table's rows, and when the server reads them in that order.
//!
//! What the configuration names, else the primary key, else the unique index over whole NOT NULL
//! columns with the fewest columns (then by their names), else the row itself. An index over a
//! prefix, an expression or a generated column is no identity.

use super::tables::{ColumnInfo, IndexInfo, TableInfo};
use super::types::{Kind, is_code_point_order};
use crate::engine::error::EngineError;
use crate::model::snapshot::Scope;
use crate::model::{KeyColumn, KeyMatching, RowKey, RowKeySource};

/// The row key of a table, and whether the server reads the table in the key's byte order.
pub(super) fn choose(info: &TableInfo, scope: &Scope) -> Result<(RowKey, bool), EngineError> {
    let primary = info.indexes.iter().find(|index| index.name == "PRIMARY");
    let primary_columns = primary.and_then(|index| columns(info, index));
    let is_ordered = |columns: &[KeyColumn]| {
        info.is_clustered
            && primary.is_some_and(|index| index.is_ascending)
            && primary_columns.as_deref() == Some(columns)
            && columns.iter().all(|key| info.column(&key.name).is_some_and(is_in_byte_order))
    };
    let key = |columns: Vec<KeyColumn>, source| {
        let is_ordered = is_ordered(&columns);
        (RowKey::Columns { columns, source, may_be_null: false }, is_ordered)
    };
    let configured_for = |name: &String| *name == info.name;
    if let Some((_, names)) = scope.key_overrides.iter().find(|(name, _)| configured_for(name)) {
        return Ok(key(configured(info, names)?, RowKeySource::Configured));
    }
    if let Some(columns) = primary_columns.clone() {
        return Ok(key(columns, RowKeySource::PrimaryKey));
    }
    if let Some(columns) = unique_index(info) {
        return Ok(key(columns, RowKeySource::UniqueIndex));
    }
    Ok((RowKey::RowHash, false))
}

fn is_in_byte_order(column: &ColumnInfo) -> bool {
    Kind::of(&column.declared_type).is_in_byte_order(column.collation.as_deref())
}

fn configured(info: &TableInfo, names: &[String]) -> Result<Vec<KeyColumn>, EngineError> {
    let refuse = |reason: String| EngineError::KeyOverride { table: info.name.clone(), reason };
    if names.is_empty() {
        return Err(refuse("it names no column".to_owned()));
    }
    let mut columns: Vec<KeyColumn> = Vec::new();
    for name in names {
        let column =
            info.column(name).ok_or_else(|| refuse(format!("the table has no column `{name}`")))?;
        if column.is_generated {
            return Err(refuse(format!("column `{name}` is generated")));
        }
        if column.is_nullable {
            return Err(refuse(format!("column `{name}` may be NULL")));
        }
        if columns.iter().any(|known| known.name == column.name) {
            return Err(refuse(format!("column `{name}` is named twice")));
        }
        columns.push(key_column(column));
    }
    Ok(columns)
}

/// The columns of an index; `None` where it is no row's identity. The end of a row's life, which
/// the server adds to the keys of a table with system versioning, is the same for all that live.
fn columns(info: &TableInfo, index: &IndexInfo) -> Option<Vec<KeyColumn>> {
    let mut columns = Vec::new();
    for name in &index.columns {
        let column = info.column(name.as_deref()?)?;
        if column.is_row_end {
            continue;
        }
        if column.is_generated {
            return None;
        }
        columns.push(key_column(column));
    }
    (!columns.is_empty()).then_some(columns)
}

fn unique_index(info: &TableInfo) -> Option<Vec<KeyColumn>> {
    info.indexes
        .iter()
        .filter(|index| index.is_unique)
        .filter_map(|index| columns(info, index))
        .filter(|columns| {
            columns.iter().all(|key| info.column(&key.name).is_some_and(|c| !c.is_nullable))
        })
        .min_by_key(|columns| {
            let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
            (names.len(), names)
        })
}

fn key_column(column: &ColumnInfo) -> KeyColumn {
    KeyColumn { name: column.name.clone(), matching: matching(column) }
}

/// When a unique index takes two values of a column for the same. A `_bin` collation compares code
/// points and pads with spaces, unless its name says otherwise.
fn matching(column: &ColumnInfo) -> KeyMatching {
    let Some(collation) = column.collation.as_deref() else {
        return KeyMatching::Binary;
    };
    match Kind::of(&column.declared_type) {
        // Two labels are never the same to the server.
        Kind::Enum(..) | Kind::Set(..) => KeyMatching::Binary,
        _ if is_code_point_order(collation) => KeyMatching::Binary,
        _ if collation.ends_with("_bin") => KeyMatching::TrailingSpaces,
        _ => KeyMatching::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, declared_type: &str, collation: Option<&str>) -> ColumnInfo {
        ColumnInfo {
            name: name.to_owned(),
            declared_type: declared_type.to_owned(),
            collation: collation.map(str::to_owned),
            ..ColumnInfo::default()
        }
    }

    fn index(name: &str, columns: &[&str]) -> IndexInfo {
        IndexInfo {
            name: name.to_owned(),
            is_unique: true,
            is_ascending: true,
            columns: columns.iter().map(|name| Some((*name).to_owned())).collect(),
        }
    }

    fn table(columns: Vec<ColumnInfo>, indexes: Vec<IndexInfo>) -> TableInfo {
        TableInfo { name: "t".to_owned(), is_clustered: true, columns, indexes }
    }

    fn chosen(table: &TableInfo) -> (Vec<String>, bool) {
        let (key, is_ordered) = choose(table, &Scope::default()).unwrap();
        (key.column_names().into_iter().map(str::to_owned).collect(), is_ordered)
    }

    #[test]
    fn the_primary_key_comes_first_and_is_ordered_by_bytes() {
        let text = |collation| column("s", "varchar(9) character set utf8mb4", Some(collation));
        let number = || column("n", "bigint unsigned", None);
        for (columns, key, is_ordered) in [
            (vec![number()], vec!["n"], true),
            (vec![number(), text("utf8mb4_nopad_bin")], vec!["s", "n"], true),
            (vec![number(), text("utf8mb4_0900_bin")], vec!["s", "n"], true),
            (vec![number(), text("utf8mb4_bin")], vec!["s", "n"], false),
            (vec![number(), text("utf8mb4_general_ci")], vec!["n", "s"], false),
            (vec![column("e", "enum('a') character set utf8mb4", Some("x_bin"))], vec!["e"], false),
            (vec![column("u", "uuid", None)], vec!["u"], false),
            (vec![column("b", "varbinary(9)", None)], vec!["b"], true),
        ] {
            let indexes = vec![index("a", &["n"]), index("PRIMARY", &key)];
            let mut info = table(columns, indexes);
            assert_eq!(chosen(&info), (key.iter().map(|k| (*k).to_owned()).collect(), is_ordered));
            info.indexes[1].is_ascending = false;
            assert!(!chosen(&info).1);
        }
    }

    #[test]
    fn only_whole_unique_indexes_over_real_columns_that_are_not_null() {
        let nullable = ColumnInfo { is_nullable: true, ..column("a", "int", None) };
        let generated = ColumnInfo { is_generated: true, ..column("b", "int", None) };
        let columns = vec![nullable, generated, column("c", "int", None), column("d", "int", None)];
        let mut prefix = index("p", &["c"]);
        prefix.columns[0] = None;
        let indexes = vec![index("x", &["a"]), index("y", &["b"]), prefix, index("z", &["d", "c"])];
        let info = table(columns, indexes);
        assert_eq!(chosen(&info), (vec!["d".to_owned(), "c".to_owned()], false));
        let info = TableInfo { indexes: info.indexes[..3].to_vec(), ..info };
        assert_eq!(choose(&info, &Scope::default()).unwrap().0, RowKey::RowHash);
    }

    #[test]
    fn what_is_the_same_to_a_unique_index() {
        let of = |declared: &str, collation| matching(&column("c", declared, collation));
        let text = "varchar(9) character set utf8mb4";
        assert_eq!(of("int", None), KeyMatching::Binary);
        assert_eq!(of(text, Some("utf8mb4_bin")), KeyMatching::TrailingSpaces);
        assert_eq!(of(text, Some("utf8mb4_nopad_bin")), KeyMatching::Binary);
        assert_eq!(of(text, Some("utf8mb4_0900_ai_ci")), KeyMatching::Unknown);
        assert_eq!(
            of("enum('a') character set latin1", Some("latin1_swedish_ci")),
            KeyMatching::Binary
        );
    }
}
