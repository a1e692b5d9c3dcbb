//! What is asked of foreign data, publications and subscriptions.
//!
//! Options of foreign data may hold secrets: their columns begin with `!`. The connection string of a
//! subscription is never asked for at all.

use super::query::{Query, Reach};
use crate::model::ObjectKind;

/// The queries.
pub(super) const QUERIES: [Query; 8] = [
    Query {
        kind: ObjectKind::Foreign,
        class: "pg_foreign_data_wrapper",
        reach: Reach::Database,
        sql: WRAPPERS,
    },
    Query {
        kind: ObjectKind::Foreign,
        class: "pg_foreign_server",
        reach: Reach::Database,
        sql: SERVERS,
    },
    Query {
        kind: ObjectKind::Foreign,
        class: "pg_user_mapping",
        reach: Reach::Database,
        sql: MAPPINGS,
    },
    Query { kind: ObjectKind::Foreign, class: "pg_class", reach: Reach::Schemas, sql: TABLES },
    Query {
        kind: ObjectKind::Publication,
        class: "pg_publication",
        reach: Reach::Database,
        sql: PUBLICATIONS,
    },
    Query {
        kind: ObjectKind::Publication,
        class: "pg_publication_rel",
        reach: Reach::Database,
        sql: PUBLISHED_TABLES,
    },
    Query {
        kind: ObjectKind::Publication,
        class: "pg_publication",
        reach: Reach::Database,
        sql: PUBLISHED_SCHEMAS,
    },
    Query {
        kind: ObjectKind::Publication,
        class: "pg_subscription",
        reach: Reach::Database,
        sql: SUBSCRIPTIONS,
    },
];

const WRAPPERS: &str = r#"
SELECT w.oid::int8 AS "@oid",
    w.fdwname::text AS "@name", 'wrapper' AS "@part",
    NULLIF(w.fdwhandler, 0)::regprocedure::text AS "handler",
    NULLIF(w.fdwvalidator, 0)::regprocedure::text AS "validator",
    ARRAY(SELECT o FROM unnest(w.fdwoptions) o ORDER BY o COLLATE "C") AS "!options"
FROM pg_foreign_data_wrapper w
"#;

const SERVERS: &str = r#"
SELECT s.oid::int8 AS "@oid",
    s.srvname::text AS "@name", 'server' AS "@part",
    w.fdwname::text AS "wrapper",
    s.srvtype AS "type",
    s.srvversion AS "version",
    ARRAY(SELECT o FROM unnest(s.srvoptions) o ORDER BY o COLLATE "C") AS "!options"
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
"#;

/// Through the view, which hides options from those who may not see them.
const MAPPINGS: &str = r#"
SELECT u.umid::int8 AS "@oid",
    u.srvname::text AS "@name", 'user mapping for ' || u.usename AS "@part",
    ARRAY(SELECT o FROM unnest(u.umoptions) o ORDER BY o COLLATE "C") AS "!options"
FROM pg_user_mappings u
"#;

const TABLES: &str = r#"
SELECT c.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", c.relname::text AS "@name", 'table' AS "@part",
    s.srvname::text AS "server",
    ARRAY(SELECT o FROM unnest(f.ftoptions) o ORDER BY o COLLATE "C") AS "!options",
    ARRAY(
        SELECT format('%I.%I', pn.nspname, p.relname)
        FROM pg_inherits h
        JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = c.oid AND NOT c.relispartition ORDER BY h.inhseqno
    ) AS "inherits"
FROM pg_foreign_table f
JOIN pg_class c ON c.oid = f.ftrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_foreign_server s ON s.oid = f.ftserver
WHERE n.nspname = ANY($1)
"#;

const PUBLICATIONS: &str = r#"
SELECT p.oid::int8 AS "@oid",
    p.pubname::text AS "@name",
    p.puballtables AS "all-tables",
    array_remove(ARRAY[CASE WHEN p.pubinsert THEN 'insert' END,
        CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END,
        CASE WHEN p.pubtruncate THEN 'truncate' END], NULL) AS "publish",
--18+ CASE p.pubgencols WHEN 's' THEN 'stored' END AS "publish-generated-columns",
    p.pubviaroot AS "via-partition-root"
FROM pg_publication p
"#;

const PUBLISHED_TABLES: &str = r#"
SELECT r.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    p.pubname::text AS "@name", format('TABLE %I.%I', n.nspname, c.relname) AS "@part",
--15+ ARRAY(SELECT a.attname::text FROM unnest(r.prattrs) x(number)
--15+     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.number
--15+     ORDER BY a.attname COLLATE "C") AS "columns",
--15+ pg_get_expr(r.prqual, r.prrelid) AS "where",
    true AS "published"
FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
"#;

const PUBLISHED_SCHEMAS: &str = r#"
SELECT p.oid::int8 AS "@oid",
    p.pubname::text AS "@name", format('TABLES IN SCHEMA %I', n.nspname) AS "@part",
    true AS "published"
FROM pg_publication p
--15+ JOIN pg_publication_namespace r ON p.oid = r.pnpubid
--15+ JOIN pg_namespace n ON n.oid = r.pnnspid
--<15 JOIN pg_namespace n ON false
"#;

/// Only what every role may read of a subscription.
const SUBSCRIPTIONS: &str = r#"
SELECT 0::int8 AS "@oid",
    s.subname::text AS "@name", 'subscription' AS "@part",
    s.subenabled AS "enabled",
    s.subslotname::text AS "slot",
    ARRAY(SELECT p FROM unnest(s.subpublications) p ORDER BY p COLLATE "C") AS "publications"
FROM pg_subscription s
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"#;
