//! What is asked of constraints, indexes and extended statistics.
//!
//! The names of attributes are those of `docs/format-sqlite-facts.md` wherever they mean the same:
//! the order of row changes is found by them. A collation under which different texts are equal is
//! named in `collations`; one under which equal means equal bytes is `BINARY` there.

use super::query::{Query, Reach};
use crate::model::ObjectKind;

/// The queries.
pub(super) const QUERIES: [Query; 6] = [
    Query { kind: ObjectKind::Unique, class: "pg_constraint", reach: Reach::Schemas, sql: UNIQUE },
    Query {
        kind: ObjectKind::Exclusion,
        class: "pg_constraint",
        reach: Reach::Schemas,
        sql: EXCLUSION,
    },
    Query { kind: ObjectKind::Check, class: "pg_constraint", reach: Reach::Schemas, sql: CHECK },
    Query {
        kind: ObjectKind::ForeignKey,
        class: "pg_constraint",
        reach: Reach::Schemas,
        sql: FOREIGN_KEY,
    },
    Query { kind: ObjectKind::Index, class: "pg_class", reach: Reach::Schemas, sql: INDEX },
    Query {
        kind: ObjectKind::Statistics,
        class: "pg_statistic_ext",
        reach: Reach::Schemas,
        sql: STATISTICS,
    },
];

/// Primary keys and unique constraints, with what their indexes say.
const UNIQUE: &str = r#"
SELECT k.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    CASE k.contype WHEN 'p' THEN 'primary-key' ELSE 'unique' END AS "@kind",
    n.nspname::text AS "@schema", c.relname::text AS "@name",
    CASE k.contype WHEN 'p' THEN '' ELSE k.conname::text END AS "@part",
    k.conname::text AS "name",
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY x(number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.number ORDER BY x.place)
        AS "columns",
    (SELECT array_agg(CASE WHEN o.collisdeterministic IS NOT FALSE THEN 'BINARY'
            ELSE format('%I.%I', cn.nspname, o.collname) END ORDER BY x.place)
        FROM unnest(i.indcollation) WITH ORDINALITY x(oid, place)
        LEFT JOIN pg_collation o ON o.oid = x.oid LEFT JOIN pg_namespace cn ON cn.oid = o.collnamespace
        WHERE x.place <= i.indnkeyatts
        HAVING bool_or(NOT o.collisdeterministic)) AS "collations",
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY x(number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.number
        WHERE x.place > i.indnkeyatts ORDER BY x.place) AS "include",
--15+ i.indnullsnotdistinct AS "nulls-not-distinct",
--18+ k.conperiod AS "without-overlaps",
    k.condeferrable AS "deferrable",
    k.condeferred AS "initially-deferred",
    NOT k.conislocal AS "inherited",
    k.conislocal AND k.coninhcount > 0 AS "merged",
    NOT i.indisvalid AS "invalid",
    i.indisclustered AS "clustered",
    ARRAY(SELECT o FROM unnest(x.reloptions) o ORDER BY o COLLATE "C") AS "options",
    s.spcname::text AS "tablespace",
    format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)) AS "@definition"
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indexrelid = k.conindid JOIN pg_class x ON x.oid = k.conindid
LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
WHERE k.contype IN ('p', 'u') AND n.nspname = ANY($1)
"#;

const EXCLUSION: &str = r#"
SELECT k.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", c.relname::text AS "@name", k.conname::text AS "@part",
    k.conname::text AS "name",
    pg_get_constraintdef(k.oid) AS "definition",
    k.condeferrable AS "deferrable",
    k.condeferred AS "initially-deferred",
    NOT k.conislocal AS "inherited",
    k.conislocal AND k.coninhcount > 0 AS "merged",
    NOT i.indisvalid AS "invalid",
    i.indisclustered AS "clustered",
    ARRAY(SELECT o FROM unnest(x.reloptions) o ORDER BY o COLLATE "C") AS "options",
    s.spcname::text AS "tablespace",
    format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)) AS "@definition"
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indexrelid = k.conindid JOIN pg_class x ON x.oid = k.conindid
LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
WHERE k.contype = 'x' AND n.nspname = ANY($1)
"#;

