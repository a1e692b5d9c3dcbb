//! Renames that a person gives: names change, and nothing else does but what differs under the new
//! ones. There and back, on SQLite and PostgreSQL, with everything that can speak of a name. (MySQL and
//! MariaDB: `my_renames`.)

use crate::lab::{Lab, lab};
use crate::pg_lab::Pair;

/// The migration of the pack that was made last.
fn migration(lab: &Lab, dir: &str) -> String {
    std::fs::read_to_string(lab.path(dir).join("migration.sql")).unwrap()
}

/// A table with everything that names a column, and others that name the table.
const SHOP: &str = "CREATE TABLE maker(id INTEGER PRIMARY KEY, called TEXT NOT NULL UNIQUE);
    CREATE TABLE item(id INTEGER PRIMARY KEY AUTOINCREMENT, zeta TEXT NOT NULL DEFAULT 'x' CHECK (length(zeta) < 20),
        maker INT REFERENCES maker(id), low INT, up INT GENERATED ALWAYS AS (low + 1) VIRTUAL,
        CHECK (low < 1000), UNIQUE (zeta, low));
    CREATE TABLE sale(id INTEGER PRIMARY KEY, item INT NOT NULL REFERENCES item(id) ON DELETE CASCADE, n INT);
    CREATE INDEX by_low ON item(low, zeta DESC) WHERE low > 0;
    CREATE INDEX by_expression ON item(low + 1);
    INSERT INTO maker VALUES (1, 'Anna'), (2, 'Bert');
    INSERT INTO item(id, zeta, maker, low) VALUES (1, 'pot', 1, 10), (2, 'cup', 2, 20), (3, 'can', NULL, NULL), (4, 'gone', 1, 4);
    INSERT INTO sale VALUES (1, 1, 5), (2, 2, 6), (3, 4, 7);";

const TELLING: &str = "CREATE VIEW cheap AS SELECT id, low FROM item WHERE low < 15;
    CREATE VIEW cheaper AS SELECT id FROM cheap WHERE id > 0;
    CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT);
    CREATE TRIGGER noted AFTER UPDATE OF low ON item BEGIN INSERT INTO log(what) VALUES (new.low); END;";

#[test]
fn a_column_with_all_that_names_it_is_renamed_on_sqlite() {
    let prod = format!("{SHOP}{TELLING}");
    // The new name stands elsewhere among the names of the columns.
    let dev = format!(
        "{SHOP}ALTER TABLE item RENAME COLUMN low TO amount; ALTER TABLE item RENAME COLUMN zeta TO a_name;{}",
        TELLING.replace("low", "amount")
    );
    let lab = lab(&prod, &dev);
    lab.converge_with(&["--rename", "item.low=amount", "--rename", "item.zeta=a_name"]);
    let sql = migration(&lab, "change");
    for word in ["RENAME COLUMN \"low\" TO amount", "RENAME COLUMN \"zeta\" TO a_name"] {
        assert!(sql.contains(word), "{sql}");
    }
    for word in
        ["UPDATE \"item\"", "INSERT INTO \"item\"", "DROP COLUMN", "_deepdiff_new", "DROP INDEX"]
    {
        assert!(!sql.contains(word), "{word}: {sql}");
    }
}

#[test]
fn a_table_with_all_that_names_it_is_renamed_on_sqlite() {
    let prod = format!("{SHOP}{TELLING}");
    let dev = format!(
        "{SHOP}ALTER TABLE item RENAME TO article; ALTER TABLE maker RENAME TO producer;{}",
        TELLING.replace("item", "article")
    );
    let lab = lab(&prod, &dev);
    lab.converge_with(&["--rename", "item=article", "--rename", "maker=producer"]);
    let sql = migration(&lab, "change");
    assert!(sql.contains("ALTER TABLE \"item\" RENAME TO \"article\""), "{sql}");
    assert!(!sql.contains("DROP TABLE") && !sql.contains("INSERT INTO \""), "{sql}");
}

