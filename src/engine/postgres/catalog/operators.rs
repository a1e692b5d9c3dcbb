//! What is asked of operators, operator classes and families, casts and text search.
//!
//! Names that alone are not one object's carry what tells them apart: an operator its operands, a
//! class its access method.

use super::query::{Query, Reach};
use crate::model::ObjectKind;

/// The queries.
pub(super) const QUERIES: [Query; 8] = [
    Query {
        kind: ObjectKind::Operator,
        class: "pg_operator",
        reach: Reach::Schemas,
        sql: OPERATORS,
    },
    Query { kind: ObjectKind::Operator, class: "pg_opclass", reach: Reach::Schemas, sql: CLASSES },
    Query {
        kind: ObjectKind::Operator,
        class: "pg_opfamily",
        reach: Reach::Schemas,
        sql: FAMILIES,
    },
    Query { kind: ObjectKind::Cast, class: "pg_cast", reach: Reach::Schemas, sql: CASTS },
    Query {
        kind: ObjectKind::TextSearch,
        class: "pg_ts_config",
        reach: Reach::Schemas,
        sql: CONFIGURATIONS,
    },
    Query {
        kind: ObjectKind::TextSearch,
        class: "pg_ts_dict",
        reach: Reach::Schemas,
        sql: DICTIONARIES,
    },
    Query {
        kind: ObjectKind::TextSearch,
        class: "pg_ts_parser",
        reach: Reach::Schemas,
        sql: PARSERS,
    },
    Query {
        kind: ObjectKind::TextSearch,
        class: "pg_ts_template",
        reach: Reach::Schemas,
        sql: TEMPLATES,
    },
];

const OPERATORS: &str = r#"
SELECT o.oid::int8 AS "@oid",
    n.nspname::text AS "@schema",
    format('%s(%s, %s)', o.oprname, CASE WHEN o.oprleft = 0 THEN 'NONE'
        ELSE format_type(o.oprleft, NULL) END, CASE WHEN o.oprright = 0 THEN 'NONE'
        ELSE format_type(o.oprright, NULL) END) AS "@name",
    NULLIF(o.oprcode, 0)::regprocedure::text AS "function",
    NULLIF(o.oprcom, 0)::regoperator::text AS "commutator",
    NULLIF(o.oprnegate, 0)::regoperator::text AS "negator",
    NULLIF(o.oprrest, 0)::regprocedure::text AS "restrict",
    NULLIF(o.oprjoin, 0)::regprocedure::text AS "join",
    o.oprcanhash AS "hashes",
    o.oprcanmerge AS "merges"
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE n.nspname = ANY($1)
"#;

const CLASSES: &str = r#"
SELECT q.oid::int8 AS "@oid",
    n.nspname::text AS "@schema",
    format('%s USING %s', q.opcname, m.amname) AS "@name", 'class' AS "@part",
    format_type(q.opcintype, NULL) AS "type",
    q.opcdefault AS "default",
    format('%I.%I', fn.nspname, f.opfname) AS "family",
    CASE WHEN q.opckeytype <> 0 THEN format_type(q.opckeytype, NULL) END AS "storage"
FROM pg_opclass q JOIN pg_namespace n ON n.oid = q.opcnamespace
JOIN pg_am m ON m.oid = q.opcmethod
JOIN pg_opfamily f ON f.oid = q.opcfamily JOIN pg_namespace fn ON fn.oid = f.opfnamespace
WHERE n.nspname = ANY($1)
"#;

const FAMILIES: &str = r#"
SELECT f.oid::int8 AS "@oid",
    n.nspname::text AS "@schema",
    format('%s USING %s', f.opfname, m.amname) AS "@name", 'family' AS "@part",
    (SELECT array_agg(i.item ORDER BY i.item COLLATE "C") FROM (
        SELECT concat_ws(' ', a.amopstrategy, a.amopopr::regoperator, CASE a.amoppurpose
            WHEN 'o' THEN format('FOR ORDER BY %I.%I', sn.nspname, s.opfname) END) AS item
        FROM pg_amop a LEFT JOIN pg_opfamily s ON s.oid = a.amopsortfamily
        LEFT JOIN pg_namespace sn ON sn.oid = s.opfnamespace
        WHERE a.amopfamily = f.oid) i) AS "operators",
    (SELECT array_agg(i.item ORDER BY i.item COLLATE "C") FROM (
        SELECT format('%s (%s, %s) %s', a.amprocnum, format_type(a.amproclefttype, NULL),
            format_type(a.amprocrighttype, NULL), a.amproc::oid::regprocedure) AS item
        FROM pg_amproc a WHERE a.amprocfamily = f.oid) i) AS "functions"
FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace
JOIN pg_am m ON m.oid = f.opfmethod
WHERE n.nspname = ANY($1)
"#;

/// A cast has no schema; it goes with the types it is between, and with its function. Casts that
/// the server makes with a range type go with that.
const CASTS: &str = r#"
SELECT k.oid::int8 AS "@oid",
    format('(%s AS %s)', format_type(k.castsource, NULL), format_type(k.casttarget, NULL))
        AS "@name",
    NULLIF(k.castfunc, 0)::regprocedure::text AS "function",
    CASE k.castcontext WHEN 'e' THEN NULL WHEN 'a' THEN 'ASSIGNMENT' WHEN 'i' THEN 'IMPLICIT'
        ELSE k.castcontext::text END AS "context",
    CASE k.castmethod WHEN 'f' THEN NULL WHEN 'i' THEN 'INOUT' WHEN 'b' THEN 'BINARY'
        ELSE k.castmethod::text END AS "method",
    format('CREATE CAST (%s AS %s)', format_type(k.castsource, NULL),
        format_type(k.casttarget, NULL)) AS "@definition"
FROM pg_cast k
JOIN pg_type s ON s.oid = k.castsource JOIN pg_namespace sn ON sn.oid = s.typnamespace
JOIN pg_type t ON t.oid = k.casttarget JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_proc f ON f.oid = k.castfunc LEFT JOIN pg_namespace fn ON fn.oid = f.pronamespace
WHERE k.oid >= 16384
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass
        AND d.objid = k.oid AND d.deptype = 'i')
    AND (sn.nspname = ANY($1) OR tn.nspname = ANY($1) OR fn.nspname = ANY($1))
"#;

const CONFIGURATIONS: &str = r#"
SELECT c.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", c.cfgname::text AS "@name", 'configuration' AS "@part",
    format('%I.%I', pn.nspname, p.prsname) AS "parser",
    ARRAY(SELECT format('%s: %s', t.alias,
            string_agg(format('%I.%I', dn.nspname, d.dictname), ', ' ORDER BY m.mapseqno))
        FROM pg_ts_config_map m
        JOIN ts_token_type(c.cfgparser) t ON t.tokid = m.maptokentype
        JOIN pg_ts_dict d ON d.oid = m.mapdict JOIN pg_namespace dn ON dn.oid = d.dictnamespace
        WHERE m.mapcfg = c.oid GROUP BY t.alias ORDER BY t.alias COLLATE "C") AS "mappings"
FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
JOIN pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_namespace pn ON pn.oid = p.prsnamespace
WHERE n.nspname = ANY($1)
"#;

const DICTIONARIES: &str = r#"
SELECT d.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", d.dictname::text AS "@name", 'dictionary' AS "@part",
    format('%I.%I', tn.nspname, t.tmplname) AS "template",
    d.dictinitoption AS "options"
FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace
JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace tn ON tn.oid = t.tmplnamespace
WHERE n.nspname = ANY($1)
"#;

const PARSERS: &str = r#"
SELECT p.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", p.prsname::text AS "@name", 'parser' AS "@part",
    p.prsstart::regprocedure::text AS "start",
    p.prstoken::regprocedure::text AS "token",
    p.prsend::regprocedure::text AS "end",
    p.prslextype::regprocedure::text AS "token-types",
    NULLIF(p.prsheadline, 0)::regprocedure::text AS "headline"
FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace
WHERE n.nspname = ANY($1)
"#;

const TEMPLATES: &str = r#"
SELECT t.oid::int8 AS "@oid",
    n.nspname::text AS "@schema", t.tmplname::text AS "@name", 'template' AS "@part",
    t.tmpllexize::regprocedure::text AS "lexize",
    NULLIF(t.tmplinit, 0)::regprocedure::text AS "init"
FROM pg_ts_template t JOIN pg_namespace n ON n.oid = t.tmplnamespace
WHERE n.nspname = ANY($1)
"#;