/// Checks of tables and of domains.
const CHECK: &str = r#"
SELECT k.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", coalesce(c.relname, t.typname)::text AS "@name",
    k.conname::text AS "@part",
    k.conname::text AS "name",
    k.contypid <> 0 AS "domain",
    pg_get_expr(k.conbin, k.conrelid) AS "expression",
    k.connoinherit AND k.conrelid <> 0 AS "no-inherit",
    NOT k.convalidated AS "not-valid",
--18+ NOT k.conenforced AS "not-enforced",
    NOT k.conislocal AS "inherited",
    k.conislocal AND k.coninhcount > 0 AS "merged",
    format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)) AS "@definition"
FROM pg_constraint k
LEFT JOIN pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_type t ON t.oid = k.contypid
JOIN pg_namespace n ON n.oid = coalesce(c.relnamespace, t.typnamespace)
WHERE k.contype = 'c' AND n.nspname = ANY($1)
"#;

/// A key to a partitioned table has rows of its own for each partition, which the server keeps
/// and which are nothing that anybody could change.
const FOREIGN_KEY: &str = r#"
SELECT k.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", c.relname::text AS "@name", k.conname::text AS "@part",
    k.conname::text AS "name",
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY x(number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.number ORDER BY x.place)
        AS "columns",
    p.relname::text AS "table",
    NULLIF(pn.nspname, n.nspname)::text AS "table-schema",
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY x(number, place)
        JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum = x.number ORDER BY x.place)
        AS "referenced-columns",
    CASE k.confdeltype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
        WHEN 'd' THEN 'SET DEFAULT' END AS "on-delete",
    CASE k.confupdtype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
        WHEN 'd' THEN 'SET DEFAULT' END AS "on-update",
--15+ ARRAY(SELECT a.attname::text FROM unnest(k.confdelsetcols) x(number)
--15+     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.number
--15+     ORDER BY a.attname COLLATE "C") AS "on-delete-columns",
    CASE k.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' END AS "match",
--18+ k.conperiod AS "period",
--18+ NOT k.conenforced AS "not-enforced",
    k.condeferrable AS "deferrable",
    k.condeferred AS "initially-deferred",
    NOT k.convalidated AS "not-valid",
    NOT k.conislocal AS "inherited",
    k.conislocal AND k.coninhcount > 0 AS "merged",
    EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O')
        AS "triggers-disabled",
    format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)) AS "@definition"
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
LEFT JOIN pg_constraint above ON above.oid = k.conparentid
WHERE k.contype = 'f' AND n.nspname = ANY($1)
    AND (above.oid IS NULL OR above.conrelid <> k.conrelid AND above.confrelid = k.confrelid)
"#;

/// Indexes that are no constraint's. Lists beside `columns` are there where one of their items
/// says something.
const INDEX: &str = r#"
SELECT i.indexrelid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", x.relname::text AS "@name",
    c.relname::text AS "table",
    CASE WHEN m.amname <> 'btree' THEN m.amname::text END AS "access-method",
    i.indisunique AS "unique",
