//! Everything the catalog of a MySQL or MariaDB database says, with a status for each thing.
//!
//! Tables come from SHOW CREATE TABLE, checked against INFORMATION_SCHEMA; views and programs from
//! their SHOW CREATE. What is not captured is named with its reason, and what the account may not
//! see or this program does not understand is named as unknown. Nothing is skipped in silence,
//! except the receipts this program writes itself. Rows and row keys are somebody else's: the
//! tables of the catalog that comes from here are empty. Must run inside the transaction that
//! reads the rows.

mod create_table;
mod draft;
mod lists;
mod programs;
mod query;
mod rights;
mod spelling;
mod storage;
mod tables;
pub(super) mod tokens;

use std::collections::BTreeSet;

use sqlx::mysql::MySqlConnection;

pub(super) use storage::{Rows, rows_of};

use self::draft::Draft;
use self::lists::{Entry, Lists};
use self::programs::ToldTrigger;
use self::query::{Reader, Shown};
use self::rights::Rights;
use self::tokens::text_without_own;
use crate::engine::error::EngineError;
use crate::engine::is_own_table;
use crate::engine::mysql::sql::quoted;
use crate::engine::pattern;
use crate::model::snapshot::Scope;
use crate::model::{Catalog, Definition, Fact, NotCaptured, ObjectKind, ObjectName, Sequence};

/// Reads the catalog of a database. The rows of a table may be read where it has a `table` fact
/// and [`rows_of`] its engine does not say that they are elsewhere.
pub(super) async fn read(
    connection: &mut MySqlConnection,
    database: &str,
    scope: &Scope,
) -> Result<Catalog, EngineError> {
    let mut reader = Reader::new(connection, database).await?;
    let rights = rights(&mut reader).await?;
    let lists = Lists::read(&mut reader).await?;
    let mut walk = Walk {
        reader,
        rights,
        scope,
        lists,
        known: BTreeSet::new(),
        left_out: BTreeSet::new(),
        catalog: Catalog::default(),
    };
    walk.settings();
    walk.tables().await?;
    walk.views().await?;
    walk.routines().await?;
    walk.triggers().await?;
    walk.events().await?;
    let Walk { reader, catalog, .. } = walk;
    reader.finish().await?;
    Ok(sorted(catalog))
}

/// What an account may not see of a database, as far as its grants tell, before anything is read.
pub(super) async fn missing_rights(
    connection: &mut MySqlConnection,
    database: &str,
) -> Result<Vec<NotCaptured>, EngineError> {
    let mut reader = Reader::new(connection, database).await?;
    let rights = rights(&mut reader).await?;
    let lists = Lists::read(&mut reader).await?;
    let mut missing = rights.hidden();
    for entry in lists.tables.iter().filter(|entry| !is_own_table(&entry.name)) {
        let (rows, triggers) = rights.of_table(&entry.name);
        match entry.kind.as_str() {
            "VIEW" => missing.extend(rights.of_view(&entry.name)),
            "SEQUENCE" => {
                let kind = "sequence".to_owned();
                missing.extend(rows.map(|rows| NotCaptured { kind, ..rows }));
            }
            _ => {
                if rows.is_some() {
                    let seen = lists.triggers.iter().filter(|t| t.table == entry.name);
                    missing.extend(seen.map(of_unknown_table));
                }
                missing.extend(rows.into_iter().chain(triggers));
            }
        }
    }
    for routine in lists.routines.iter().filter(|routine| !routine.shows_body) {
        let kind = routine.kind.to_ascii_lowercase();
        missing.push(NotCaptured::unknown(
            &kind,
            &routine.name,
            "the account may not see its body",
        ));
    }
    reader.finish().await?;
    missing.sort();
    Ok(missing)
}

async fn rights(reader: &mut Reader<'_>) -> Result<Rights, EngineError> {
    let lines = reader.grants().await?;
    // The data dictionary of MySQL 8 took the place of mysql.proc.
    let is_old = !reader.has("COLUMNS", "SRS_ID").await?;
    Ok(Rights::of(lines.as_deref(), &reader.database, is_old))
}

