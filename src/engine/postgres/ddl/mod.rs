//! How the schema of a PostgreSQL database changes: facts in, statements out.
//!
//! `structure` knows what needs what, `midway` what stands while rows change, `yielding` what a
//! change makes others do; the other files write the statements of their kinds. Every statement
//! leaves exactly the fact it is for, or there is none and a reason is given. All of them can run in
//! one transaction. Nothing here is connected to a server.

mod casts;
mod columns;
mod constraints;
mod foreign;
mod indexes;
mod midway;
mod online;
mod operators;
mod programs;
mod reach;
mod renames;
mod reparsed;
mod review;
mod rights;
mod sequences;
mod spelling;
mod structure;
mod tables;
mod types;
mod views;
mod words;
mod yielding;

use self::spelling::{qualified, quoted};
use crate::engine::ddl::{
    Alteration, Break, Ddl, FactChange, Following, Postponed, Rename, Renames, Schema, Statement,
    StepHazard, Yielding,
};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// The schema language of PostgreSQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PostgresDdl {
    /// Whether statements run outside of transactions, one by one, and lock as little as they can.
    is_online: bool,
}

impl Ddl for PostgresDdl {
    fn container(&self, fact: &Fact, schema: &Schema<'_>) -> Option<FactId> {
        structure::container(fact, schema)
    }

    fn is_inline(&self, fact: &Fact, schema: &Schema<'_>) -> bool {
        structure::is_inline(fact, schema)
    }

    fn requires(&self, fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
        structure::requires(fact, schema)
    }

    fn names(&self, fact: &Fact) -> Vec<String> {
        structure::names(fact)
    }

    fn midway(
        &self,
        before: Option<&Fact>,
        after: Option<&Fact>,
        from: &Schema<'_>,
        to: &Schema<'_>,
    ) -> Option<Fact> {
        midway::midway(before, after, from, to)
    }

    fn lets_rows_leave(&self) -> bool {
        true
    }

    fn may_refuse_values(&self, before: &Fact, after: &Fact, from: &Schema<'_>) -> bool {
        review::may_refuse_values(before, after, from)
    }

    fn drops_spaces(
        &self,
        before: &Fact,
        after: &Fact,
        from: &Schema<'_>,
        to: &Schema<'_>,
    ) -> bool {
        let of = |fact| crate::engine::ddl::text(fact, "type");
        let types = of(before).zip(of(after));
        types.is_some_and(|(old, new)| casts::drops_spaces(old, new, from, to))
    }

    fn displaced(&self, from: &Schema<'_>, to: &Schema<'_>) -> Vec<ObjectName> {
        tables::displaced(from, to)
    }

    fn can_wait(&self, fact: &Fact) -> bool {
        review::can_wait(fact)
    }

    fn create(
        &self,
        fact: &Fact,
        inline: &[&Fact],
        to: &Schema<'_>,
    ) -> Result<Vec<Statement>, String> {
        let mut statements = created(fact, inline, to)?;
        if self.is_online {
            statements = online::concurrently(statements);
        }
        statements.extend(rights::reset(fact, to)?);
        Ok(statements.into_iter().map(reparsed::as_written).collect())
    }

    fn drop(&self, fact: &Fact, from: &Schema<'_>) -> Result<Vec<Statement>, String> {
        let statements = dropped(fact, from)?;
        Ok(if self.is_online { online::concurrently(statements) } else { statements })
    }

    fn alter(&self, before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
        match altered(before, after, from, to) {
            Alteration::InPlace(statements) => {
                Alteration::InPlace(statements.into_iter().map(reparsed::as_written).collect())
            }
            other => other,
        }
    }

    fn yields(
        &self,
        fact: &Fact,
        _after: &Fact,
        needed: &Fact,
        broken: Break<'_>,
        from: &Schema<'_>,
    ) -> Yielding {
        yielding::yields(fact, needed, broken, from)
    }

    fn weaker(&self, fact: &Fact) -> Option<Fact> {
        yielding::weaker(fact)
    }

    fn rebuild(
        &self,
        table: &ObjectName,
        _from: &Schema<'_>,
        _to: &Schema<'_>,
    ) -> Result<Vec<Statement>, String> {
        Err(format!("the table {table} cannot be built anew"))
    }

    fn hazards(&self, change: FactChange<'_>, schema: &Schema<'_>) -> Vec<StepHazard> {
        let hazards = review::hazards(change, schema);
        if self.is_online { online::hazards(change, hazards) } else { hazards }
    }

    fn rank(&self, change: FactChange<'_>) -> u16 {
        review::rank(change)
    }

