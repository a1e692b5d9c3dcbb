//! What is in the database and not in the state, each with its reason.
//!
//! *Unknown* is what might differ without anybody noticing: rows that the account may not read,
//! objects of kinds that this program does not know. What is made again from other things,
//! or is none of the database's own, is not.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::directory::Directory;
use super::query::{Address, Reader, failed};
use crate::engine::error::EngineError;
use crate::engine::mask::is_masked;
use crate::model::snapshot::Scope;
use crate::model::{NotCaptured, ObjectName};

/// System catalogs whose objects are named here by kind, and have no facts.
const NAMED_CLASSES: [&str; 6] = [
    "pg_am",
    "pg_conversion",
    "pg_language",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_transform",
];

/// Whether the objects of a system catalog are named here.
pub(super) fn is_named(class: &str) -> bool {
    NAMED_CLASSES.contains(&class)
}

/// Everything that is not captured, in no order.
pub(super) async fn read(
    directory: &Directory,
    reader: &mut Reader<'_>,
    scope: &Scope,
) -> Result<Vec<NotCaptured>, EngineError> {
    let mut omitted = listed(Some(directory), reader, IN_SCHEMAS).await?;
    omitted.extend(unreadable(Some(directory), reader, scope).await?);
    if reader.is_whole {
        omitted.extend(listed(Some(directory), reader, OF_DATABASE).await?);
    } else {
        omitted.extend(listed(None, reader, NOT_CHOSEN).await?);
    }
    for class in Directory::unknown_classes(reader).await? {
        omitted.push(NotCaptured {
            kind: "objects of an unknown kind".to_owned(),
            name: class,
            reason: "this program does not know the system catalog they stand in".to_owned(),
            is_unknown: true,
        });
    }
    Ok(omitted)
}

/// What the account may not read.
pub(super) async fn rights(reader: &mut Reader<'_>) -> Result<Vec<NotCaptured>, EngineError> {
    unreadable(None, reader, &Scope::default()).await
}

/// What the account may not read, and would have to: of masked columns nothing is read.
async fn unreadable(
    directory: Option<&Directory>,
    reader: &mut Reader<'_>,
    scope: &Scope,
) -> Result<Vec<NotCaptured>, EngineError> {
    let mut readable = BTreeSet::new();
    for row in reader.rows(RIGHTS).await? {
        let read = || -> Result<_, sqlx::Error> {
            let lacking: Option<Vec<String>> = row.try_get("lacking")?;
            let schema: Option<String> = row.try_get("of_schema")?;
            let table: Option<String> = row.try_get("of_table")?;
            Ok((lacking, schema.zip(table)))
        };
        let (lacking, table) = read().map_err(|error| failed(reader.database, error))?;
        if let Some((lacking, (schema, name))) = lacking.zip(table) {
            let table = ObjectName { schema, name };
            if lacking.iter().all(|column| is_masked(scope, &table, column)) {
                readable.insert(table.to_string());
            }
        }
    }
    let mut omitted = listed(directory, reader, RIGHTS).await?;
    let no_right = |thing: &NotCaptured| thing.reason.starts_with("the account has no SELECT");
    omitted.retain(|thing| !(no_right(thing) && readable.contains(&thing.name)));
    Ok(omitted)
}

async fn listed(
    directory: Option<&Directory>,
    reader: &mut Reader<'_>,
    sql: &str,
) -> Result<Vec<NotCaptured>, EngineError> {
    let mut omitted = Vec::new();
    for row in reader.rows(sql).await? {
        let read = || -> Result<_, sqlx::Error> {
            let address = Address { class: row.try_get("class")?, oid: row.try_get("oid")? };
            Ok((address, row.try_get("relation")?, not_captured(&row)?))
        };
        let (address, relation, thing): (Address, Option<i64>, NotCaptured) =
            read().map_err(|error| failed(reader.database, error))?;
        if directory.is_some_and(|directory| directory.is_silent(address, relation)) {
            continue;
        }
        omitted.push(thing);
    }
    Ok(omitted)
}

