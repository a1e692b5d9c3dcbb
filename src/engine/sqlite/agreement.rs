//! The comparison of what the parser read in a definition with what SQLite says of it.
//!
//! Whatever both know must agree. A disagreement means that the text was misread (or that
//! `sqlite_schema` was tampered with), and then nothing the parser alone knows can be trusted: the
//! object is reported as unknown instead.

use super::parse::{CreateIndex, CreateTable, KeyClause, normal_default};
use super::pragmas::{
    ColumnInfo, ForeignKeyInfo, Generated, IndexInfo, IndexTermInfo, Origin, TableEntry,
};
use super::tokens::{normalised, unquoted};

/// What SQLite says of a table.
#[derive(Debug, Clone)]
pub(super) struct TableInfo {
    pub(super) entry: TableEntry,
    pub(super) columns: Vec<ColumnInfo>,
    pub(super) indexes: Vec<IndexInfo>,
    pub(super) foreign_keys: Vec<ForeignKeyInfo>,
}

impl TableInfo {
    /// The column of this name, which SQLite compares without case.
    pub(super) fn column(&self, name: &str) -> Option<&ColumnInfo> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The index behind the primary key; none where the key is the rowid itself.
    pub(super) fn primary_key_index(&self) -> Option<&IndexInfo> {
        self.indexes.iter().find(|index| index.origin == Origin::PrimaryKey)
    }

    /// The column that is another name of the rowid.
    pub(super) fn rowid_alias(&self) -> Option<&ColumnInfo> {
        if self.entry.is_without_rowid || self.primary_key_index().is_some() {
            return None;
        }
        self.columns.iter().find(|column| column.key_place == 1)
    }
}

/// Whether the parsed table is the one SQLite has. The error says what differs.
pub(super) fn table_agrees(parsed: &CreateTable, info: &TableInfo) -> Result<(), String> {
    agree("name", &parsed.name, &info.entry.name, |a, b| a.eq_ignore_ascii_case(b))?;
    agree("WITHOUT ROWID", &parsed.is_without_rowid, &info.entry.is_without_rowid, PartialEq::eq)?;
    agree("STRICT", &parsed.is_strict, &info.entry.is_strict, PartialEq::eq)?;
    agree("number of columns", &parsed.columns.len(), &info.columns.len(), PartialEq::eq)?;
    columns_agree(parsed, info)?;
    primary_key_agrees(parsed, info)?;
    uniques_agree(parsed, info)?;
    foreign_keys_agree(parsed, info)
}

/// Whether the parsed index is the one SQLite has.
pub(super) fn index_agrees(
    parsed: &CreateIndex,
    index: &IndexInfo,
    table: &TableInfo,
) -> Result<(), String> {
    agree("UNIQUE", &parsed.is_unique, &index.is_unique, PartialEq::eq)?;
    agree("WHERE", &parsed.condition.is_some(), &index.is_partial, PartialEq::eq)?;
    agree("number of terms", &parsed.terms.len(), &index.terms.len(), PartialEq::eq)?;
    for (term, info) in parsed.terms.iter().zip(&index.terms) {
        agree("order of a term", &term.is_descending, &info.is_descending, PartialEq::eq)?;
        let Some(column) = &info.column else {
            continue;
        };
        let name = term.name.clone().unwrap_or_else(|| term.expression.clone());
        agree("column", &name, column, |a, b| a.eq_ignore_ascii_case(b))?;
        let own = table.column(column).map_or("BINARY", |column| column.collation.as_str());
        let collation = term.collation.as_deref().unwrap_or(own);
        agree("collation of a term", collation, info.collation.as_str(), |a, b| {
            a.eq_ignore_ascii_case(b)
        })?;
    }
    Ok(())
}

fn agree<T: ?Sized + std::fmt::Debug>(
    what: &str,
    parsed: &T,
    told: &T,
    is_same: impl Fn(&T, &T) -> bool,
) -> Result<(), String> {
    if is_same(parsed, told) {
        Ok(())
    } else {
        Err(format!("its text and SQLite disagree on the {what}: {parsed:?} and {told:?}"))
    }
}

fn columns_agree(parsed: &CreateTable, info: &TableInfo) -> Result<(), String> {
    for (clause, told) in parsed.columns.iter().zip(&info.columns) {
        let named = |what: &str| format!("{what} of column `{}`", told.name);
        agree("name of a column", &clause.name, &told.name, PartialEq::eq)?;
        agree(
            &named("type"),
            clause.declared_type.as_str(),
            normalised(&told.declared_type).as_str(),
            |a, b| a.eq_ignore_ascii_case(b) || unquoted(a).eq_ignore_ascii_case(b),
        )?;
        let is_key_of = |is_kind: bool| is_kind && told.key_place > 0;
        let is_forced = is_key_of(info.entry.is_without_rowid) || is_key_of(info.entry.is_strict);
        if !is_forced {
            agree(&named("NOT NULL"), &clause.is_not_null, &told.is_not_null, PartialEq::eq)?;
        }
        agree(
            &named("default"),
            &clause.default,
            &told.default.as_deref().map(normal_default),
            PartialEq::eq,
        )?;
        let generated = match (&clause.generated, clause.is_stored) {
            (None, _) => Generated::No,
            (Some(_), false) => Generated::Virtual,
            (Some(_), true) => Generated::Stored,
        };
        agree(&named("generated value"), &generated, &told.generated, PartialEq::eq)?;
        agree(
            &named("collation"),
            clause.collation.as_deref().unwrap_or("BINARY"),
            told.collation.as_str(),
            str::eq_ignore_ascii_case,
        )?;
    }
    Ok(())
}

