//! The schema language of SQLite.
//!
//! Things are made by the texts that the wanted database has of them, where those say exactly the
//! facts that are wanted (`create`, with `told`). A table gains and loses columns by ALTER TABLE
//! where SQLite can (`columns`); else it is built anew around its rows (`rebuild`). Views and triggers are looked
//! at by SQLite when they are used and not before, so nothing stands in the way of anything.
//!
//! A way that drops tables or builds them anew must run without foreign keys, which are checked at
//! its end, and under `legacy_alter_table` (`SqliteSession::begin_rebuild`).

mod columns;
mod create;
mod rebuild;
mod renames;
mod told;

use std::collections::BTreeSet;

use super::sql::quoted;
use crate::engine::ddl::{
    Alteration, Break, Ddl, FactChange, Following, Rename, Renames, Schema, Statement, StepHazard,
    Yielding, flag, list, number, text,
};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};
use create::{is_of_table, names_in};

/// The schema language of SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SqliteDdl;

/// Settings that a transaction can change.
const SETTINGS: [&str; 2] = ["user_version", "application_id"];

impl Ddl for SqliteDdl {
    fn container(&self, fact: &Fact, schema: &Schema<'_>) -> Option<FactId> {
        match fact.id.kind {
            ObjectKind::Table => None,
            kind if is_of_table(kind) => Some(id(ObjectKind::Table, &fact.id.object)),
            ObjectKind::Index | ObjectKind::Trigger => {
                let owner = fact.table()?;
                [ObjectKind::View, ObjectKind::VirtualTable, ObjectKind::Table]
                    .into_iter()
                    .find(|kind| schema.object(*kind, &owner).is_some())
                    .map(|kind| id(kind, &owner))
            }
            _ => None,
        }
    }

    fn is_inline(&self, fact: &Fact, _schema: &Schema<'_>) -> bool {
        fact.id.kind != ObjectKind::Table && is_of_table(fact.id.kind)
    }

    fn requires(&self, fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
        let mut needed: Vec<FactId> = self.container(fact, schema).into_iter().collect();
        match fact.id.kind {
            ObjectKind::Index => {
                let table = fact.table().unwrap_or_else(|| ObjectName::bare(""));
                let all = schema.parts(ObjectKind::Column, &table);
                let named = all.filter(|column| columns::names(fact, &column.id.part));
                needed.extend(named.map(|column| column.id.clone()));
            }
            // Nothing of this has to be there for SQLite; it is the order that people expect.
            ObjectKind::View | ObjectKind::Trigger | ObjectKind::VirtualTable => {
                let tables = said(fact).into_iter().map(ObjectName::bare);
                let known = tables.filter_map(|name| schema.object(ObjectKind::Table, &name));
                needed.extend(known.map(|table| table.id.clone()));
            }
            _ => {}
        }
        needed
    }

    fn names(&self, fact: &Fact) -> Vec<String> {
        let name = fact.id.object.name.to_ascii_lowercase();
        match fact.id.kind {
            ObjectKind::Table | ObjectKind::VirtualTable | ObjectKind::View | ObjectKind::Index => {
                vec![format!("object {name}")]
            }
            ObjectKind::Trigger => vec![format!("trigger {name}")],
            ObjectKind::Column => {
                vec![format!("column {name} {}", fact.id.part.to_ascii_lowercase())]
            }
            _ => Vec::new(),
        }
    }

    /// Tables become what they shall be before their rows change; what is on them comes after.
    fn midway(
        &self,
        before: Option<&Fact>,
        after: Option<&Fact>,
        _from: &Schema<'_>,
        _to: &Schema<'_>,
    ) -> Option<Fact> {
        let kind = after.or(before)?.id.kind;
        let is_early = is_of_table(kind) || kind == ObjectKind::Setting;
        after.filter(|_| is_early).cloned()
    }

    fn can_wait(&self, fact: &Fact) -> bool {
        match fact.id.kind {
            // Rows may be found by it.
            ObjectKind::Index => !flag(fact, "unique"),
            kind => !is_of_table(kind),
        }
    }

    fn create(
        &self,
        fact: &Fact,
        inline: &[&Fact],
        to: &Schema<'_>,
    ) -> Result<Vec<Statement>, String> {
        let object = &fact.id.object;
        let statement = match fact.id.kind {
            ObjectKind::Table => create::table(object, to)?,
            ObjectKind::Index
            | ObjectKind::View
            | ObjectKind::Trigger
            | ObjectKind::VirtualTable => create::object(fact, to)?,
            ObjectKind::Column => match columns::why_not_added(fact, inline, to) {
                None => {
                    let column = create::added_column(fact, inline);
                    format!("ALTER TABLE {} ADD COLUMN {column}", quoted(&object.name))
                }
                Some(reason) => return Err(reason.to_owned()),
            },
            ObjectKind::Setting => return set(fact),
            kind => return Err(format!("a {kind} cannot be added to a table as it is")),
        };
        Ok(vec![Statement::Whole(statement)])
    }

    fn drop(&self, fact: &Fact, from: &Schema<'_>) -> Result<Vec<Statement>, String> {
        let object = quoted(&fact.id.object.name);
        let statement = match fact.id.kind {
            ObjectKind::Table => format!("DROP TABLE {object}"),
            ObjectKind::Index => format!("DROP INDEX {object}"),
            ObjectKind::View => format!("DROP VIEW {object}"),
            ObjectKind::Trigger => format!("DROP TRIGGER {object}"),
            ObjectKind::Column => match columns::why_not_dropped(fact, from) {
                None => format!("ALTER TABLE {object} DROP COLUMN {}", quoted(&fact.id.part)),
                Some(reason) => return Err(reason),
            },
            ObjectKind::VirtualTable => return Err(not_captured(fact)),
            kind => return Err(format!("a {kind} cannot be dropped by itself")),
        };
        Ok(vec![Statement::Whole(statement)])
    }