#[test]
fn names_types_and_rows_change_together_on_sqlite() {
    let prod = format!("{SHOP}{TELLING}");
    let dev = SHOP
        .replace("low INT,", "a_low REAL NOT NULL DEFAULT 0,")
        .replace("low", "amount")
        .replace("a_amount", "amount")
        .replace("item", "article")
        .replace("NULL, NULL)", "NULL, 7)");
    let dev = format!(
        "{dev} UPDATE article SET amount = 11 WHERE id = 1; DELETE FROM sale WHERE article = 4;
         DELETE FROM article WHERE id = 4; INSERT INTO article(id, zeta, maker, amount) VALUES (9, 'new', 2, 99); {}",
        TELLING.replace("item", "article").replace("low", "amount")
    );
    let lab = lab(&prod, &dev);
    lab.converge_with(&[
        "--rename",
        "item=article",
        "--rename",
        "sale.item=article",
        "--rename",
        "item.low=amount",
        "--allow",
        "all",
    ]);
    let sql = migration(&lab, "change");
    assert!(sql.contains("RENAME COLUMN \"low\" TO amount"), "{sql}");
}

#[test]
fn the_key_is_renamed_and_rows_are_found_by_it_on_sqlite() {
    let prod = "CREATE TABLE t(code TEXT PRIMARY KEY NOT NULL, a INT, b TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, t TEXT REFERENCES t);
        INSERT INTO t VALUES ('x', 1, 'one'), ('y', 2, 'two'), ('z', 3, 'three'); INSERT INTO c VALUES (1, 'x'), (2, 'y')";
    let dev = "CREATE TABLE t(zcode TEXT PRIMARY KEY NOT NULL, a INT, b TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, t TEXT REFERENCES t);
        INSERT INTO t VALUES ('x', 1, 'one'), ('y', 2, 'TWO'), ('q', 9, 'nine'); INSERT INTO c VALUES (1, 'x'), (2, 'q')";
    let lab = lab(prod, dev);
    lab.converge_with(&["--rename", "t.code=zcode", "--allow", "delete-rows"]);
    let lines = std::fs::read_to_string(lab.path("change").join("migration.jsonl")).unwrap();
    assert_eq!(lines.matches("\"rename-column\"").count(), 1, "{lines}");
    // A row that the pack knows and that somebody changed is found under the old names.
    std::fs::copy(lab.path("prod.db"), lab.path("drifted.db")).unwrap();
    lab.sql("drifted.db", "UPDATE t SET b = 'drift' WHERE code = 'y'");
    let drifted = ["apply", "change", "--to", "drifted.db", "--accept-target"];
    lab.run(&drifted).fails(4, "drift");
}

#[test]
fn names_that_do_not_change_so_are_refused() {
    let lab = lab(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b INT, c INT); CREATE TABLE u(a INT); CREATE TABLE v(id INTEGER PRIMARY KEY);",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b INT, d INT); CREATE TABLE u(b INT); CREATE TABLE w(id INTEGER PRIMARY KEY);",
    );
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let pack = |rename: &[&str]| {
        let mut words = vec!["pack", "prod", "dev", "-o", "no"];
        rename.iter().for_each(|rename| words.extend(["--rename", rename]));
        lab.run(&words)
    };
    pack(&["t.a=b"]).fails(2, "the column a is in the second state too");
    // A swap.
    pack(&["t.a=b", "t.b=a"]).fails(2, "in the second state too");
    pack(&["t.c=e"]).fails(2, "the second state has no column e");
    pack(&["t.x=d"]).fails(2, "the first state has no such table or column");
    pack(&["t.c"]).fails(2, "not of the form");
    pack(&["v=x"]).fails(2, "the second state has no table x");
    pack(&["t=w"]).fails(2, "the second state has a table t too");
    pack(&["v=u"]).fails(2, "the first state has a table u too");
    pack(&["v=V"]).fails(2, "the second state has no table V");
    pack(&["t.c=d", "t.c=a"]).fails(2, "two names");
    pack(&["u.a=b"]).fails(4, "no key");
    assert!(!lab.path("no").exists());
    std::fs::write(lab.path("deepdiff.toml"), "[pack]\nrenames = [\"t.c=d\", \"v=w\"]\n").unwrap();
    lab.run(&["pack", "prod", "dev", "-o", "yes", "--allow", "all"]).ok();
    let sql = migration(&lab, "yes");
    assert!(sql.contains("RENAME COLUMN \"c\" TO d") && sql.contains("RENAME TO \"w\""), "{sql}");
}

