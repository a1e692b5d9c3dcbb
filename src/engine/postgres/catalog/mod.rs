//! Everything the catalog of a PostgreSQL database says, with a status for each thing.
//!
//! A fixed number of queries, whatever the number of objects; what each kind says is in the file
//! of its queries, and in `docs/format-postgres-facts.md`. Facts are about names, never about
//! numbers of the catalog, and `search_path` must be empty, so that every name the server writes has its schema.
//! What has no fact is named with its reason; what nobody thought of is named as unknown.
//! Must run inside the transaction that reads the rows.

mod comments;
mod constraints;
mod definitions;
mod directory;
mod entries;
mod foreign;
mod omissions;
mod operators;
mod query;
mod relations;
mod rights;
mod routines;
mod scoping;
mod secrets;
mod sequences;
mod types;
mod views;

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use self::directory::Directory;
use self::query::{Address, Found, Query, Reader, failed};
pub(super) use self::scoping::exclusion;
use crate::engine::error::EngineError;
use crate::model::snapshot::Scope;
use crate::model::{Attribute, Catalog, Fact, FactId, NotCaptured, ObjectKind, ObjectName};

/// Reads the catalog of some schemas, or of the whole database where none is named. Its `tables`
/// stay empty: they are the business of whoever reads the rows.
pub(super) async fn read(
    connection: &mut PgConnection,
    database: &str,
    scope: &Scope,
    schemas: &[String],
) -> Result<Catalog, EngineError> {
    let mut reader = reader(connection, database, schemas).await?;
    let mut directory = Directory::read(&mut reader).await?;
    let scoping::LeftOut { mut not_captured, unused_rules } =
        scoping::leave_out(&mut directory, &mut reader, scope).await?;
    let mut found = Vec::new();
    for query in queries() {
        found.extend(reader.facts(query).await?);
    }
    found.retain(|found| !directory.is_silent(found.address, found.relation));
    for found in &mut found {
        found.fact.depends_on = directory.dependencies(found);
        if reader.version < 16
            && let ObjectKind::View | ObjectKind::MaterializedView = found.fact.id.kind
            && let Some(Attribute::Text(query)) = found.fact.attributes.get_mut("query")
        {
            *query = views::unqualified(query);
        }
    }
    not_captured.extend(omissions::read(&directory, &mut reader, scope).await?);
    not_captured.extend(without_facts(&directory, &reader, &found));
    let definitions = definitions::of(&found);
    let mut facts = vec![encoding(&mut reader).await?];
    facts.extend(found.into_iter().map(|found| found.fact));
    facts.extend(rights::owners(&directory, &reader));
    facts.extend(rights::grants(&directory, &mut reader).await?);
    facts.extend(rights::default_grants(&mut reader).await?);
    facts.extend(comments::read(&directory, &mut reader).await?);
    number_duplicates(&mut facts);
    let mut sequences = sequences::read(&directory, &mut reader, &mut not_captured).await?;
    sequences.sort_by(|a, b| a.name.cmp(&b.name));
    not_captured.sort();
    not_captured.dedup();
    Ok(Catalog { facts, tables: Vec::new(), definitions, sequences, not_captured, unused_rules })
}

/// What the account may not read of these schemas: all that a snapshot would miss.
pub(super) async fn missing_rights(
    connection: &mut PgConnection,
    database: &str,
    schemas: &[String],
) -> Result<Vec<NotCaptured>, EngineError> {
    let mut reader = reader(connection, database, schemas).await?;
    let mut missing = omissions::rights(&mut reader).await?;
    missing.sort();
    Ok(missing)
}

fn queries() -> impl Iterator<Item = &'static Query> {
    relations::QUERIES
        .iter()
        .chain(&constraints::QUERIES)
        .chain(&types::QUERIES)
        .chain(&routines::QUERIES)
        .chain(&operators::QUERIES)
        .chain(&foreign::QUERIES)
}

