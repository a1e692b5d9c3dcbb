//! Queries of the catalog as data, and their rows as facts.
//!
//! A query names its columns after the attributes they become, so that what a fact says can be read
//! in its SQL: a boolean is a flag, text a text, an array a list, a number a number; NULL, false and
//! the empty array are left out. Columns that begin with `@` say what the fact is about and where
//! it stands in the catalog; a column that begins with `!` may hold secrets, which are blotted out
//! before anything else sees them. A line that begins with `--15+` is part of the query from
//! version 15 on, one that begins with `--<15` before it, one with `--15+<17` in between.
//! Knows nothing of any kind of object.

use std::collections::BTreeMap;
use std::ops::Range;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _, TypeInfo as _};

use super::secrets::blotted;
use crate::engine::error::EngineError;
use crate::engine::postgres::errors::classify;
use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// How far a query reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It gives what is in the schemas of its parameter.
    Schemas,
    /// It gives what belongs to the whole database, and is asked only where all of it is read.
    Database,
}

/// A query that gives a fact a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    /// What its facts are; a column `@kind` overrules it.
    pub kind: ObjectKind,
    /// The system catalog that `@oid` is of.
    pub class: &'static str,
    /// How far it reaches.
    pub reach: Reach,
    /// The text.
    pub sql: &'static str,
}

/// A fact, and where in the catalog it comes from.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The fact, without its dependencies.
    pub fact: Fact,
    /// Where its object stands.
    pub address: Address,
    /// The number of a column in its table; 0 for whole objects.
    pub sub: i64,
    /// The relation that the fact goes with, where there is one.
    pub relation: Option<i64>,
    /// The text that defines it, or what stands of it within CREATE TABLE.
    pub definition: Option<String>,
}

/// Where an object stands in the catalog. Never part of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    /// The OID of the system catalog.
    pub class: i64,
    /// The OID of its row.
    pub oid: i64,
}

/// The connection and what is asked of it.
pub(super) struct Reader<'c> {
    /// The connection, inside the transaction.
    pub connection: &'c mut PgConnection,
    /// How errors call the database.
    pub database: &'c str,
    /// The major version of the server.
    pub version: u32,
    /// The schemas that are read.
    pub schemas: Vec<String>,
    /// Whether these are all there are.
    pub is_whole: bool,
    /// The OIDs of the system catalogs by name.
    pub classes: BTreeMap<String, i64>,
}

impl Reader<'_> {
    /// The rows of a query whose one parameter is the list of schemas.
    pub async fn rows(&mut self, sql: &str) -> Result<Vec<PgRow>, EngineError> {
        // Every text is a constant of this program, cut to the version of the server. It is
        // prepared under a name: the driver looks types up in between, and an unnamed statement
        // would not outlive that.
        let sql = AssertSqlSafe(for_version(sql, self.version));
        sqlx::query(sql)
            .bind(&self.schemas)
            .fetch_all(&mut *self.connection)
            .await
            .map_err(|error| failed(self.database, error))
    }

    /// The facts of a query.
    pub async fn facts(&mut self, query: &Query) -> Result<Vec<Found>, EngineError> {
        if query.reach == Reach::Database && !self.is_whole {
            return Ok(Vec::new());
        }
        let class = self.class(query.class)?;
        let rows = self.rows(query.sql).await?;
        let decoded: Result<Vec<_>, _> =
            rows.iter().map(|row| found(row, query.kind, class)).collect();
        decoded.map_err(|error| failed(self.database, error))
    }

    /// The OID of a system catalog.
    pub fn class(&self, name: &str) -> Result<i64, EngineError> {
        self.classes.get(name).copied().ok_or_else(|| EngineError::Unsupported {
            database: self.database.to_owned(),
            what: format!("the server has no system catalog `{name}`"),
        })
    }
}

/// The error of a query of the catalog.
pub(super) fn failed(database: &str, error: sqlx::Error) -> EngineError {
    classify(database, "read the catalog of", error)
}

/// The text of a query for a major version.
pub(super) fn for_version(sql: &str, version: u32) -> String {
    let mut text = String::with_capacity(sql.len());
    for line in sql.lines() {
        let rest = line.trim_start();
        let kept = match rest.strip_prefix("--").and_then(condition) {
            Some((versions, rest)) if versions.contains(&version) => rest,
            Some(_) => continue,
            None => line,
        };
        text.push_str(kept);
        text.push('\n');
    }
    text
}

