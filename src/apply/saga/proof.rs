//! Proving steps on an empty database of the same server: they run there, and the catalog after
//! each says what schema it leaves.
//!
//! The empty database gets the schema of the target by the language's own statements, and is
//! believed only where its catalog then says the same, fact by fact. Events are made so that they
//! do not run.

use super::course::{Places, Pool, Step};
use super::listing;
use crate::apply::error::ApplyError;
use crate::apply::names::Names;
use crate::codec::Hasher;
use crate::engine::EngineError;
use crate::engine::ddl::Ddl;
use crate::engine::mysql::{MysqlSession, Shadow};
use crate::model::snapshot::Scope;
use crate::model::{Catalog, Fact, ObjectKind, RowKey, TableSpec};
use crate::pack::{Refusal, fingerprint, schema};
use std::collections::BTreeSet;

/// How many facts that differ are named.
const NAMED: usize = 10;

/// An empty database with a schema, on which steps are tried.
pub(super) struct Proof<'a> {
    shadow: Shadow<'a>,
    scope: &'a Scope,
    /// Events that are there, and would run if they were as they should be.
    enabled: BTreeSet<String>,
    /// The schema as it is.
    pub(super) facts: Vec<Fact>,
}

/// What speaks against a proof, and whether the target could not be used at all.
pub(super) type Proved<T> = Result<Result<T, Vec<Refusal>>, ApplyError>;

fn refusal(object: impl std::fmt::Display, reason: impl Into<String>) -> Refusal {
    Refusal::new(object, reason, "nothing was changed: the steps were tried on an empty database")
}

impl<'a> Proof<'a> {
    /// Makes the database, with this schema.
    pub(super) fn begin(
        session: &'a MysqlSession<'a>,
        ddl: &dyn Ddl,
        scope: &'a Scope,
        hasher: &Hasher,
        wanted: &[Fact],
    ) -> Proved<Proof<'a>> {
        let shadow = match session.shadow() {
            Ok(shadow) => shadow,
            Err(error @ EngineError::Privilege { .. }) => {
                let hint = "every step is tried on an empty database of the same server first: give \
                            the account CREATE, and all rights, on `\\_deepdiff\\_shadow\\_%`.*";
                return Ok(Err(vec![Refusal::new("shadow", error.to_string(), hint)]));
            }
            Err(error) => return Err(error.into()),
        };
        let mut proof = Proof { shadow, scope, enabled: BTreeSet::new(), facts: Vec::new() };
        proof.facts = proof.catalog()?.facts;
        let planned = match schema::straight(ddl, &proof.facts, wanted) {
            Ok(planned) => planned,
            Err(refusals) => return Ok(Err(refusals)),
        };
        for preparation in ddl.preamble() {
            proof.shadow.session().execute(&preparation)?;
        }
        // There are no rows to check, and the servers would copy each table for each key.
        proof.shadow.session().execute("SET foreign_key_checks = 0")?;
        for step in listing::of_plan(&planned) {
            if let Err(error) = proof.execute(&step) {
                return proof.failed(&step, error);
            }
        }
        proof.shadow.session().execute("SET foreign_key_checks = 1")?;
        proof.facts = proof.catalog()?.facts;
        let expected = lines(wanted, hasher);
        let found = fingerprint::differences(&expected, &proof.facts, hasher, NAMED);
        if found.is_empty() {
            return Ok(Ok(proof));
        }
        let reason = "it comes out different when the schema is made on an empty database";
        Ok(Err(found.into_iter().map(|what| refusal(what, reason)).collect()))
    }

    /// What is refused by the server is a refusal; anything else ends the run.
    fn failed<T>(&self, step: &Step, error: EngineError) -> Proved<T> {
        match error {
            EngineError::Privilege { .. }
            | EngineError::Constraint { .. }
            | EngineError::Server { .. } => Ok(Err(vec![refusal(&step.name, error.to_string())])),
            error => Err(error.into()),
        }
    }

    /// The catalog, events as they should be.
    fn catalog(&self) -> Result<Catalog, EngineError> {
        let mut catalog = self.shadow.session().catalog(self.scope)?;
        for fact in &mut catalog.facts {
            if fact.id.kind == ObjectKind::Event && self.enabled.contains(&fact.id.object.name) {
                fact.attributes.remove("status");
            }
        }
        Ok(catalog)
    }

    fn execute(&mut self, step: &Step) -> Result<(), EngineError> {
        let session = self.shadow.session();
        for setting in &step.set_up {
            session.execute(setting)?;
        }
        let (event, statement) = asleep(&step.statement);
        let ran = session.execute(&statement);
        for setting in &step.tidy_up {
            session.execute(setting)?;
        }
        ran?;
        self.enabled.extend(event);
        Ok(())
    }

    /// Runs steps, and notes in each what it leaves.
    pub(super) fn run(&mut self, steps: &mut [Step], pool: &mut Pool) -> Proved<()> {
        for step in steps.iter_mut().filter(|step| !step.is_rows()) {
            if let Err(error) = self.execute(step) {
                return self.failed(step, error);
            }
            let after = self.catalog()?.facts;
            (step.gone, step.come) = pool.difference(&self.facts, &after);
            self.facts = after;
        }
        Ok(Ok(()))
    }

    /// Whether rows of these tables, as they are now, can be changed in a transaction.
    pub(super) fn takes_rows(&self, tables: &BTreeSet<String>) -> Proved<()> {
        let session = self.shadow.session();
        let catalog = session.catalog(self.scope)?;
        let touched: Vec<_> = catalog
            .tables
            .iter()
            .filter(|table| tables.contains(&table.name.to_string()))
            .collect();
        match session.lock_tables(&touched) {
            Err(error @ EngineError::Unsupported { .. }) => {
                Ok(Err(vec![refusal("rows", error.to_string())]))
            }
            locked => Ok(Ok(locked?)),
        }
    }

    /// The tables whose rows are found by a key in one of two schemas and by their content in the
    /// other, of those whose rows change.
    pub(super) fn rekeyed(
        &self,
        before: &Catalog,
        touched: &BTreeSet<String>,
        names: &Names,
    ) -> Result<Vec<Refusal>, ApplyError> {
        let called = |tables: &[TableSpec]| -> Vec<TableSpec> {
            tables.iter().map(|table| names.after(table)).collect()
        };
        let (before, after) = (called(&before.tables), called(&self.catalog()?.tables));
        let has_key = |table: &TableSpec| table.key != RowKey::RowHash;
        let changes = |table: &&TableSpec| {
            let other = after.iter().find(|other| other.name == table.name);
            touched.contains(&table.name.to_string())
                && other.is_some_and(|other| has_key(other) != has_key(table))
        };
        let reason = "its rows get or lose the key that they are found by, and they change as well: \
                      that is not done where statements commit";
        Ok(before.iter().filter(changes).map(|t| refusal(&t.name, reason)).collect())
    }

    /// Drops what was put aside.
    pub(super) fn empty_trash(&self, trash: &[String]) -> Result<(), EngineError> {
        trash.iter().try_for_each(|statement| self.shadow.session().execute(statement).map(|_| ()))
    }

    /// The facts that are not as expected.
    pub(super) fn differences(&self, wanted: &[Fact], hasher: &Hasher) -> Vec<Refusal> {
        let found = fingerprint::differences(&lines(wanted, hasher), &self.facts, hasher, NAMED);
        let reason = "the steps lead elsewhere on an empty database";
        found.into_iter().map(|what| refusal(what, reason)).collect()
    }

    /// The schema as it is.
    pub(super) fn places(&self, pool: &mut Pool) -> Places {
        pool.places(&self.facts)
    }

    /// Drops the database.
    pub(super) fn end(self) -> Result<(), EngineError> {
        self.shadow.drop_it()
    }
}

