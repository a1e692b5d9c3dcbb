//! What is asked of routines, triggers, event triggers and policies.

use super::query::{Query, Reach};
use crate::model::ObjectKind;

/// The queries.
pub(super) const QUERIES: [Query; 5] = [
    Query { kind: ObjectKind::Routine, class: "pg_proc", reach: Reach::Schemas, sql: ROUTINES },
    Query { kind: ObjectKind::Routine, class: "pg_proc", reach: Reach::Schemas, sql: AGGREGATES },
    Query { kind: ObjectKind::Trigger, class: "pg_trigger", reach: Reach::Schemas, sql: TRIGGERS },
    Query {
        kind: ObjectKind::EventTrigger,
        class: "pg_event_trigger",
        reach: Reach::Database,
        sql: EVENT_TRIGGERS,
    },
    Query { kind: ObjectKind::Policy, class: "pg_policy", reach: Reach::Schemas, sql: POLICIES },
];

/// Functions and procedures; the name has the types of the arguments, by which they are told
/// apart. Functions that the server makes with a range type go with it.
const ROUTINES: &str = r#"
SELECT p.oid::int8 AS "@oid",
    n.nspname::text AS "@schema",
    format('%s(%s)', p.proname, oidvectortypes(p.proargtypes)) AS "@name",
    CASE p.prokind WHEN 'f' THEN NULL WHEN 'p' THEN 'PROCEDURE' WHEN 'w' THEN 'WINDOW'
        ELSE p.prokind::text END AS "kind",
    l.lanname::text AS "language",
    btrim(pg_get_functiondef(p.oid), E'\n') AS "definition",
    btrim(pg_get_functiondef(p.oid), E'\n') AS "@definition"
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind <> 'a' AND n.nspname = ANY($1)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
        AND d.objid = p.oid AND d.refclassid = 'pg_type'::regclass AND d.deptype = 'i')
"#;

const AGGREGATES: &str = r#"
SELECT p.oid::int8 AS "@oid",
    n.nspname::text AS "@schema",
    format('%s(%s)', p.proname, oidvectortypes(p.proargtypes)) AS "@name",
    'AGGREGATE' AS "kind",
    pg_get_function_arguments(p.oid) AS "arguments",
    CASE g.aggkind WHEN 'o' THEN 'ORDERED-SET' WHEN 'h' THEN 'HYPOTHETICAL' END AS "aggregate-kind",
    NULLIF(g.aggtransfn, 0)::regprocedure::text AS "state-function",
    format_type(g.aggtranstype, NULL) AS "state-type",
    NULLIF(g.aggtransspace, 0)::int8 AS "state-space",
    NULLIF(g.aggfinalfn, 0)::regprocedure::text AS "final-function",
    g.aggfinalextra AS "final-extra",
    g.aggfinalmodify::text AS "final-modify",
    NULLIF(g.aggcombinefn, 0)::regprocedure::text AS "combine-function",
    NULLIF(g.aggserialfn, 0)::regprocedure::text AS "serial-function",
    NULLIF(g.aggdeserialfn, 0)::regprocedure::text AS "deserial-function",
    g.agginitval AS "initial",
    NULLIF(g.aggmtransfn, 0)::regprocedure::text AS "moving-state-function",
    NULLIF(g.aggminvtransfn, 0)::regprocedure::text AS "moving-inverse-function",
    CASE WHEN g.aggmtranstype <> 0 THEN format_type(g.aggmtranstype, NULL) END
        AS "moving-state-type",
    NULLIF(g.aggmtransspace, 0)::int8 AS "moving-state-space",
    NULLIF(g.aggmfinalfn, 0)::regprocedure::text AS "moving-final-function",
    g.aggmfinalextra AS "moving-final-extra",
    CASE WHEN g.aggmtranstype <> 0 THEN g.aggmfinalmodify::text END AS "moving-final-modify",
    g.aggminitval AS "moving-initial",
    NULLIF(g.aggsortop, 0)::regoperator::text AS "sort-operator",
    CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' END AS "parallel",
    format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %s, STYPE = %s%s)', n.nspname, p.proname,
        CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(p.oid) END,
        g.aggtransfn::regproc, format_type(g.aggtranstype, NULL),
        concat(', FINALFUNC = ' || NULLIF(g.aggfinalfn, 0)::regproc::text,
            ', INITCOND = ' || quote_literal(g.agginitval))) AS "@definition"