--15+ i.indnullsnotdistinct AS "nulls-not-distinct",
    terms.columns AS "columns",
    CASE WHEN 'expression' = ANY(terms.terms) THEN terms.terms END AS "terms",
    CASE WHEN terms.is_loose THEN terms.collations END AS "collations",
    CASE WHEN 'DESC' = ANY(terms.orders) THEN terms.orders END AS "orders",
    CASE WHEN terms.has_nulls THEN terms.nulls END AS "nulls",
    CASE WHEN terms.has_classes THEN terms.classes END AS "operator-classes",
    CASE WHEN terms.has_options THEN terms.options END AS "operator-class-options",
    CASE WHEN terms.has_collations THEN terms.own_collations END AS "index-collations",
    CASE WHEN terms.has_statistics THEN terms.statistics END AS "statistics",
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY y(number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = y.number
        WHERE y.place > i.indnkeyatts ORDER BY y.place) AS "include",
    pg_get_expr(i.indpred, i.indrelid) AS "where",
    ARRAY(SELECT o FROM unnest(x.reloptions) o ORDER BY o COLLATE "C") AS "options",
    s.spcname::text AS "tablespace",
    NOT i.indisvalid AS "invalid",
    i.indisclustered AS "clustered",
    (SELECT format('%I.%I', pn.nspname, p.relname) FROM pg_inherits h
        JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = i.indexrelid) AS "attached-to",
    pg_get_indexdef(i.indexrelid) AS "@definition"
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_am m ON m.oid = x.relam
LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
CROSS JOIN LATERAL (
    SELECT array_agg(coalesce(a.attname, pg_get_indexdef(i.indexrelid, y.place::int, false))::text
            ORDER BY y.place) AS columns,
        array_agg(CASE WHEN y.number = 0 THEN 'expression' ELSE 'column' END ORDER BY y.place)
            AS terms,
        array_agg(CASE WHEN o.collisdeterministic IS NOT FALSE THEN 'BINARY'
            ELSE format('%I.%I', cn.nspname, o.collname) END ORDER BY y.place) AS collations,
        coalesce(bool_or(NOT o.collisdeterministic), false) AS is_loose,
        array_agg(CASE i.indoption[y.place - 1] & 1 WHEN 1 THEN 'DESC' ELSE 'ASC' END
            ORDER BY y.place) AS orders,
        array_agg(CASE i.indoption[y.place - 1] & 2 WHEN 2 THEN 'FIRST' ELSE 'LAST' END
            ORDER BY y.place) AS nulls,
        bool_or(i.indoption[y.place - 1] IN (1, 2)) AS has_nulls,
        array_agg(CASE WHEN q.opcdefault THEN ''
            ELSE format('%I.%I', qn.nspname, q.opcname) END ORDER BY y.place) AS classes,
        bool_or(NOT q.opcdefault) AS has_classes,
        array_agg(array_to_string(ia.attoptions, ', ') ORDER BY y.place) AS options,
        bool_or(ia.attoptions IS NOT NULL) AS has_options,
        array_agg(CASE WHEN own.is_own THEN format('%I.%I', cn.nspname, o.collname) ELSE '' END
            ORDER BY y.place) AS own_collations,
        bool_or(own.is_own) AS has_collations,
        array_agg(coalesce(NULLIF(ia.attstattarget, -1)::text, '') ORDER BY y.place) AS statistics,
        bool_or(ia.attstattarget >= 0) AS has_statistics
    FROM unnest(i.indkey) WITH ORDINALITY y(number, place)
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = y.number AND y.number <> 0
    LEFT JOIN pg_attribute ia ON ia.attrelid = i.indexrelid AND ia.attnum = y.place
    LEFT JOIN pg_opclass q ON q.oid = i.indclass[y.place - 1]
    LEFT JOIN pg_namespace qn ON qn.oid = q.opcnamespace
    LEFT JOIN pg_collation o ON o.oid = i.indcollation[y.place - 1]
    LEFT JOIN pg_namespace cn ON cn.oid = o.collnamespace
    CROSS JOIN LATERAL (SELECT o.oid IS NOT NULL AND o.oid <> coalesce(a.attcollation, 100)
        AS is_own) own
    WHERE y.place <= i.indnkeyatts
) terms
WHERE n.nspname = ANY($1)
    AND NOT EXISTS (SELECT FROM pg_constraint k
        WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
"#;

const STATISTICS: &str = r#"
SELECT e.oid::int8 AS "@oid", e.stxrelid::int8 AS "@relation",
    n.nspname::text AS "@schema", e.stxname::text AS "@name",
    c.relname::text AS "table",
    NULLIF(cn.nspname, n.nspname)::text AS "table-schema",
    NULLIF(e.stxstattarget, -1)::int8 AS "statistics",
    pg_get_statisticsobjdef(e.oid) AS "definition",
    pg_get_statisticsobjdef(e.oid) AS "@definition"
FROM pg_statistic_ext e
JOIN pg_namespace n ON n.oid = e.stxnamespace
JOIN pg_class c ON c.oid = e.stxrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
WHERE n.nspname = ANY($1)
"#;
