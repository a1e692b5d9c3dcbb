//! Which tables are read: their columns, types, defaults and row keys, from the catalog alone.
//!
//! Every base table of the database whose rows are its own is here; the other kinds (views,
//! sequences, tables that show rows of elsewhere) are the catalog's to list. Invisible columns are
//! columns; generated ones hold no data of their own.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::mysql::MySqlConnection;

use super::catalog::{self, Rows, rows_of};
use super::connect::Link;
use super::query::{Answer, query};
use super::types::{self, Kind, read_decimal};
use super::{keys, sql};
use crate::engine::error::EngineError;
use crate::engine::mysql::failure;
use crate::engine::{is_own_table, mask, pattern};
use crate::model::snapshot::Scope;
use crate::model::value::FiniteDecimal;
use crate::model::{
    Catalog, ColumnSpec, Decimal, NotCaptured, ObjectKind, ObjectName, TableSpec, Value,
};

/// Whether the rows of a table are its own and are read: a base table, with or without history, of
/// an engine that keeps its rows itself. `table_type` and `engine` are the catalog's words.
fn has_rows_of_its_own(table_type: &str, engine: &str) -> bool {
    matches!(table_type, "BASE TABLE" | "SYSTEM VERSIONED")
        && !matches!(rows_of(engine), Rows::Elsewhere(_))
}

/// Whether the scope, or this program, leaves a table out. Names are compared as the server does.
fn is_excluded(name: &str, scope: &Scope, ignores_case: bool) -> bool {
    is_own_table(name)
        || scope.excluded_tables.iter().any(|p| pattern::matches(p, name, ignores_case))
}

/// A table that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) engine: String,
}

/// The tables with rows of their own, by name.
pub(super) async fn list(
    connection: &mut MySqlConnection,
    database: &str,
) -> Result<Vec<Listed>, sqlx::Error> {
    let database = sql::text(database);
    let list = format!(
        "SELECT TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = {database} ORDER BY BINARY TABLE_NAME"
    );
    let rows = query(connection, list).await?;
    let listed = rows.iter().filter(|row| has_rows_of_its_own(row.text(1), row.text(2)));
    Ok(listed
        .map(|row| Listed { name: row.text(0).to_owned(), engine: row.text(2).to_owned() })
        .collect())
}

/// What the catalog says of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct TableInfo {
    pub(super) name: String,
    /// Whether rows lie in the order of the primary key.
    pub(super) is_clustered: bool,
    /// As the table orders them.
    pub(super) columns: Vec<ColumnInfo>,
    pub(super) indexes: Vec<IndexInfo>,
}

/// What the catalog says of a column.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnInfo {
    pub(super) name: String,
    pub(super) declared_type: String,
    pub(super) collation: Option<String>,
    pub(super) is_nullable: bool,
    pub(super) is_generated: bool,
    /// The end of a row's life in a table with system versioning.
    pub(super) is_row_end: bool,
    /// `None` is NULL.
    pub(super) default: Option<Value>,
}

/// What the catalog says of a unique index.
#[derive(Debug, Clone, Default)]
pub(super) struct IndexInfo {
    pub(super) name: String,
    pub(super) is_unique: bool,
    pub(super) is_ascending: bool,
    /// `None` is a prefix of a column, or an expression.
    pub(super) columns: Vec<Option<String>>,
}

impl TableInfo {
    pub(super) fn column(&self, name: &str) -> Option<&ColumnInfo> {
        // Column names are compared without case everywhere.
        self.columns
            .iter()
            .find(|column| column.name == name)
            .or_else(|| self.columns.iter().find(|c| c.name.to_lowercase() == name.to_lowercase()))
    }

    fn spec(&self, scope: &Scope) -> Result<TableSpec, EngineError> {
        let (key, reads_in_key_order) = keys::choose(self, scope)?;
        let mut columns: Vec<ColumnSpec> = self
            .columns
            .iter()
            .filter(|column| !column.is_generated)
            .map(|column| ColumnSpec {
                name: column.name.clone(),
                declared_type: column.declared_type.clone(),
                default: column.default.clone().unwrap_or(Value::Null),
            })
            .collect();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        let mut spec = TableSpec {
            name: ObjectName::bare(self.name.clone()),
            columns,
            key,
            reads_in_key_order,
            column_order: self.columns.iter().map(|column| column.name.clone()).collect(),
        };
        mask::apply(scope, &mut spec)?;
        Ok(spec)
    }
}

