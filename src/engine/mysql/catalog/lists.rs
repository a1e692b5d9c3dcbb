//! What there is in a database, as INFORMATION_SCHEMA lists it: a fixed number of questions.

use std::collections::{BTreeMap, BTreeSet};

use super::programs::ToldTrigger;
use super::query::Reader;
use super::spelling;
use super::tables::ToldColumn;
use super::tokens::{cut, without_own};
use crate::engine::error::EngineError;
use crate::engine::mysql::query::Answer;

/// A table, view or sequence.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    /// `BASE TABLE`, `VIEW`, `SEQUENCE`, `SYSTEM VERSIONED`, …
    pub(super) kind: String,
    pub(super) engine: Option<String>,
    pub(super) collation: Option<String>,
}

impl Entry {
    /// Whether it is a view.
    pub(super) fn is_view(&self) -> bool {
        self.kind == "VIEW"
    }
}

/// A function, procedure or package.
#[derive(Debug, Clone)]
pub(super) struct Routine {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) shows_body: bool,
}

/// The lists of one database.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Settings of the database, with their values.
    pub(super) settings: Vec<(String, String)>,
    /// Whether names of tables are compared without case.
    pub(super) ignores_case: bool,
    pub(super) tables: Vec<Entry>,
    /// By table, in the table's order.
    pub(super) columns: BTreeMap<String, Vec<ToldColumn>>,
    /// The queries of views, with every name in full.
    queries: BTreeMap<String, String>,
    pub(super) routines: Vec<Routine>,
    pub(super) triggers: Vec<ToldTrigger>,
    /// Events, and whether each starts at the moment it was created.
    pub(super) events: Vec<(String, bool)>,
}

impl Lists {
    /// Asks for everything.
    pub(super) async fn read(reader: &mut Reader<'_>) -> Result<Lists, EngineError> {
        let mut lists = Lists::default();
        lists.read_settings(reader).await?;
        lists.read_tables(reader).await?;
        lists.read_programs(reader).await?;
        Ok(lists)
    }

    async fn read_settings(&mut self, reader: &mut Reader<'_>) -> Result<(), EngineError> {
        let mut columns = vec![
            ("charset", "DEFAULT_CHARACTER_SET_NAME"),
            ("collation", "DEFAULT_COLLATION_NAME"),
        ];
        for (name, column) in [("comment", "SCHEMA_COMMENT"), ("encryption", "DEFAULT_ENCRYPTION")]
        {
            if reader.has("SCHEMATA", column).await? {
                columns.push((name, column));
            }
        }
        let list: Vec<String> = columns.iter().map(|(_, column)| (*column).to_owned()).collect();
        let sql = format!(
            "SELECT @@lower_case_table_names, {} FROM information_schema.SCHEMATA \
             WHERE SCHEMA_NAME = ?",
            list.join(", ")
        );
        let rows = reader.rows(&sql).await?;
        let Some(row) = rows.first() else {
            return Err(EngineError::NotFound {
                database: reader.database.clone(),
                reason: "the server has none of this name, or the account may not see it"
                    .to_owned(),
            });
        };
        self.ignores_case = row.text(0) != "0";
        for (at, (name, _)) in columns.iter().enumerate() {
            let value = row.text(at + 1);
            let says_nothing = match *name {
                "comment" => value.is_empty(),
                "encryption" => value == "NO",
                _ => false,
            };
            if !says_nothing {
                self.settings.push(((*name).to_owned(), spelling::charset(value)));
            }
        }
        Ok(())
    }

    async fn read_tables(&mut self, reader: &mut Reader<'_>) -> Result<(), EngineError> {
        let sql = "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, \
                   TABLE_COLLATION FROM information_schema.TABLES \
                   WHERE TABLE_SCHEMA = ?";
        let rows = reader.rows(sql).await?;
        let entry = |row: &Answer| Entry {
            name: row.text(0).to_owned(),
            kind: row.text(1).to_owned(),
            engine: row.get(2).map(str::to_owned),
            collation: row.get(3).map(str::to_owned),
        };
        self.tables = rows.iter().map(entry).collect();
        self.tables.sort_by(|a, b| a.name.cmp(&b.name));
        let sql = "SELECT TABLE_NAME, COLUMN_NAME, \
                   COLUMN_TYPE, CHARACTER_SET_NAME, \
                   COLLATION_NAME, ORDINAL_POSITION \
                   FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ?";
        let mut found: BTreeMap<String, Vec<(u32, ToldColumn)>> = BTreeMap::new();
        for row in reader.rows(sql).await? {
            let column = ToldColumn {
                name: row.text(1).to_owned(),
                column_type: row.text(2).to_owned(),
                charset: row.get(3).map(str::to_owned),
                collation: row.get(4).map(str::to_owned),
            };
            let position = row.text(5).parse().unwrap_or(u32::MAX);
            found.entry(row.text(0).to_owned()).or_default().push((position, column));
        }
        for (table, mut columns) in found {
            columns.sort_by_key(|(position, _)| *position);
            self.columns.insert(table, columns.into_iter().map(|(_, column)| column).collect());
        }
        let sql = "SELECT TABLE_NAME, VIEW_DEFINITION \
                   FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?";
        let rows = reader.rows(sql).await?;
        self.queries =
            rows.iter().map(|row| (row.text(0).to_owned(), row.text(1).to_owned())).collect();
        Ok(())
    }

