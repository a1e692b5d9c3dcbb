//! Everything the catalog of a SQLite database says, with a status for each thing.
//!
//! Walks `sqlite_schema`; what is understood becomes facts, definitions and tables to read, what is
//! not captured is named with its reason, and what is not understood is named as unknown. Nothing
//! is skipped in silence, except the receipts this program writes itself.
//! Must run inside the transaction that reads the rows.

use std::collections::HashMap;

use super::agreement::{TableInfo, index_agrees, table_agrees};
use super::connect::Locked;
use super::defaults::Defaults;
use super::handle::Cell;
use super::pragmas::{ColumnInfo, Generated, SchemaEntry, TableEntry};
use super::types::TextEncoding;
use super::{facts, keys, parse};
use crate::engine::error::EngineError;
use crate::engine::{RECEIPTS_TABLE, mask, pattern};
use crate::model::snapshot::Scope;
use crate::model::{
    Attribute, Catalog, ColumnSpec, Definition, NotCaptured, ObjectKind, ObjectName, Sequence,
    TableSpec, Value,
};

/// Reads the catalog.
pub(super) fn read(
    locked: &Locked<'_>,
    encoding: TextEncoding,
    scope: &Scope,
) -> Result<Catalog, EngineError> {
    let entries = locked.schema_entries()?;
    let told: HashMap<String, TableEntry> = locked
        .table_entries()?
        .into_iter()
        .map(|entry| (entry.name.to_ascii_lowercase(), entry))
        .collect();
    let mut walk = Walk {
        locked,
        encoding,
        scope,
        told,
        defaults: Defaults::new(encoding),
        known: HashMap::new(),
        catalog: Catalog::default(),
    };
    walk.settings()?;
    // Tables first: the others are about them.
    let (tables, others): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.kind == "table");
    for entry in tables {
        walk.table(entry)?;
    }
    let (views, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|entry| entry.kind == "view");
    for entry in views {
        walk.view(entry);
    }
    for entry in others {
        walk.other(entry);
    }
    walk.sequences(&entries)?;
    walk.unused_rules(&entries);
    Ok(sorted(walk.catalog))
}

/// What became of a table or view.
enum Known {
    /// Captured; the table's details, none for a view or virtual table.
    Captured { name: String, info: Option<Box<TableInfo>> },
    /// Left out on purpose, and what belongs to it with it.
    LeftOut,
    /// Not understood.
    Unknown,
}

struct Walk<'w> {
    locked: &'w Locked<'w>,
    encoding: TextEncoding,
    scope: &'w Scope,
    /// `PRAGMA table_list`, by lower-case name.
    told: HashMap<String, TableEntry>,
    defaults: Defaults,
    /// Tables and views by lower-case name.
    known: HashMap<String, Known>,
    catalog: Catalog,
}