/// The same as `SHOP`, and more that only PostgreSQL has.
const PG_SHOP: &str = "CREATE TABLE maker(id int PRIMARY KEY, called text NOT NULL UNIQUE);
    CREATE TABLE item(id serial PRIMARY KEY, zeta text NOT NULL DEFAULT 'x' CHECK (length(zeta) < 20),
        maker int REFERENCES maker(id), low int, up int GENERATED ALWAYS AS (low + 1) STORED,
        CONSTRAINT below CHECK (low < 1000), CONSTRAINT both_once UNIQUE (zeta, low));
    CREATE TABLE sale(id int PRIMARY KEY, item int NOT NULL REFERENCES item(id) ON DELETE CASCADE, low int);
    CREATE INDEX by_low ON item(low, zeta DESC) WHERE low > 0;
    CREATE INDEX by_expression ON item((low + 1));
    COMMENT ON COLUMN item.low IS 'how much'; COMMENT ON CONSTRAINT below ON item IS 'a bound';
    COMMENT ON TABLE item IS 'what is sold';
    CREATE SEQUENCE numbers OWNED BY item.low;
    INSERT INTO maker VALUES (1, 'Anna'), (2, 'Bert');
    INSERT INTO item(zeta, maker, low) VALUES ('pot', 1, 10), ('cup', 2, 20), ('can', NULL, NULL), ('gone', 1, 4);
    INSERT INTO sale VALUES (1, 1, 5), (2, 2, 6), (3, 4, 7);
    CREATE TABLE log(id serial PRIMARY KEY, what text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log(what) VALUES (''x''); RETURN NEW; END';
    CREATE VIEW cheap AS SELECT id, low FROM item WHERE low < 15;
    CREATE VIEW cheaper AS SELECT id FROM cheap WHERE id > 0;
    CREATE MATERIALIZED VIEW kept AS SELECT zeta, sum(low) AS total FROM item GROUP BY zeta;
    CREATE TRIGGER noted AFTER UPDATE OF low ON item FOR EACH ROW WHEN (NEW.low > 0) EXECUTE FUNCTION note();
    CREATE POLICY own ON item USING (low > 0); CREATE STATISTICS more ON low, zeta FROM item;
    COMMENT ON VIEW cheap IS 'few';";

/// The views and all, made by the new names.
const PG_AGAIN: &str = "DROP VIEW cheaper, cheap; DROP MATERIALIZED VIEW kept;
    CREATE VIEW cheap AS SELECT id, amount FROM article WHERE amount < 15;
    CREATE VIEW cheaper AS SELECT id FROM cheap WHERE id > 0;
    CREATE MATERIALIZED VIEW kept AS SELECT a_name, sum(amount) AS total FROM article GROUP BY a_name;
    COMMENT ON VIEW cheap IS 'few';";

const PG_RENAMES: [&str; 6] = [
    "--rename",
    "public.item.low=amount",
    "--rename",
    "public.item.zeta=a_name",
    "--rename",
    "public.item=article",
];

fn pg_renamed(more: &str) -> String {
    format!(
        "ALTER TABLE item RENAME low TO amount; ALTER TABLE item RENAME zeta TO a_name; ALTER TABLE item RENAME TO article;
         {PG_AGAIN} {more}"
    )
}

#[test]
fn a_table_and_its_columns_are_renamed_on_postgres() {
    let sql = Pair::new(PG_SHOP, "", &pg_renamed("")).converges(&PG_RENAMES);
    for word in ["RENAME COLUMN \"low\" TO \"amount\"", "RENAME TO \"article\""] {
        assert!(sql.contains(word), "{sql}");
    }
    for word in
        ["DROP TABLE", "DROP COLUMN", "DROP INDEX", "DROP CONSTRAINT", "INSERT INTO", "UPDATE ONLY"]
    {
        assert!(!sql.contains(word), "{word}: {sql}");
    }
}

#[test]
fn names_types_and_rows_change_together_on_postgres() {
    let more = "DROP VIEW cheaper, cheap; DROP MATERIALIZED VIEW kept; DROP TRIGGER noted ON article; DROP POLICY own ON article;
        ALTER TABLE article DROP up, ALTER amount TYPE bigint, ALTER maker TYPE text USING maker::text, DROP CONSTRAINT item_maker_fkey;
        DELETE FROM article WHERE id = 4; UPDATE article SET amount = 11 WHERE id = 1; UPDATE article SET maker = 'none' WHERE id = 3;
        INSERT INTO article(a_name, maker, amount) VALUES ('new', '2', 99)";
    let pair = Pair::new(PG_SHOP, "", &pg_renamed(more));
    pair.converges(&PG_RENAMES);
    pair.refused_after("UPDATE item SET low = 12 WHERE id = 1", &[]);
    pair.refused_after("ALTER TABLE item RENAME low TO amount", &[]);
}

#[test]
fn a_key_that_others_refer_to_is_renamed_on_postgres() {
    let sql = Pair::new(
        "CREATE TABLE t(code text PRIMARY KEY, a int, b text); CREATE TABLE c(id int PRIMARY KEY, t text REFERENCES t);
         INSERT INTO t VALUES ('x', 1, 'one'), ('y', 2, 'two'), ('z', 3, 'three'); INSERT INTO c VALUES (1, 'x'), (2, 'y')",
        "",
        "ALTER TABLE t RENAME code TO zcode; UPDATE t SET b = 'TWO' WHERE zcode = 'y'; DELETE FROM t WHERE zcode = 'z';
         INSERT INTO t VALUES ('q', 9, 'nine'); UPDATE c SET t = 'q' WHERE id = 2",
    )
    .converges(&["--rename", "t.code=zcode"]);
    assert!(!sql.contains("DROP CONSTRAINT"), "{sql}");
}

#[test]
fn tables_that_share_columns_are_refused_on_postgres() {
    let pair = Pair::new(
        "CREATE TABLE t(id int, a int) PARTITION BY RANGE (id); CREATE TABLE p PARTITION OF t FOR VALUES FROM (0) TO (9)",
        "",
        "ALTER TABLE t RENAME a TO b",
    );
    pair.try_pack(&["--rename", "public.t.a=b"]).fails(4, "shares its columns");
}

#[test]
fn what_looks_like_a_rename_is_proposed_and_not_done() {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)";
    let prod = format!(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, old TEXT, other TEXT); CREATE TABLE before(id INTEGER PRIMARY KEY, a TEXT);
         {rows} INSERT INTO t SELECT i, 'v' || i, 'w' FROM n; {rows} INSERT INTO before SELECT i, 'v' || i FROM n;"
    );
    let dev = format!(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, new TEXT, different TEXT); CREATE TABLE after(id INTEGER PRIMARY KEY, a TEXT);
         {rows} INSERT INTO t SELECT i, 'v' || i, 'x' || i FROM n; UPDATE t SET new = 'z' WHERE id = 7;
         {rows} INSERT INTO after SELECT i, 'v' || i FROM n; DELETE FROM after WHERE id = 3;"
    );
    let lab = lab(&prod, &dev);
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let pack = lab.run(&["pack", "prod", "dev", "-o", "change"]).ok().stdout;
    let proposed: Vec<&str> =
        pack.lines().filter(|line| line.contains("perhaps-renamed")).collect();
    assert_eq!(proposed.len(), 2, "{pack}");
    assert!(pack.contains("399 of 400 rows hold the same"), "{pack}");
    assert!(
        pack.contains("--rename t.old=new") && pack.contains("--rename before=after"),
        "{pack}"
    );
    let summary = std::fs::read_to_string(lab.path("change").join("summary.md")).unwrap();
    assert!(summary.contains("--rename t.old=new"), "{summary}");
    assert!(!migration(&lab, "change").contains("RENAME"));
    // Given, nothing of it is proposed any more, and one row differs in each.
    let given = ["--rename", "t.old=new", "--rename", "before=after", "--allow", "all", "--json"];
    let given =
        lab.run(&[&["pack", "prod", "dev", "-o", "given"], &given[..]].concat()).ok().json();
    assert!(!given["hazards"].to_string().contains("perhaps-renamed"), "{given}");
    assert_eq!(given["rows"]["deleted"], 1, "{given}");
    assert_eq!(given["renames"][0]["to"], "after", "{given}");
}
