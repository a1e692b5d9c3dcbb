//! What is asked of tables, partitions, columns, views, sequences and schemas.

use super::query::{Query, Reach};
use crate::model::ObjectKind;

/// The queries.
pub(super) const QUERIES: [Query; 8] = [
    Query { kind: ObjectKind::Schema, class: "pg_namespace", reach: Reach::Schemas, sql: SCHEMAS },
    Query { kind: ObjectKind::Table, class: "pg_class", reach: Reach::Schemas, sql: TABLES },
    Query { kind: ObjectKind::Partition, class: "pg_class", reach: Reach::Schemas, sql: KEYS },
    Query { kind: ObjectKind::Partition, class: "pg_class", reach: Reach::Schemas, sql: BOUNDS },
    Query { kind: ObjectKind::Column, class: "pg_class", reach: Reach::Schemas, sql: COLUMNS },
    Query { kind: ObjectKind::View, class: "pg_class", reach: Reach::Schemas, sql: VIEWS },
    Query { kind: ObjectKind::Sequence, class: "pg_class", reach: Reach::Schemas, sql: SEQUENCES },
    Query { kind: ObjectKind::Rule, class: "pg_rewrite", reach: Reach::Schemas, sql: RULES },
];

const SCHEMAS: &str = r#"
SELECT n.oid::int8 AS "@oid", n.nspname::text AS "@name",
    format('CREATE SCHEMA %I', n.nspname) AS "@definition"
FROM pg_namespace n
WHERE n.nspname = ANY($1)
"#;

/// The definition is what stands around the columns; they are filled in when all is read.
const TABLES: &str = r#"
SELECT c.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", c.relname::text AS "@name",
    c.relpersistence = 'u' AS "unlogged",
    CASE WHEN m.amname <> 'heap' THEN m.amname::text END AS "access-method",
    (SELECT array_agg(i.o ORDER BY i.o COLLATE "C") FROM (
        SELECT o FROM unnest(c.reloptions) o
        UNION ALL SELECT 'toast.' || o FROM pg_class t, unnest(t.reloptions) o
        WHERE t.oid = c.reltoastrelid) i) AS "options",
    s.spcname::text AS "tablespace",
    CASE c.relreplident WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' WHEN 'i' THEN 'INDEX' END
        AS "replica-identity",
    (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid = c.oid AND i.indisreplident) AS "replica-identity-index",
    c.relrowsecurity AS "row-security",
    c.relforcerowsecurity AS "force-row-security",
    CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS "of-type",
    ARRAY(
        SELECT format('%I.%I', pn.nspname, p.relname)
        FROM pg_inherits h
        JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = c.oid AND NOT c.relispartition ORDER BY h.inhseqno
    ) AS "inherits",
    format('CREATE %sTABLE %I.%I', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END,
        n.nspname, c.relname) AS "@definition"
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_am m ON m.oid = c.relam
LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY($1)
"#;

const KEYS: &str = r#"
SELECT c.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", c.relname::text AS "@name",
    pg_get_partkeydef(c.oid) AS "key",
    'PARTITION BY ' || pg_get_partkeydef(c.oid) AS "@definition"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'p' AND n.nspname = ANY($1)
"#;

const BOUNDS: &str = r#"
SELECT c.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", c.relname::text AS "@name", 'bound' AS "@part",
    p.relname::text AS "table",
    NULLIF(pn.nspname, n.nspname)::text AS "table-schema",
    pg_get_expr(c.relpartbound, c.oid) AS "bound",
--14+ h.inhdetachpending AS "detach-pending",
    format('PARTITION OF %I.%I %s', pn.nspname, p.relname, pg_get_expr(c.relpartbound, c.oid))
        AS "@definition"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_inherits h ON h.inhrelid = c.oid
JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') AND n.nspname = ANY($1)
"#;

/// From 18 on a NOT NULL is a constraint with a name; the one that the server gives by itself
/// says nothing.
const COLUMNS: &str = r#"
WITH columns AS (
    SELECT a.*, c.relname, c.relkind, n.nspname, t.typcollation, t.typstorage,
        pg_get_expr(d.adbin, d.adrelid) AS expression
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname = ANY($1)
        AND (c.relkind NOT IN ('v', 'm') OR d.adbin IS NOT NULL OR a.attoptions IS NOT NULL
            OR c.relkind = 'm' AND (a.attstattarget >= 0 OR a.attstorage <> t.typstorage
--14+        OR a.attcompression <> ''
            ))
)
SELECT a.attrelid::int8 AS "@oid", a.attnum::int8 AS "@sub", a.attrelid::int8 AS "@relation",
    a.nspname::text AS "@schema", a.relname::text AS "@name", a.attname::text AS "@part",
    format_type(a.atttypid, a.atttypmod) AS "type",
    a.attnotnull AS "not-null",
