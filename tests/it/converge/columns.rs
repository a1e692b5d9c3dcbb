//! What a generator of rows has to know of tables, asked of the engine's own catalog.
//!
//! Each query prints one JSON object a line, for a column or for a table that another refers to.
//! Names are quoted by the server.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::place::Place;

/// A column that can be written.
#[derive(Debug, Clone, Deserialize)]
pub struct Column {
    pub table: String,
    pub column: String,
    /// The type as the server writes it, in any case; of a domain its base.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it must be given: NOT NULL and no default.
    pub required: Flag,
    /// Whether it is in a unique key.
    pub key: Flag,
    /// Whether it refers to another table.
    pub refers: Flag,
    /// The values of an enumeration.
    pub labels: Option<Vec<String>>,
    /// Conditions that rows have to meet, as text: literals in them are worth a try.
    pub checks: Option<String>,
}

/// A truth: a boolean, a number, or on MariaDB a number as a text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Flag {
    Bool(bool),
    Number(u8),
    Text(String),
}

impl Flag {
    /// Whether it is so.
    pub fn is_set(&self) -> bool {
        match self {
            Flag::Bool(is_set) => *is_set,
            Flag::Number(number) => *number > 0,
            Flag::Text(text) => text == "1",
        }
    }
}

#[derive(Deserialize)]
struct Parent {
    table: String,
    parent: String,
}

/// A table that rows can be put into.
#[derive(Debug)]
pub struct Table {
    /// As it is written in SQL.
    pub name: String,
    pub columns: Vec<Column>,
}

/// Every table, those that others refer to first as far as there is such an order.
pub fn tables(place: &Place) -> Result<Vec<Table>, String> {
    let printed = match place {
        Place::Postgres(_) => place.ask(POSTGRES)?,
        Place::Mysql(_) => {
            // MySQL 5.7 keeps no check constraints.
            let checks = "SELECT COUNT(*) FROM information_schema.columns
                WHERE table_schema = 'information_schema' AND table_name = 'CHECK_CONSTRAINTS'
                AND column_name = 'TABLE_NAME';";
            let has_checks = place.ask(checks)?.trim() == "1";
            let (checks, join) = if has_checks { ("h.clauses", MYSQL_CHECKS) } else { ("''", "") };
            place.ask(&MYSQL.replace("$1", checks).replace("$2", join))?
        }
        Place::Sqlite(_) => place.ask(SQLITE)?,
    };
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in printed.lines() {
        if let Ok(edge) = serde_json::from_str::<Parent>(line) {
            parents.entry(edge.table).or_default().insert(edge.parent);
            continue;
        }
        let column: Column =
            serde_json::from_str(line).map_err(|error| format!("{error} in {line}"))?;
        let new = || Table { name: column.table.clone(), columns: Vec::new() };
        tables.entry(column.table.clone()).or_insert_with(new).columns.push(column);
    }
    Ok(parents_first(tables, &parents))
}

fn parents_first(
    mut tables: BTreeMap<String, Table>,
    parents: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<Table> {
    let mut ordered = Vec::new();
    while !tables.is_empty() {
        let waits = |name: &str| {
            let mine = parents.get(name).into_iter().flatten();
            mine.into_iter().any(|parent| parent != name && tables.contains_key(parent))
        };
        // In a circle the first by name goes first; rows of it that refer to nothing are taken.
        let next = tables.keys().find(|name| !waits(name)).or_else(|| tables.keys().next());
        let next = next.expect("because there is one").clone();
        ordered.extend(tables.remove(&next));
    }
    ordered
}

const POSTGRES: &str = "
SELECT json_build_object('table', format('%I.%I', n.nspname, c.relname),
    'column', quote_ident(a.attname),
    'type', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
        ELSE format_type(a.atttypid, a.atttypmod) END,
    'required', (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef AND a.attidentity = '',
    'key', EXISTS (SELECT FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey)),
    'refers', EXISTS (SELECT FROM pg_constraint k
        WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)),
    'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e
        WHERE e.enumtypid IN (t.oid, t.typbasetype)),
    'checks', concat_ws(' ',
        (SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM pg_constraint k
            WHERE k.contype = 'c' AND (k.conrelid = c.oid OR k.contypid = t.oid)),
        (SELECT string_agg(pg_get_expr(p.relpartbound, p.oid), ' ') FROM pg_inherits h
            JOIN pg_class p ON p.oid = h.inhrelid WHERE h.inhparent = c.oid)))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attgenerated = ''
    AND n.nspname !~ '^(pg_|information_schema$)'
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.oid, a.attnum;
SELECT DISTINCT jsonb_build_object('table', format('%I.%I', n.nspname, c.relname),
    'parent', format('%I.%I', m.nspname, p.relname))
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace m ON m.oid = p.relnamespace
WHERE k.contype = 'f';";

