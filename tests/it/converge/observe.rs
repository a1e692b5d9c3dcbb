//! The independent observer: what a database holds, said by the engine's own programs alone.
//!
//! PostgreSQL: the entries of `pg_dump --schema-only`. MySQL and MariaDB: `SHOW CREATE …` and the
//! information schema. SQLite: PRAGMAs, and the texts of what is not a table. Rows: their number
//! and a digest by table, made by the server. What is left out of a comparison says why.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::place::Place;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The parts of the schema, sorted.
    pub schema: Vec<String>,
    /// Tables by their names, with their rows.
    pub tables: BTreeMap<String, Rows>,
}

/// The rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rows {
    #[serde(rename = "t")]
    table: String,
    /// How many there are.
    #[serde(rename = "n")]
    pub count: u64,
    /// Of all their values, in an order of their own, columns by name.
    #[serde(rename = "md5")]
    digest: String,
    /// The columns, and how many different values each has; NULL is one.
    #[serde(rename = "c")]
    pub columns: BTreeMap<String, Different>,
}

/// How many different values; PostgreSQL writes it as a text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Different {
    Number(u64),
    Text(String),
}

impl Different {
    /// The number.
    pub fn values(&self) -> u64 {
        match self {
            Different::Number(values) => *values,
            Different::Text(text) => text.parse().unwrap_or(u64::MAX),
        }
    }
}

impl Observation {
    /// Looks at a database.
    pub fn of(place: &Place) -> Result<Observation, String> {
        let mut schema = match place {
            Place::Postgres(_) => entries(&place.pg_dump(&["--schema-only"])),
            Place::Mysql(_) => mysql_schema(place)?,
            Place::Sqlite(_) => place.ask(SQLITE_SCHEMA)?.lines().map(str::to_owned).collect(),
        };
        schema.sort();
        Ok(Observation { schema, tables: rows(place)? })
    }

    /// The first differences from another, for people; empty where there are none.
    pub fn differences(&self, wanted: &Observation) -> Vec<String> {
        let mut found = Vec::new();
        for (sign, these, those) in [("+", self, wanted), ("-", wanted, self)] {
            for part in missing(&these.schema, &those.schema) {
                found.push(format!("schema: {sign} {part}"));
            }
        }
        for (name, rows) in &self.tables {
            match wanted.tables.get(name) {
                None => found.push(format!("rows: + table {name}")),
                Some(other) if other != rows => {
                    let (n, m) = (rows.count, other.count);
                    found.push(format!("rows: of table {name} differ, {n} rows for {m}"));
                }
                Some(_) => {}
            }
        }
        let gone = wanted.tables.keys().filter(|name| !self.tables.contains_key(*name));
        found.extend(gone.map(|name| format!("rows: - table {name}")));
        found.truncate(8);
        found
    }

    /// Tables without a row.
    pub fn empty_tables(&self) -> impl Iterator<Item = &String> {
        self.tables.iter().filter(|(_, rows)| rows.count == 0).map(|(name, _)| name)
    }

    /// All rows there are.
    pub fn count(&self) -> u64 {
        self.tables.values().map(|rows| rows.count).sum()
    }
}

/// What is in one sorted list more often than in another.
fn missing<'a>(these: &'a [String], those: &[String]) -> Vec<&'a String> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for part in those {
        *left.entry(part).or_default() += 1;
    }
    let mut more = Vec::new();
    for part in these {
        match left.get_mut(part.as_str()) {
            Some(count @ 1..) => *count -= 1,
            _ => more.push(part),
        }
    }
    more
}

/// The entries of a dump without what depends on the order of making: the order of entries and of
/// columns, and the settings between them.
fn entries(dump: &str) -> Vec<String> {
    let mut entries = Vec::new();
    for entry in dump.split("\n--\n-- Name: ").skip(1) {
        let (title, body) = entry.split_once("\n--\n").unwrap_or((entry, ""));
        // The receipts are the program's own, and are no part of a state.
        if title.contains("_deepdiff_receipts") {
            continue;
        }
        let mut lines: Vec<&str> = body
            .lines()
            .filter(|line| {
                !line.is_empty()
                    && !line.starts_with("SET default_")
                    && *line != "--"
                    && *line != "-- PostgreSQL database dump complete"
            })
            .collect();
        if title.contains("; Type: ACL;") {
            // Who was granted something first is no difference.
            lines.sort_unstable();
        }
        entries.push(format!("{title}\n{}", with_sorted_columns(&lines)));
    }
    entries
}

