//! Packs that change the schema of PostgreSQL with rows in the tables: by the binary, there and back,
//! with the oracle of `pg_pack_lab`.

use crate::pg_lab::Pair;

/// Two databases, the second with a change.
fn changed(prod: &str, change: &str) -> Pair {
    Pair::new(prod, "", change)
}

/// A parent with a text key, children, and rows of every fate.
const CLIENTS: &str = "CREATE TABLE client(id int PRIMARY KEY, kind text NOT NULL, origins text UNIQUE);
    CREATE TABLE grant_of(id int PRIMARY KEY, client int NOT NULL REFERENCES client ON DELETE CASCADE, n text);
    COMMENT ON CONSTRAINT grant_of_client_fkey ON grant_of IS 'whose';
    INSERT INTO client VALUES (1, 'a', '1'), (2, 'b', 'many words'), (3, 'c', NULL), (4, 'gone', 'words');
    INSERT INTO grant_of VALUES (1, 1, '7'), (2, 2, 'x'), (3, 4, 'y')";

#[test]
fn p28_text_becomes_a_number_where_a_row_is_none_and_changes() {
    let sql = changed(
        CLIENTS,
        "DELETE FROM grant_of WHERE id = 3; DELETE FROM client WHERE id = 4;
         UPDATE client SET origins = '5' WHERE id = 2; UPDATE grant_of SET n = '8' WHERE id = 2;
         INSERT INTO client VALUES (9, 'new', '99'); INSERT INTO grant_of VALUES (9, 9, '1');
         ALTER TABLE client ALTER origins TYPE int USING origins::int;
         ALTER TABLE grant_of ALTER n TYPE bigint USING n::bigint",
    )
    .converges(&[]);
    let place = |words: &str| sql.find(words).unwrap_or_else(|| panic!("no {words} in {sql}"));
    assert!(place("DROP CONSTRAINT \"grant_of_client_fkey\"") < place("DELETE FROM ONLY"), "{sql}");
    assert!(place("DELETE FROM ONLY") < place("TYPE integer"), "{sql}");
    assert!(place("TYPE integer") < place("INSERT INTO"), "{sql}");
}

#[test]
fn text_becomes_json_and_an_enum_and_back() {
    changed(
        CLIENTS,
        "DELETE FROM grant_of WHERE id > 1; DELETE FROM client WHERE id = 4;
         CREATE TYPE kind AS ENUM ('a', 'b', 'c');
         UPDATE client SET origins = '[]' WHERE id = 2; UPDATE client SET kind = 'a' WHERE id = 3;
         ALTER TABLE client DROP CONSTRAINT client_origins_key;
         ALTER TABLE client ALTER origins TYPE jsonb USING origins::jsonb, ALTER kind TYPE kind USING kind::kind",
    )
    .converges(&[]);
}

#[test]
fn p27_a_key_that_others_refer_to_becomes_another_type() {
    changed(
        "CREATE TABLE p(id text PRIMARY KEY, n int); CREATE TABLE c(id int PRIMARY KEY, p text REFERENCES p);
         INSERT INTO p VALUES ('a', 1), ('b', 2); INSERT INTO c VALUES (1, 'a'), (2, 'b')",
        "DROP TABLE c; DROP TABLE p;
         CREATE TABLE p(id uuid PRIMARY KEY, n int); CREATE TABLE c(id int PRIMARY KEY, p uuid REFERENCES p);
         INSERT INTO p VALUES ('00000000-0000-0000-0000-00000000000a', 1), ('00000000-0000-0000-0000-00000000000b', 2);
         INSERT INTO c VALUES (1, '00000000-0000-0000-0000-00000000000a'), (3, '00000000-0000-0000-0000-00000000000b')",
    )
    .converges(&[]);
}

#[test]
fn rows_of_partitions_leave_while_their_columns_become_others() {
    changed(
        "CREATE TABLE m(id int, v text NOT NULL, w int GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10);
         CREATE TABLE m2 PARTITION OF m FOR VALUES FROM (10) TO (20);
         CREATE TABLE c(m int REFERENCES m);
         INSERT INTO m VALUES (1, '1'), (2, 'two'), (11, 'eleven'); INSERT INTO c VALUES (1), (2)",
        "UPDATE m SET v = '2' WHERE id = 2; DELETE FROM m WHERE id = 11;
         INSERT INTO m VALUES (12, '12');
         ALTER TABLE m ALTER v TYPE int USING v::int",
    )
    .converges(&[]);
}