fn of_unknown_table(trigger: &ToldTrigger) -> NotCaptured {
    let reason = format!("its table `{}` is not known", trigger.table);
    NotCaptured::unknown("trigger", &trigger.name, &reason)
}

struct Walk<'c, 's> {
    reader: Reader<'c>,
    rights: Rights,
    scope: &'s Scope,
    lists: Lists,
    /// Tables and sequences that are captured.
    known: BTreeSet<String>,
    /// Tables that are left out, with all that belongs to them.
    left_out: BTreeSet<String>,
    catalog: Catalog,
}

impl Walk<'_, '_> {
    fn settings(&mut self) {
        for (name, value) in &self.lists.settings {
            let draft =
                Draft::new(ObjectKind::Setting, name, "").text("value", Some(value.clone()));
            self.catalog.facts.push(draft.done());
        }
        let hidden = self.rights.hidden();
        self.catalog.not_captured.extend(hidden);
        self.leave_out("grants", "*", "privileges are no part of a state");
    }

    async fn tables(&mut self) -> Result<(), EngineError> {
        for entry in self.lists.tables.clone() {
            if entry.is_view() {
                continue;
            }
            if is_own_table(&entry.name) {
                self.left_out.insert(entry.name);
                continue;
            }
            let patterns = &self.scope.excluded_tables;
            let ignores_case = self.lists.ignores_case;
            let excluded = |pattern: &&String| pattern::matches(pattern, &entry.name, ignores_case);
            if let Some(pattern) = patterns.iter().find(excluded) {
                let reason = format!("left out by the configuration (`{pattern}`)");
                self.leave_out("table", &entry.name, &reason);
                self.left_out.insert(entry.name);
                continue;
            }
            match entry.kind.as_str() {
                "SEQUENCE" => self.sequence(&entry).await?,
                "BASE TABLE" | "SYSTEM VERSIONED" => self.table(&entry).await?,
                "TEMPORARY" => {
                    self.leave_out("temporary table", &entry.name, "it ends with its session");
                }
                kind => {
                    let kind = kind.to_ascii_lowercase();
                    self.unknown(&kind, &entry.name, "this kind of object is not known");
                }
            }
        }
        Ok(())
    }

    async fn table(&mut self, entry: &Entry) -> Result<(), EngineError> {
        let name = entry.name.as_str();
        let (rows, triggers) = self.rights.of_table(name);
        self.catalog.not_captured.extend(triggers);
        if let Some(rows) = rows {
            self.catalog.not_captured.push(rows);
            return Ok(());
        }
        let sql = format!("SHOW CREATE TABLE {}", self.qualified(name));
        let text = match self.reader.show(&sql).await? {
            Shown::Row(record) => record.text(1).to_owned(),
            Shown::Not(reason) => {
                self.unknown("table", name, &reason);
                return Ok(());
            }
        };
        let engine = entry.engine.as_deref().unwrap_or_default();
        let text = match storage::may_hold_secrets(engine) {
            true => storage::redacted(&text),
            false => text,
        };
        if let Err(reason) = self.understand(entry, engine, &text) {
            self.not_understood("table", name, &reason);
        }
        Ok(())
    }

