//! What a pack declares of locks and rewrites, compared with what PostgreSQL shows of each step.
//!
//! The statements of `migration.sql` run one after the other in a transaction of the test's own;
//! after each it asks `pg_locks`, and `pg_class` for the files of tables. No table that was there
//! may be locked harder than declared, none written anew that was not declared to be. What is
//! declared and does not happen is listed below, with the reason.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::pg_lab::Pair;

/// A table for each kind of step, each with a row.
const BEFORE: &str = "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE DOMAIN small AS int; CREATE DOMAIN given AS int; CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE more AS ENUM ('x');
    CREATE DOMAIN above AS int CHECK (VALUE > 0); CREATE SEQUENCE numbers;
    CREATE TABLE added(id int PRIMARY KEY); CREATE TABLE filled(id int PRIMARY KEY); CREATE TABLE stored(id int PRIMARY KEY);
    CREATE TABLE constrained(id int PRIMARY KEY); CREATE TABLE numbered(id int PRIMARY KEY); CREATE TABLE counted(id int PRIMARY KEY);
    CREATE TABLE lost(id int PRIMARY KEY, gone int); CREATE TABLE wider(id int PRIMARY KEY, v varchar(10));
    CREATE TABLE unbounded(id int PRIMARY KEY, v varchar(10)); CREATE TABLE digits(id int PRIMARY KEY, v numeric(10,2));
    CREATE TABLE grown(id int PRIMARY KEY, v int); CREATE TABLE zoned(id int PRIMARY KEY, v timestamp);
    CREATE TABLE shorter(id int PRIMARY KEY, v varchar(10)); CREATE TABLE several(id int PRIMARY KEY, v varchar(5)[]);
    CREATE TABLE sorted(id int PRIMARY KEY, v text UNIQUE);
    CREATE TABLE must(id int PRIMARY KEY, v int); CREATE TABLE may(id int PRIMARY KEY, v int NOT NULL); CREATE TABLE usual(id int PRIMARY KEY, v int);
    CREATE TABLE checked(id int PRIMARY KEY, v int); CREATE TABLE unchecked(id int PRIMARY KEY, v int);
    CREATE TABLE validated(id int PRIMARY KEY, v int); ALTER TABLE validated ADD CONSTRAINT vc CHECK (v > 0) NOT VALID;
    CREATE TABLE uniq(id int PRIMARY KEY, v int); CREATE TABLE indexed(id int PRIMARY KEY, v int); CREATE TABLE bare(id int PRIMARY KEY, v int); CREATE INDEX bi ON bare(v);
    CREATE TABLE parent(id int PRIMARY KEY); CREATE TABLE child(id int PRIMARY KEY, v int);
    CREATE TABLE parent2(id int PRIMARY KEY); CREATE TABLE child2(id int PRIMARY KEY, v int REFERENCES parent2);
    CREATE TABLE parent3(id int PRIMARY KEY); CREATE TABLE child3(id int PRIMARY KEY, v int REFERENCES parent3);
    CREATE TABLE parent4(id int PRIMARY KEY); CREATE TABLE child4(id int PRIMARY KEY, v int); ALTER TABLE child4 ADD CONSTRAINT f4 FOREIGN KEY (v) REFERENCES parent4 NOT VALID;
    CREATE TABLE watched(id int PRIMARY KEY); CREATE TABLE unwatched(id int PRIMARY KEY); CREATE TRIGGER w BEFORE UPDATE ON unwatched FOR EACH ROW EXECUTE FUNCTION fires();
    CREATE TABLE silenced(id int PRIMARY KEY); CREATE TRIGGER w BEFORE UPDATE ON silenced FOR EACH ROW EXECUTE FUNCTION fires();
    CREATE TABLE ruled(id int PRIMARY KEY); CREATE TABLE policed(id int PRIMARY KEY); CREATE TABLE secured(id int PRIMARY KEY);
    CREATE TABLE tuned(id int PRIMARY KEY); CREATE TABLE unlogged(id int PRIMARY KEY); CREATE TABLE measured(id int PRIMARY KEY, v int);
    CREATE TABLE kept(id int PRIMARY KEY, v text); CREATE TABLE correlated(id int PRIMARY KEY, v int); CREATE TABLE commented(id int PRIMARY KEY, v int);
    CREATE TABLE granted(id int PRIMARY KEY); CREATE TABLE owned(id int PRIMARY KEY); CREATE TABLE published(id int PRIMARY KEY); CREATE PUBLICATION pub;
    CREATE TABLE replicated(id int PRIMARY KEY); CREATE TABLE clustered(id int PRIMARY KEY);
    CREATE TABLE uses_small(id int PRIMARY KEY, v small); CREATE TABLE uses_given(id int PRIMARY KEY, v given);
    CREATE TABLE moody(id int PRIMARY KEY, v mood); CREATE TABLE labelled(id int PRIMARY KEY, v more);
    CREATE TABLE m(id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE m0 PARTITION OF m FOR VALUES FROM (0) TO (10); CREATE TABLE md PARTITION OF m DEFAULT;
    CREATE TABLE n(id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE n0 PARTITION OF n FOR VALUES FROM (0) TO (10); CREATE TABLE n1 PARTITION OF n FOR VALUES FROM (10) TO (20);
    CREATE TABLE i(id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE i0 PARTITION OF i FOR VALUES FROM (0) TO (10);
    CREATE TABLE g(id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE g0 PARTITION OF g FOR VALUES FROM (0) TO (10);
    CREATE TABLE l(id int PRIMARY KEY, v int); CREATE TABLE l0() INHERITS (l); CREATE TABLE l1() INHERITS (l0);
    CREATE TABLE k(id int PRIMARY KEY, v int); CREATE TABLE k0() INHERITS (k);
    CREATE TABLE r(id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE r0 PARTITION OF r FOR VALUES FROM (0) TO (10); CREATE TABLE rc(id int PRIMARY KEY, v int);
    CREATE TABLE viewed(id int PRIMARY KEY, v int); CREATE VIEW seen AS SELECT id FROM viewed; CREATE MATERIALIZED VIEW held AS SELECT id FROM viewed;
    CREATE TABLE dropped(id int PRIMARY KEY, v int REFERENCES parent);
    DO $$ DECLARE t text; BEGIN FOR t IN SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace LOOP
        BEGIN EXECUTE format('INSERT INTO %s (id) VALUES (1)', t); EXCEPTION WHEN not_null_violation THEN EXECUTE format('INSERT INTO %s VALUES (1, 1)', t); END; END LOOP; END $$;";

const CHANGE: &str = "ALTER TABLE added ADD v int; ALTER TABLE filled ADD v text NOT NULL DEFAULT 'x';
    ALTER TABLE stored ADD v int GENERATED ALWAYS AS (id + 1) STORED; ALTER TABLE constrained ADD v above;
    ALTER TABLE numbered ADD v int GENERATED ALWAYS AS IDENTITY; ALTER TABLE counted ADD v serial;
    ALTER TABLE lost DROP gone; ALTER TABLE wider ALTER v TYPE varchar(20); ALTER TABLE unbounded ALTER v TYPE text;
    ALTER TABLE digits ALTER v TYPE numeric(12,2); ALTER TABLE grown ALTER v TYPE bigint; ALTER TABLE zoned ALTER v TYPE timestamptz;
    ALTER TABLE shorter ALTER v TYPE varchar(5); ALTER TABLE several ALTER v TYPE text; ALTER TABLE sorted ALTER v TYPE text COLLATE \"C\";
    UPDATE must SET v = 1; ALTER TABLE must ALTER v SET NOT NULL; ALTER TABLE may ALTER v DROP NOT NULL; ALTER TABLE usual ALTER v SET DEFAULT 4;
    ALTER TABLE checked ADD CHECK (v > 0); ALTER TABLE unchecked ADD CHECK (v > 0) NOT VALID; ALTER TABLE validated VALIDATE CONSTRAINT vc;
    ALTER TABLE uniq ADD UNIQUE (v); CREATE INDEX ON indexed(v); DROP INDEX bi;
    ALTER TABLE child ADD FOREIGN KEY (v) REFERENCES parent; ALTER TABLE child2 DROP CONSTRAINT child2_v_fkey;
    ALTER TABLE child3 DROP CONSTRAINT child3_v_fkey, ADD CONSTRAINT child3_v_fkey FOREIGN KEY (v) REFERENCES parent3 ON DELETE CASCADE NOT VALID; ALTER TABLE child4 VALIDATE CONSTRAINT f4;
    CREATE TRIGGER w BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION fires(); DROP TRIGGER w ON unwatched; ALTER TABLE silenced DISABLE TRIGGER w;
    CREATE RULE ru AS ON DELETE TO ruled DO ALSO NOTHING; CREATE POLICY po ON policed USING (id > 0); ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
    ALTER TABLE tuned SET (fillfactor = 50); ALTER TABLE unlogged SET UNLOGGED; ALTER TABLE measured ALTER v SET STATISTICS 9;
    ALTER TABLE kept ALTER v SET STORAGE EXTERNAL; CREATE STATISTICS st ON id, v FROM correlated;
    COMMENT ON TABLE commented IS 'said'; COMMENT ON COLUMN commented.v IS 'said'; COMMENT ON CONSTRAINT commented_pkey ON commented IS 'said'; COMMENT ON INDEX commented_pkey IS 'said';
    GRANT SELECT ON granted TO pg_monitor; ALTER TABLE owned OWNER TO pg_monitor; ALTER PUBLICATION pub ADD TABLE published;
    ALTER TABLE replicated REPLICA IDENTITY FULL; ALTER TABLE clustered CLUSTER ON clustered_pkey;
    ALTER DOMAIN small ADD CHECK (VALUE < 9); UPDATE uses_given SET v = 3; ALTER DOMAIN given SET NOT NULL;
    ALTER TABLE moody ALTER v TYPE text; DROP TYPE mood; CREATE TYPE mood AS ENUM ('ok'); ALTER TABLE moody ALTER v TYPE mood USING v::mood; ALTER TYPE more ADD VALUE 'y';
    CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (10) TO (20); ALTER TABLE n DETACH PARTITION n1;
    CREATE INDEX ON i(v); ALTER TABLE i ADD CHECK (v > 0); ALTER TABLE i ADD UNIQUE (id, v); CREATE TRIGGER w AFTER UPDATE ON i FOR EACH ROW EXECUTE FUNCTION fires();
    ALTER TABLE i ADD FOREIGN KEY (v) REFERENCES parent; ALTER TABLE g ADD w int, ALTER v TYPE bigint;
    ALTER TABLE l ADD w int GENERATED ALWAYS AS (id) STORED, ALTER v TYPE bigint; ALTER TABLE k DROP v, ADD CHECK (id > 0);
    ALTER TABLE rc ADD FOREIGN KEY (v) REFERENCES r; DROP VIEW seen; CREATE VIEW seen AS SELECT id, v FROM viewed; DROP TABLE dropped;
    ALTER SEQUENCE numbers INCREMENT 5;";

/// From weak to strong, as `pg_locks` and as a pack write them.
const MODES: [(&str, &str); 8] = [
    ("AccessShareLock", "ACCESS SHARE"),
    ("RowShareLock", "ROW SHARE"),
    ("RowExclusiveLock", "ROW EXCLUSIVE"),
    ("ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"),
    ("ShareLock", "SHARE"),
    ("ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"),
    ("ExclusiveLock", "EXCLUSIVE"),
    ("AccessExclusiveLock", "ACCESS EXCLUSIVE"),
];

/// What changes of rows take: every pack says that they do.
const OF_ROWS: usize = 2;

/// What is declared and does not happen: a timestamp that gets a time zone is written anew in every
/// session but one whose zone is UTC, as `apply` has it; a reviewer may run it elsewhere.
const NOT_SO: [&str; 1] = [r#"{("alter-column", "public.zoned")} rewrite"#];

/// One statement, and what the steps that it is of declare.
#[derive(Debug, Default)]
struct Statement {
    text: String,
    steps: BTreeSet<(String, String)>,
    locks: BTreeMap<String, usize>,
    rewrites: bool,
}

/// The statements of the migration with what is declared of them.
fn declared(pair: &Pair) -> Vec<Statement> {
    let read = |name: &str| std::fs::read(pair.lab.path("change").join(name)).unwrap();
    let manifest: Json = serde_json::from_slice(&read("pack.json")).unwrap();
    let sql = read("migration.sql");
    let mut statements = Vec::new();
    let mut current = Statement::default();
    for line in String::from_utf8(read("migration.jsonl")).unwrap().lines() {
        let step: Json = serde_json::from_str(line).unwrap();
        let word = |name: &str| step[name].as_str().unwrap().to_owned();
        let (verb, object) = (word("verb"), word("object"));
        for hazard in manifest["hazards"].as_array().unwrap() {
            let text = hazard["text"].as_str().unwrap();
            let Some(said) = text.strip_prefix(&format!("{verb}: ")) else { continue };
            if hazard["object"] != object.as_str() {
                continue;
            }
            current.rewrites |= hazard["kind"] == "rewrite";
            if hazard["kind"] == "lock" {
                let (table, mode) = said.split_once(" is locked, ").unwrap();
                let level = MODES.iter().position(|(_, name)| *name == mode).unwrap();
                let known = current.locks.entry(table.to_owned()).or_default();
                *known = level.max(*known);
            }
        }
        current.steps.insert((verb, object));
        if let (Some(at), Some(length)) = (step["at"].as_u64(), step["len"].as_u64()) {
            let (at, length) = (usize::try_from(at).unwrap(), usize::try_from(length).unwrap());
            current.text = String::from_utf8(sql[at..at + length].to_vec()).unwrap();
            statements.push(std::mem::take(&mut current));
        }
    }
    statements
}

/// What the server shows of tables that were there before: of each its hardest lock and its file.
const SHOW: &str = "SELECT coalesce(json_agg(json_build_object('table', b.name,
    'modes', (SELECT json_agg(mode) FROM pg_locks WHERE pid = pg_backend_pid() AND granted AND relation = b.oid),
    'file', (SELECT relfilenode::text FROM pg_class c WHERE c.oid = b.oid))), '[]') FROM pg_temp.before b;";

type Shown = BTreeMap<String, (usize, Option<String>)>;

/// Runs the statements; gives what the server shows before the first and after each.
fn shown(pair: &Pair, statements: &[Statement]) -> Vec<Shown> {
    let mut script = format!(
        "CREATE TEMP TABLE before AS SELECT oid, oid::regclass::text AS name FROM pg_class
         WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace;
         UPDATE before SET name = 'public.' || name;\nSET search_path = '';\nSET timezone = 'UTC'; BEGIN;\n{SHOW}\n"
    );
    for statement in statements {
        script += &format!("{};\n\\echo\n{SHOW}\n", statement.text);
    }
    let printed = pair.prod.sql(&(script + "ROLLBACK;\n"));
    let lines = printed.lines().filter(|line| line.starts_with('['));
    let look = |line: &str| -> Shown {
        let tables: Vec<Json> = serde_json::from_str(line).unwrap();
        let of = |table: &Json| {
            let modes = table["modes"].as_array().into_iter().flatten();
            let levels = modes.map(|mode| MODES.iter().position(|(m, _)| mode == m).unwrap());
            let hardest = levels.max().unwrap_or(0);
            (
                table["table"].as_str().unwrap().to_owned(),
                (hardest, table["file"].as_str().map(str::to_owned)),
            )
        };
        tables.iter().map(of).collect()
    };
    lines.map(look).collect()
}

#[test]
fn what_steps_lock_and_rewrite_is_what_the_pack_declares() {
    let pair = Pair::new(BEFORE, "", CHANGE);
    pair.pack(&[]);
    let statements = declared(&pair);
    let shown = shown(&pair, &statements);
    assert_eq!(shown.len(), statements.len() + 1);
    let (mut wrong, mut not_so) = (Vec::new(), BTreeSet::new());
    for (statement, states) in statements.iter().zip(shown.windows(2)) {
        let [before, after] = states else { unreachable!() };
        let name = &statement.text;
        for (table, (level, file)) in after {
            let (held, old) = &before[table];
            let declared = statement.locks.get(table).copied().unwrap_or(0).max(OF_ROWS);
            if level > held && *level > declared {
                wrong.push(format!("{table} is locked {}: {name}", MODES[*level].1));
            }
            if let Some(declared) = statement.locks.get(table)
                && level < declared
            {
                not_so.insert(format!("{table} {}", MODES[*declared].1));
            }
            let is_rewritten = file.is_some() && file != old;
            if is_rewritten && !statement.rewrites {
                wrong.push(format!("{table} is written anew: {name}"));
            }
        }
        let is_any = after.iter().any(|(table, (_, file))| *file != before[table].1);
        if statement.rewrites && !is_any {
            not_so.insert(format!("{:?} rewrite", statement.steps));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{not_so:#?}");
    let expected: BTreeSet<String> = NOT_SO.iter().map(|&line| line.to_owned()).collect();
    assert_eq!(not_so, expected);
}
