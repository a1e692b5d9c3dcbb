//! The catalog of PostgreSQL: what each kind of object becomes, on every server there is.
//!
//! `pg_catalog.sql` holds an object of every kind, `pg_catalog.txt` the facts they must give; the
//! pages of PostgreSQL's manual on its commands say what those mean.

use deepdiff_db::engine::{EngineError, OpenOptions, SourceUrl, postgres};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Attribute, Catalog, Fact, NotCaptured};

use crate::servers::{self, Database};

const SCHEMA: &str = include_str!("pg_catalog.sql");
const FACTS: &str = include_str!("pg_catalog.txt");

/// The catalog of a whole database.
pub fn catalog(database: &Database) -> Catalog {
    read(&database.url(), &Scope::default(), &[]).unwrap().0
}

/// What the catalog says, and which rights are missing.
fn read(
    url: &str,
    scope: &Scope,
    schemas: &[String],
) -> Result<(Catalog, Vec<NotCaptured>), EngineError> {
    let SourceUrl::Postgres(mut url) = url.parse()? else { panic!("{url}") };
    url.schemas = schemas.to_vec();
    postgres::read_catalog(&url, &OpenOptions::default(), scope)
}

/// A fact as a line.
pub fn line(fact: &Fact) -> String {
    let mut line = format!("{} {} {}:", fact.id.kind, fact.id.object, fact.id.part);
    for (name, attribute) in &fact.attributes {
        let value = match attribute {
            Attribute::Flag => String::new(),
            Attribute::Number(number) => format!("={number}"),
            Attribute::Text(text) => format!("={}", text.replace('\n', "\\n")),
            Attribute::List(items) => format!("={items:?}"),
        };
        line.push_str(&format!(" {name}{value};"));
    }
    line
}

fn lines(catalog: &Catalog) -> Vec<String> {
    catalog.facts.iter().map(line).collect()
}

/// The lines that are on one side only.
pub fn differences(here: &[String], there: &[String]) -> Vec<String> {
    let mut differences = Vec::new();
    for (sign, from, other) in [('-', here, there), ('+', there, here)] {
        let only = from.iter().filter(|line| !other.contains(line));
        differences.extend(only.map(|line| format!("{sign} {line}")));
    }
    differences
}

fn line_of<'l>(lines: &'l [String], start: &str) -> &'l str {
    let line = lines.iter().find(|line| line.starts_with(start));
    line.unwrap_or_else(|| panic!("no fact {start} in\n{}", lines.join("\n")))
}

fn not_captured<'c>(catalog: &'c Catalog, kind: &str) -> Vec<&'c NotCaptured> {
    catalog.not_captured.iter().filter(|thing| thing.kind == kind).collect()
}

/// The blocks of the schema, in the order of a layer or against it.
fn script(is_reversed: bool) -> String {
    let mut script = String::new();
    for layer in SCHEMA.split("-- layer:").skip(1) {
        let (_, layer) = layer.split_once('\n').unwrap();
        let mut blocks: Vec<&str> = layer.split("\n\n").collect();
        if is_reversed {
            blocks.reverse();
        }
        for block in blocks {
            script.push_str(block);
            script.push_str("\n\n");
        }
    }
    script
}

fn loaded(server: &servers::Server, script: &str) -> Database {
    let database = server.database("");
    database.sql(script);
    database
}