/// A statement whose columns stand in the order of their names.
fn with_sorted_columns(lines: &[&str]) -> String {
    let mut text = Vec::new();
    let mut columns: Option<Vec<&str>> = None;
    for line in lines {
        match &mut columns {
            None => {
                text.push(*line);
                let is_table = line.starts_with("CREATE ") && line.contains("TABLE ");
                if is_table && line.ends_with('(') {
                    columns = Some(Vec::new());
                }
            }
            Some(found) if line.starts_with(')') => {
                found.sort_unstable();
                text.append(found);
                text.push(*line);
                columns = None;
            }
            Some(found) => found.push(line.trim_end_matches(',')),
        }
    }
    text.extend(columns.into_iter().flatten());
    text.join("\n")
}

/// What the server says of every object of a database of MySQL or MariaDB.
fn mysql_schema(place: &Place) -> Result<Vec<String>, String> {
    let listed = place.ask(
        "SELECT CASE table_type WHEN 'VIEW' THEN 'VIEW' WHEN 'SEQUENCE' THEN 'SEQUENCE'
             ELSE 'TABLE' END, CONCAT('`', REPLACE(table_name, '`', '``'), '`')
         FROM information_schema.tables
         WHERE table_schema = DATABASE()
             AND table_name NOT IN ('_deepdiff_receipts', '_deepdiff_journal');",
    )?;
    let mut script = MYSQL_FACTS.to_owned();
    for line in listed.lines() {
        let (kind, name) = line.split_once('\t').unwrap_or(("TABLE", line));
        script.push_str(&format!("SELECT '{MARK}';\nSHOW CREATE {kind} {name};\n"));
    }
    let printed = place.ask(&script)?;
    let mark = format!("{MARK}\n");
    let mut parts = printed.split(mark.as_str());
    let facts = parts.next().unwrap_or_default().lines().map(str::to_owned);
    let shown = parts.map(create_table);
    Ok(facts.chain(shown).collect())
}

/// Stands between what is shown.
const MARK: &str = "-- next --";

/// A shown statement without what only moves forward, and with its keys in the order of their
/// names: that is the order in which they were made, and says nothing else.
fn create_table(shown: &str) -> String {
    let mut columns = Vec::new();
    let mut keys = Vec::new();
    // InnoDB has no other kind: the words are there where somebody once wrote them.
    let shown = match shown.contains("ENGINE=InnoDB") {
        true => shown.replace(" USING BTREE", ""),
        false => shown.to_owned(),
    };
    for line in shown.lines() {
        let line = line.trim_end_matches(',');
        let words = ["  KEY ", "  UNIQUE KEY ", "  CONSTRAINT ", "  FULLTEXT ", "  SPATIAL "];
        if words.iter().any(|word| line.starts_with(word)) {
            keys.push(line.to_owned());
        } else {
            columns.push(without_counter(line));
        }
    }
    keys.sort();
    // The last line holds the table's options.
    let options = columns.pop();
    [columns, keys, options.into_iter().collect()].concat().join("\n")
}

/// `AUTO_INCREMENT=17` is a position and no fact: it moves forward with every row ever made.
fn without_counter(line: &str) -> String {
    let Some((before, after)) = line.split_once(" AUTO_INCREMENT=") else { return line.to_owned() };
    format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Triggers, routines and events, one a line. The order of triggers is a fact.
const MYSQL_FACTS: &str = "
SELECT 'database', default_character_set_name, default_collation_name
FROM information_schema.schemata WHERE schema_name = DATABASE();
SELECT 'trigger', trigger_name, HEX(action_statement), action_timing, event_manipulation,
    event_object_table, sql_mode, definer, character_set_client, collation_connection,
    action_order
FROM information_schema.triggers WHERE trigger_schema = DATABASE();
SELECT 'routine', routine_type, routine_name, dtd_identifier, HEX(routine_definition),
    is_deterministic, sql_data_access, security_type, sql_mode, HEX(routine_comment), definer,
    character_set_client, collation_connection
FROM information_schema.routines WHERE routine_schema = DATABASE();
SELECT 'parameter', specific_name, ordinal_position, parameter_mode, parameter_name,
    dtd_identifier, character_set_name, collation_name
FROM information_schema.parameters WHERE specific_schema = DATABASE();
SELECT 'event', event_name, definer, HEX(event_definition), event_type, execute_at,
    interval_value, interval_field, sql_mode, IF(starts = created, NULL, starts), ends, status, on_completion,
    HEX(event_comment)
FROM information_schema.events WHERE event_schema = DATABASE();
";

/// Tables, columns, indexes and foreign keys by PRAGMAs, and the texts of views and triggers.
/// Columns and foreign keys have no order here, and indexes that constraints make no names. Tables
/// of SQLite's own are left out: `sqlite_sequence` stays when the last table that needs it goes.
const SQLITE_SCHEMA: &str = "
SELECT 'table', t.name, t.type, t.wr, t.strict FROM pragma_table_list t
    WHERE t.schema = 'main' AND t.name <> '_deepdiff_receipts'
    AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\';
SELECT 'column', t.name, x.name, x.type, x.\"notnull\", quote(x.dflt_value), x.pk, x.hidden
    FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) x
    WHERE t.schema = 'main' AND t.name <> '_deepdiff_receipts'
    AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\';
