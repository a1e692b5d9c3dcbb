//! The cases of schema changes on PostgreSQL (`P…`) with rows in the tables: there and back through
//! the binary, several cases to a pair of databases, with the oracle of `pg_pack_lab`.

use crate::pg_lab::Pair;
use crate::pg_pack_lab::dump;

/// Two databases, the second with a change.
fn changed(prod: &str, change: &str) -> Pair {
    Pair::new(prod, "", change)
}

#[test]
fn p1_to_p6_names_are_swapped_passed_on_and_nearly_the_same() {
    // Columns that swap their names: written as their values, so that the oracle sees one order.
    let long = "n".repeat(62);
    changed(
        &format!(
            "CREATE TABLE one(id int PRIMARY KEY, v text); CREATE TABLE two(id int PRIMARY KEY, v text); INSERT INTO one VALUES (1, 'one'); INSERT INTO two VALUES (1, 'two'), (2, 'more');
             CREATE TABLE columns(id int PRIMARY KEY, a text, b text UNIQUE); INSERT INTO columns VALUES (1, 'a1', 'b1'), (2, 'a2', 'b2');
             CREATE TABLE a(id int PRIMARY KEY, n int); CREATE TABLE b(id int PRIMARY KEY, n int); INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 2);
             CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE whole(id int PRIMARY KEY, p int CONSTRAINT refers REFERENCES p, v int); CREATE INDEX whole_v ON whole(v);
             INSERT INTO p VALUES (1); INSERT INTO whole VALUES (1, 1, 7);
             CREATE TABLE \"Foo\"(id int PRIMARY KEY, \"V\" int); INSERT INTO \"Foo\" VALUES (1, 1);
             CREATE TABLE {long}a(id int PRIMARY KEY); CREATE TABLE {long}b(id int PRIMARY KEY); INSERT INTO {long}a VALUES (1)"
        ),
        &format!(
            "ALTER TABLE one RENAME TO three; ALTER TABLE two RENAME TO one; ALTER TABLE three RENAME TO two;
             UPDATE columns SET a = b, b = a; ALTER TABLE columns DROP CONSTRAINT columns_b_key, ADD CONSTRAINT columns_b_key UNIQUE (a);
             ALTER TABLE b RENAME TO c; ALTER TABLE a RENAME TO b; CREATE TABLE a(id int PRIMARY KEY, t text); INSERT INTO a VALUES (5, 'new');
             ALTER TABLE whole RENAME TO renamed; ALTER TABLE renamed RENAME v TO w; ALTER INDEX whole_v RENAME TO renamed_w; ALTER TABLE renamed RENAME CONSTRAINT refers TO points;
             ALTER TABLE \"Foo\" RENAME TO foo; ALTER TABLE foo RENAME \"V\" TO v;
             DROP TABLE {long}a; INSERT INTO {long}b VALUES (2); CREATE TABLE {long}c(id int PRIMARY KEY); INSERT INTO {long}c VALUES (3)"
        ),
    )
    .converges(&[]);
}

#[test]
fn p9_p13_p17_p20_p26_what_needs_each_other_changes_with_rows() {
    changed(
        "CREATE TABLE a(id int PRIMARY KEY, b int); CREATE TABLE b(id int PRIMARY KEY, c int); CREATE TABLE c(id int PRIMARY KEY, a int REFERENCES a);
         INSERT INTO a VALUES (1, 1), (2, NULL); INSERT INTO b VALUES (1, 1); INSERT INTO c VALUES (1, 1);
         CREATE VIEW of_three AS SELECT a.id, c.a FROM a JOIN b ON b.id = a.b JOIN c ON c.id = b.c;
         CREATE MATERIALIZED VIEW m AS SELECT id, b FROM a; CREATE UNIQUE INDEX mi ON m(id); CREATE VIEW above AS SELECT id FROM m;
         CREATE TABLE tree(id int PRIMARY KEY, up int); INSERT INTO tree VALUES (1, NULL), (2, 1);
         CREATE RECURSIVE VIEW paths(id, depth) AS SELECT id, 1 FROM tree WHERE up IS NULL UNION ALL SELECT t.id, p.depth + 1 FROM tree t JOIN paths p ON t.up = p.id;
         CREATE FUNCTION later() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM not_yet); END'",
        "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE; ALTER TABLE b ADD FOREIGN KEY (c) REFERENCES c; INSERT INTO c VALUES (2, 2); INSERT INTO b VALUES (2, 2); UPDATE a SET b = 2 WHERE id = 2;
         DROP MATERIALIZED VIEW m CASCADE; CREATE MATERIALIZED VIEW m AS SELECT id, b, 1 AS one FROM a; CREATE UNIQUE INDEX mi ON m(id, one); CREATE VIEW above AS SELECT id, one FROM m;
         DROP VIEW paths; ALTER TABLE tree ALTER id TYPE bigint; UPDATE tree SET up = 2 WHERE id = 1; UPDATE tree SET up = NULL WHERE id = 2;
         CREATE RECURSIVE VIEW paths(id, depth) AS SELECT id, 1 FROM tree WHERE up IS NULL UNION ALL SELECT t.id, p.depth + 2 FROM tree t JOIN paths p ON t.up = p.id;
         CREATE TABLE not_yet(id int); INSERT INTO not_yet VALUES (1);
         CREATE FUNCTION apart(x float8, y float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT x - y'; CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = apart);
         CREATE TABLE spans(id int PRIMARY KEY, s span, EXCLUDE USING gist (s WITH &&)); INSERT INTO spans VALUES (1, '[1,2)'), (2, '[2,3)')",
    )
    .converges(&[]);
}