#[test]
fn every_kind_of_object_gives_its_facts() {
    let database = loaded(&servers::postgres(), &script(false));
    let catalog = catalog(&database);
    let found = lines(&catalog);
    let expected: Vec<String> = FACTS.lines().map(str::to_owned).collect();
    assert_eq!(differences(&found, &expected), Vec::<String>::new());
    assert_eq!(found, expected, "the order");
    let unknown: Vec<_> = catalog.not_captured.iter().filter(|thing| thing.is_unknown).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn x2_the_order_of_creation_is_no_difference() {
    let server = servers::postgres();
    let first = loaded(&server, &script(false));
    // Other numbers, other gaps, and a session that spells things its own way.
    let junk =
        "CREATE TABLE junk (a serial, b text); DROP TABLE junk; SET search_path = pg_catalog;";
    let second = loaded(&server, &format!("{junk}{}", script(true)));
    second.sql(&format!(
        "ALTER DATABASE {0} SET quote_all_identifiers = on; ALTER DATABASE {0} SET search_path = shop;
         ALTER DATABASE {0} SET timezone = 'Asia/Tokyo'; ALTER DATABASE {0} SET datestyle = 'german';",
        second.name
    ));
    let (first, second) = (catalog(&first), catalog(&second));
    assert_eq!(differences(&lines(&first), &lines(&second)), Vec::<String>::new());
    assert_eq!(first.facts, second.facts);
    assert_eq!(first.sequences, second.sequences);
}

#[test]
fn what_pg_dump_writes_gives_equal_facts() {
    let server = servers::postgres();
    let first = loaded(&server, &script(false));
    let output =
        std::process::Command::new("pg_dump").args(["-s", "-d", &first.url()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The facts hold no secrets, and a subscriber would connect: neither is in the schema here.
    let second = loaded(&server, &String::from_utf8(output.stdout).unwrap());
    let (first, second) = (lines(&catalog(&first)), lines(&catalog(&second)));
    assert_eq!(differences(&first, &second), Vec::<String>::new());
}

#[test]
fn each_change_changes_its_own_facts() {
    let database = loaded(&servers::postgres(), &script(false));
    let mut before = catalog(&database).facts;
    for (statement, expected) in CHANGES {
        database.sql(statement);
        let after = catalog(&database).facts;
        let name = |fact: &Fact| format!("{} {} {}", fact.id.kind, fact.id.object, fact.id.part);
        let mut changed: Vec<String> = Vec::new();
        for (here, there) in [(&before, &after), (&after, &before)] {
            for fact in here {
                let same = there.iter().find(|other| other.id == fact.id);
                if same.is_none_or(|other| other.attributes != fact.attributes) {
                    changed.push(name(fact).trim_end().to_owned());
                }
            }
        }
        changed.sort();
        changed.dedup();
        assert_eq!(changed, *expected, "{statement}");
        before = after;
    }
}

/// Statements and the facts they change, added and removed ones included.
const CHANGES: &[(&str, &[&str])] = &[
    ("ALTER TABLE shop.holes ALTER a TYPE bigint", &["column shop.holes a"]),
    ("ALTER TABLE shop.holes ALTER a SET NOT NULL", &["column shop.holes a"]),
    ("ALTER TABLE shop.holes ALTER a SET DEFAULT 1", &["column shop.holes a"]),
    ("ALTER TABLE shop.holes ALTER a SET STATISTICS 9", &["column shop.holes a"]),
    ("ALTER TABLE shop.customer ALTER doc SET STORAGE MAIN", &["column shop.customer doc"]),
    ("ALTER TABLE shop.customer ALTER doc SET COMPRESSION lz4", &["column shop.customer doc"]),
    ("ALTER TABLE shop.customer ALTER id SET GENERATED BY DEFAULT", &["column shop.customer id"]),
    ("ALTER TABLE shop.customer ALTER id SET MAXVALUE 99", &["sequence shop.customer_id_seq"]),
    ("ALTER TABLE shop.customer ALTER twice DROP EXPRESSION", &["column shop.customer twice"]),
    ("ALTER TABLE shop.cache ALTER key TYPE text COLLATE \"POSIX\"", &["column shop.cache key"]),
    ("ALTER TYPE shop.period_multirange RENAME TO periods", &["type shop.period"]),
    ("ALTER TABLE shop.customer SET (fillfactor = 90)", &["table shop.customer"]),
    ("ALTER TABLE shop.customer SET (toast.autovacuum_enabled = true)", &["table shop.customer"]),
    ("ALTER TABLE shop.cache SET LOGGED", &["table shop.cache"]),
    ("ALTER TABLE shop.customer REPLICA IDENTITY NOTHING", &["table shop.customer"]),
    ("ALTER TABLE shop.orders NO FORCE ROW LEVEL SECURITY", &["table shop.orders"]),
    (
        "ALTER TABLE shop.dog NO INHERIT shop.animal",
        &[
            "check shop.dog animal_legs_check",
            "column shop.dog legs",
            "column shop.dog name",
            "table shop.dog",
        ],
    ),
    ("ALTER TABLE shop.customer VALIDATE CONSTRAINT late", &["check shop.customer late"]),
    (
        "ALTER TABLE shop.orders ALTER CONSTRAINT orders_customer NOT DEFERRABLE",
        &["foreign-key shop.orders orders_customer"],
    ),
    ("ALTER TABLE shop.orders DISABLE TRIGGER touch_it", &["trigger shop.touch_it orders"]),
    ("ALTER TABLE shop.orders ENABLE ALWAYS TRIGGER seen", &["trigger shop.seen orders"]),
    (
        "ALTER TABLE shop.orders DISABLE TRIGGER ALL",
        &[
            "foreign-key shop.orders orders_customer",
            "foreign-key shop.orders orders_parent_id_fkey",
            "foreign-key shop.orders some_null",
            "trigger shop.later orders",
            "trigger shop.seen orders",
        ],
    ),
    ("ALTER TABLE shop.orders SET WITHOUT CLUSTER", &["index shop.orders_customer_id"]),
    ("ALTER INDEX shop.orders_note SET (fillfactor = 70)", &["index shop.orders_note"]),
    (
        "DROP INDEX shop.orders_customer_id; CREATE INDEX orders_customer_id ON shop.orders (customer_id NULLS FIRST)",
        &["index shop.orders_customer_id"],
    ),
    (
        "DROP INDEX shop.orders_customer_id; CREATE INDEX orders_customer_id ON shop.orders (customer_id) INCLUDE (note)",
        &["index shop.orders_customer_id"],
    ),
    ("ALTER VIEW shop.rich SET (security_invoker = true)", &["view shop.rich"]),
    (
        "CREATE OR REPLACE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
        &["routine shop.touch()"],
    ),
    ("ALTER FUNCTION shop.touch(int, text[]) COST 8", &["routine shop.touch(integer, text[])"]),
    ("ALTER TYPE shop.mood ADD VALUE 'odd' AFTER 'sad'", &["type shop.mood"]),
    ("ALTER DOMAIN shop.email DROP NOT NULL", &["domain shop.email"]),
    (
        "ALTER DOMAIN shop.email DROP CONSTRAINT has_at",
        &["check shop.email has_at", "comment shop.email constraint has_at"],
    ),
    ("ALTER SEQUENCE shop.tickets NO CYCLE", &["sequence shop.tickets"]),
    (
        "ALTER SEQUENCE shop.holes_b_seq OWNED BY NONE",
        &["owner shop.holes_b_seq sequence", "sequence shop.holes_b_seq"],
    ),
    ("ALTER POLICY mine ON shop.orders TO pg_monitor", &["policy shop.orders mine"]),
    ("GRANT SELECT ON shop.animal TO PUBLIC", &["grant shop.animal table TO PUBLIC"]),
    (
        "REVOKE GRANT OPTION FOR SELECT ON shop.animal FROM pg_monitor",
        &["grant shop.animal table TO pg_monitor"],
    ),
    ("GRANT SELECT (id) ON shop.orders TO PUBLIC", &["grant shop.orders column id TO PUBLIC"]),
    ("REVOKE DELETE ON shop.holes FROM tester", &["grant shop.holes table TO tester"]),
    (
        "ALTER TABLE shop.holes OWNER TO pg_monitor",
        &[
            "grant shop.holes table TO pg_monitor",
            "grant shop.holes table TO tester",
            "owner shop.holes table",
        ],
    ),
    ("COMMENT ON COLUMN shop.holes.b IS 'bee'", &["comment shop.holes column b"]),
    ("ALTER PUBLICATION news SET (publish = 'update')", &["publication news"]),
    ("ALTER SERVER far OPTIONS (SET host 'near.example')", &["foreign far server"]),
    ("ALTER EVENT TRIGGER watcher ENABLE", &["event-trigger watcher"]),
    (
        "ALTER TABLE shop.measure DETACH PARTITION shop.measure_2024",
        &[
            "column shop.measure_2024 at",
            "column shop.measure_2024 sensor",
            "column shop.measure_2024 value",
            "index shop.measure_2024_at_sensor_idx",
            "partition shop.measure_2024 bound",
            "primary-key shop.measure_2024",
            "trigger shop.touch_it measure_2024",
        ],
    ),
    ("ALTER EXTENSION hstore SET SCHEMA shop", &["column shop.customer tags", "extension hstore"]),
];

#[test]
fn positions_of_sequences_stand_beside_the_state() {
    let database = loaded(&servers::postgres(), &script(false));
    let positions: Vec<String> = catalog(&database)
        .sequences
        .iter()
        .map(|sequence| format!("{} {}", sequence.name, sequence.position))
        .collect();
    assert_eq!(positions, ["shop.set_not_used 76", "shop.tickets 200"]);
}

#[test]
fn x10_secrets_are_nowhere_in_a_catalog() {
    let database = loaded(&servers::postgres(), &script(false));
    let told = format!("{:?}", catalog(&database));
    assert!(told.contains("far.example") && told.contains("***"));
    assert!(!told.contains("-hidden"), "a secret is in the catalog");
}

#[test]
fn dependencies_are_those_of_the_server() {
    let database = loaded(&servers::postgres(), &script(false));
    let catalog = catalog(&database);
    let depends_on = |kind: &str, object: &str, part: &str| -> Vec<String> {
        let is_it = |fact: &&Fact| {
            fact.id.kind.as_str() == kind
                && fact.id.object.to_string() == object
                && fact.id.part == part
        };
        let fact = catalog.facts.iter().find(is_it).unwrap();
        fact.depends_on.iter().map(ToString::to_string).collect()
    };
    for (kind, object, part, expected) in [
        ("foreign-key", "shop.orders", "orders_customer", &["shop.customer"][..]),
        ("column", "shop.customer", "moods", &["shop.mood"]),
        ("column", "shop.customer", "tags", &["hstore"]),
        ("column", "shop.customer", "loose", &["shop.loose"]),
        ("column", "shop.holes", "b", &["shop.holes_b_seq"]),
        ("view", "shop.rich", "", &["shop.customer"]),
        ("trigger", "shop.touch_it", "orders", &["shop.orders", "shop.touch()"]),
        ("index", "shop.orders_note", "", &["shop.orders"]),
        ("partition", "shop.measure_2024", "bound", &["shop.measure"]),
        ("type", "shop.period", "", &["shop.days(date, date)"]),
        ("cast", "(integer AS shop.mood)", "", &["shop.mood", "shop.to_mood(integer)"]),
    ] {
        assert_eq!(depends_on(kind, object, part), expected, "{kind} {object} {part}");
    }
}

#[test]
fn what_is_excluded_takes_what_goes_with_it() {
    let database = loaded(&servers::postgres(), &script(false));
    database.sql("CREATE TABLE public._deepdiff_receipts (id int PRIMARY KEY)");
    let scope = Scope {
        excluded_tables: vec!["shop.orders".to_owned(), "measur?".to_owned()],
        ..Scope::default()
    };
    let catalog = read(&database.url(), &scope, &[]).unwrap().0;
    for line in lines(&catalog) {
        let (kind, rest) = line.split_once(' ').unwrap();
        let object = rest.split([' ', ':']).next().unwrap();
        let is_out = ["shop.orders", "shop.measure"].iter().any(|name| object.starts_with(name));
        assert!(!is_out || kind == "publication", "{line}");
        assert!(!object.contains("receipts"), "{line}");
    }
    let named: Vec<&str> =
        not_captured(&catalog, "table").iter().map(|thing| thing.name.as_str()).collect();
    assert_eq!(named, ["shop.measure", "shop.orders"]);
    let scope = Scope {
        excluded_tables: vec!["orders".to_owned(), "oders".to_owned()],
        key_overrides: vec![
            ("shop.animal".to_owned(), vec!["name".to_owned()]),
            ("anmial".to_owned(), vec!["name".to_owned()]),
        ],
        ..Scope::default()
    };
    let unused = read(&database.url(), &scope, &[]).unwrap().0.unused_rules;
    assert_eq!(unused, ["exclude: no table matches `oders`", "keys: there is no table `anmial`"]);
}

#[test]
fn p68_chosen_schemas_are_read_alone() {
    let database = loaded(&servers::postgres(), &script(false));
    database
        .sql("CREATE TABLE public.customer (id text); CREATE VIEW public.upper AS SELECT 1 AS one");
    let of_schemas = |schemas: &[&str]| {
        let schemas: Vec<String> = schemas.iter().map(|&name| name.to_owned()).collect();
        read(&database.url(), &Scope::default(), &schemas).map(|read| read.0)
    };
    let catalog = of_schemas(&["public"]).unwrap();
    let found = lines(&catalog);
    assert!(found.iter().all(|line| !line.contains(" shop.") && !line.starts_with("foreign ")));
    line_of(&found, "column public.customer id: type=text;");
    line_of(&found, "view public.upper :");
    let others: Vec<_> = not_captured(&catalog, "schema");
    assert!(others.iter().any(|thing| thing.name == "shop" && !thing.is_unknown));
    let error = of_schemas(&["public", "absent"]).unwrap_err();
    assert!(matches!(error, EngineError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("`absent`"), "{error}");
}

#[test]
fn x4_what_the_account_may_not_see_is_unknown() {
    let database = loaded(&servers::postgres(), &script(false));
    let role = format!("reader_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA shop TO {role};
         GRANT SELECT ON shop.holes, shop.orders TO {role}; GRANT SELECT (name) ON shop.animal TO {role}"
    ));
    let url = database.url().replace("tester@", &format!("{role}@"));
    let (seen, missing) = read(&url, &Scope::default(), &[]).unwrap();
    let reason = |name: &str| -> &str {
        let is_it = |thing: &&NotCaptured| thing.name == name && thing.is_unknown;
        &missing.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {missing:#?}")).reason
    };
    assert!(reason("Odd $chema \"x\"").contains("USAGE"));
    assert!(reason("shop.measure").contains("SELECT"));
    assert!(reason("shop.animal").contains("lacks legs"), "{}", reason("shop.animal"));
    assert!(reason("shop.orders").contains("row security"));
    assert!(missing.iter().all(|thing| thing.name != "shop.holes"));
    assert!(missing.iter().all(|thing| seen.not_captured.contains(thing)));
    let hidden = not_captured(&seen, "options of a user mapping");
    assert!(hidden.len() == 1 && hidden[0].is_unknown);
    assert!(not_captured(&seen, "position of a sequence").iter().any(|t| t.name == "shop.tickets"));
    // What is a fact for everybody is one for this account.
    let all = catalog(&database);
    let of = |catalog: &Catalog, kind: &str| -> Vec<String> {
        lines(catalog).into_iter().filter(|line| line.starts_with(kind)).collect()
    };
    for kind in ["table", "column", "view", "routine", "index", "foreign-key", "grant", "comment"] {
        assert_eq!(of(&all, kind), of(&seen, kind));
    }
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn x6_what_is_not_captured_is_named() {
    let database = servers::postgres().database("");
    database.sql(
        "CREATE CONVERSION odd FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
         CREATE FUNCTION public.call() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
         CREATE LANGUAGE own HANDLER public.call;
         SELECT lo_from_bytea(0, 'x');
         CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler;
         CREATE TABLE public.t (a int, b int GENERATED ALWAYS AS (a + 1) STORED) USING other;
         CREATE TYPE public.shell;
         CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS one;
         CREATE EXTENSION hstore; CREATE TABLE public.of_extension (); ALTER EXTENSION hstore ADD TABLE public.of_extension;",
    );
    let catalog = catalog(&database);
    let listed = |kind: &str| -> Vec<(&str, bool)> {
        not_captured(&catalog, kind).iter().map(|t| (t.name.as_str(), t.is_unknown)).collect()
    };
    assert_eq!(listed("conversion"), [("public.odd", true)]);
    assert_eq!(listed("language"), [("own", true)]);
    assert_eq!(listed("large objects"), [("1 large objects", true)]);
    assert_eq!(listed("access method"), [("other", true)]);
    assert_eq!(listed("generated column"), [("public.t.b", false)]);
    assert_eq!(listed("rows of a materialized view"), [("public.m", false)]);
    assert_eq!(listed("rows of an extension's table"), [("public.of_extension", false)]);
    assert_eq!(listed("objects of an unknown kind"), []);
    let found = lines(&catalog);
    assert!(found.iter().all(|line| !line.contains("of_extension") && !line.contains("hstore_")));
    assert!(line_of(&found, "table public.t ").contains("access-method=other"));
    assert!(line_of(&found, "type public.shell ").contains("kind=SHELL"));
}

/// What the schema says that older versions do not understand: the first version that does, and
/// what is said to the others.
const SINCE: [(u32, &str, &str); 5] = [
    (15, " NULLS NOT DISTINCT", ""),
    (15, " (name) WHERE (legs > 2)", ""),
    (15, "CREATE PUBLICATION in_schema FOR TABLES IN SCHEMA ext;", ""),
    (14, " COMPRESSION pglz", ""),
    (14, "LANGUAGE sql RETURN a + 1", "LANGUAGE sql AS 'SELECT a + 1'"),
];

/// The schema, as a version understands it.
pub fn script_for(version: u32) -> String {
    let newer = SINCE.iter().filter(|(since, ..)| version < *since);
    newer.fold(script(false), |script, (_, words, older)| {
        assert!(script.contains(words), "{words}");
        script.replace(words, older)
    })
}

/// P69: what the servers themselves spell differently; see `docs/guarantees.md`.
#[test]
fn p69_the_same_schema_on_every_version() {
    let servers = servers::postgres_servers();
    let version = |server: &servers::Server| -> u32 {
        server.run("postgres", "SHOW server_version_num").trim().parse::<u32>().unwrap() / 10_000
    };
    for server in &servers[1..] {
        let script = script_for(version(server).min(version(&servers[0])));
        let expected = lines(&catalog(&loaded(&servers[0], &script)));
        let found = lines(&catalog(&loaded(server, &script)));
        let differ = differences(&expected, &found);
        let is_representation = |line: &&String| line[2..].starts_with("extension ");
        let others: Vec<_> = differ.iter().filter(|line| !is_representation(line)).collect();
        assert!(others.is_empty(), "{}: {others:#?}", server.name);
    }
}