SELECT 'index', t.name, CASE l.origin WHEN 'c' THEN l.name END, l.\"unique\", l.origin, l.partial,
    (SELECT group_concat(p) FROM (SELECT coalesce(i.name, 'expression') || ' ' || i.desc || ' '
        || i.coll || ' ' || i.key AS p FROM pragma_index_xinfo(l.name) i WHERE i.key
        ORDER BY i.seqno)),
    (SELECT hex(s.sql) FROM sqlite_schema s WHERE s.type = 'index' AND s.name = l.name
        AND (l.partial OR EXISTS
            (SELECT 1 FROM pragma_index_xinfo(l.name) i WHERE i.key AND i.name IS NULL)))
    FROM pragma_table_list t JOIN pragma_index_list(t.name) l
    WHERE t.schema = 'main' AND t.name <> '_deepdiff_receipts';
SELECT 'foreign key', t.name, f.\"table\", f.on_update, f.on_delete, f.match,
    (SELECT group_concat(p) FROM (SELECT g.\"from\" || ' ' || coalesce(g.\"to\", '') AS p
        FROM pragma_foreign_key_list(t.name) g WHERE g.id = f.id ORDER BY g.seq))
    FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name) f
    WHERE t.schema = 'main' AND t.name <> '_deepdiff_receipts' AND f.seq = 0;
SELECT s.type, s.name, s.tbl_name, hex(s.sql) FROM sqlite_schema s
    WHERE s.type IN ('view', 'trigger');
";

/// The rows of every table: a query writes the queries, one a table.
fn rows(place: &Place) -> Result<BTreeMap<String, Rows>, String> {
    let queries = match place {
        Place::Postgres(_) => POSTGRES_ROWS,
        Place::Mysql(_) => MYSQL_ROWS,
        Place::Sqlite(_) => SQLITE_ROWS,
    };
    let written = place.ask(queries)?;
    if written.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let settings = match place {
        Place::Postgres(_) => "SET timezone = 'UTC';\n",
        Place::Mysql(_) => "SET SESSION group_concat_max_len = 100000000, time_zone = '+00:00';\n",
        Place::Sqlite(_) => "",
    };
    let printed = place.ask(&format!("{settings}{written}"))?;
    let parsed = printed.lines().map(|line| {
        serde_json::from_str::<Rows>(line).map_err(|error| format!("{error} in {line:.200}"))
    });
    parsed.map(|rows| rows.map(|rows| (rows.table.clone(), rows))).collect()
}