#[test]
fn p30_p31_p36_p46_p48_rows_that_the_new_schema_would_not_take_change_with_it() {
    changed(
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE shorter(id int PRIMARY KEY, v varchar(20)); INSERT INTO shorter VALUES (1, 'a long one, really'), (2, 'short');
         CREATE TABLE sorted(id int PRIMARY KEY, v text UNIQUE); INSERT INTO sorted VALUES (1, 'Foo'), (2, 'foo'), (3, 'bar');
         CREATE TABLE must(id int PRIMARY KEY, v int); INSERT INTO must VALUES (1, NULL), (2, 2);
         CREATE FUNCTION is_good(v int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT v < 10'; CREATE TABLE judged(id int PRIMARY KEY, v int CHECK (is_good(v))); INSERT INTO judged VALUES (1, 5), (2, 7);
         CREATE FUNCTION word(v int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT v::text'; CREATE TABLE found(id int PRIMARY KEY, v int); CREATE UNIQUE INDEX fi ON found(word(v)); INSERT INTO found VALUES (1, 1), (2, 2)",
        "UPDATE shorter SET v = 'brief' WHERE id = 1; ALTER TABLE shorter ALTER v TYPE varchar(6);
         DELETE FROM sorted WHERE id = 2; ALTER TABLE sorted ALTER v TYPE text COLLATE ci;
         UPDATE must SET v = 1 WHERE id = 1; ALTER TABLE must ALTER v SET NOT NULL;
         CREATE OR REPLACE FUNCTION is_good(v int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT v > 10'; UPDATE judged SET v = v + 100;
         DROP INDEX fi; DROP FUNCTION word; UPDATE found SET v = 1 WHERE id = 2",
    )
    .converges(&[]);
}

#[test]
fn p53_p55_p58_columns_that_are_gone_and_triggers_of_every_sort() {
    let tables = "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TABLE half(id int PRIMARY KEY, v int); INSERT INTO half VALUES (1, 1), (2, 1);
        CREATE TABLE m(id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
        CREATE TABLE m0(gone int, v text, id int NOT NULL); ALTER TABLE m0 DROP gone; ALTER TABLE m ATTACH PARTITION m0 FOR VALUES FROM (0) TO (10); INSERT INTO m VALUES (1, 'one');
        CREATE TABLE holes(x int, id int PRIMARY KEY, y int, v text); ALTER TABLE holes DROP x, DROP y; INSERT INTO holes VALUES (1, 'v');
        CREATE TRIGGER rows_of AFTER INSERT ON m REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION fires();
        CREATE TRIGGER each_row AFTER UPDATE OF v ON m FOR EACH ROW EXECUTE FUNCTION fires()";
    changed(
        tables,
        "UPDATE half SET v = 2 WHERE id = 2;
         CREATE TABLE m1(id int NOT NULL, more int, v text); ALTER TABLE m1 DROP more; ALTER TABLE m ATTACH PARTITION m1 FOR VALUES FROM (10) TO (20); INSERT INTO m VALUES (11, 'new');
         ALTER TABLE holes ADD z int; UPDATE holes SET z = 3; CREATE TRIGGER of_v AFTER UPDATE OF v, z ON holes FOR EACH ROW EXECUTE FUNCTION fires();
         ALTER TABLE m ENABLE ALWAYS TRIGGER each_row; DROP TRIGGER rows_of ON m;
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON half DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fires(); ALTER TABLE half ENABLE REPLICA TRIGGER late",
    )
    .converges(&["--allow-triggers", "public.m", "--allow-triggers", "public.half", "--allow-triggers", "public.holes"]);
}

#[test]
fn p60_an_event_trigger_that_forbids_the_pack_leaves_everything_as_it_was() {
    let pair = changed(
        "CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1);
         CREATE FUNCTION never() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''nobody alters tables here''; END'",
        "UPDATE t SET v = 2; ALTER TABLE t ADD CHECK (v > 1)",
    );
    pair.pack(&[]);
    let before = dump(&pair.prod);
    pair.prod.sql("CREATE EVENT TRIGGER guard ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION never()");
    // It is a fact, and one that the pack does not know.
    pair.apply(&pair.prod, &[]).fails(4, "guard");
    pair.prod.sql("DROP EVENT TRIGGER guard");
    let copy = pair.copy();
    copy.sql("CREATE EVENT TRIGGER guard ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION never()");
    pair.state(&copy, "prod");
    pair.dev.sql("CREATE EVENT TRIGGER guard ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION never()");
    pair.state(&pair.dev, "dev");
    let make = ["pack", "prod", "dev", "-o", "again", "--allow", "all"];
    pair.lab.run(&make).ok();
    let url = copy.url();
    let applied = pair.lab.run(&["apply", "again", "--to", &url, "--accept-target"]);
    assert_ne!(applied.code, 0, "{}", applied.stdout);
    let said = format!("{}{}", applied.stdout, applied.stderr);
    assert!(said.contains("nobody alters tables here"), "{said}");
    assert_eq!(dump(&copy), before);
}

#[test]
fn p49_an_index_that_a_failed_build_left_is_refused_by_name() {
    let pair = changed(
        "CREATE TABLE half(id int PRIMARY KEY, v int); INSERT INTO half VALUES (1, 1), (2, 1); CREATE INDEX left_over ON half(v);
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'left_over'::regclass",
        "DROP INDEX left_over; UPDATE half SET v = 2 WHERE id = 2; CREATE UNIQUE INDEX left_over ON half(v)",
    );
    pair.try_pack(&[]).fails(4, "the index public.left_over is not valid");
}