    fn joined(&self, table: &ObjectName, clauses: &[String]) -> Option<String> {
        // The type of a column changes once in a statement.
        let retyped = |clause: &String| {
            let (column, _) = clause.strip_prefix("ALTER COLUMN ")?.split_once(" TYPE ")?;
            Some(column.to_owned())
        };
        let columns: Vec<String> = clauses.iter().filter_map(retyped).collect();
        let is_twice = columns.iter().enumerate().any(|(at, name)| columns[..at].contains(name));
        if self.is_online && clauses.len() > 1 {
            return None;
        }
        if is_twice || clauses.iter().any(|clause| clause.starts_with("RENAME ")) {
            return None;
        }
        Some(format!("ALTER TABLE {}\n    {}", qualified(table), clauses.join(",\n    ")))
    }

    fn alter_table(&self, table: &ObjectName, clause: &str) -> String {
        format!("ALTER TABLE {} {clause}", qualified(table))
    }

    fn follows(
        &self,
        fact: &Fact,
        renames: &Renames,
        schema: &Schema<'_>,
        wanted: &Schema<'_>,
    ) -> Following {
        renames::follows(fact, renames, schema, wanted)
    }

    fn rename(&self, rename: &Rename, _schema: &Schema<'_>) -> Result<String, String> {
        Ok(renames::statement(rename))
    }

    fn rename_hazards(&self, rename: &Rename) -> Vec<StepHazard> {
        renames::hazards(rename)
    }

