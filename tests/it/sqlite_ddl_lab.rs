//! A driver for SQLite's schema language: a database becomes another by its statements, and the
//! catalog and the rows are looked at afterwards. It orders the steps as simply as they can be.

use std::collections::{BTreeMap, BTreeSet};

use deepdiff_db::engine::Session;
use deepdiff_db::engine::ddl::{Alteration, Ddl, Schema, Statement};
use deepdiff_db::engine::sqlite::SqliteDdl;
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, Fact, FactId, ObjectKind, ObjectName};

use crate::sqlite_database::lines;

/// Where the texts of what is made come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// From the wanted database.
    Wanted,
    /// From nowhere: all of them are written from facts.
    None,
}

pub fn catalog(session: &Session<'_>) -> Catalog {
    session.catalog(&Scope::default()).unwrap()
}

/// A catalog as planning sees it.
pub fn schema(catalog: &Catalog, texts: Texts) -> Schema<'_> {
    let mut schema = Schema::new(&catalog.facts);
    if texts == Texts::Wanted {
        for definition in &catalog.definitions {
            schema.define(definition.kind, &definition.object, &definition.text);
        }
    }
    for table in &catalog.tables {
        schema.order_columns(&table.name, &table.column_order);
    }
    schema
}

fn is_inline(fact: &Fact) -> bool {
    matches!(
        fact.id.kind,
        ObjectKind::Column
            | ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Check
            | ObjectKind::ForeignKey
    )
}

/// The statements that make one schema of another.
pub fn statements(from: &Schema<'_>, to: &Schema<'_>) -> Result<Vec<String>, String> {
    let mut plan = Plan { from, to, rebuilt: BTreeSet::new(), native: Vec::new() };
    plan.parts()?;
    plan.whole()
}

struct Plan<'a> {
    from: &'a Schema<'a>,
    to: &'a Schema<'a>,
    rebuilt: BTreeSet<ObjectName>,
    native: Vec<(ObjectName, Vec<Statement>)>,
}