/// Derived tables with the database's name as a constant: else the server opens every table of
/// every database for every column.
const MYSQL: &str = "
SELECT JSON_OBJECT('table', CONCAT('`', REPLACE(c.table_name, '`', '``'), '`'),
    'column', CONCAT('`', REPLACE(c.column_name, '`', '``'), '`'),
    'type', c.column_type,
    'required', c.is_nullable = 'NO' AND c.column_default IS NULL
        AND c.extra NOT LIKE '%auto_increment%',
    'key', s.column_name IS NOT NULL,
    'refers', k.column_name IS NOT NULL,
    'checks', $1)
FROM information_schema.columns c
JOIN information_schema.tables t ON t.table_schema = DATABASE() AND t.table_name = c.table_name
LEFT JOIN (SELECT DISTINCT table_name, column_name FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND non_unique = 0) AS s
    ON s.table_name = c.table_name AND s.column_name = c.column_name
LEFT JOIN (SELECT DISTINCT table_name, column_name FROM information_schema.key_column_usage
    WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL) AS k
    ON k.table_name = c.table_name AND k.column_name = c.column_name
$2
WHERE c.table_schema = DATABASE() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
    AND c.extra NOT LIKE '%GENERATED%'
ORDER BY c.table_name, c.ordinal_position;
SELECT DISTINCT JSON_OBJECT('table', CONCAT('`', REPLACE(k.table_name, '`', '``'), '`'),
    'parent', CONCAT('`', REPLACE(k.referenced_table_name, '`', '``'), '`'))
FROM information_schema.key_column_usage k
WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL;";

const MYSQL_CHECKS: &str = "
LEFT JOIN (SELECT table_name, GROUP_CONCAT(check_clause SEPARATOR ' ') AS clauses
    FROM information_schema.check_constraints
    WHERE constraint_schema = DATABASE() GROUP BY table_name) AS h
    ON h.table_name = c.table_name";

const SQLITE: &str = "
SELECT json_object('table', '\"' || replace(t.name, '\"', '\"\"') || '\"',
    'column', '\"' || replace(x.name, '\"', '\"\"') || '\"',
    'type', x.type,
    'required', x.\"notnull\" AND x.dflt_value IS NULL,
    'key', x.pk > 0 OR EXISTS (SELECT 1 FROM pragma_index_list(t.name) l
        JOIN pragma_index_info(l.name) i WHERE l.\"unique\" AND i.name = x.name),
    'refers', EXISTS (SELECT 1 FROM pragma_foreign_key_list(t.name) f WHERE f.\"from\" = x.name),
    'checks', (SELECT CASE WHEN m.sql LIKE '%CHECK%' THEN m.sql END FROM sqlite_schema m
        WHERE m.type = 'table' AND m.name = t.name))
FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) x
WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    AND x.hidden = 0
ORDER BY t.name, x.cid;
SELECT DISTINCT json_object('table', '\"' || replace(t.name, '\"', '\"\"') || '\"',
    'parent', '\"' || replace(f.\"table\", '\"', '\"\"') || '\"')
FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name) f
WHERE t.schema = 'main' AND t.type = 'table';";