    async fn read_programs(&mut self, reader: &mut Reader<'_>) -> Result<(), EngineError> {
        let sql = "SELECT ROUTINE_NAME, ROUTINE_TYPE, \
                   ROUTINE_DEFINITION IS NOT NULL \
                   FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?";
        let routine = |row: &Answer| Routine {
            name: row.text(0).to_owned(),
            kind: row.text(1).to_owned(),
            shows_body: row.text(2) == "1",
        };
        self.routines = reader.rows(sql).await?.iter().map(routine).collect();
        self.routines.sort_by(|a, b| (&a.name, &a.kind).cmp(&(&b.name, &b.kind)));
        let sql = "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, \
                   ACTION_TIMING, EVENT_MANIPULATION, \
                   ACTION_ORDER FROM information_schema.TRIGGERS \
                   WHERE TRIGGER_SCHEMA = ?";
        self.triggers = in_order(&reader.rows(sql).await?);
        let sql = "SELECT EVENT_NAME, STARTS IS NOT NULL AND \
                   CONVERT_TZ(STARTS, TIME_ZONE, 'SYSTEM') <=> \
                   CONVERT_TZ(CREATED, @@SESSION.time_zone, 'SYSTEM') \
                   FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?";
        let rows = reader.rows(sql).await?;
        self.events = rows.iter().map(|row| (row.text(0).to_owned(), row.text(1) == "1")).collect();
        self.events.sort();
        Ok(())
    }

    /// The tables, views and functions of the database that a view reads.
    pub(super) fn read_by(&self, view: &str, database: &str) -> Vec<String> {
        let tokens = cut(self.queries.get(view).map_or("", String::as_str));
        let (_, named) = without_own(&tokens, database);
        let named: BTreeSet<String> = named.into_iter().collect();
        let tables = self.tables.iter().map(|entry| &entry.name);
        let mut found: Vec<String> =
            tables.filter(|name| named.contains(*name) && *name != view).cloned().collect();
        let functions = self.routines.iter().filter(|routine| routine.kind == "FUNCTION");
        // A function of the own database may be printed with or without it.
        let calls = |name: &str| {
            tokens.windows(2).any(|pair| {
                pair[1].is_symbol("(")
                    && pair[0].name().is_some_and(|n| n.eq_ignore_ascii_case(name))
            })
        };
        found.extend(
            functions
                .filter(|routine| calls(&routine.name))
                .map(|routine| super::programs::routine_object("FUNCTION", &routine.name)),
        );
        found
    }
}

/// Triggers with the one each follows.
fn in_order(rows: &[Answer]) -> Vec<ToldTrigger> {
    let mut triggers: Vec<(ToldTrigger, u32)> = rows
        .iter()
        .map(|row| {
            let trigger = ToldTrigger {
                name: row.text(0).to_owned(),
                table: row.text(1).to_owned(),
                timing: row.text(2).to_owned(),
                event: row.text(3).to_owned(),
                follows: None,
            };
            (trigger, row.text(4).parse().unwrap_or_default())
        })
        .collect();
    let place = |(trigger, order): &(ToldTrigger, u32)| {
        (trigger.table.clone(), trigger.timing.clone(), trigger.event.clone(), *order)
    };
    triggers.sort_by_key(place);
    let mut ordered: Vec<ToldTrigger> = Vec::with_capacity(triggers.len());
    for (mut trigger, _) in triggers {
        if let Some(last) = ordered.last()
            && (&last.table, &last.timing, &last.event)
                == (&trigger.table, &trigger.timing, &trigger.event)
        {
            trigger.follows = Some(last.name.clone());
        }
        ordered.push(trigger);
    }
    ordered
}