/// Reads `15+ …`, `<17 …` or `15+<17 …`.
fn condition(comment: &str) -> Option<(Range<u32>, &str)> {
    let number = |text: &str| {
        let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse::<u32>().ok().map(|number| (number, end))
    };
    let (mut versions, mut rest) = (0..u32::MAX, comment);
    if let Some((first, end)) = number(rest) {
        rest = rest[end..].strip_prefix('+')?;
        versions.start = first;
    }
    if let Some((bound, end)) = rest.strip_prefix('<').and_then(number) {
        rest = &rest[end + 1..];
        versions.end = bound;
    }
    (versions != (0..u32::MAX)).then_some((versions, rest))
}

fn found(row: &PgRow, kind: ObjectKind, class: i64) -> Result<Found, sqlx::Error> {
    let id = FactId { kind, object: ObjectName::bare(""), part: String::new() };
    let mut found = Found {
        fact: Fact { id, attributes: BTreeMap::new(), depends_on: Vec::new() },
        address: Address { class, oid: 0 },
        sub: 0,
        relation: None,
        definition: None,
    };
    for (at, column) in row.columns().iter().enumerate() {
        match column.name().split_at_checked(1) {
            Some(("@", place)) => found.take_place(place, row, at)?,
            Some(("!", name)) => {
                let value = attribute(row, at, column.type_info().name())?.map(blotted);
                found.fact.attributes.extend(value.map(|value| (name.to_owned(), value)));
            }
            _ => {
                let value = attribute(row, at, column.type_info().name())?;
                let name = column.name().to_owned();
                found.fact.attributes.extend(value.map(|value| (name, value)));
            }
        }
    }
    Ok(found)
}

impl Found {
    fn take_place(&mut self, place: &str, row: &PgRow, at: usize) -> Result<(), sqlx::Error> {
        let text = || row.try_get::<Option<String>, _>(at);
        match place {
            "oid" => self.address.oid = row.try_get(at)?,
            "sub" => self.sub = row.try_get(at)?,
            "relation" => self.relation = row.try_get(at)?,
            "schema" => self.fact.id.object.schema = text()?.unwrap_or_default(),
            "name" => self.fact.id.object.name = text()?.unwrap_or_default(),
            "part" => self.fact.id.part = text()?.unwrap_or_default(),
            "definition" => self.definition = text()?,
            "kind" => {
                let kind = text()?.as_deref().and_then(ObjectKind::from_name);
                self.fact.id.kind = kind.ok_or_else(|| not_decoded(row, at))?;
            }
            _ => return Err(not_decoded(row, at)),
        }
        Ok(())
    }
}

fn attribute(row: &PgRow, at: usize, type_name: &str) -> Result<Option<Attribute>, sqlx::Error> {
    Ok(match type_name {
        "BOOL" => row.try_get::<Option<bool>, _>(at)?.unwrap_or(false).then_some(Attribute::Flag),
        "INT8" => row.try_get::<Option<i64>, _>(at)?.map(Attribute::Number),
        "TEXT" => row.try_get::<Option<String>, _>(at)?.map(Attribute::Text),
        "TEXT[]" => {
            let items: Option<Vec<Option<String>>> = row.try_get(at)?;
            let items: Vec<String> = items.unwrap_or_default().into_iter().flatten().collect();
            (!items.is_empty()).then_some(Attribute::List(items))
        }
        _ => return Err(not_decoded(row, at)),
    })
}

fn not_decoded(row: &PgRow, at: usize) -> sqlx::Error {
    let column = row.column(at);
    let type_name = column.type_info().name().to_owned();
    let source = format!("a query of this program has a column of type {type_name}").into();
    sqlx::Error::ColumnDecode { index: column.name().to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_belong_to_versions() {
        let sql = "SELECT a\n  --15+ , b\n--<14 , c\n-- 15 is no condition\nFROM t";
        assert_eq!(for_version(sql, 15), "SELECT a\n , b\n-- 15 is no condition\nFROM t\n");
        assert_eq!(for_version(sql, 13), "SELECT a\n , c\n-- 15 is no condition\nFROM t\n");
        assert_eq!(for_version(sql, 14), "SELECT a\n-- 15 is no condition\nFROM t\n");
        assert_eq!(for_version("--15+<17 x", 16), " x\n");
        assert_eq!(for_version("--15+<17 x", 17), "");
        assert_eq!(for_version("--15+<17 x", 14), "");
    }
}
