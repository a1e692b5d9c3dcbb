//! The positions of sequences.
//!
//! They are read from the sequences themselves, all in one statement: the views of the server do
//! not tell a position that was set and not given out yet.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::directory::Directory;
use super::query::{Address, Reader, failed};
use crate::engine::error::EngineError;
use crate::model::{NotCaptured, ObjectName, Sequence};

/// How many sequences one statement asks.
const AT_ONCE: usize = 1000;

/// Reads the positions; names the sequences that may not be read.
pub(super) async fn read(
    directory: &Directory,
    reader: &mut Reader<'_>,
    not_captured: &mut Vec<NotCaptured>,
) -> Result<Vec<Sequence>, EngineError> {
    let class = reader.class("pg_class")?;
    let mut asked = Vec::new();
    for row in reader.rows(READABLE).await? {
        let sequence = Asked::of(&row).map_err(|error| failed(reader.database, error))?;
        if directory.is_silent(Address { class, oid: sequence.oid }, Some(sequence.relation)) {
            continue;
        }
        match sequence.why_not {
            Some(reason) => not_captured.push(NotCaptured {
                kind: "position of a sequence".to_owned(),
                name: sequence.name.to_string(),
                reason,
                is_unknown: true,
            }),
            None => asked.push(sequence),
        }
    }
    let mut positions = Vec::new();
    for asked in asked.chunks(AT_ONCE) {
        let selects: Vec<String> = asked
            .iter()
            .map(|s| format!("SELECT {}::int8, last_value, is_called FROM {}", s.oid, s.quoted))
            .collect();
        for row in reader.rows(&selects.join(" UNION ALL ")).await? {
            let read = || -> Result<_, sqlx::Error> {
                Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
            };
            let (oid, last, is_called): (i64, i64, bool) =
                read().map_err(|error| failed(reader.database, error))?;
            let Some(sequence) = asked.iter().find(|s| s.oid == oid) else { continue };
            let position = match is_called {
                true => Some(last),
                // It was never used, or set: what it gives next is known, so is what was before.
                false if last == sequence.start => None,
                false => last.checked_sub(sequence.increment),
            };
            positions.extend(
                position.map(|position| Sequence { name: sequence.name.clone(), position }),
            );
        }
    }
    Ok(positions)
}

struct Asked {
    oid: i64,
    relation: i64,
    name: ObjectName,
    quoted: String,
    start: i64,
    increment: i64,
    why_not: Option<String>,
}

impl Asked {
    fn of(row: &PgRow) -> Result<Asked, sqlx::Error> {
        Ok(Asked {
            oid: row.try_get("oid")?,
            relation: row.try_get("relation")?,
            name: ObjectName { schema: row.try_get("schema")?, name: row.try_get("name")? },
            quoted: row.try_get("quoted")?,
            start: row.try_get("start")?,
            increment: row.try_get("increment")?,
            why_not: row.try_get("why_not")?,
        })
    }
}

const READABLE: &str = r#"
SELECT c.oid::int8 AS oid, coalesce(d.refobjid, c.oid)::int8 AS relation,
    n.nspname::text AS schema, c.relname::text AS name,
    format('%I.%I', n.nspname, c.relname) AS quoted,
    s.seqstart AS start, s.seqincrement AS increment,
    CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN
            'the account has no USAGE right on schema ' || n.nspname
        WHEN NOT has_sequence_privilege(c.oid, 'SELECT') THEN
            'the account has no SELECT right on it'
        WHEN c.relpersistence = 'u' AND pg_is_in_recovery() THEN
            'it is unlogged, and a standby does not have it' END AS why_not
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
WHERE n.nspname = ANY($1) AND c.relpersistence <> 't'
ORDER BY c.oid
"#;