FROM pg_proc p
JOIN pg_aggregate g ON g.aggfnoid = p.oid
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY($1)
"#;

/// A trigger is named by itself, as on other engines; tables may have triggers of equal names, so
/// the table is the part. Triggers by which the server keeps constraints belong to those.
const TRIGGERS: &str = r#"
SELECT t.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", t.tgname::text AS "@name", c.relname::text AS "@part",
    c.relname::text AS "table",
    CASE WHEN t.tgtype & 64 <> 0 THEN 'INSTEAD OF' WHEN t.tgtype & 2 <> 0 THEN 'BEFORE'
        ELSE 'AFTER' END AS "timing",
    concat_ws(' OR ', CASE WHEN t.tgtype & 4 <> 0 THEN 'INSERT' END,
        CASE WHEN t.tgtype & 8 <> 0 THEN 'DELETE' END,
        CASE WHEN t.tgtype & 16 <> 0 THEN 'UPDATE' END,
        CASE WHEN t.tgtype & 32 <> 0 THEN 'TRUNCATE' END) AS "event",
    ARRAY(SELECT a.attname::text FROM unnest(t.tgattr) x(number)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.number
        ORDER BY a.attname COLLATE "C") AS "columns",
    t.tgtype & 1 <> 0 AS "for-each-row",
    t.tgfoid::regprocedure::text AS "function",
    CASE t.tgenabled WHEN 'O' THEN NULL WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'REPLICA'
        WHEN 'A' THEN 'ALWAYS' ELSE t.tgenabled::text END AS "enabled",
    t.tgconstraint <> 0 AS "constraint",
    t.tgdeferrable AS "deferrable",
    t.tginitdeferred AS "initially-deferred",
    t.tgparentid <> 0 AS "inherited",
    pg_get_triggerdef(t.oid) AS "definition",
    pg_get_triggerdef(t.oid) AS "@definition"
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0) AND n.nspname = ANY($1)
"#;

const EVENT_TRIGGERS: &str = r#"
SELECT e.oid::int8 AS "@oid",
    e.evtname::text AS "@name",
    e.evtevent::text AS "event",
    ARRAY(SELECT t FROM unnest(e.evttags) t ORDER BY t COLLATE "C") AS "tags",
    e.evtfoid::regprocedure::text AS "function",
    CASE e.evtenabled WHEN 'O' THEN NULL WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'REPLICA'
        WHEN 'A' THEN 'ALWAYS' ELSE e.evtenabled::text END AS "enabled",
    format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s()', e.evtname, e.evtevent,
        (SELECT format(' WHEN TAG IN (%s)', string_agg(quote_literal(t), ', ' ORDER BY t COLLATE "C"))
            FROM unnest(e.evttags) t HAVING count(*) > 0), e.evtfoid::regproc) AS "@definition"
FROM pg_event_trigger e
"#;

const POLICIES: &str = r#"
SELECT p.oid::int8 AS "@oid", c.oid::int8 AS "@relation",
    n.nspname::text AS "@schema", c.relname::text AS "@name", p.polname::text AS "@part",
    NOT p.polpermissive AS "restrictive",
    CASE p.polcmd WHEN '*' THEN NULL WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
        WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE p.polcmd::text END AS "command",
    roles.names AS "roles",
    pg_get_expr(p.polqual, p.polrelid) AS "using",
    pg_get_expr(p.polwithcheck, p.polrelid) AS "check",
    concat_ws(' ', format('CREATE POLICY %I ON %I.%I', p.polname, n.nspname, c.relname),
        CASE WHEN NOT p.polpermissive THEN 'AS RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'FOR SELECT' WHEN 'a' THEN 'FOR INSERT'
            WHEN 'w' THEN 'FOR UPDATE' WHEN 'd' THEN 'FOR DELETE' END,
        'TO ' || array_to_string(roles.names, ', '),
        'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
        'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')') AS "@definition"
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(r.name ORDER BY r.name COLLATE "C") AS names
    FROM (SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(role)::text END AS name
        FROM unnest(p.polroles) role) r
) roles
WHERE n.nspname = ANY($1)
"#;