    fn postponed(&self, fact: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Option<Postponed> {
        online::postponed(fact, from, to)
    }

    fn online(&self) -> Option<Box<dyn Ddl>> {
        Some(Box::new(PostgresDdl { is_online: true }))
    }

    fn preamble(&self) -> Vec<String> {
        if self.is_online {
            return online::preamble();
        }
        [
            // Bodies may speak of what comes later.
            "SET LOCAL check_function_bodies = off",
            // What is not said of a table is what a fact leaves out.
            "SET LOCAL default_tablespace = ''",
            "SET LOCAL default_table_access_method = 'heap'",
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

fn created(fact: &Fact, inline: &[&Fact], to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    match fact.id.kind {
        ObjectKind::Schema => {
            let name = quoted(&fact.id.object.name);
            Ok(vec![Statement::whole(format!("CREATE SCHEMA {name}"))])
        }
        ObjectKind::Extension => Ok(types::create_extension(fact)),
        ObjectKind::Collation if !types::is_for_encoding(fact, to) => {
            Err(format!("the collation {} is for another encoding", fact.id.object))
        }
        ObjectKind::Collation => Ok(types::create_collation(fact)),
        ObjectKind::Type => types::create(fact, inline, to),
        ObjectKind::Domain => types::create_domain(fact, inline),
        ObjectKind::Sequence => Ok(sequences::create(fact, to)),
        ObjectKind::Table => tables::create(fact, inline, to),
        ObjectKind::Column => columns::create(fact, to),
        ObjectKind::Partition if fact.id.part.is_empty() => {
            Err(format!("the table {} is there and cannot be partitioned", fact.id.object))
        }
        ObjectKind::Partition => tables::attach(fact),
        ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Exclusion
        | ObjectKind::Check
        | ObjectKind::ForeignKey => constraints::create(fact, to),
        ObjectKind::Index => indexes::create(fact, to),
        ObjectKind::Statistics => indexes::create_statistics(fact),
        ObjectKind::View | ObjectKind::MaterializedView => views::create(fact),
        ObjectKind::Rule => views::create_rule(fact),
        ObjectKind::Policy => Ok(views::create_policy(fact)),
        ObjectKind::Routine => programs::create(fact),
        ObjectKind::Trigger => programs::create_trigger(fact),
        ObjectKind::EventTrigger => programs::create_event_trigger(fact),
        ObjectKind::Owner => rights::own(fact, to),
        ObjectKind::Grant => rights::grant(None, Some(fact), to),
        ObjectKind::DefaultGrant => rights::default_grant(None, Some(fact), to),
        ObjectKind::Comment => rights::comment(fact, true, to),
        ObjectKind::Operator => operators::create(fact, to),
        ObjectKind::Cast => Ok(operators::create_cast(fact)),
        ObjectKind::TextSearch => operators::create_search(fact),
        ObjectKind::Foreign => foreign::create(fact, inline, to),
        ObjectKind::Publication => foreign::publish(fact),
        kind => Err(format!("a {kind} is nothing of PostgreSQL that can be made")),
    }
}

fn dropped(fact: &Fact, from: &Schema<'_>) -> Result<Vec<Statement>, String> {
    match fact.id.kind {
        ObjectKind::Schema => {
            let name = quoted(&fact.id.object.name);
            Ok(vec![Statement::whole(format!("DROP SCHEMA {name}"))])
        }
        ObjectKind::Extension => {
            let name = quoted(&fact.id.object.name);
            Ok(vec![Statement::whole(format!("DROP EXTENSION {name}"))])
        }
        ObjectKind::Collation => Ok(types::drop_collation(fact)),
        ObjectKind::Type => Ok(types::drop(fact)),
        ObjectKind::Domain => Ok(types::drop_domain(fact)),
        ObjectKind::Sequence => Ok(sequences::drop(fact)),
        ObjectKind::Table => Ok(tables::drop(fact, from)),
        ObjectKind::Column => Ok(columns::drop(fact, from)),
        ObjectKind::Partition if fact.id.part.is_empty() => Err(format!(
            "the table {} is partitioned and cannot become one that is not",
            fact.id.object
        )),
        ObjectKind::Partition => tables::detach(fact),
        ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Exclusion
        | ObjectKind::Check
        | ObjectKind::ForeignKey => Ok(constraints::drop(fact, from)),
        ObjectKind::Index => Ok(indexes::drop(fact)),
        ObjectKind::Statistics => Ok(indexes::drop_statistics(fact)),
        ObjectKind::View | ObjectKind::MaterializedView => Ok(views::drop(fact)),
        ObjectKind::Rule => Ok(views::drop_rule(fact)),
        ObjectKind::Policy => Ok(views::drop_policy(fact)),
        ObjectKind::Routine => programs::drop(fact, from),
        ObjectKind::Trigger => Ok(programs::drop_trigger(fact)),
        ObjectKind::EventTrigger => Ok(programs::drop_event_trigger(fact)),
        // A sequence that a column owns has no owner of its own.
        ObjectKind::Owner => Ok(Vec::new()),
        ObjectKind::Grant => rights::grant(Some(fact), None, from),
        ObjectKind::DefaultGrant => rights::default_grant(Some(fact), None, from),
        ObjectKind::Comment => rights::comment(fact, false, from),
        ObjectKind::Operator => operators::drop(fact),
        ObjectKind::Cast => Ok(operators::drop_cast(fact)),
        ObjectKind::TextSearch => Ok(operators::drop_search(fact)),
        ObjectKind::Foreign => foreign::drop(fact),
        ObjectKind::Publication => foreign::withdraw(fact),
        kind => Err(format!("a {kind} is nothing of PostgreSQL that can be dropped")),
    }
}

fn altered(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
    if before.attributes == after.attributes {
        return Alteration::InPlace(Vec::new());
    }
    let in_place = |made: Result<Vec<Statement>, String>| match made {
        Ok(statements) => Alteration::InPlace(statements),
        Err(why) => Alteration::Refused(why),
    };
    match after.id.kind {
        ObjectKind::Extension => types::alter_extension(before, after),
        ObjectKind::Collation | ObjectKind::Policy => Alteration::Remade,
        ObjectKind::Type => types::alter(before, after),
        ObjectKind::Domain => types::alter_domain(before, after),
        ObjectKind::Sequence => sequences::alter(before, after, from, to),
        ObjectKind::Table => tables::alter(before, after, from, to),
        ObjectKind::Column => columns::alter(before, after, from, to),
        ObjectKind::Partition => tables::alter_partition(before, after),
        ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Exclusion
        | ObjectKind::Check
        | ObjectKind::ForeignKey => constraints::alter(before, after, from, to),
        ObjectKind::Index => {
            let bound = |schema: &Schema<'_>| {
                let table = after.table()?;
                schema
                    .part(ObjectKind::Partition, &table, "bound")
                    .map(|fact| fact.attributes.clone())
            };
            indexes::alter(before, after, bound(from) != bound(to))
        }
        ObjectKind::Statistics => indexes::alter_statistics(before, after),
        ObjectKind::View | ObjectKind::MaterializedView => views::alter(before, after),
        ObjectKind::Rule => views::alter_rule(before, after),
        ObjectKind::Routine => programs::alter(before, after),
        ObjectKind::Trigger => programs::alter_trigger(before, after),
        ObjectKind::EventTrigger => programs::alter_event_trigger(before, after),
        ObjectKind::Owner => in_place(rights::own(after, to)),
        ObjectKind::Comment => in_place(rights::comment(after, true, to)),
        ObjectKind::Grant | ObjectKind::DefaultGrant => rights::alter(before, after, to),
        ObjectKind::Operator | ObjectKind::Cast | ObjectKind::TextSearch => {
            operators::alter(before, after)
        }
        ObjectKind::Foreign => foreign::alter(before, after),
        ObjectKind::Publication => foreign::republish(before, after),
        ObjectKind::Setting => {
            Alteration::Refused(format!("the {} of a database cannot change", after.id.object))
        }
        kind => Alteration::Refused(format!("a {kind} cannot change")),
    }
}