    /// Takes in the facts of a table, or nothing of it.
    fn understand(&mut self, entry: &Entry, engine: &str, text: &str) -> Result<(), String> {
        let name = entry.name.as_str();
        let parsed = create_table::parse(text)?;
        let told = self.lists.columns.get(name).map_or(&[][..], Vec::as_slice);
        let table = tables::Table {
            name,
            engine,
            collation: entry.collation.as_deref(),
            parsed: &parsed,
            told,
            database: &self.reader.database,
        };
        tables::agrees(&table)?;
        self.catalog.facts.extend(tables::facts(&table));
        let mut definition = text.to_owned();
        let mut left_out = Vec::new();
        if let Some((next, span)) = &parsed.auto_increment {
            // Behind it stands a blank, which goes with it.
            definition.replace_range(span.start..(span.end + 1).min(text.len()), "");
            match next.parse::<i64>() {
                Ok(next) => self.catalog.sequences.push(Sequence {
                    name: ObjectName::bare(name),
                    position: next.saturating_sub(1),
                }),
                Err(_) => left_out.push(("sequence", name.to_owned(), "its position is too large")),
            }
        }
        for column in parsed.columns.iter().filter(|column| column.generated.is_some()) {
            let column = format!("{name}.{}", column.name);
            let reason = "its values follow from the other columns, or from when a row was written";
            left_out.push(("generated column", column, reason));
        }
        if entry.kind == "SYSTEM VERSIONED" {
            let reason = "only the rows that are current are read";
            left_out.push(("history rows", name.to_owned(), reason));
        }
        let not_consistent = format!(
            "{engine} knows no transactions: rows are read as they are at that moment, whatever \
             the snapshot of the other tables is"
        );
        match rows_of(engine) {
            Rows::Consistent => {}
            Rows::AsTheyAre => self.leave_out("consistency of a table", name, &not_consistent),
            Rows::Elsewhere(reason) => {
                left_out.push(("rows of a foreign table", name.to_owned(), reason));
            }
        }
        for (kind, name, reason) in left_out {
            self.leave_out(kind, &name, reason);
        }
        let definition = text_without_own(definition.trim_end(), &self.reader.database);
        self.define(ObjectKind::Table, name, &definition);
        self.known.insert(name.to_owned());
        Ok(())
    }

    async fn sequence(&mut self, entry: &Entry) -> Result<(), EngineError> {
        let name = entry.name.as_str();
        if let (Some(rows), _) = self.rights.of_table(name) {
            self.unknown("sequence", name, &rows.reason);
            return Ok(());
        }
        let sql = format!("SHOW CREATE SEQUENCE {}", self.qualified(name));
        match self.reader.show(&sql).await? {
            Shown::Row(record) => {
                let fact = programs::sequence(name, &record);
                self.captured("sequence", ObjectKind::Sequence, name, record.text(1), fact);
                self.known.insert(name.to_owned());
            }
            Shown::Not(reason) => self.unknown("sequence", name, &reason),
        }
        let sql = format!(
            "SELECT next_not_cached_value, start_value, \
             increment FROM {}",
            self.qualified(name)
        );
        if let Shown::Row(record) = self.reader.show(&sql).await? {
            let number = |at: usize| record.text(at).parse::<i64>().ok();
            match (number(0), number(1), number(2)) {
                (Some(next), Some(start), _) if next == start => {}
                (Some(next), _, Some(step)) => self.catalog.sequences.push(Sequence {
                    name: ObjectName::bare(name),
                    position: next.saturating_sub(step),
                }),
                _ => self.leave_out("sequence", name, "its position is not a 64-bit integer"),
            }
        }
        Ok(())
    }

    async fn views(&mut self) -> Result<(), EngineError> {
        for entry in self.lists.tables.clone().iter().filter(|entry| entry.is_view()) {
            let name = entry.name.as_str();
            if let Some(missing) = self.rights.of_view(name) {
                self.catalog.not_captured.push(missing);
                continue;
            }
            let sql = format!("SHOW CREATE VIEW {}", self.qualified(name));
            match self.reader.show(&sql).await? {
                Shown::Row(record) => {
                    let depends_on = self.lists.read_by(name, &self.reader.database);
                    let fact = programs::view(name, &self.reader.database, &record, depends_on);
                    let text = text_without_own(record.text(1), &self.reader.database);
                    self.captured("view", ObjectKind::View, name, &text, fact);
                }
                Shown::Not(reason) => self.unknown("view", name, &reason),
            }
        }
        Ok(())
    }