#[test]
fn a_column_that_may_not_go_keeps_its_values_while_rows_are_away() {
    let pair = changed(
        "CREATE TABLE t(id int PRIMARY KEY, v text, legacy text);
         INSERT INTO t VALUES (1, 'one', 'L1'), (2, '2', 'L2')",
        "UPDATE t SET v = '1' WHERE id = 1;
         ALTER TABLE t DROP legacy, ALTER v TYPE int USING v::int",
    );
    pair.state(&pair.prod, "prod");
    pair.state(&pair.dev, "dev");
    pair.lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "narrow-type"]).ok();
    let before = pair.prod.sql("SELECT * FROM t ORDER BY id");
    pair.apply(&pair.prod, &[]).ok();
    assert_eq!(pair.prod.sql("SELECT id, v, legacy FROM t ORDER BY id"), "1|1|L1\n2|2|L2\n");
    pair.apply(&pair.prod, &["--rollback"]).ok();
    assert_eq!(pair.prod.sql("SELECT * FROM t ORDER BY id"), before);
}

#[test]
fn without_leave_to_delete_a_row_that_does_not_convert_takes_everything_back() {
    let pair = changed(
        "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, '1'), (2, 'two')",
        "DELETE FROM t WHERE id = 2; ALTER TABLE t ALTER v TYPE int USING v::int",
    );
    pair.state(&pair.prod, "prod");
    pair.state(&pair.dev, "dev");
    pair.lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "narrow-type"]).ok();
    let refused = pair.apply(&pair.prod, &[]);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert_eq!(pair.prod.sql("SELECT * FROM t ORDER BY id"), "1|1\n2|two\n");
}

#[test]
fn rows_change_beside_a_column_that_may_not_go() {
    let pair = changed(
        "CREATE TABLE t(id int PRIMARY KEY, v text, legacy text DEFAULT 'none');
         INSERT INTO t VALUES (1, 'one', 'L1'), (2, 'two', 'L2'), (3, 'three', 'L3')",
        "UPDATE t SET v = 'eins' WHERE id = 1; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (4, 'vier');
         ALTER TABLE t DROP legacy",
    );
    pair.state(&pair.prod, "prod");
    pair.state(&pair.dev, "dev");
    pair.lab.run(&["pack", "prod", "dev", "-o", "change", "--allow", "delete-rows"]).ok();
    let before = pair.prod.sql("SELECT * FROM t ORDER BY id");
    pair.apply(&pair.prod, &[]).ok();
    let rows = pair.prod.sql("SELECT id, v, legacy FROM t ORDER BY id");
    assert_eq!(rows, "1|eins|L1\n2|two|L2\n4|vier|none\n");
    pair.apply(&pair.prod, &["--rollback"]).ok();
    assert_eq!(pair.prod.sql("SELECT * FROM t ORDER BY id"), before);
}

const REGIONS: &str = "CREATE TABLE m(id int, region text) PARTITION BY LIST (region);
    CREATE TABLE m_us PARTITION OF m FOR VALUES IN ('us', 'ca');
    CREATE TABLE m_eu PARTITION OF m FOR VALUES IN ('de');
    INSERT INTO m VALUES (1, 'us'), (2, 'ca'), (3, 'de')";

#[test]
fn p51_partitions_go_and_come_with_their_rows() {
    changed(
        REGIONS,
        "DELETE FROM m WHERE region = 'ca'; DELETE FROM m WHERE id = 1; DROP TABLE m_us",
    )
    .converges(&[]);
    changed(
        REGIONS,
        "DROP TABLE m_us; CREATE TABLE m_asia PARTITION OF m FOR VALUES IN ('jp'); INSERT INTO m VALUES (4, 'jp')",
    )
    .converges(&[]);
}

#[test]
fn p52_a_partition_becomes_a_table_of_its_own() {
    changed(REGIONS, "ALTER TABLE m DETACH PARTITION m_us").converges(&[]);
}