/// The rows of partitions are those of their root.
const POSTGRES_ROWS: &str = "
SELECT format('SELECT json_build_object(''t'', %L, ''n'', count(*), ''md5'', '
    'md5(coalesce(string_agg(md5(_whole_), '''' ORDER BY md5(_whole_) COLLATE \"C\"), '''')), '
    '''c'', json_strip_nulls(json_object(array[%s]::text[], array[%s]::text[]))) '
    'FROM (SELECT *, ROW(%s)::text AS _whole_ FROM %s %I.%I) AS x;',
    n.nspname || '.' || c.relname,
    string_agg(quote_literal(a.attname), ', '),
    -- What is computed is not lost with its column.
    string_agg(CASE a.attgenerated WHEN '' THEN
        format('(count(DISTINCT x.%1$I::text) + (count(*) > count(x.%1$I::text))::int)', a.attname)
        ELSE '1' END, ', ') FILTER (WHERE a.attname IS NOT NULL),
    string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE \"C\"),
    CASE c.relkind WHEN 'r' THEN 'ONLY' END, n.nspname, c.relname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND n.nspname !~ '^(pg_|information_schema$)' AND c.relname <> '_deepdiff_receipts'
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY n.nspname, c.relname, c.relkind ORDER BY 1;";

/// Numbers are compared by their texts, FLOAT as the DOUBLE it stands for: its own text is short.
const MYSQL_ROWS: &str = "
SET SESSION group_concat_max_len = 100000000;
SELECT CONCAT('SELECT JSON_OBJECT(''t'', ', QUOTE(n), ', ''n'', COUNT(*), ''md5'', '
    'MD5(COALESCE(GROUP_CONCAT(MD5(_whole_) ORDER BY MD5(_whole_) SEPARATOR ''''), '''')), ''c'', '
    'JSON_OBJECT(', GROUP_CONCAT(QUOTE(c), ', COUNT(DISTINCT `', q, '`) + (COUNT(*) > COUNT(`',
    q, '`))'), ')) FROM (SELECT ', GROUP_CONCAT(e, ' AS `', q, '`'), ', CONCAT_WS(''|'', ',
    GROUP_CONCAT('COALESCE(', e, ', ''-'')' ORDER BY BINARY c), ') AS _whole_ FROM `',
    REPLACE(n, '`', '``'), '`) AS x;')
FROM (SELECT c.table_name AS n, c.column_name AS c, REPLACE(c.column_name, '`', '``') AS q,
    CONCAT('HEX(', CASE
        WHEN c.data_type IN ('float', 'double') THEN CONCAT('CAST(`',
            REPLACE(c.column_name, '`', '``'), '` + 0e0 AS CHAR)')
        WHEN c.data_type = 'bit' OR c.character_set_name IS NOT NULL
            OR c.data_type LIKE '%blob' OR c.data_type LIKE '%binary'
            OR c.data_type IN ('geometry', 'point', 'linestring', 'polygon', 'multipoint',
                'multilinestring', 'multipolygon', 'geometrycollection')
            THEN CONCAT('`', REPLACE(c.column_name, '`', '``'), '`')
        ELSE CONCAT('CAST(`', REPLACE(c.column_name, '`', '``'), '` AS CHAR)') END, ')') AS e
    FROM information_schema.columns c
    JOIN information_schema.tables t
        ON t.table_schema = DATABASE() AND t.table_name = c.table_name
    WHERE c.table_schema = DATABASE() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
        AND c.table_name NOT IN ('_deepdiff_receipts', '_deepdiff_journal')) AS cells
GROUP BY n;";

const SQLITE_ROWS: &str = "
SELECT 'SELECT json_object(''t'', ' || quote(n) || ', ''n'', count(*), ''md5'', '
    || 'coalesce(group_concat(_whole_, char(10)), ''''), ''c'', json_object('
    || group_concat(quote(c) || CASE WHEN h IN (2, 3) THEN ', 1'
        ELSE ', count(DISTINCT ' || e || ')' END) || ')) FROM (SELECT *, '
    || group_concat(e, ' || ''|'' || ') || ' AS _whole_ FROM \"' || replace(n, '\"', '\"\"')
    || '\" ORDER BY _whole_);'
FROM (SELECT n, c, h,
    'typeof(' || q || ') || hex(CAST(' || q || ' AS BLOB)) || CASE typeof(' || q
        || ') WHEN ''real'' THEN quote(' || q || ') ELSE '''' END' AS e
    FROM (SELECT t.name AS n, x.name AS c, x.hidden AS h, '\"' || replace(x.name, '\"', '\"\"') || '\"' AS q
        FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) x
        WHERE t.schema = 'main' AND t.type = 'table' AND t.name <> '_deepdiff_receipts'
        AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\')
    ORDER BY n, c)
GROUP BY n;";

#[test]
fn a_difference_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let look = |name: &str, script: &str| {
        let place = Place::create(&super::place::Engine::Sqlite, dir.path(), name);
        place.load(script).unwrap();
        Observation::of(&place).unwrap()
    };
    let one = look(
        "one",
        "CREATE TABLE t (a TEXT REFERENCES t (b), b INT UNIQUE); CREATE VIEW v AS SELECT 1;
         INSERT INTO t VALUES (NULL, 1), (1, 2);",
    );
    let other_order = look(
        "other order",
        "CREATE VIEW v AS SELECT 1; CREATE TABLE t (b INT UNIQUE, a TEXT REFERENCES t (b));
         INSERT INTO t VALUES (2, 1), (1, NULL);",
    );
    assert_eq!(one.differences(&other_order), Vec::<String>::new());
    let other = look(
        "other",
        "CREATE TABLE t (a TEXT REFERENCES t (b) ON DELETE CASCADE, b INT UNIQUE);
         INSERT INTO t VALUES (NULL, 1), (2, 2);",
    );
    let found = one.differences(&other).join("\n");
    for word in ["foreign key|t", "view|v", "rows: of table t differ, 2 rows for 2"] {
        assert!(found.contains(word), "{word} in {found}");
    }
}

#[test]
fn entries_have_no_order() {
    let entry = |name: &str, body: &str| {
        format!("\n--\n-- Name: {name}; Type: TABLE; Schema: public; Owner: o\n--\n\n{body}\n")
    };
    let table = "CREATE TABLE public.a (\n    x integer,\n    y text\n);\n";
    let swapped = "CREATE TABLE public.a (\n    y text,\n    x integer\n);\n";
    let view = entry("v", "CREATE VIEW public.v AS\n SELECT 1;\n");
    let sorted = |dump: &str| {
        let mut found = entries(dump);
        found.sort();
        found
    };
    let one = sorted(&(entry("a", table) + &view));
    assert_eq!(one.len(), 2);
    assert_eq!(one, sorted(&(view + &entry("a", swapped))));
    assert_ne!(one, sorted(&entry("a", &table.replace("integer", "bigint"))));
}