/// Everything the catalog says, with the tables whose rows are read.
pub(super) async fn catalog(link: &mut Link, scope: &Scope) -> Result<Catalog, EngineError> {
    let database = link.database.clone();
    let mut catalog = catalog::read(&mut link.connection, &database, scope).await?;
    catalog.tables = read(&mut link.connection, &database, scope).await?;
    // What the catalog does not know of a table it has listed as unknown, rows included.
    let known: BTreeSet<&ObjectName> = catalog
        .facts
        .iter()
        .filter(|fact| fact.id.kind == ObjectKind::Table)
        .map(|fact| &fact.id.object)
        .collect();
    catalog.tables.retain(|table| known.contains(&table.name));
    let texts = kept_as_shown(&catalog.tables);
    catalog.not_captured.extend(texts);
    catalog.not_captured.sort();
    Ok(catalog)
}

/// The tables of a database under a scope, sorted by name.
async fn read(
    connection: &mut MySqlConnection,
    database: &str,
    scope: &Scope,
) -> Result<Vec<TableSpec>, EngineError> {
    let infos = infos(connection, database)
        .await
        .map_err(|error| failure::classify(database, "read the columns and keys of", error))?;
    let (infos, ignores_case) = infos;
    infos
        .iter()
        .filter(|info| !is_excluded(&info.name, scope, ignores_case))
        .map(|info| info.spec(scope))
        .collect()
}

/// The columns of which the text that the server shows is kept, and says less than the server
/// holds: MySQL's JSON tells kinds of numbers and opaque values apart, its text does not, and what
/// is written back from it may be another double. A pack must not write them.
fn kept_as_shown(tables: &[TableSpec]) -> Vec<NotCaptured> {
    let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |c| (table, c)));
    columns
        .filter(|(_, column)| Kind::of(&column.declared_type) == Kind::Json)
        .map(|(table, column)| NotCaptured {
            kind: "exact JSON".to_owned(),
            name: format!("{}.{}", table.name, column.name),
            reason: "the server's text of it is kept, which does not tell DECIMAL from DOUBLE, \
                     nor opaque values from strings"
                .to_owned(),
            is_unknown: false,
        })
        .collect()
}

/// Every table with rows of its own, and whether the server's table names ignore case.
async fn infos(
    connection: &mut MySqlConnection,
    database: &str,
) -> Result<(Vec<TableInfo>, bool), sqlx::Error> {
    let told = query(connection, "SELECT @@lower_case_table_names, VERSION()").await?;
    let ignores_case = told.first().is_some_and(|row| row.text(0) != "0");
    let is_mariadb = told.first().is_some_and(|row| row.text(1).contains("MariaDB"));
    let shown = if is_mariadb { Shown::Expression } else { Shown::Text };
    let mut tables: BTreeMap<String, TableInfo> = list(connection, database)
        .await?
        .into_iter()
        .map(|listed| {
            let name = listed.name.clone();
            let is_clustered = listed.engine == "InnoDB";
            (listed.name, TableInfo { name, is_clustered, ..TableInfo::default() })
        })
        .collect();
    let schema = sql::text(database);
    let columns = format!(
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, \
         IS_NULLABLE, COLUMN_DEFAULT, EXTRA, GENERATION_EXPRESSION \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {schema} \
         ORDER BY TABLE_NAME, ORDINAL_POSITION"
    );
    for row in query(connection, columns).await? {
        if let Some(table) = tables.get_mut(row.text(0)) {
            table.columns.push(column(&row, shown));
        }
    }
    let indexes = format!(
        "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, COLLATION \
         FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {schema} AND NON_UNIQUE = 0 \
         ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
    );
    for row in query(connection, indexes).await? {
        if let Some(table) = tables.get_mut(row.text(0)) {
            add_to_index(&mut table.indexes, &row);
        }
    }
    Ok((tables.into_values().collect(), ignores_case))
}

fn add_to_index(indexes: &mut Vec<IndexInfo>, row: &Answer) {
    let name = row.text(1);
    if indexes.last().is_none_or(|last| last.name != name) {
        indexes.push(IndexInfo {
            name: name.to_owned(),
            is_unique: true,
            is_ascending: true,
            columns: Vec::new(),
        });
    }
    let Some(index) = indexes.last_mut() else { return };
    let is_whole = row.get(3).is_none();
    index.columns.push(row.get(2).filter(|_| is_whole).map(str::to_owned));
    // MySQL 5.7 says nothing here, and has no other order.
    index.is_ascending &= row.text(4) != "D";
}