fn not_captured(row: &PgRow) -> Result<NotCaptured, sqlx::Error> {
    Ok(NotCaptured {
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        reason: row.try_get("reason")?,
        is_unknown: row.try_get("is_unknown")?,
    })
}

const IN_SCHEMAS: &str = r#"
SELECT 'pg_class'::regclass::oid::int8 AS class, c.oid::int8 AS oid, c.oid::int8 AS relation,
    CASE c.relkind WHEN 'f' THEN 'rows of a foreign table' ELSE 'rows of a materialized view' END
        AS kind,
    format('%s.%s', n.nspname, c.relname) AS name,
    CASE c.relkind WHEN 'f' THEN 'they are on another server; the definition is captured'
        ELSE 'they follow from other tables; the definition is captured' END AS reason,
    false AS is_unknown
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('f', 'm') AND n.nspname = ANY($1)
UNION ALL
SELECT 'pg_class'::regclass::oid::int8, c.oid::int8, c.oid::int8, 'generated column',
    format('%s.%s.%s', n.nspname, c.relname, a.attname),
    'its values follow from the other columns', false
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attgenerated <> '' AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND n.nspname = ANY($1)
UNION ALL
SELECT 'pg_class'::regclass::oid::int8, c.oid::int8, c.oid::int8, 'table',
    format('%s.%s', n.nspname, c.relname), 'it is unlogged, and a standby does not have its rows',
    true
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND pg_is_in_recovery() AND n.nspname = ANY($1)
UNION ALL
SELECT 'pg_extension'::regclass::oid::int8, e.oid::int8, NULL, 'rows of an extension''s table',
    format('%s.%s', n.nspname, c.relname), format('it belongs to extension %s', e.extname), false
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY($1)
UNION ALL
SELECT d.classoid::int8, d.objoid::int8, d.objoid::int8, 'security label',
    o.identity, 'security labels are not captured', true
FROM pg_seclabel d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
WHERE o.schema = ANY($1)
"#;

/// The locale of the database decides how text is ordered; whoever creates a database chooses it.
const OF_DATABASE: &str = r#"
SELECT 0::int8 AS class, c.oid::int8 AS oid, NULL::int8 AS relation, 'temporary table' AS kind,
    format('%s.%s', n.nspname, c.relname) AS name, 'it is a session''s own' AS reason,
    false AS is_unknown
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence = 't' AND c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname ~ '^pg_temp'
UNION ALL
SELECT 'pg_language'::regclass::oid::int8, l.oid::int8, NULL, 'language', l.lanname,
    'languages without an extension are not captured', true
FROM pg_language l WHERE l.oid >= 16384
UNION ALL
SELECT 'pg_am'::regclass::oid::int8, a.oid::int8, NULL, 'access method', a.amname,
    'access methods without an extension are not captured', true
FROM pg_am a WHERE a.oid >= 16384
UNION ALL
SELECT 'pg_conversion'::regclass::oid::int8, c.oid::int8, NULL, 'conversion',
    format('%s.%s', n.nspname, c.conname), 'conversions of encodings are not captured', true
FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.oid >= 16384
UNION ALL
SELECT 'pg_transform'::regclass::oid::int8, t.oid::int8, NULL, 'transform',
    format('FOR %s LANGUAGE %s', format_type(t.trftype, NULL), l.lanname),
    'transforms are not captured', true
FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang WHERE t.oid >= 16384
UNION ALL
SELECT 0, 0, NULL, 'large objects', count(*)::text || ' large objects',
    'the content of large objects is not captured', true
FROM pg_largeobject_metadata HAVING count(*) > 0
UNION ALL
SELECT 0, 0, NULL, 'setting', coalesce('of role ' || pg_get_userbyid(NULLIF(s.setrole, 0)),
        'of the database') || ': ' || split_part(c, '=', 1),
    'settings of databases and roles are not captured', false
FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL
SELECT 0, 0, NULL, 'setting', 'locale', format('it is chosen with the database (%s, %s)',
        d.datcollate, d.datctype), false
FROM pg_database d WHERE d.datname = current_database()
UNION ALL
SELECT 0, 0, NULL, 'connection of a subscription', s.subname,
    'it holds the address of another server, and often a password', false
FROM pg_subscription s
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL
SELECT 0, 0, NULL, 'options of a user mapping', format('%s for %s', u.srvname, u.usename),
    'the account may not see them', true
FROM pg_user_mappings u WHERE u.umoptions IS NULL
    AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
UNION ALL
SELECT 'pg_class'::regclass::oid::int8, c.oid::int8, c.oid::int8, 'object in a system schema',
    format('%s.%s', n.nspname, c.relname), 'system schemas are not captured', false
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND n.nspname IN ('pg_catalog', 'information_schema')
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL
SELECT 'pg_proc'::regclass::oid::int8, p.oid::int8, NULL, 'object in a system schema',
    format('%s.%s(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)),
    'system schemas are not captured', false
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384 AND n.nspname IN ('pg_catalog', 'information_schema')
"#;

const NOT_CHOSEN: &str = r#"
SELECT 0::int8 AS class, 0::int8 AS oid, NULL::int8 AS relation, 'schema' AS kind,
    n.nspname::text AS name, 'it is not among the chosen schemas' AS reason, false AS is_unknown
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> ALL($1)
UNION ALL
SELECT 0, 0, NULL, 'objects of the whole database', 'event triggers, foreign servers, publications',
    'they are in no schema, and only some schemas were chosen', false
"#;

/// Row security hides rows in silence; this program turns that into an error, which is told before.
const RIGHTS: &str = r#"
SELECT 'pg_namespace'::regclass::oid::int8 AS class, n.oid::int8 AS oid, NULL::int8 AS relation,
    'schema' AS kind, n.nspname::text AS name,
    format('the account has no USAGE right on it (GRANT USAGE ON SCHEMA %I TO %I)', n.nspname,
        current_user) AS reason, true AS is_unknown,
    NULL::text AS of_schema, NULL::text AS of_table, NULL::text[] AS lacking
FROM pg_namespace n WHERE n.nspname = ANY($1) AND NOT has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT 'pg_class'::regclass::oid::int8, c.oid::int8, c.oid::int8, 'table',
    format('%s.%s', n.nspname, c.relname),
    format('the account has no SELECT right on %s (GRANT SELECT ON %I.%I TO %I)',
        CASE WHEN m.names IS NULL THEN 'it' ELSE 'all of its columns: it lacks ' || m.names END,
        n.nspname, c.relname, current_user), true, n.nspname::text, c.relname::text, m.lacking
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_or(has_column_privilege(c.oid, a.attnum, 'SELECT')) THEN
            string_agg(a.attname, ', ' ORDER BY a.attname COLLATE "C")
                FILTER (WHERE NOT has_column_privilege(c.oid, a.attnum, 'SELECT')) END AS names,
        CASE WHEN bool_or(has_column_privilege(c.oid, a.attnum, 'SELECT')) THEN
            array_agg(a.attname::text)
                FILTER (WHERE NOT has_column_privilege(c.oid, a.attnum, 'SELECT')) END AS lacking,
        coalesce(bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT')), false) AS has_all
    FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) m
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname = ANY($1) AND c.relname <> '_deepdiff_receipts'
    AND NOT has_table_privilege(c.oid, 'SELECT') AND NOT m.has_all
UNION ALL
SELECT 'pg_class'::regclass::oid::int8, c.oid::int8, c.oid::int8, 'table',
    format('%s.%s', n.nspname, c.relname),
    format('row security hides rows from the account (ALTER ROLE %I BYPASSRLS)', current_user), true,
    NULL, NULL, NULL
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY($1)
    AND c.relrowsecurity AND row_security_active(c.oid)
"#;