/// What these facts say, as the names of differences need it.
pub(super) fn lines(
    facts: &[Fact],
    hasher: &Hasher,
) -> Vec<(String, String, String, Option<String>)> {
    fingerprint::digests(facts, hasher)
        .into_iter()
        .map(|(id, digest)| {
            (id.kind.as_str().to_owned(), id.object.to_string(), id.part, Some(digest))
        })
        .collect()
}

/// The statement that makes an event which does not run, and the event's name; any other statement
/// as it is.
fn asleep(statement: &str) -> (Option<String>, String) {
    const ENABLED: &str = "\n    ENABLE";
    let head = statement.find(" EVENT `").filter(|_| statement.starts_with("CREATE"));
    let (Some(head), Some(at)) = (head, statement.find(ENABLED)) else {
        return (None, statement.to_owned());
    };
    let mut name = String::new();
    let mut characters = statement[head + " EVENT `".len()..].chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '`' if characters.next_if_eq(&'`').is_some() => name.push('`'),
            '`' => break,
            other => name.push(other),
        }
    }
    let (before, after) = statement.split_at(at);
    let after = after.replacen(ENABLED, "\n    DISABLE", 1);
    (Some(name), format!("{before}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_made_asleep() {
        let made = "CREATE DEFINER=`a`@`b` EVENT `x``y`\n    ON SCHEDULE EVERY 1 DAY\n    \
                    ON COMPLETION NOT PRESERVE\n    ENABLE\n    DO SELECT 1";
        let (name, statement) = asleep(made);
        assert_eq!(name.as_deref(), Some("x`y"));
        assert!(statement.contains("\n    DISABLE\n    DO"), "{statement}");
        assert_eq!(
            asleep("CREATE VIEW `v` AS\n    ENABLE"),
            (None, "CREATE VIEW `v` AS\n    ENABLE".to_owned())
        );
    }
}
