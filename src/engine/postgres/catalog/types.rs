//! What is asked of types, domains, collations and extensions.

use super::query::{Query, Reach};
use crate::model::ObjectKind;

/// The queries.
pub(super) const QUERIES: [Query; 8] = [
    Query {
        kind: ObjectKind::Extension,
        class: "pg_extension",
        reach: Reach::Schemas,
        sql: EXTENSIONS,
    },
    Query {
        kind: ObjectKind::Collation,
        class: "pg_collation",
        reach: Reach::Schemas,
        sql: COLLATIONS,
    },
    Query { kind: ObjectKind::Type, class: "pg_type", reach: Reach::Schemas, sql: ENUMS },
    Query { kind: ObjectKind::Type, class: "pg_type", reach: Reach::Schemas, sql: COMPOSITES },
    Query { kind: ObjectKind::Type, class: "pg_class", reach: Reach::Schemas, sql: FIELDS },
    Query { kind: ObjectKind::Type, class: "pg_type", reach: Reach::Schemas, sql: RANGES },
    Query { kind: ObjectKind::Type, class: "pg_type", reach: Reach::Schemas, sql: BASES },
    Query { kind: ObjectKind::Domain, class: "pg_type", reach: Reach::Schemas, sql: DOMAINS },
];

const EXTENSIONS: &str = r#"
SELECT e.oid::int8 AS "@oid",
    e.extname::text AS "@name",
    n.nspname::text AS "schema",
    e.extversion AS "version",
    format('CREATE EXTENSION %I WITH SCHEMA %I', e.extname, n.nspname) AS "@definition"
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.oid >= 16384 AND (n.nspname = ANY($1) OR n.nspname = 'pg_catalog')
"#;

/// The version of a collation is of the operating system's library, and no fact.
const COLLATIONS: &str = r#"
SELECT c.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", c.collname::text AS "@name",
    CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin'
        ELSE c.collprovider::text END AS "provider",
    NOT c.collisdeterministic AS "nondeterministic",
--17+ c.colllocale::text AS "locale",
--15+<17 c.colliculocale::text AS "locale",
--<15 CASE WHEN c.collprovider = 'i' THEN c.collcollate::text END AS "locale",
    CASE WHEN c.collprovider = 'c' THEN c.collcollate::text END AS "collate",
    CASE WHEN c.collprovider = 'c' THEN c.collctype::text END AS "ctype",
--16+ c.collicurules AS "rules",
    NULLIF(c.collencoding, -1)::int8 AS "encoding"
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE n.nspname = ANY($1)
"#;

const ENUMS: &str = r#"
SELECT t.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", t.typname::text AS "@name",
    'ENUM' AS "kind",
    e.labels AS "labels",
    format('CREATE TYPE %I.%I AS ENUM (%s)', n.nspname, t.typname,
        (SELECT string_agg(quote_literal(l), ', ') FROM unnest(e.labels) l)) AS "@definition"
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
CROSS JOIN LATERAL (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
    FROM pg_enum e WHERE e.enumtypid = t.oid) e
WHERE t.typtype = 'e' AND n.nspname = ANY($1)
"#;

/// The order of a composite type's attributes is part of it: values are written in it.
const COMPOSITES: &str = r#"
SELECT t.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", t.typname::text AS "@name",
    'COMPOSITE' AS "kind",
    f.names AS "attributes",
    format('CREATE TYPE %I.%I AS (%s)', n.nspname, t.typname, f.text) AS "@definition"
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
CROSS JOIN LATERAL (SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names,
        string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
            ORDER BY a.attnum) AS text
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) f
WHERE t.typtype = 'c' AND n.nspname = ANY($1)
"#;

const FIELDS: &str = r#"
SELECT c.oid::int8 AS "@oid", a.attnum::int8 AS "@sub",
    n.nspname::text AS "@schema", c.relname::text AS "@name", a.attname::text AS "@part",
    format_type(a.atttypid, a.atttypmod) AS "type",
    CASE WHEN a.attcollation <> t.typcollation THEN format('%I.%I', cn.nspname, co.collname) END
        AS "collation"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation co ON co.oid = a.attcollation
LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE c.relkind = 'c' AND n.nspname = ANY($1)
"#;