fn column(row: &Answer, shown: Shown) -> ColumnInfo {
    let declared_type = types::declared(row.text(2), row.get(3));
    let extra = row.text(7);
    let is_nullable = row.text(5) == "YES";
    let is_generated = extra.contains("VIRTUAL GENERATED")
        || extra.contains("STORED GENERATED")
        || !row.text(8).is_empty();
    let is_expression = extra.contains("DEFAULT_GENERATED") || extra.contains("auto_increment");
    let default = (!is_expression).then(|| default(&declared_type, row.get(6), is_nullable, shown));
    ColumnInfo {
        name: row.text(1).to_owned(),
        declared_type,
        collation: row.get(4).map(str::to_owned),
        is_nullable,
        is_generated,
        is_row_end: row.text(8) == "ROW END",
        default,
    }
}

/// How a server shows the default of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// As an expression: text in quotes (MariaDB).
    Expression,
    /// As its text (MySQL).
    Text,
}

/// The constant that rows get which were there before the column; NULL where it is not known, which
/// only shows more rows as changed.
fn default(declared_type: &str, default: Option<&str>, is_nullable: bool, shown: Shown) -> Value {
    let kind = Kind::of(declared_type);
    let Some(default) = default else {
        return match kind {
            _ if is_nullable => Value::Null,
            Kind::Signed | Kind::Unsigned => Value::Int(0),
            Kind::Text(types::Charset::Utf8(_)) => Value::Text(String::new()),
            _ => Value::Null,
        };
    };
    let text = match default.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(quoted) if shown == Shown::Expression => unescaped(quoted),
        _ => default.to_owned(),
    };
    let is_bare = text == default;
    match kind {
        Kind::Signed => text.parse().map_or(Value::Null, Value::Int),
        Kind::Unsigned => text.parse().map_or(Value::Null, Value::unsigned),
        Kind::Decimal => {
            let mut number = FiniteDecimal::default();
            match read_decimal(text.as_bytes(), &mut number) {
                true => Value::Decimal(Decimal::Finite(number)),
                false => Value::Null,
            }
        }
        Kind::Text(types::Charset::Utf8(_)) | Kind::Enum(types::Charset::Utf8(_), _)
            if shown == Shown::Text || !is_bare =>
        {
            let is_padded = types::base(declared_type) == "char";
            Value::Text(if is_padded { text.trim_end_matches(' ').to_owned() } else { text })
        }
        _ => Value::Null,
    }
}

/// The content of a quoted string: quotes are doubled, other characters escaped by a backslash.
fn unescaped(quoted: &str) -> String {
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => text.extend(characters.next()),
            '\\' => match characters.next() {
                Some('0') => text.push('\0'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('Z') => text.push('\u{1a}'),
                other => text.extend(other),
            },
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_that_are_constants() {
        let text = |text: &str| Value::Text(text.to_owned());
        let varchar = "varchar(9) character set utf8mb4";
        for (declared, default_text, is_nullable, shown, expected) in [
            ("int", Some("5"), true, Shown::Expression, Value::Int(5)),
            ("int", Some("'5'"), true, Shown::Expression, Value::Int(5)),
            ("int", None, false, Shown::Text, Value::Int(0)),
            ("int", Some("NULL"), true, Shown::Expression, Value::Null),
            (varchar, Some("'it''s'"), true, Shown::Expression, text("it's")),
            (varchar, Some("NULL"), true, Shown::Expression, Value::Null),
            (varchar, Some("NULL"), true, Shown::Text, text("NULL")),
            (varchar, Some("uuid()"), true, Shown::Expression, Value::Null),
            ("char(3) character set utf8mb4", Some("'a '"), true, Shown::Expression, text("a")),
            ("timestamp", Some("CURRENT_TIMESTAMP"), true, Shown::Text, Value::Null),
        ] {
            let found = default(declared, default_text, is_nullable, shown);
            assert_eq!(found, expected, "{declared} {default_text:?}");
        }
    }

    #[test]
    fn whose_rows_are_its_own() {
        assert!(has_rows_of_its_own("BASE TABLE", "InnoDB"));
        assert!(has_rows_of_its_own("SYSTEM VERSIONED", "InnoDB"));
        assert!(!has_rows_of_its_own("SEQUENCE", "InnoDB"));
        assert!(!has_rows_of_its_own("BASE TABLE", "FEDERATED"));
    }
}