async fn reader<'c>(
    connection: &'c mut PgConnection,
    database: &'c str,
    schemas: &[String],
) -> Result<Reader<'c>, EngineError> {
    let mut reader = Reader {
        connection,
        database,
        version: 0,
        schemas: Vec::new(),
        is_whole: schemas.is_empty(),
        classes: BTreeMap::new(),
    };
    for row in reader.rows(CLASSES).await? {
        let read = || -> Result<_, sqlx::Error> { Ok((row.try_get(0)?, row.try_get(1)?)) };
        let (name, oid): (String, i64) = read().map_err(|error| failed(database, error))?;
        reader.classes.insert(name, oid);
    }
    for row in reader.rows(SCHEMAS).await? {
        let read = || -> Result<_, sqlx::Error> { Ok((row.try_get(0)?, row.try_get(1)?)) };
        let (name, version): (Option<String>, i64) =
            read().map_err(|error| failed(database, error))?;
        reader.version = u32::try_from(version / 10_000).unwrap_or(0);
        reader.schemas.extend(name);
    }
    if !reader.is_whole {
        let missing = schemas.iter().find(|name| !reader.schemas.contains(name));
        if let Some(missing) = missing {
            return Err(EngineError::NotFound {
                database: database.to_owned(),
                reason: format!("it has no schema `{missing}`"),
            });
        }
        reader.schemas.retain(|name| schemas.contains(name));
    }
    reader.schemas.sort_unstable();
    Ok(reader)
}

/// Objects that no query gave a fact for.
fn without_facts(directory: &Directory, reader: &Reader<'_>, found: &[Found]) -> Vec<NotCaptured> {
    let told: HashSet<Address> = found.iter().map(|found| found.address).collect();
    directory
        .entries()
        .filter(|(address, entry)| {
            entry.has_fact
                && directory.is_inside(entry, reader)
                && !directory.is_silent(*address, entry.relation)
                && !told.contains(address)
        })
        .map(|(_, entry)| NotCaptured {
            kind: entry.words.clone(),
            name: match entry.part.is_empty() {
                true => entry.name.to_string(),
                false => format!("{}.{}", entry.name, entry.part),
            },
            reason: "this program does not know this kind of object".to_owned(),
            is_unknown: true,
        })
        .collect()
}

async fn encoding(reader: &mut Reader<'_>) -> Result<Fact, EngineError> {
    let rows = reader.rows(ENCODING).await?;
    let name = rows.first().map(|row| row.try_get::<String, _>(0));
    let name = name.transpose().map_err(|error| failed(reader.database, error))?;
    Ok(Fact {
        id: FactId {
            kind: ObjectKind::Setting,
            object: ObjectName::bare("encoding"),
            part: String::new(),
        },
        attributes: name
            .map(|name| ("value".to_owned(), Attribute::Text(name)))
            .into_iter()
            .collect(),
        depends_on: Vec::new(),
    })
}

/// Sorts the facts, and gives those that share an id a number each, in the order of what they say.
fn number_duplicates(facts: &mut [Fact]) {
    facts.sort_by_cached_key(|fact| (fact.id.clone(), format!("{:?}", fact.attributes)));
    let mut taken: HashMap<FactId, usize> = HashMap::new();
    for fact in facts.iter_mut() {
        let count = taken.entry(fact.id.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            fact.id.part = format!("{} #{count}", fact.id.part);
        }
    }
    facts.sort_by(|a, b| a.id.cmp(&b.id));
}

const CLASSES: &str = r#"
SELECT c.relname::text, c.oid::int8 FROM pg_class c
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND c.oid < 16384
"#;

/// One row at least, for the version.
const SCHEMAS: &str = r#"
SELECT n.nspname::text, v.version FROM
    (SELECT current_setting('server_version_num')::int8 AS version) v
LEFT JOIN pg_namespace n ON n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"#;

const ENCODING: &str = "SELECT current_setting('server_encoding')";