/// The multirange type, which 13 does not have, is told where it is not called as the server itself
/// would call it.
const RANGES: &str = r#"
SELECT t.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", t.typname::text AS "@name",
    'RANGE' AS "kind",
    format_type(r.rngsubtype, NULL) AS "subtype",
    CASE WHEN NOT q.opcdefault THEN format('%I.%I', qn.nspname, q.opcname) END AS "operator-class",
    CASE WHEN r.rngcollation <> s.typcollation THEN format('%I.%I', cn.nspname, co.collname) END
        AS "collation",
    NULLIF(r.rngcanonical, 0)::regprocedure::text AS "canonical",
    NULLIF(r.rngsubdiff, 0)::regprocedure::text AS "subtype-difference",
--14+ (SELECT format_type(m.oid, NULL) FROM pg_type m WHERE m.oid = r.rngmultitypid
--14+     AND (m.typnamespace, m.typname::text) <> (t.typnamespace,
--14+     CASE WHEN strpos(t.typname, 'range') = 0 THEN t.typname || '_multirange'
--14+     ELSE regexp_replace(t.typname, 'range', 'multirange') END)) AS "multirange",
    format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s)', n.nspname, t.typname,
        format_type(r.rngsubtype, NULL)) AS "@definition"
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_range r ON r.rngtypid = t.oid
JOIN pg_type s ON s.oid = r.rngsubtype
LEFT JOIN pg_opclass q ON q.oid = r.rngsubopc LEFT JOIN pg_namespace qn ON qn.oid = q.opcnamespace
LEFT JOIN pg_collation co ON co.oid = r.rngcollation
LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE t.typtype = 'r' AND n.nspname = ANY($1)
"#;

/// Base types, and shells of types that were never completed.
const BASES: &str = r#"
SELECT t.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", t.typname::text AS "@name",
    CASE WHEN t.typisdefined THEN 'BASE' ELSE 'SHELL' END AS "kind",
    NULLIF(t.typinput, 0)::regprocedure::text AS "input",
    NULLIF(t.typoutput, 0)::regprocedure::text AS "output",
    NULLIF(t.typreceive, 0)::regprocedure::text AS "receive",
    NULLIF(t.typsend, 0)::regprocedure::text AS "send",
    NULLIF(t.typmodin, 0)::regprocedure::text AS "typmod-in",
    NULLIF(t.typmodout, 0)::regprocedure::text AS "typmod-out",
    NULLIF(t.typanalyze, 0)::regprocedure::text AS "analyze",
--14+ NULLIF(t.typsubscript, 0)::regprocedure::text AS "subscript",
    t.typlen::int8 AS "length",
    t.typbyval AS "passed-by-value",
    t.typalign::text AS "alignment",
    t.typstorage::text AS "storage",
    t.typcategory::text AS "category",
    t.typispreferred AS "preferred",
    t.typdelim::text AS "delimiter",
    CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END AS "element",
    t.typdefault AS "default",
    t.typcollation <> 0 AS "collatable",
    format('CREATE TYPE %I.%I', n.nspname, t.typname) AS "@definition"
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE (t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
        OR t.typtype = 'p' AND NOT t.typisdefined)
    AND n.nspname = ANY($1)
"#;

const DOMAINS: &str = r#"
SELECT t.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", t.typname::text AS "@name",
    format_type(t.typbasetype, t.typtypmod) AS "type",
    t.typnotnull AS "not-null",
--17+ (SELECT k.conname::text FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'n'
--17+     AND k.conname <> t.typname || '_not_null') AS "not-null-name",
    coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault) AS "default",
    CASE WHEN t.typcollation <> b.typcollation THEN format('%I.%I', cn.nspname, co.collname) END
        AS "collation",
    concat_ws(' ', format('CREATE DOMAIN %I.%I AS %s', n.nspname, t.typname,
            format_type(t.typbasetype, t.typtypmod)),
        'DEFAULT ' || coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault),
        CASE WHEN t.typnotnull THEN 'NOT NULL' END,
        (SELECT string_agg(format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), ' '
            ORDER BY k.conname COLLATE "C")
            FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')) AS "@definition"
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_collation co ON co.oid = t.typcollation
LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE t.typtype = 'd' AND n.nspname = ANY($1)
"#;