#[test]
fn rows_that_came_to_a_partition_are_not_lost_with_it() {
    let pair = changed(REGIONS, "DROP TABLE m_us");
    pair.pack(&[]);
    pair.prod.sql("INSERT INTO m VALUES (77, 'us')");
    let refused = pair.apply(&pair.prod, &[]);
    assert_eq!(refused.code, 4, "{}", refused.stdout);
    assert!(refused.stdout.contains("no rows that the pack does not know"), "{}", refused.stdout);
    assert_eq!(pair.prod.sql("SELECT count(*) FROM m"), "4\n");
}

#[test]
fn p35_a_sequence_is_lifted_to_its_new_bounds_and_back() {
    let pair = changed(
        "CREATE SEQUENCE s INCREMENT 10; SELECT nextval('s');
         CREATE SEQUENCE ahead; SELECT setval('ahead', 5000);
         CREATE TABLE t(id int GENERATED ALWAYS AS IDENTITY); INSERT INTO t DEFAULT VALUES",
        "DROP SEQUENCE s; CREATE SEQUENCE s INCREMENT 10 MINVALUE 1000;
         ALTER SEQUENCE ahead MINVALUE 100 START 200;
         ALTER TABLE t ALTER id SET MINVALUE 0 SET START 0 RESTART 50",
    );
    pair.converges(&[]);
    pair.apply(&pair.prod, &[]).ok();
    let next = pair.prod.sql("SELECT nextval('s'), nextval('ahead')");
    assert_eq!(next, "1000|5001\n");
}

#[test]
fn a_sequence_outlives_the_column_that_owned_it() {
    changed(
        "CREATE TABLE t(id int PRIMARY KEY, old serial); INSERT INTO t VALUES (1, 40), (2, 41);
         SELECT setval('t_old_seq', 70)",
        "ALTER TABLE t ADD new int; UPDATE t SET new = id; ALTER TABLE t ALTER new SET DEFAULT nextval('t_old_seq');
         ALTER SEQUENCE t_old_seq OWNED BY t.new; ALTER TABLE t DROP old",
    )
    .converges(&[]);
}

#[test]
fn a_foreign_key_may_stand_on_any_of_two_equal_keys() {
    changed(
        "CREATE TABLE p(a int, b int, CONSTRAINT p_pkey PRIMARY KEY (a, b)); CREATE UNIQUE INDEX p_uq ON p(a, b);
         CREATE TABLE c(a int, b int, FOREIGN KEY (a, b) REFERENCES p(a, b));
         INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1)",
        "ALTER TABLE c DROP CONSTRAINT c_a_b_fkey; ALTER TABLE p DROP CONSTRAINT p_pkey;
         ALTER TABLE c ADD FOREIGN KEY (a, b) REFERENCES p(a, b); ALTER TABLE p ADD PRIMARY KEY (b, a)",
    )
    .converges(&[]);
}

#[test]
fn rows_without_a_key_go_before_the_columns_that_tell_them_apart() {
    changed(
        "CREATE TABLE t(n text, id int); INSERT INTO t VALUES ('a', 1), ('a', 2), ('a', 2), ('b', 3)",
        "DELETE FROM t WHERE id = 2; ALTER TABLE t DROP id, ADD m text; UPDATE t SET m = n WHERE n = 'b'",
    )
    .converges(&[]);
    changed(
        "CREATE TABLE t(id int); INSERT INTO t VALUES (1), (2)",
        "ALTER TABLE t DROP id, ADD n text",
    )
    .converges(&[]);
}

#[test]
fn p41_the_columns_of_a_key_change_under_foreign_keys() {
    changed(
        "CREATE TABLE p(a int PRIMARY KEY, b int NOT NULL UNIQUE); CREATE TABLE c(a int REFERENCES p(a) ON DELETE CASCADE, n int);
         INSERT INTO p VALUES (1, 10), (2, 20), (3, 30); INSERT INTO c VALUES (1, 1), (2, 2)",
        "ALTER TABLE c DROP CONSTRAINT c_a_fkey; ALTER TABLE p DROP CONSTRAINT p_pkey; ALTER TABLE p ADD PRIMARY KEY (b);
         ALTER TABLE p ADD UNIQUE (a); ALTER TABLE c ADD FOREIGN KEY (a) REFERENCES p(a) ON DELETE CASCADE;
         DELETE FROM p WHERE a = 3; UPDATE p SET b = 21 WHERE a = 2; INSERT INTO p VALUES (4, 40); INSERT INTO c VALUES (4, 4)",
    )
    .converges(&[]);
}

