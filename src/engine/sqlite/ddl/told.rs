//! What a text would define: the facts that a catalog would have of it, without a database.
//!
//! A text is only run where it says exactly what is wanted, so these facts are made by the very
//! code that makes those of a catalog; what SQLite would tell of the text is worked out here. Where
//! this goes wrong, a text is not used that could be, or the proof on the scratch copy fails.

use super::super::agreement::TableInfo;
use super::super::facts;
use super::super::parse::{self, ColumnClause, CreateTable, KeyClause};
use super::super::pragmas::{ColumnInfo, Generated, IndexInfo, IndexTermInfo, Origin, TableEntry};
use super::super::tokens::unquoted;
use crate::engine::ddl::{Schema, list, text};
use crate::model::{Fact, ObjectKind, ObjectName};

/// Types that SQLite spells in its own way, whatever the text says.
const STANDARD_TYPES: [&str; 6] = ["ANY", "BLOB", "INT", "INTEGER", "REAL", "TEXT"];

const BINARY: &str = "BINARY";

/// The facts of a table that this text defines, sorted by id.
pub(super) fn table(definition: &str, name: &str) -> Result<Vec<Fact>, String> {
    let parsed = parse::parse_table(definition).map_err(|error| error.to_string())?;
    let mut facts = facts::of_table(&parsed, &info(&parsed, name));
    facts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(facts)
}

/// The fact of an index that this text defines, on a table as the schema has it. What an
/// expression compares by is taken from the wanted fact, where the text does not say it.
pub(super) fn index(definition: &str, wanted: &Fact, schema: &Schema<'_>) -> Option<Fact> {
    let parsed = parse::parse_index(definition).ok()?;
    let table = wanted.table()?;
    let effective = list(wanted, "collations");
    let told = |(place, term): (usize, &parse::IndexTerm)| {
        let column = term.name.as_ref().and_then(|name| column_of(schema, &table, name));
        let own = match column {
            Some(column) => text(column, "collation"),
            None => effective.get(place).map(String::as_str),
        };
        let collation = term.collation.as_deref().or(own).unwrap_or(BINARY);
        IndexTermInfo {
            column: column.map(|column| column.id.part.clone()),
            is_descending: term.is_descending,
            collation: collation.to_owned(),
        }
    };
    let index = IndexInfo {
        name: wanted.id.object.name.clone(),
        is_unique: parsed.is_unique,
        origin: Origin::Statement,
        is_partial: parsed.condition.is_some(),
        terms: parsed.terms.iter().enumerate().map(told).collect(),
    };
    let is_of_table = parsed.table.eq_ignore_ascii_case(&table.name);
    let info = bare_info(&table.name);
    is_of_table.then(|| facts::of_index(&parsed, &index, &info))
}

/// The fact of a view that this text defines.
pub(super) fn view(definition: &str, name: &str) -> Option<Fact> {
    Some(facts::of_view(&parse::parse_view(definition).ok()?, name))
}

/// The fact of a trigger that this text defines.
pub(super) fn trigger(definition: &str, name: &str, table: &str) -> Option<Fact> {
    let parsed = parse::parse_trigger(definition).ok()?;
    let is_of_table = parsed.table.eq_ignore_ascii_case(table);
    is_of_table.then(|| facts::of_trigger(&parsed, name, table))
}

/// The fact of a virtual table that this text defines.
pub(super) fn virtual_table(definition: &str, name: &str) -> Option<Fact> {
    Some(facts::of_virtual_table(&parse::parse_virtual_table(definition).ok()?, name))
}

/// A column of a table, found as SQLite finds it.
pub(super) fn column_of<'a>(
    schema: &Schema<'a>,
    table: &ObjectName,
    name: &str,
) -> Option<&'a Fact> {
    schema.parts(ObjectKind::Column, table).find(|fact| fact.id.part.eq_ignore_ascii_case(name))
}

fn bare_info(name: &str) -> TableInfo {
    TableInfo {
        entry: TableEntry {
            name: name.to_owned(),
            kind: "table".to_owned(),
            is_without_rowid: false,
            is_strict: false,
        },
        columns: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
    }
}

/// What SQLite tells of the table, as far as facts need it.
fn info(parsed: &CreateTable, name: &str) -> TableInfo {
    let mut info = bare_info(name);
    info.entry.is_without_rowid = parsed.is_without_rowid;
    info.entry.is_strict = parsed.is_strict;
    let key = parsed.primary_key.as_ref();
    info.columns = parsed.columns.iter().map(|column| column_info(column, key)).collect();
    if let Some(key) = key {
        let is_integer = is_integer_key(key, &info);
        if parsed.is_without_rowid || !is_integer {
            let index = key_index(key, is_integer, &info);
            info.indexes.push(index);
        }
    }
    info
}

fn column_info(column: &ColumnClause, key: Option<&KeyClause>) -> ColumnInfo {
    let terms = key.map_or(&[][..], |key| &key.terms);
    let place = terms.iter().position(|term| term.column.eq_ignore_ascii_case(&column.name));
    ColumnInfo {
        name: column.name.clone(),
        declared_type: stored_type(&column.declared_type),
        is_not_null: column.is_not_null,
        default: column.default.clone(),
        key_place: place.map_or(0, |place| i64::try_from(place + 1).unwrap_or(i64::MAX)),
        generated: match (&column.generated, column.is_stored) {
            (None, _) => Generated::No,
            (Some(_), false) => Generated::Virtual,
            (Some(_), true) => Generated::Stored,
        },
        collation: column.collation.clone().unwrap_or_else(|| BINARY.to_owned()),
        is_autoincrement: false,
    }
}

/// A type as `PRAGMA table_xinfo` spells it.
fn stored_type(declared: &str) -> String {
    let standard = STANDARD_TYPES.iter().find(|name| name.eq_ignore_ascii_case(declared));
    standard.map_or_else(|| unquoted(declared), |name| (*name).to_owned())
}

/// Whether the key is a single INTEGER column, which is the rowid itself where there is one.
fn is_integer_key(key: &KeyClause, info: &TableInfo) -> bool {
    let [term] = key.terms.as_slice() else { return false };
    let is_integer =
        info.column(&term.column).is_some_and(|column| column.declared_type == "INTEGER");
    is_integer && !(key.is_of_column && term.is_descending)
}

fn key_index(key: &KeyClause, is_integer: bool, info: &TableInfo) -> IndexInfo {
    let told = |term: &parse::KeyTerm| {
        let own = info.column(&term.column).map(|column| column.collation.clone());
        let given = term.collation.clone().filter(|_| !is_integer);
        IndexTermInfo {
            column: Some(term.column.clone()),
            is_descending: term.is_descending,
            collation: given.or(own).unwrap_or_else(|| BINARY.to_owned()),
        }
    };
    IndexInfo {
        name: String::new(),
        is_unique: true,
        origin: Origin::PrimaryKey,
        is_partial: false,
        terms: key.terms.iter().map(told).collect(),
    }
}