    fn alter(
        &self,
        before: &Fact,
        after: &Fact,
        _from: &Schema<'_>,
        _to: &Schema<'_>,
    ) -> Alteration {
        match after.id.kind {
            kind if is_of_table(kind) => Alteration::Rebuilt,
            ObjectKind::Index | ObjectKind::View | ObjectKind::Trigger => Alteration::Remade,
            ObjectKind::Setting => match set(after) {
                Ok(statements) => Alteration::InPlace(statements),
                Err(reason) => Alteration::Refused(reason),
            },
            ObjectKind::VirtualTable => Alteration::Refused(not_captured(before)),
            kind => Alteration::Refused(format!("a {kind} is not known to SQLite")),
        }
    }

    fn yields(
        &self,
        fact: &Fact,
        _after: &Fact,
        _needed: &Fact,
        broken: Break<'_>,
        _from: &Schema<'_>,
    ) -> Yielding {
        match (fact.id.kind, broken) {
            (ObjectKind::Index, Break::Gone) => Yielding::Remade,
            _ => Yielding::Stands,
        }
    }

    fn weaker(&self, _fact: &Fact) -> Option<Fact> {
        None
    }

    fn rebuild(
        &self,
        table: &ObjectName,
        from: &Schema<'_>,
        to: &Schema<'_>,
    ) -> Result<Vec<Statement>, String> {
        rebuild::statements(table, from, to)
    }

    /// That the whole database is locked is told of every pack.
    fn hazards(&self, change: FactChange<'_>, _schema: &Schema<'_>) -> Vec<StepHazard> {
        let of_change = match change {
            FactChange::Created(fact) if fact.id.kind == ObjectKind::Index => {
                Some(StepHazard::Scan)
            }
            FactChange::Created(fact) | FactChange::Dropped(fact)
                if fact.id.kind == ObjectKind::Trigger =>
            {
                Some(StepHazard::Behaviour)
            }
            FactChange::Altered(_, after) if after.id.kind == ObjectKind::Trigger => {
                Some(StepHazard::Behaviour)
            }
            FactChange::Altered(_, after) if is_of_table(after.id.kind) => {
                Some(StepHazard::Rewrite)
            }
            FactChange::Dropped(fact) if fact.id.kind == ObjectKind::Column => {
                Some(StepHazard::Rewrite)
            }
            _ => None,
        };
        of_change.into_iter().collect()
    }

    fn rank(&self, change: FactChange<'_>) -> u16 {
        match change {
            FactChange::Dropped(fact) => match fact.id.kind {
                ObjectKind::Trigger => 0,
                ObjectKind::View => 10,
                ObjectKind::Index => 20,
                ObjectKind::Column => 30,
                _ => 40,
            },
            FactChange::Created(fact) | FactChange::Altered(_, fact) => match fact.id.kind {
                ObjectKind::Setting => 50,
                ObjectKind::Table => 60,
                ObjectKind::Column if text(fact, "generated").is_some() => 71,
                ObjectKind::Index => 80,
                ObjectKind::VirtualTable => 85,
                ObjectKind::View => 90,
                ObjectKind::Trigger => 100,
                _ => 70,
            },
        }
    }

    fn joined(&self, _table: &ObjectName, _clauses: &[String]) -> Option<String> {
        None
    }

    fn alter_table(&self, table: &ObjectName, clause: &str) -> String {
        format!("ALTER TABLE {} {clause}", quoted(&table.name))
    }

    fn preamble(&self) -> Vec<String> {
        Vec::new()
    }

    fn follows(
        &self,
        fact: &Fact,
        renames: &Renames,
        _schema: &Schema<'_>,
        _wanted: &Schema<'_>,
    ) -> Following {
        renames::follows(fact, renames)
    }

    fn speaks_of(&self, fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
        renames::speaks_of(fact, schema)
    }

    fn rename(&self, rename: &Rename, _schema: &Schema<'_>) -> Result<String, String> {
        Ok(renames::statement(rename))
    }

    /// Where tables are built anew, names would not be followed elsewhere.
    fn rename_settings(&self, rebuilds: bool) -> (Vec<String>, Vec<String>) {
        let set = |value: &str| match rebuilds {
            true => vec![format!("PRAGMA legacy_alter_table = {value}")],
            false => Vec::new(),
        };
        (set("OFF"), set("ON"))
    }
}

fn id(kind: ObjectKind, object: &ObjectName) -> FactId {
    FactId { kind, object: object.clone(), part: String::new() }
}

/// The names that a view, a trigger or a virtual table says, whatever they are names of.
fn said(fact: &Fact) -> BTreeSet<String> {
    let texts = ["query", "when", "body"].into_iter().filter_map(|a| text(fact, a));
    let arguments = list(fact, "arguments").iter().map(String::as_str);
    texts.chain(arguments).flat_map(names_in).collect()
}

fn set(setting: &Fact) -> Result<Vec<Statement>, String> {
    let name = setting.id.object.name.as_str();
    match (SETTINGS.contains(&name), number(setting, "value")) {
        (true, Some(value)) => Ok(vec![Statement::Whole(format!("PRAGMA {name} = {value}"))]),
        _ => Err(format!("`{name}` of a database is fixed when it is created, or by VACUUM")),
    }
}

fn not_captured(table: &Fact) -> String {
    format!(
        "the rows of the virtual table `{}` are not captured, so nothing could bring them back",
        table.id.object.name
    )
}