--18+ CASE WHEN NOT k.conislocal OR k.conname = concat_ws('_', a.relname, a.attname, 'not_null')
--18+     OR k.conname ~ '_not_null[0-9]*$' AND octet_length(a.relname) + octet_length(a.attname) > 51
--18+     THEN NULL ELSE k.conname::text END AS "not-null-name",
--18+ NOT k.convalidated AS "not-null-not-valid",
--18+ k.connoinherit AS "not-null-no-inherit",
    CASE WHEN a.attgenerated = '' THEN a.expression END AS "default",
    CASE WHEN a.attgenerated <> '' THEN a.expression END AS "generated",
    a.attgenerated = 's' AS "stored",
    CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END AS "identity",
    o.name AS "collation",
    CASE WHEN a.attstorage <> a.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN'
        WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' WHEN 'x' THEN 'EXTENDED' END END AS "storage",
--14+ CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4'
--14+     ELSE NULLIF(a.attcompression, '')::text END AS "compression",
    NULLIF(a.attstattarget, -1)::int8 AS "statistics",
    ARRAY(SELECT o FROM unnest(a.attoptions) o ORDER BY o COLLATE "C") AS "options",
    ARRAY(SELECT o FROM unnest(a.attfdwoptions) o ORDER BY o COLLATE "C") AS "!foreign-options",
    NOT a.attislocal AS "inherited",
    a.attislocal AND a.attinhcount > 0 AS "merged",
    concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
        'COLLATE ' || o.name,
        CASE WHEN a.attgenerated = '' THEN 'DEFAULT ' || a.expression END,
        CASE WHEN a.attgenerated <> '' THEN 'GENERATED ALWAYS AS (' || a.expression || ') '
            || CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END END,
        CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY'
            WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
        CASE WHEN a.attnotnull THEN 'NOT NULL' END) AS "@definition"
FROM columns a
LEFT JOIN LATERAL (
    SELECT format('%I.%I', cn.nspname, co.collname) AS name
    FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
    WHERE co.oid = a.attcollation AND a.attcollation <> a.typcollation
) o ON true
--18+ LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
"#;

const VIEWS: &str = r#"
SELECT c.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized-view' END AS "@kind",
    n.nspname::text AS "@schema", c.relname::text AS "@name",
    q.query AS "query",
    ARRAY(SELECT o FROM unnest(c.reloptions) o ORDER BY o COLLATE "C") AS "options",
    CASE WHEN m.amname <> 'heap' THEN m.amname::text END AS "access-method",
    s.spcname::text AS "tablespace",
    format('CREATE %s %I.%I AS%s%s',
        CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END,
        n.nspname, c.relname, chr(10), q.query) AS "@definition"
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_am m ON m.oid = c.relam
LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
CROSS JOIN LATERAL (SELECT btrim(pg_get_viewdef(c.oid), E' ;\n') AS query) q
WHERE c.relkind IN ('v', 'm') AND n.nspname = ANY($1)
"#;

/// What a sequence would have by its type alone is left out.
const SEQUENCES: &str = r#"
WITH sequences AS (
    SELECT s.*, c.relname, c.relpersistence, n.nspname,
        d.refobjid, d.deptype, format('%I.%I.%I', tn.nspname, t.relname, a.attname) AS owner,
        CASE s.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
            ELSE 9223372036854775807 END AS top
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    LEFT JOIN pg_class t ON t.oid = d.refobjid
    LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE n.nspname = ANY($1) AND c.relpersistence <> 't'
)
SELECT s.seqrelid::int8 AS "@oid", coalesce(s.refobjid, s.seqrelid)::int8 AS "@relation",
    s.nspname::text AS "@schema", s.relname::text AS "@name",
    s.relpersistence = 'u' AS "unlogged",
    CASE WHEN s.seqtypid <> 'int8'::regtype THEN format_type(s.seqtypid, NULL) END AS "type",
    NULLIF(s.seqincrement, 1) AS "increment",
    NULLIF(s.seqmin, CASE WHEN s.seqincrement > 0 THEN 1 ELSE -s.top - 1 END) AS "min",
    NULLIF(s.seqmax, CASE WHEN s.seqincrement > 0 THEN s.top ELSE -1 END) AS "max",
    NULLIF(s.seqstart, CASE WHEN s.seqincrement > 0 THEN s.seqmin ELSE s.seqmax END) AS "start",
    NULLIF(s.seqcache, 1) AS "cache",
    s.seqcycle AS "cycle",
    CASE WHEN s.refobjid IS NOT NULL THEN s.owner END AS "owned-by",
    s.deptype = 'i' AS "identity",
    format('CREATE SEQUENCE %I.%I AS %s START %s INCREMENT %s MINVALUE %s MAXVALUE %s CACHE %s%s',
        s.nspname, s.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin,
        s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END) AS "@definition"
FROM sequences s
"#;

const RULES: &str = r#"
SELECT r.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", c.relname::text AS "@name", r.rulename::text AS "@part",
    CASE r.ev_type WHEN '1' THEN 'SELECT' WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT'
        WHEN '4' THEN 'DELETE' END AS "event",
    r.is_instead AS "instead",
    CASE r.ev_enabled WHEN 'O' THEN NULL WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'REPLICA'
        WHEN 'A' THEN 'ALWAYS' ELSE r.ev_enabled::text END AS "enabled",
    rtrim(pg_get_ruledef(r.oid), ';') AS "definition",
    rtrim(pg_get_ruledef(r.oid), ';') AS "@definition"
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND n.nspname = ANY($1)
"#;