    async fn routines(&mut self) -> Result<(), EngineError> {
        for routine in self.lists.routines.clone() {
            let (kind, name) = (routine.kind.as_str(), routine.name.as_str());
            let word = kind.to_ascii_lowercase();
            let sql = format!("SHOW CREATE {kind} {}", self.qualified(name));
            match self.reader.show(&sql).await? {
                Shown::Row(record) if record.get(2).is_none() => {
                    self.unknown(&word, name, "the account may not see its body");
                }
                Shown::Row(record) => {
                    let fact = programs::routine(kind, name, &record);
                    let object = programs::routine_object(kind, name);
                    let text = record.text(2).to_owned();
                    self.captured(&word, ObjectKind::Routine, &object, &text, fact);
                }
                Shown::Not(reason) => self.unknown(&word, name, &reason),
            }
        }
        Ok(())
    }

    async fn triggers(&mut self) -> Result<(), EngineError> {
        for told in self.lists.triggers.clone() {
            if self.left_out.contains(&told.table) {
                continue;
            }
            if !self.known.contains(&told.table) {
                self.catalog.not_captured.push(of_unknown_table(&told));
                continue;
            }
            let sql = format!("SHOW CREATE TRIGGER {}", self.qualified(&told.name));
            match self.reader.show(&sql).await? {
                Shown::Row(record) => {
                    let (fact, text) = match programs::trigger(&told, &record) {
                        Ok((fact, text)) => (Ok(fact), text),
                        Err(reason) => (Err(reason), String::new()),
                    };
                    self.captured("trigger", ObjectKind::Trigger, &told.name, &text, fact);
                }
                Shown::Not(reason) => self.unknown("trigger", &told.name, &reason),
            }
        }
        Ok(())
    }

    async fn events(&mut self) -> Result<(), EngineError> {
        for (name, starts_when_created) in self.lists.events.clone() {
            let sql = format!("SHOW CREATE EVENT {}", self.qualified(&name));
            match self.reader.show(&sql).await? {
                Shown::Row(record) => {
                    let fact = programs::event(&name, starts_when_created, &record);
                    let text = match starts_when_created {
                        true => programs::without_start(record.text(3), record.text(1)),
                        false => record.text(3).to_owned(),
                    };
                    self.captured("event", ObjectKind::Event, &name, &text, fact);
                }
                Shown::Not(reason) => self.unknown("event", &name, &reason),
            }
        }
        Ok(())
    }

    fn captured(
        &mut self,
        word: &str,
        kind: ObjectKind,
        object: &str,
        text: &str,
        fact: Result<Fact, String>,
    ) {
        match fact {
            Ok(fact) => {
                self.catalog.facts.push(fact);
                self.define(kind, object, text);
            }
            Err(reason) => self.not_understood(word, object, &reason),
        }
    }

    fn qualified(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.reader.database), quoted(name))
    }

    fn define(&mut self, kind: ObjectKind, object: &str, text: &str) {
        let (object, text) = (ObjectName::bare(object), text.to_owned());
        self.catalog.definitions.push(Definition { kind, object, text });
    }

    fn leave_out(&mut self, kind: &str, name: &str, reason: &str) {
        self.catalog.not_captured.push(NotCaptured::known(kind, name, reason));
    }

    fn unknown(&mut self, kind: &str, name: &str, reason: &str) {
        self.catalog.not_captured.push(NotCaptured::unknown(kind, name, reason));
    }

    fn not_understood(&mut self, kind: &str, name: &str, reason: &str) {
        self.unknown(kind, name, &format!("its definition is not understood: {reason}"));
    }
}

fn sorted(mut catalog: Catalog) -> Catalog {
    catalog.facts.sort_by(|a, b| a.id.cmp(&b.id));
    catalog.definitions.sort_by(|a, b| (a.kind, &a.object).cmp(&(b.kind, &b.object)));
    catalog.sequences.sort_by(|a, b| a.name.cmp(&b.name));
    catalog.not_captured.sort();
    catalog.not_captured.dedup();
    catalog
}