impl Walk<'_> {
    fn settings(&mut self) -> Result<(), EngineError> {
        for name in ["user_version", "application_id"] {
            let sql = format!("PRAGMA main.{name}");
            let value = self.locked.query_int(&sql, "read the settings of")?.unwrap_or(0);
            self.catalog.facts.push(facts::setting(name, Attribute::Number(value)));
        }
        let vacuum = self.locked.query_int("PRAGMA main.auto_vacuum", "read the settings of")?;
        let vacuum = match vacuum {
            Some(1) => "full",
            Some(2) => "incremental",
            _ => "none",
        };
        let text = |text: &str| Attribute::Text(text.to_owned());
        self.catalog.facts.push(facts::setting("auto_vacuum", text(vacuum)));
        self.catalog.facts.push(facts::setting("encoding", text(self.encoding.name())));
        Ok(())
    }

    fn table(&mut self, entry: &SchemaEntry) -> Result<(), EngineError> {
        let name = entry.name.as_str();
        if name.eq_ignore_ascii_case(RECEIPTS_TABLE) {
            self.remember(name, Known::LeftOut);
            return Ok(());
        }
        if is_internal(name) {
            self.remember(name, Known::LeftOut);
            self.internal(name);
            return Ok(());
        }
        if let Some(pattern) = self.exclusion(name) {
            let reason = format!("left out by the configuration (`{pattern}`)");
            self.leave_out("table", name, &reason);
            self.remember(name, Known::LeftOut);
            return Ok(());
        }
        let Some(told) = self.told.get(&name.to_ascii_lowercase()).cloned() else {
            self.unknown("table", name, "it stands in sqlite_schema, but SQLite does not know it");
            self.remember(name, Known::Unknown);
            return Ok(());
        };
        match told.kind.as_str() {
            "shadow" => {
                let reason = "holds the data of a virtual table, which its module maintains";
                self.leave_out("shadow table", name, reason);
                self.remember(name, Known::LeftOut);
                Ok(())
            }
            "virtual" => {
                self.virtual_table(entry);
                Ok(())
            }
            _ => self.ordinary_table(entry, told),
        }
    }

    fn ordinary_table(&mut self, entry: &SchemaEntry, told: TableEntry) -> Result<(), EngineError> {
        let name = told.name.clone();
        let info = TableInfo {
            columns: self.locked.columns(&name)?,
            indexes: self.locked.indexes(&name)?,
            foreign_keys: self.locked.foreign_keys(&name)?,
            entry: told,
        };
        let sql = entry.sql.as_deref().unwrap_or_default();
        let parsed = parse::parse_table(sql)
            .map_err(|error| error.to_string())
            .and_then(|parsed| table_agrees(&parsed, &info).map(|()| parsed));
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(reason) => {
                self.unknown(
                    "table",
                    &name,
                    &format!("its definition is not understood: {reason}"),
                );
                self.remember(&name, Known::Unknown);
                return Ok(());
            }
        };
        self.catalog.facts.extend(facts::of_table(&parsed, &info));
        self.define(ObjectKind::Table, &name, sql);
        for column in info.columns.iter().filter(|column| column.generated != Generated::No) {
            let name = format!("{name}.{}", column.name);
            self.leave_out("generated column", &name, "its values follow from the other columns");
        }
        let spec = self.spec(&info)?;
        self.catalog.tables.push(spec);
        self.remember(&name, Known::Captured { name: name.clone(), info: Some(Box::new(info)) });
        Ok(())
    }

    fn spec(&mut self, info: &TableInfo) -> Result<TableSpec, EngineError> {
        let (key, reads_in_key_order) = keys::choose(info, self.scope, self.encoding)?;
        let is_strict = info.entry.is_strict;
        let mut columns: Vec<ColumnSpec> = info
            .columns
            .iter()
            .filter(|column| column.generated == Generated::No)
            .map(|column| self.column_spec(column, is_strict))
            .collect();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        let mut spec = TableSpec {
            name: ObjectName::bare(&info.entry.name),
            columns,
            key,
            reads_in_key_order,
            column_order: info.columns.iter().map(|column| column.name.clone()).collect(),
        };
        mask::apply(self.scope, &mut spec)?;
        Ok(spec)
    }

    fn column_spec(&mut self, column: &ColumnInfo, is_strict: bool) -> ColumnSpec {
        let default = match &column.default {
            Some(default) => self.defaults.value(&column.declared_type, is_strict, default),
            None => Value::Null,
        };
        ColumnSpec {
            name: column.name.clone(),
            declared_type: column.declared_type.clone(),
            default,
        }
    }

    fn virtual_table(&mut self, entry: &SchemaEntry) {
        let name = entry.name.as_str();
        let sql = entry.sql.as_deref().unwrap_or_default();
        match parse::parse_virtual_table(sql) {
            Ok(parsed) if parsed.name.eq_ignore_ascii_case(name) => {
                self.catalog.facts.push(facts::of_virtual_table(&parsed, name));
                self.define(ObjectKind::VirtualTable, name, sql);
                let reason = format!("its rows are the business of its module `{}`", parsed.module);
                self.leave_out("rows of a virtual table", name, &reason);
                self.remember(name, Known::Captured { name: name.to_owned(), info: None });
            }
            Ok(_) => self.misnamed("virtual table", name),
            Err(error) => self.not_understood("virtual table", name, &error.to_string()),
        }
    }

    fn view(&mut self, entry: &SchemaEntry) {
        let name = entry.name.as_str();
        let sql = entry.sql.as_deref().unwrap_or_default();
        match parse::parse_view(sql) {
            Ok(parsed) if parsed.name.eq_ignore_ascii_case(name) => {
                self.catalog.facts.push(facts::of_view(&parsed, name));
                self.define(ObjectKind::View, name, sql);
                self.remember(name, Known::Captured { name: name.to_owned(), info: None });
            }
            Ok(_) => self.misnamed("view", name),
            Err(error) => self.not_understood("view", name, &error.to_string()),
        }
    }

    /// Indexes, triggers, and whatever a newer SQLite may keep there.
    fn other(&mut self, entry: &SchemaEntry) {
        let owner = self.known.remove(&entry.table.to_ascii_lowercase());
        match (entry.kind.as_str(), entry.sql.as_deref(), &owner) {
            // Made by SQLite for a constraint, which is captured as such.
            ("index", None, _) => {}
            ("index" | "trigger", Some(_), Some(Known::LeftOut)) => {}
            ("index", Some(sql), Some(Known::Captured { info: Some(info), .. })) => {
                self.index(entry, sql, info);
            }
            ("trigger", Some(sql), Some(Known::Captured { name, .. })) => {
                self.trigger(entry, sql, name);
            }
            ("index" | "trigger", _, Some(Known::Unknown)) => {
                let reason = format!("its table `{}` is not understood", entry.table);
                self.unknown(&entry.kind, &entry.name, &reason);
            }
            ("index" | "trigger", _, _) => {
                let reason = format!("its table `{}` is not known", entry.table);
                self.unknown(&entry.kind, &entry.name, &reason);
            }
            (kind, _, _) => self.unknown(kind, &entry.name, "this kind of object is not known"),
        }
        if let Some(owner) = owner {
            self.known.insert(entry.table.to_ascii_lowercase(), owner);
        }
    }

    fn index(&mut self, entry: &SchemaEntry, sql: &str, info: &TableInfo) {
        let Some(index) = info.indexes.iter().find(|index| index.name == entry.name) else {
            let reason = "it stands in sqlite_schema, but its table does not have it";
            return self.unknown("index", &entry.name, reason);
        };
        let parsed =
            parse::parse_index(sql).map_err(|error| error.to_string()).and_then(|parsed| {
                let belongs = parsed.name.eq_ignore_ascii_case(&entry.name)
                    && parsed.table.eq_ignore_ascii_case(&info.entry.name);
                if !belongs {
                    return Err("its text is about something else".to_owned());
                }
                index_agrees(&parsed, index, info).map(|()| parsed)
            });
        match parsed {
            Ok(parsed) => {
                self.catalog.facts.push(facts::of_index(&parsed, index, info));
                self.define(ObjectKind::Index, &entry.name, sql);
            }
            Err(reason) => self.not_understood("index", &entry.name, &reason),
        }
    }

    fn trigger(&mut self, entry: &SchemaEntry, sql: &str, table: &str) {
        match parse::parse_trigger(sql) {
            Ok(parsed)
                if parsed.name.eq_ignore_ascii_case(&entry.name)
                    && parsed.table.eq_ignore_ascii_case(table) =>
            {
                self.catalog.facts.push(facts::of_trigger(&parsed, &entry.name, table));
                self.define(ObjectKind::Trigger, &entry.name, sql);
            }
            Ok(_) => self.misnamed("trigger", &entry.name),
            Err(error) => self.not_understood("trigger", &entry.name, &error.to_string()),
        }
    }

    /// The positions of AUTOINCREMENT keys, of the tables that are captured.
    fn sequences(&mut self, entries: &[SchemaEntry]) -> Result<(), EngineError> {
        if !entries.iter().any(|entry| entry.name == "sqlite_sequence") {
            return Ok(());
        }
        let rows = self.locked.list(
            "SELECT name, seq FROM main.sqlite_sequence ORDER BY rowid",
            "read the sequences of",
            |row| {
                let name = row.text(0)?.unwrap_or_default().to_owned();
                let position = match row.cell(1)? {
                    Cell::Int(position) => Some(position),
                    _ => None,
                };
                Ok((name, position))
            },
        )?;
        for (name, position) in rows {
            let table = match self.known.get(&name.to_ascii_lowercase()) {
                Some(Known::Captured { name, .. }) => name.clone(),
                Some(_) => continue,
                None => {
                    self.leave_out("sequence", &name, "no table has this name");
                    continue;
                }
            };
            let Some(position) = position else {
                self.leave_out("sequence", &name, "its position is not an integer");
                continue;
            };
            // SQLite takes the first row of a name.
            let name = ObjectName::bare(table);
            if self.catalog.sequences.iter().all(|sequence| sequence.name != name) {
                self.catalog.sequences.push(Sequence { name, position });
            }
        }
        Ok(())
    }

    fn internal(&mut self, name: &str) {
        let lower = name.to_ascii_lowercase();
        if lower == "sqlite_sequence" {
            // Captured as sequence positions.
        } else if lower.starts_with("sqlite_stat") {
            self.leave_out("statistics", name, "planner statistics, made again by ANALYZE");
        } else {
            self.leave_out("internal table", name, "belongs to SQLite itself");
        }
    }

    fn exclusion(&self, name: &str) -> Option<String> {
        let patterns = &self.scope.excluded_tables;
        patterns.iter().find(|pattern| pattern::matches(pattern, name, true)).cloned()
    }

    /// A pattern with a slip of the pen leaves nothing out, and nobody would know.
    fn unused_rules(&mut self, entries: &[SchemaEntry]) {
        let is_there = |matches: &dyn Fn(&str) -> bool| {
            entries.iter().any(|e| e.kind == "table" && !is_internal(&e.name) && matches(&e.name))
        };
        let mut unused = Vec::new();
        for pattern in &self.scope.excluded_tables {
            if !is_there(&|name| pattern::matches(pattern, name, true)) {
                unused.push(format!("exclude: no table matches `{pattern}`"));
            }
        }
        for (table, _) in &self.scope.key_overrides {
            let is_read = |spec: &TableSpec| spec.name.name.eq_ignore_ascii_case(table);
            if !is_there(&|name| name.eq_ignore_ascii_case(table)) {
                unused.push(format!("keys: there is no table `{table}`"));
            } else if !self.catalog.tables.iter().any(is_read) {
                unused.push(format!("keys: the rows of `{table}` are not captured"));
            }
        }
        self.catalog.unused_rules = unused;
    }

    fn define(&mut self, kind: ObjectKind, name: &str, sql: &str) {
        let text = sql.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace()).to_owned();
        self.catalog.definitions.push(Definition { kind, object: ObjectName::bare(name), text });
    }

    fn remember(&mut self, name: &str, known: Known) {
        self.known.insert(name.to_ascii_lowercase(), known);
    }

    fn leave_out(&mut self, kind: &str, name: &str, reason: &str) {
        self.catalog.not_captured.push(NotCaptured::known(kind, name, reason));
    }

    fn unknown(&mut self, kind: &str, name: &str, reason: &str) {
        self.catalog.not_captured.push(NotCaptured::unknown(kind, name, reason));
    }

    fn not_understood(&mut self, kind: &str, name: &str, reason: &str) {
        self.unknown(kind, name, &format!("its definition is not understood: {reason}"));
        if matches!(kind, "view" | "virtual table") {
            self.remember(name, Known::Unknown);
        }
    }

    fn misnamed(&mut self, kind: &str, name: &str) {
        self.not_understood(kind, name, "its text is about something else");
    }
}

/// Names that begin with `sqlite_` belong to SQLite.
fn is_internal(name: &str) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"))
}

fn sorted(mut catalog: Catalog) -> Catalog {
    catalog.facts.sort_by(|a, b| a.id.cmp(&b.id));
    catalog.tables.sort_by(|a, b| a.name.cmp(&b.name));
    catalog.definitions.sort_by(|a, b| (a.kind, &a.object).cmp(&(b.kind, &b.object)));
    catalog.sequences.sort_by(|a, b| a.name.cmp(&b.name));
    catalog.not_captured.sort();
    catalog
}