impl Plan<'_> {
    fn is_kept(&self, table: &ObjectName) -> bool {
        let is_there = |schema: &Schema<'_>| schema.object(ObjectKind::Table, table).is_some();
        is_there(self.from) && is_there(self.to)
    }

    /// What happens to parts of tables that stay.
    fn parts(&mut self) -> Result<(), String> {
        let ddl = SqliteDdl;
        let mut ids: Vec<&FactId> =
            self.from.facts().chain(self.to.facts()).map(|fact| &fact.id).collect();
        ids.sort();
        ids.dedup();
        for id in ids {
            if !self.is_kept(&id.object) {
                continue;
            }
            let table = id.object.clone();
            let statements = match (self.from.get(id), self.to.get(id)) {
                (Some(before), Some(after)) if before == after => continue,
                (Some(before), Some(after)) => match ddl.alter(before, after, self.from, self.to) {
                    Alteration::Rebuilt => None,
                    other => return Err(format!("{other:?}")),
                },
                (None, Some(after)) if is_inline(after) => ddl.create(after, &[], self.to).ok(),
                (Some(before), None) if is_inline(before) => ddl.drop(before, self.from).ok(),
                _ => continue,
            };
            match statements {
                Some(statements) => self.native.push((table, statements)),
                None => drop(self.rebuilt.insert(table)),
            }
        }
        Ok(())
    }

    /// Whether an index, a view or a trigger is there all the time.
    fn stands(&self, fact: &Fact) -> bool {
        let is_same = |fact: &Fact| {
            self.from.get(&fact.id) == Some(fact) && self.to.get(&fact.id) == Some(fact)
        };
        let owner_stands = fact.table().is_none_or(|owner| {
            let view = self.from.object(ObjectKind::View, &owner);
            match view {
                Some(view) => is_same(view),
                None => self.is_kept(&owner) && !self.rebuilt.contains(&owner),
            }
        });
        is_same(fact) && owner_stands
    }

    fn whole(&self) -> Result<Vec<String>, String> {
        let ddl = SqliteDdl;
        let mut statements = Vec::new();
        let of = |schema: &Schema<'_>, kind: ObjectKind| -> Vec<Fact> {
            schema.facts().filter(|fact| fact.id.kind == kind).cloned().collect()
        };
        for kind in
            [ObjectKind::Trigger, ObjectKind::View, ObjectKind::Index, ObjectKind::VirtualTable]
        {
            for fact in of(self.from, kind).iter().filter(|fact| !self.stands(fact)) {
                statements.extend(ddl.drop(fact, self.from)?);
            }
        }
        for table in of(self.from, ObjectKind::Table) {
            if !self.is_kept(&table.id.object) {
                statements.extend(ddl.drop(&table, self.from)?);
            }
        }
        for table in &self.rebuilt {
            statements.extend(ddl.rebuild(table, self.from, self.to)?);
        }
        for (table, native) in &self.native {
            if !self.rebuilt.contains(table) {
                statements.extend(native.iter().cloned());
            }
        }
        for table in of(self.to, ObjectKind::Table) {
            if !self.is_kept(&table.id.object) {
                let inline: Vec<&Fact> =
                    self.to.of(&table.id.object).iter().copied().filter(|f| is_inline(f)).collect();
                statements.extend(ddl.create(&table, &inline, self.to)?);
            }
        }
        for kind in
            [ObjectKind::Index, ObjectKind::VirtualTable, ObjectKind::View, ObjectKind::Trigger]
        {
            for fact in of(self.to, kind).iter().filter(|fact| !self.stands(fact)) {
                statements.extend(ddl.create(fact, &[], self.to)?);
            }
        }
        for before in of(self.from, ObjectKind::Setting) {
            let Some(after) = self.to.get(&before.id).filter(|after| **after != before) else {
                continue;
            };
            match ddl.alter(&before, after, self.from, self.to) {
                Alteration::InPlace(more) => statements.extend(more),
                other => return Err(format!("{other:?}")),
            }
        }
        let text = |statement: Statement| match statement {
            Statement::Whole(text) => text,
            Statement::Clause { table, clause } => ddl.alter_table(&table, &clause),
        };
        Ok(statements.into_iter().map(text).collect())
    }
}

/// Runs statements as a pack does; the error names the one that failed.
pub fn run(session: &Session<'_>, statements: &[String]) -> Result<(), String> {
    session.begin_rebuild().unwrap();
    for statement in statements {
        if let Err(error) = session.execute(statement) {
            session.rollback().unwrap();
            return Err(format!("{error}\n{}", statements.join(";\n")));
        }
    }
    session.commit().unwrap();
    Ok(())
}

/// Makes the schema of a session this one, and looks whether it is.
pub fn becomes(session: &Session<'_>, wanted: &Catalog, texts: Texts) -> Vec<String> {
    let from = catalog(session);
    let has_rows: BTreeMap<_, _> = from
        .tables
        .iter()
        .map(|table| (&table.name, session.count_rows(table).unwrap() > 0))
        .collect();
    let mut before = schema(&from, Texts::None);
    for (table, has_rows) in has_rows {
        before.count_rows(table, has_rows);
    }
    let mut after = Schema::new(&wanted.facts).described_like(&before);
    if texts == Texts::Wanted {
        for definition in &wanted.definitions {
            after.define(definition.kind, &definition.object, &definition.text);
        }
    }
    for table in &wanted.tables {
        after.order_columns(&table.name, &table.column_order);
    }
    let statements = statements(&before, &after).unwrap();
    run(session, &statements).unwrap();
    let found = catalog(session);
    assert_eq!(lines(&found.facts), lines(&wanted.facts), "{texts:?}:\n{}", statements.join(";\n"));
    statements
}
