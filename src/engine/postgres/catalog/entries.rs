//! One query for the name, owner and privileges of every object there is.
//!
//! It is the head of a statement (`WITH …`): the directory selects its rows, the privileges what is
//! in its access lists.

/// Objects with a number below 16384 are the server's own, but for the schema `public`.
/// `has_fact` is false for what goes without saying: row types and array types, indexes of
/// constraints, temporary objects.
pub(super) const ENTRIES: &str = r#"entries AS (
    SELECT 'pg_namespace'::regclass::oid::int8 AS class, n.oid::int8 AS oid, 'schema' AS words,
        NULL::text AS schema, n.nspname::text AS name, NULL::text AS part, NULL::int8 AS relation,
        CASE WHEN n.nspname <> 'public' OR n.nspowner NOT IN (10, 6171)
            THEN pg_get_userbyid(n.nspowner)::text END AS owner,
        n.nspacl AS acl,
        coalesce(i.initprivs, acldefault('n', n.nspowner)) AS default_acl, n.nspowner AS owner_oid,
        true AS has_fact
    FROM pg_namespace n
    LEFT JOIN pg_init_privs i ON i.objoid = n.oid AND i.classoid = 'pg_namespace'::regclass
        AND n.nspname = 'public'
    WHERE (n.oid >= 16384 OR n.nspname = 'public') AND n.nspname !~ '^pg_'
    UNION ALL
    SELECT 'pg_class'::regclass::oid::int8, c.oid::int8,
        CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index'
            WHEN 'I' THEN 'index' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type'
            ELSE 'relation of kind ' || c.relkind::text END,
        n.nspname, c.relname, NULL, coalesce(i.indrelid, d.refobjid, c.oid)::int8,
        CASE WHEN c.relkind NOT IN ('i', 'I', 'c') AND d.refobjid IS NULL
            THEN pg_get_userbyid(c.relowner) END,
        CASE WHEN c.relkind <> 'c' THEN c.relacl END,
        acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner), c.relowner,
        c.relkind <> 'c' AND c.relpersistence <> 't'
            AND (i.indrelid IS NULL OR NOT EXISTS (SELECT FROM pg_constraint k
                WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_depend d ON c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    WHERE c.oid >= 16384 AND c.relkind <> 't' AND n.nspname !~ '^pg_toast'
    UNION ALL
    SELECT 'pg_type'::regclass::oid::int8, t.oid::int8,
        CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, n.nspname,
        coalesce(ec.relname, e.typname, m.typname, t.typname), NULL, c.oid::int8,
        CASE WHEN own.is_own THEN pg_get_userbyid(t.typowner) END,
        CASE WHEN own.is_own THEN t.typacl END, acldefault('T', t.typowner), t.typowner, own.is_own
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid AND c.relkind <> 'c'
    LEFT JOIN pg_type e ON e.typarray = t.oid
    LEFT JOIN pg_class ec ON ec.oid = e.typrelid
    LEFT JOIN pg_range r ON t.typtype = 'm'
--14+   AND r.rngmultitypid = t.oid
--<14   AND false
    LEFT JOIN pg_type m ON m.oid = r.rngtypid
    CROSS JOIN LATERAL (SELECT c.oid IS NULL AND e.oid IS NULL AND t.typtype <> 'm' AS is_own) own
    WHERE t.oid >= 16384
    UNION ALL
    SELECT 'pg_proc'::regclass::oid::int8, p.oid::int8,
        CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
        n.nspname, format('%s(%s)', p.proname, oidvectortypes(p.proargtypes)), NULL, NULL,
        pg_get_userbyid(p.proowner), p.proacl, acldefault('f', p.proowner), p.proowner,
        NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
            AND d.objid = p.oid AND d.refclassid = 'pg_type'::regclass AND d.deptype = 'i')
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid >= 16384
    UNION ALL
    SELECT 'pg_constraint'::regclass::oid::int8, k.oid::int8, 'constraint',
        n.nspname, coalesce(c.relname, t.typname), k.conname, c.oid::int8, NULL, NULL, NULL, NULL,
        k.contype NOT IN ('t', 'n')
            AND NOT (k.contype = 'f' AND k.conparentid <> 0)
    FROM pg_constraint k
    LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_type t ON t.oid = k.contypid
    JOIN pg_namespace n ON n.oid = coalesce(c.relnamespace, t.typnamespace)
    WHERE k.oid >= 16384
    UNION ALL
    SELECT 'pg_trigger'::regclass::oid::int8, t.oid::int8, 'trigger', n.nspname, c.relname,
        t.tgname, c.oid::int8, NULL, NULL, NULL, NULL, true
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'pg_rewrite'::regclass::oid::int8, r.oid::int8, 'rule', n.nspname, c.relname,
        r.rulename, c.oid::int8, NULL, NULL, NULL, NULL, r.rulename <> '_RETURN'
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.oid >= 16384
    UNION ALL
    SELECT 'pg_policy'::regclass::oid::int8, p.oid::int8, 'policy', n.nspname, c.relname,
        p.polname, c.oid::int8, NULL, NULL, NULL, NULL, true
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass::oid::int8, e.oid::int8, 'statistics', n.nspname,
        e.stxname, NULL, e.stxrelid::int8, pg_get_userbyid(e.stxowner), NULL, NULL, NULL, true
    FROM pg_statistic_ext e JOIN pg_namespace n ON n.oid = e.stxnamespace
    UNION ALL
    SELECT 'pg_collation'::regclass::oid::int8, c.oid::int8, 'collation', n.nspname, c.collname,
        NULL, NULL, pg_get_userbyid(c.collowner), NULL, NULL, NULL, true
    FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid >= 16384
    UNION ALL
    SELECT 'pg_operator'::regclass::oid::int8, o.oid::int8, 'operator', n.nspname,
        format('%s(%s, %s)', o.oprname, CASE WHEN o.oprleft = 0 THEN 'NONE'
            ELSE format_type(o.oprleft, NULL) END, CASE WHEN o.oprright = 0 THEN 'NONE'
            ELSE format_type(o.oprright, NULL) END),
        NULL, NULL, pg_get_userbyid(o.oprowner), NULL, NULL, NULL, true
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid >= 16384
    UNION ALL
    SELECT 'pg_opclass'::regclass::oid::int8, q.oid::int8, 'operator class', n.nspname,
        format('%s USING %s', q.opcname, m.amname), NULL, NULL, pg_get_userbyid(q.opcowner),
        NULL, NULL, NULL, true
    FROM pg_opclass q JOIN pg_namespace n ON n.oid = q.opcnamespace
    JOIN pg_am m ON m.oid = q.opcmethod WHERE q.oid >= 16384
    UNION ALL
    SELECT 'pg_opfamily'::regclass::oid::int8, f.oid::int8, 'operator family', n.nspname,
        format('%s USING %s', f.opfname, m.amname), NULL, NULL, pg_get_userbyid(f.opfowner),
        NULL, NULL, NULL, true
    FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace
    JOIN pg_am m ON m.oid = f.opfmethod WHERE f.oid >= 16384
    UNION ALL
    SELECT 'pg_cast'::regclass::oid::int8, k.oid::int8, 'cast', NULL,
        format('(%s AS %s)', format_type(k.castsource, NULL), format_type(k.casttarget, NULL)),
        NULL, NULL, NULL, NULL, NULL, NULL,
        NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass
            AND d.objid = k.oid AND d.deptype = 'i')
    FROM pg_cast k WHERE k.oid >= 16384
    UNION ALL
    SELECT 'pg_ts_config'::regclass::oid::int8, c.oid::int8, 'text search configuration',
        n.nspname, c.cfgname, NULL, NULL, pg_get_userbyid(c.cfgowner), NULL, NULL, NULL, true
    FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace WHERE c.oid >= 16384
    UNION ALL
    SELECT 'pg_ts_dict'::regclass::oid::int8, d.oid::int8, 'text search dictionary',
        n.nspname, d.dictname, NULL, NULL, pg_get_userbyid(d.dictowner), NULL, NULL, NULL, true
    FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace WHERE d.oid >= 16384
    UNION ALL
    SELECT 'pg_ts_parser'::regclass::oid::int8, p.oid::int8, 'text search parser',
        n.nspname, p.prsname, NULL, NULL, NULL, NULL, NULL, NULL, true
    FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace WHERE p.oid >= 16384
    UNION ALL
    SELECT 'pg_ts_template'::regclass::oid::int8, t.oid::int8, 'text search template',
        n.nspname, t.tmplname, NULL, NULL, NULL, NULL, NULL, NULL, true
    FROM pg_ts_template t JOIN pg_namespace n ON n.oid = t.tmplnamespace WHERE t.oid >= 16384
    UNION ALL
    SELECT 'pg_extension'::regclass::oid::int8, e.oid::int8, 'extension', NULL, e.extname, NULL,
        NULL, NULL, NULL, NULL, NULL, true
    FROM pg_extension e WHERE e.oid >= 16384
    UNION ALL
    SELECT 'pg_event_trigger'::regclass::oid::int8, e.oid::int8, 'event trigger', NULL, e.evtname,
        NULL, NULL, pg_get_userbyid(e.evtowner), NULL, NULL, NULL, true
    FROM pg_event_trigger e
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass::oid::int8, w.oid::int8, 'foreign data wrapper',
        NULL, w.fdwname, NULL, NULL, pg_get_userbyid(w.fdwowner), w.fdwacl,
        acldefault('F', w.fdwowner), w.fdwowner, true
    FROM pg_foreign_data_wrapper w
    UNION ALL
    SELECT 'pg_foreign_server'::regclass::oid::int8, s.oid::int8, 'server', NULL, s.srvname,
        NULL, NULL, pg_get_userbyid(s.srvowner), s.srvacl, acldefault('S', s.srvowner),
        s.srvowner, true
    FROM pg_foreign_server s
    UNION ALL
    SELECT 'pg_publication'::regclass::oid::int8, p.oid::int8, 'publication', NULL, p.pubname,
        NULL, NULL, pg_get_userbyid(p.pubowner), NULL, NULL, NULL, true
    FROM pg_publication p
)"#;