fn primary_key_agrees(parsed: &CreateTable, info: &TableInfo) -> Result<(), String> {
    let mut told: Vec<(i64, &str)> = info
        .columns
        .iter()
        .filter(|column| column.key_place > 0)
        .map(|column| (column.key_place, column.name.as_str()))
        .collect();
    told.sort_unstable();
    let told: Vec<String> = told.into_iter().map(|(_, name)| name.to_ascii_lowercase()).collect();
    let mut named: Vec<String> = Vec::new();
    for term in parsed.primary_key.iter().flat_map(|key| &key.terms) {
        let name = term.column.to_ascii_lowercase();
        if !named.contains(&name) {
            named.push(name);
        }
    }
    agree("primary key", &named, &told, PartialEq::eq)?;
    let is_autoincrement = parsed.primary_key.as_ref().is_some_and(|key| key.is_autoincrement);
    let is_told = info.columns.iter().any(|column| column.is_autoincrement);
    agree("AUTOINCREMENT", &is_autoincrement, &is_told, PartialEq::eq)
}

/// Every unique index that SQLite made for a constraint must be one that was read, and every
/// constraint that was read must have an index. SQLite makes one index for constraints that are
/// alike, the primary key included.
fn uniques_agree(parsed: &CreateTable, info: &TableInfo) -> Result<(), String> {
    let made = |index: &&IndexInfo| index.origin != Origin::Statement;
    let made_indexes: Vec<&IndexInfo> = info.indexes.iter().filter(made).collect();
    for index in &made_indexes {
        let is_known = parsed.uniques.iter().any(|clause| is_index_of(index, clause, info))
            || parsed.primary_key.iter().any(|key| {
                is_index_of(index, key, info) || is_index_of(index, &without_collation(key), info)
            });
        if !is_known {
            return Err(format!("its index `{}` belongs to no constraint in its text", index.name));
        }
    }
    for clause in &parsed.uniques {
        let columns: Vec<&str> = clause.terms.iter().map(|term| term.column.as_str()).collect();
        let is_made = made_indexes.iter().any(|index| is_index_of(index, clause, info));
        if !is_made {
            return Err(format!("SQLite has no index for UNIQUE ({})", columns.join(", ")));
        }
    }
    Ok(())
}

/// SQLite ignores the collation of a key that is a single INTEGER column, also where the table is
/// WITHOUT ROWID and the key gets an index after all.
fn without_collation(key: &KeyClause) -> KeyClause {
    let mut key = key.clone();
    if let [term] = key.terms.as_mut_slice() {
        term.collation = None;
    }
    key
}

fn is_index_of(index: &IndexInfo, clause: &KeyClause, info: &TableInfo) -> bool {
    let terms: Vec<(String, String)> = clause
        .terms
        .iter()
        .map(|term| {
            let own = info.column(&term.column).map_or("BINARY", |column| &column.collation);
            let collation = term.collation.as_deref().unwrap_or(own);
            (term.column.to_ascii_lowercase(), collation.to_ascii_lowercase())
        })
        .collect();
    let told = |term: &IndexTermInfo| {
        let column = term.column.as_deref().unwrap_or_default();
        (column.to_ascii_lowercase(), term.collation.to_ascii_lowercase())
    };
    let indexed: Vec<(String, String)> = index.terms.iter().map(told).collect();
    // The key of a WITHOUT ROWID table drops terms that repeat.
    let mut distinct = Vec::new();
    for term in &terms {
        if !distinct.contains(term) {
            distinct.push(term.clone());
        }
    }
    indexed == terms || indexed == distinct
}

fn foreign_keys_agree(parsed: &CreateTable, info: &TableInfo) -> Result<(), String> {
    let action = |action: &Option<String>| action.clone().unwrap_or_else(|| "NO ACTION".to_owned());
    let lower = |names: &[String]| -> Vec<String> {
        names.iter().map(|name| name.to_ascii_lowercase()).collect()
    };
    let mut read: Vec<_> = parsed
        .foreign_keys
        .iter()
        .map(|key| {
            let table = key.table.to_ascii_lowercase();
            let (update, delete) = (action(&key.on_update), action(&key.on_delete));
            (table, lower(&key.columns), lower(&key.referenced), update, delete)
        })
        .collect();
    let mut told: Vec<_> = info
        .foreign_keys
        .iter()
        .map(|key| {
            let table = key.table.to_ascii_lowercase();
            let (update, delete) = (key.on_update.clone(), key.on_delete.clone());
            (table, lower(&key.columns), lower(&key.referenced), update, delete)
        })
        .collect();
    read.sort_unstable();
    told.sort_unstable();
    agree("foreign keys", &read, &told, PartialEq::eq)
}