/// What both sides hold alike is written by nobody: the conversion itself has to leave it.
#[test]
fn p28_values_that_stay_are_what_they_were_under_another_type() {
    changed(
        "CREATE TYPE e1 AS ENUM ('a', 'b'); CREATE TYPE e2 AS ENUM ('a', 'b', 'c');
         CREATE TABLE t(id int PRIMARY KEY, pad char(5)[], net inet[], f real[], yes boolean[], span int4range,
            number oid, label e1, labels e1[], whole char(3), many text[]);
         INSERT INTO t VALUES (1, '{ab}', '{10.0.0.1}', '{0.1}', '{t,NULL}', '[1,5)', 7, 'a', '{a,b}', 'abc', '{xyz}'),
            (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "ALTER TABLE t ALTER pad TYPE text[] USING pad::text::text[], ALTER net TYPE text[] USING net::text::text[],
            ALTER f TYPE float8[] USING f::text::float8[], ALTER yes TYPE text[] USING yes::text::text[],
            ALTER span TYPE int8range USING span::text::int8range, ALTER number TYPE bigint,
            ALTER label TYPE e2 USING label::text::e2, ALTER labels TYPE e2[] USING labels::text::e2[],
            ALTER whole TYPE text, ALTER many TYPE varchar(3)[]",
    )
    .converges(&[]);
}

#[test]
fn p28_spaces_at_the_end_that_both_sides_hold_are_not_dropped_silently() {
    let pair = changed(
        "CREATE TABLE t(id int PRIMARY KEY, c char(5)); INSERT INTO t VALUES (1, 'abcde'), (2, 'ab')",
        "ALTER TABLE t ALTER c TYPE text; UPDATE t SET c = 'ab   ' WHERE id = 2",
    );
    pair.state(&pair.prod, "prod");
    pair.state(&pair.dev, "dev");
    let pack = ["pack", "prod", "dev", "-o", "change", "--allow", "all"];
    pair.lab.run(&pack).fails(4, "drops the spaces at the end of a value");
    changed(
        "CREATE TABLE t(id int PRIMARY KEY, c char(5)); INSERT INTO t VALUES (1, 'abcde'), (2, 'ab')",
        "ALTER TABLE t ALTER c TYPE text",
    )
    .converges(&[]);
}

/// `IN` over a varchar is written by the server as it does not read it again.
#[test]
fn lists_of_varchar_are_what_they_were() {
    changed(
        "CREATE TABLE o(id int PRIMARY KEY, s varchar(10)); INSERT INTO o VALUES (1, 'a'), (2, 'b')",
        "ALTER TABLE o ADD CHECK (s IN ('a', 'b')), ADD CHECK (s NOT IN ('x', 'y'));
         CREATE VIEW v AS SELECT * FROM o WHERE s IN ('a', 'b') AND s NOT IN ('z', 'it''s]');
         CREATE INDEX i ON o (id) WHERE s IN ('a', 'b'); CREATE DOMAIN d AS varchar(5) CHECK (VALUE IN ('a', 'b'));
         CREATE TABLE n(s varchar(3) CHECK (s IN ('q', 'r')), g boolean GENERATED ALWAYS AS (s IN ('q', 'w')) STORED);
         ALTER TABLE o ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON o USING (s IN ('a', 'c'))",
    )
    .converges(&[]);
}

#[test]
fn a_function_that_gives_rows_of_a_new_view_comes_after_it() {
    changed(
        "CREATE TABLE a(id int PRIMARY KEY)",
        "CREATE TABLE c(id int PRIMARY KEY, n text NOT NULL); INSERT INTO c VALUES (1, 'x');
         CREATE VIEW actor AS SELECT id, n FROM c;
         CREATE FUNCTION g(a a) RETURNS SETOF actor ROWS 1 LANGUAGE sql STABLE AS 'SELECT * FROM actor'",
    )
    .converges(&[]);
}
