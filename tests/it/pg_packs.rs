//! The cases of packs (`P…`) on PostgreSQL: order and constraints, through the binary.

use serde_json::Value as Json;

use crate::pg_lab::Pair;
use crate::servers::postgres_servers;

/// Two databases, the second with a change.
fn changed(prod: &str, change: &str) -> Pair {
    Pair::new(prod, "", change)
}

const NAMES: &str = "CREATE TABLE t(id int PRIMARY KEY, v text UNIQUE);
    INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')";

#[test]
fn p01_unique_swap_2() {
    let sql = changed(NAMES, "UPDATE t SET v = NULL; UPDATE t SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'a' ELSE 'c' END;").converges(&[]);
    assert!(!sql.contains("DELETE FROM"), "{sql}");
}

#[test]
fn p02_unique_swap_3_and_chain_and_ring() {
    changed(NAMES, "UPDATE t SET v = NULL; UPDATE t SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'c' ELSE 'a' END;").converges(&[]);
    let rows = "CREATE TABLE t(id int PRIMARY KEY, v int NOT NULL UNIQUE); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i";
    changed(rows, "UPDATE t SET v = -v; UPDATE t SET v = 1 - v;").converges(&[]);
    changed(rows, "UPDATE t SET v = -v; UPDATE t SET v = (-v) % 1000 + 1;").converges(&[]);
}

#[test]
fn p03_swap_not_null_check() {
    let schema =
        "CREATE TABLE t(id int PRIMARY KEY, v text NOT NULL UNIQUE CHECK (v IN ('a', 'b')))";
    let (prod, dev) =
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (1, 'b'), (2, 'a')");
    let sql = Pair::new(schema, prod, dev).converges(&[]);
    assert!(sql.contains("DELETE FROM"), "{sql}");
    let child = "CREATE TABLE c(id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE)";
    let rows = "INSERT INTO c VALUES (1, 1)";
    let pair = Pair::new(
        &format!("{schema}; {child}"),
        &format!("{prod}; {rows}"),
        &format!("{dev}; {rows}"),
    );
    pair.try_pack(&[]).fails(4, "circle");
    assert!(!pair.lab.path("change").exists());
}

#[test]
fn p04_swap_with_children() {
    let schema = "CREATE TABLE p(id int PRIMARY KEY, code text NOT NULL UNIQUE);
        CREATE TABLE c(id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE)";
    let children = "INSERT INTO c VALUES (1, 1), (2, 2)";
    Pair::new(
        schema,
        &format!("INSERT INTO p VALUES (1, 'a'), (2, 'b'); {children}"),
        &format!("INSERT INTO p VALUES (1, 'b'), (2, 'a'); {children}"),
    )
    .converges(&[]);
    // Codes that children refer to change places while the children stay.
    let children = "INSERT INTO c VALUES (1, 'a'), (2, 'b')";
    for deferrable in ["DEFERRABLE", ""] {
        let schema = format!(
            "CREATE TABLE p(id int PRIMARY KEY, code text NOT NULL UNIQUE);
             CREATE TABLE c(id int PRIMARY KEY, p text REFERENCES p(code) {deferrable})"
        );
        let pair = Pair::new(
            &schema,
            &format!("INSERT INTO p VALUES (1, 'a'), (2, 'b'); {children}"),
            &format!("INSERT INTO p VALUES (1, 'b'), (2, 'a'); {children}"),
        );
        if deferrable.is_empty() {
            pair.try_pack(&[]).fails(4, "circle");
        } else {
            pair.converges(&[]);
        }
    }
}

/// What is swapped through more than plain columns is ordered, or refused by name.
#[test]
fn p05_swap_composite_partial_expression_exclude() {
    for (schema, prod, dev) in [
        (
            "CREATE TABLE t(id int PRIMARY KEY, a int, b text, UNIQUE (a, b))",
            "(1, 1, 'x'), (2, 1, 'y')",
            "(1, 1, 'y'), (2, 1, 'x')",
        ),
        (
            "CREATE TABLE t(id int PRIMARY KEY, v text, gone bool); CREATE UNIQUE INDEX ON t(v) WHERE NOT gone",
            "(1, 'x', false), (2, 'y', false), (3, 'x', true)",
            "(1, 'y', false), (2, 'x', false), (3, 'x', true)",
        ),
        (
            "CREATE TABLE t(id int PRIMARY KEY, v text); CREATE UNIQUE INDEX ON t(lower(v))",
            "(1, 'x'), (2, 'Y')",
            "(1, 'y'), (2, 'X')",
        ),
        (
            "CREATE TABLE t(id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&))",
            "(1, '[1,5)'), (2, '[5,9)')",
            "(1, '[5,9)'), (2, '[1,5)')",
        ),
        (
            "CREATE TABLE t(id int PRIMARY KEY, v int, UNIQUE NULLS NOT DISTINCT (v))",
            "(1, NULL), (2, 7)",
            "(1, 7), (2, NULL)",
        ),
    ] {
        let pair = Pair::new(
            schema,
            &format!("INSERT INTO t VALUES {prod}"),
            &format!("INSERT INTO t VALUES {dev}"),
        );
        let packed = pair.try_pack(&[]);
        match packed.code {
            0 => {
                std::fs::remove_dir_all(pair.lab.path("change")).unwrap();
                // What cannot be foreseen is refused when it runs, and changes nothing.
                pair.pack(&[]);
                let before = crate::pg_pack_lab::dump(&pair.prod);
                let applied = pair.apply(&pair.prod, &[]);
                if applied.code == 0 {
                    assert_eq!(pair.state(&pair.prod, "applied"), pair.state(&pair.dev, "wanted"));
                } else {
                    assert_eq!(crate::pg_pack_lab::dump(&pair.prod), before);
                    applied.fails(4, "t_");
                }
            }
            _ => drop(packed.fails(4, "public.t")),
        }
    }
}

#[test]
fn p06_swap_deferrable() {
    for initially in ["IMMEDIATE", "DEFERRED"] {
        let schema = format!(
            "CREATE TABLE t(id int PRIMARY KEY, v text NOT NULL UNIQUE DEFERRABLE INITIALLY {initially})"
        );
        Pair::new(
            &schema,
            "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
            "INSERT INTO t VALUES (1, 'b'), (2, 'a')",
        )
        .converges(&[]);
    }
}

#[test]
fn p07_reuse_unique() {
    changed(NAMES, "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (9, 'a');").converges(&[]);
}

#[test]
fn p08_p09_move_child_and_drop_parent() {
    let schema = "CREATE TABLE p(id int PRIMARY KEY, code text UNIQUE);
        CREATE TABLE c(id int PRIMARY KEY, p int NOT NULL REFERENCES p)";
    for code in ["new", "a"] {
        Pair::new(
            schema,
            "INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES (1, 1), (2, 1)",
            &format!("INSERT INTO p VALUES (2, '{code}'); INSERT INTO c VALUES (1, 2), (2, 2)"),
        )
        .converges(&[]);
    }
}

#[test]
fn p10_p11_foreign_keys_in_a_circle() {
    let circle = |not_null: &str, deferrable: &str| {
        format!(
        "CREATE TABLE a(id int PRIMARY KEY, b int {not_null}); CREATE TABLE b(id int PRIMARY KEY, a int {not_null});
         ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b {deferrable}; ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a {deferrable}")
    };
    let rows = "INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1";
    Pair::new(&circle("", ""), "", rows).converges(&[]);
    let rows = "BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1); COMMIT";
    Pair::new(&circle("NOT NULL", "DEFERRABLE"), "", rows).converges(&[]);
    let rows = "WITH x AS (INSERT INTO a VALUES (1, 1)) INSERT INTO b VALUES (1, 1)";
    let pair = Pair::new(&circle("NOT NULL", ""), "", rows);
    let packed = pair.try_pack(&[]);
    if packed.code == 0 {
        pair.apply(&pair.prod, &[]).ok();
    } else {
        packed.fails(4, "circle");
    }
}

#[test]
fn p12_self_ref_tree() {
    let tree = "INSERT INTO t SELECT i, NULLIF(i / 2, 0) FROM generate_series(1, 1023) i";
    let schema = "CREATE TABLE t(id int PRIMARY KEY, parent int REFERENCES t)";
    Pair::new(schema, "", tree).converges(&[]);
    let turned = "CREATE TABLE t(id int PRIMARY KEY, parent int REFERENCES t); INSERT INTO t SELECT -i, NULLIF(-(i / 2), 0) FROM generate_series(1, 100) i";
    changed(turned, "DELETE FROM t; INSERT INTO t VALUES (5, NULL), (4, 5), (3, 4);")
        .converges(&[]);
}

const FAMILY: &str = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
    INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 1), (3, 2)";

#[test]
fn p14_p15_cascades() {
    let pair = changed(FAMILY, "DELETE FROM p WHERE id = 1;");
    pair.converges(&[]);
    let refused = pair.refused_after("INSERT INTO c VALUES (7, 1), (8, 1), (9, 1)", &[]);
    let text = refused.to_string();
    assert_eq!(refused["drifted"], 3, "{text}");
    assert_eq!(refused["drift"][0]["class"], "referring", "{text}");
}

#[test]
fn p16_side_effects_of_foreign_keys() {
    for action in ["ON UPDATE CASCADE", "ON DELETE SET NULL", "ON DELETE SET DEFAULT"] {
        let schema = format!("CREATE TABLE p(code text PRIMARY KEY, note text); CREATE TABLE c(id int PRIMARY KEY, p text DEFAULT 'd' REFERENCES p {action});
            INSERT INTO p VALUES ('d', ''), ('a', ''), ('b', ''); INSERT INTO c VALUES (1, 'a'), (2, 'b')");
        let change = match action {
            "ON UPDATE CASCADE" => "UPDATE p SET code = 'z' WHERE code = 'a';",
            _ => "DELETE FROM p WHERE code = 'a';",
        };
        changed(&schema, change).converges(&[]);
    }
}

#[test]
fn p17_restrict_is_ordered() {
    let schema = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, p int NOT NULL REFERENCES p ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED);
        INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1)";
    changed(schema, "DELETE FROM c; DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (3); INSERT INTO c VALUES (2, 3);").converges(&[]);
}

const AUDITED: &str = "CREATE TABLE t(id int PRIMARY KEY, v text); CREATE TABLE audit(what text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES (TG_OP); RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
    INSERT INTO t VALUES (1, 'a'); DELETE FROM audit";

#[test]
fn p18_trigger_audit() {
    let pair = changed(
        AUDITED,
        "ALTER TABLE t DISABLE TRIGGER note; UPDATE t SET v = 'b'; ALTER TABLE t ENABLE TRIGGER note;",
    );
    pair.pack(&[]);
    pair.apply(&pair.prod, &[]).fails(4, "note");
    assert_eq!(pair.prod.sql("SELECT v FROM t"), "a\n");
    let applied = pair.apply(&pair.prod, &["--allow-triggers", "public.t"]).ok().json();
    let effects = applied["side_effects"].to_string();
    assert!(effects.contains("audit"), "{applied}");
    assert_eq!(pair.prod.sql("SELECT v, what FROM t, audit"), "b|UPDATE\n");
}

#[test]
fn p19_p20_triggers_and_rules_that_rewrite_or_swallow() {
    let body = |body: &str| {
        format!(
        "CREATE TABLE t(id int PRIMARY KEY, v text, at timestamptz); CREATE TABLE off(a int);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
         INSERT INTO t VALUES (1, 'a', '2024-01-01'); CREATE TRIGGER f BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()")
    };
    let change =
        "ALTER TABLE t DISABLE TRIGGER f; UPDATE t SET v = 'b'; ALTER TABLE t ENABLE TRIGGER f;";
    for (function, says) in
        [("NEW.at := now(); RETURN NEW;", "at"), ("RETURN NULL;", "changed 0 rows")]
    {
        let pair = changed(&body(function), change);
        pair.pack(&["--allow-triggers", "public.t"]);
        pair.apply(&pair.prod, &[]).fails(4, says);
        assert_eq!(pair.prod.sql("SELECT v FROM t"), "a\n");
    }
    let rule = "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'); CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING";
    let pair = changed(
        rule,
        "ALTER TABLE t DISABLE RULE r; UPDATE t SET v = 'b'; ALTER TABLE t ENABLE RULE r;",
    );
    let packed = pair.try_pack(&[]);
    if packed.code == 0 {
        pair.apply(&pair.prod, &[]).fails(4, "public.t");
    } else {
        packed.fails(4, "public.t");
    }
    assert_eq!(pair.prod.sql("SELECT v FROM t"), "a\n");
}

#[test]
fn p22_identity_always() {
    let schema = "CREATE TABLE t(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); INSERT INTO t(v) VALUES ('a'), ('b'), ('c')";
    let change = "DELETE FROM t WHERE id = 2; INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (20, 'b'), (21, 'n'); UPDATE t SET v = 'A' WHERE id = 1;";
    changed(schema, change).converges(&[]);
    // Where it is no key, no UPDATE can set it.
    let schema = "CREATE TABLE t(id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY); INSERT INTO t(id) VALUES (1), (2)";
    let change =
        "DELETE FROM t WHERE id = 2; INSERT INTO t(id, n) OVERRIDING SYSTEM VALUE VALUES (2, 77);";
    changed(schema, change).converges(&[]);
}

#[test]
fn p24_sequence_behind_and_ahead() {
    let schema = "CREATE TABLE t(id serial PRIMARY KEY, v int); CREATE TABLE u(id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)";
    let rows = "INSERT INTO t(v) SELECT i FROM generate_series(1, 500) i; INSERT INTO u SELECT FROM generate_series(1, 9)";
    let pair = Pair::new(schema, "INSERT INTO t(v) SELECT i FROM generate_series(1, 10) i", rows);
    pair.converges(&[]);
    pair.apply(&pair.prod, &[]).ok();
    let next =
        "INSERT INTO t(v) VALUES (0) RETURNING id; INSERT INTO u DEFAULT VALUES RETURNING id;";
    assert_eq!(pair.prod.sql(next), "501\n10\n");
    let pair = Pair::new(
        schema,
        "INSERT INTO t(v) SELECT i FROM generate_series(1, 10) i; SELECT setval('t_id_seq', 10000)",
        rows,
    );
    pair.pack(&[]);
    pair.apply(&pair.prod, &[]).ok();
    assert_eq!(pair.prod.sql(next), "10001\n10\n");
}

#[test]
fn p25_generated_columns_are_not_written() {
    let schema = "CREATE TABLE t(id int PRIMARY KEY, v int, g int GENERATED ALWAYS AS (v * 2) STORED UNIQUE); INSERT INTO t VALUES (1, 1), (2, 2)";
    let sql = changed(schema, "UPDATE t SET v = 5 WHERE id = 1; INSERT INTO t VALUES (3, 3);")
        .converges(&[]);
    assert!(!sql.contains("\"g\""), "{sql}");
    let server = postgres_servers().pop().unwrap();
    if server.name == "postgres-18" {
        let script = "CREATE TABLE t(id int PRIMARY KEY, v int, g int GENERATED ALWAYS AS (v * 2) VIRTUAL); INSERT INTO t VALUES (1, 1), (2, 2);";
        let pair = Pair {
            lab: crate::lab::Lab::new(),
            prod: server.database(""),
            dev: server.database(""),
        };
        pair.prod.sql(script);
        pair.dev.sql(&format!("{script} UPDATE t SET v = 5 WHERE id = 1"));
        pair.converges(&[]);
    }
}

/// A constraint that the rows of dev do not have to satisfy, and new ones do.
#[test]
fn p27_check_not_valid() {
    let schema = "CREATE TABLE t(id int PRIMARY KEY, v int)";
    let check = "ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0) NOT VALID";
    let pair = Pair::new(
        schema,
        &format!("INSERT INTO t VALUES (1, 1); {check}"),
        &format!("INSERT INTO t VALUES (1, 1), (2, -2); {check}"),
    );
    pair.pack(&[]);
    let before = pair.state(&pair.prod, "before");
    pair.apply(&pair.prod, &[]).fails(4, "positive");
    assert_eq!(pair.state(&pair.prod, "after"), before);
}

#[test]
fn p28_partition_route() {
    let schema = "CREATE TABLE t(id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
        CREATE TABLE t_eu PARTITION OF t FOR VALUES IN ('de', 'fr') PARTITION BY LIST (region);
        CREATE TABLE t_de PARTITION OF t_eu FOR VALUES IN ('de'); CREATE TABLE t_fr PARTITION OF t_eu FOR VALUES IN ('fr');
        CREATE TABLE t_us PARTITION OF t FOR VALUES IN ('us'); CREATE TABLE plain(a int, r text) PARTITION BY LIST (r);
        CREATE TABLE plain_x PARTITION OF plain FOR VALUES IN ('x'); CREATE TABLE plain_y PARTITION OF plain DEFAULT;
        CREATE TABLE own(id int PRIMARY KEY, k int, v text) PARTITION BY RANGE (id);
        CREATE TABLE own_1 PARTITION OF own FOR VALUES FROM (0) TO (100); CREATE TABLE own_2 PARTITION OF own DEFAULT;
        INSERT INTO t SELECT i, (ARRAY['de', 'fr', 'us'])[1 + i % 3], i FROM generate_series(1, 60) i;
        INSERT INTO plain SELECT i % 3, CASE WHEN i % 2 = 0 THEN 'x' ELSE 'z' END FROM generate_series(1, 30) i;
        INSERT INTO own SELECT i, i, 'v' FROM generate_series(1, 200, 7) i";
    changed(schema, "UPDATE t SET region = 'us' WHERE id = 3; UPDATE t SET v = 0 WHERE id < 20; DELETE FROM t WHERE id > 50;
        UPDATE plain SET r = 'x' WHERE a = 1; DELETE FROM plain WHERE a = 0; UPDATE own SET v = 'w'; UPDATE own SET id = 500 WHERE id = 8;").converges(&[]);
}

#[test]
fn p29_inheritance() {
    let schema = "CREATE TABLE p(id int PRIMARY KEY, v text); CREATE TABLE c(w text, PRIMARY KEY (id)) INHERITS (p);
        INSERT INTO p VALUES (1, 'p'), (2, 'p'); INSERT INTO c VALUES (1, 'c', 'w'), (2, 'c', 'w')";
    changed(schema, "UPDATE ONLY p SET v = 'P' WHERE id = 1; DELETE FROM ONLY p WHERE id = 2; UPDATE c SET w = 'W' WHERE id = 2; INSERT INTO c VALUES (3, 'c', NULL);").converges(&[]);
}

/// An account of its own, in prod.
fn account(pair: &Pair, rights: &str) -> (String, String) {
    let name = format!("p_{}", pair.prod.name);
    pair.prod.sql(&format!("CREATE ROLE {name} LOGIN; {}", rights.replace("ACCOUNT", &name)));
    (name.clone(), pair.prod.url().replace("tester@", &format!("{name}@")))
}

#[test]
fn p30_p31_rows_and_columns_that_an_account_may_not_see() {
    let pair = changed(NAMES, "UPDATE t SET v = 'x' WHERE id = 1;");
    pair.pack(&[]);
    let (name, url) = account(
        &pair,
        "GRANT SELECT (id), UPDATE ON t TO ACCOUNT; GRANT CREATE ON SCHEMA public TO ACCOUNT;",
    );
    let apply = ["apply", "change", "--to", &url];
    pair.lab.run(&apply).fails(3, "t");
    pair.prod.sql(&format!("GRANT ALL ON t TO {name}; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON t USING (id > 1)"));
    let output = pair.lab.run(&apply);
    assert!(output.code == 3 || output.code == 4, "{}", output.stderr);
    assert_eq!(pair.prod.sql("SELECT v FROM t WHERE id = 1"), "a\n");
    pair.prod.sql(&format!("ALTER TABLE t DISABLE ROW LEVEL SECURITY; DROP POLICY half ON t; DROP OWNED BY {name}; DROP ROLE {name}"));
}

#[test]
fn p35_many_rows_of_many_columns() {
    let columns: Vec<String> = (0..30).map(|n| format!("c{n} int")).collect();
    let values: Vec<String> = (0..30).map(|n| format!("i * {n} % 1000")).collect();
    let schema = format!("CREATE TABLE t(id int PRIMARY KEY, {})", columns.join(", "));
    let rows = |to| {
        format!("INSERT INTO t SELECT i, {} FROM generate_series(1, {to}) i", values.join(", "))
    };
    let pair = Pair::new(
        &schema,
        &rows(100),
        &format!(
            "{}; UPDATE t SET c7 = -1 WHERE id % 2 = 0; DELETE FROM t WHERE id < 9",
            rows(10_000)
        ),
    );
    pair.converges(&[]);
}

#[test]
fn p37_schema_changed() {
    let pair = changed(NAMES, "UPDATE t SET v = 'x' WHERE id = 1;");
    pair.pack(&[]);
    for drift in [
        "ALTER TABLE t ADD w int",
        "ALTER TABLE t ALTER id TYPE bigint",
        "CREATE INDEX ON t(v)",
        "ALTER TABLE t ALTER v SET DEFAULT 'q'",
    ] {
        let refused = pair.refused_after(drift, &[]);
        assert!(refused["reasons"].to_string().contains("schema"), "{drift}: {refused}");
    }
}

#[test]
fn p38_minimal_update() {
    let columns: Vec<String> = (0..40).map(|n| format!("c{n} int DEFAULT {n}")).collect();
    let schema = format!(
        "CREATE TABLE t(id int PRIMARY KEY, {}); INSERT INTO t(id) VALUES (1)",
        columns.join(", ")
    );
    let sql = changed(&schema, "UPDATE t SET c7 = 0;").converges(&[]);
    let set = sql.lines().find(|line| line.starts_with("UPDATE")).unwrap();
    assert!(set.contains("SET \"c7\" = 0 WHERE"), "{set}");
}

/// Keys that only the server takes for the same, and rows without a key.
#[test]
fn k04_k12_k14_keys_respelled_and_rows_without_any() {
    let schema = "CREATE EXTENSION citext; CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE ci(id citext PRIMARY KEY, v int); CREATE TABLE lo(id text COLLATE loose PRIMARY KEY, v int);
        CREATE TABLE n(id numeric PRIMARY KEY, v int); CREATE TABLE f(id float8 PRIMARY KEY); CREATE TABLE ch(id char(5) PRIMARY KEY, v int);
        CREATE TABLE none(a json, b float8)";
    let prod = "INSERT INTO ci VALUES ('Foo', 1), ('bar', 2); INSERT INTO lo VALUES ('Foo', 1), ('bar', 2); INSERT INTO n VALUES (1.0, 1), (2, 2);
        INSERT INTO f VALUES ('-0'), ('NaN'), (1); INSERT INTO ch VALUES ('ab', 1), ('c', 2); INSERT INTO none VALUES ('{}', 0), ('{}', 0), ('{}', 0), ('{ }', 0), (NULL, NULL)";
    let dev = "INSERT INTO ci VALUES ('foo', 1), ('bar', 3); INSERT INTO lo VALUES ('foo', 1), ('bar', 3); INSERT INTO n VALUES (1.00, 1), (2, 3);
        INSERT INTO f VALUES ('0'), ('NaN'), (2); INSERT INTO ch VALUES ('ab', 5), ('d', 2); INSERT INTO none VALUES ('{}', 0), ('{ }', 0), ('{ }', '-0'), (NULL, NULL), (NULL, NULL)";
    Pair::new(schema, prod, dev).converges(&[]);
}

/// Every type, there and back, through the binary.
#[test]
fn c01_c18_every_type_converges() {
    let pair = Pair {
        lab: crate::lab::Lab::new(),
        prod: crate::pg_lab::database(),
        dev: crate::pg_lab::database(),
    };
    crate::pg_every_type::of_every_type(&pair.prod);
    crate::pg_every_type::of_every_type(&pair.dev);
    let mut change = String::new();
    for (number, (_, values)) in crate::pg_every_type::TYPES.iter().enumerate() {
        change.push_str(&format!("UPDATE t{number} SET w = v; UPDATE t{number} SET v = NULL WHERE id = 0; DELETE FROM t{number} WHERE id = {};", values.len() - 1));
        change.push_str(&format!(
            "INSERT INTO t{number} SELECT 50, v, v FROM t{number} WHERE id = 1;"
        ));
    }
    pair.dev.sql(&change);
    pair.converges(&[]);
}

/// Large values travel beside the statements.
#[test]
fn r05_large_values() {
    let schema =
        "CREATE TABLE t(id int PRIMARY KEY, b bytea, v text, j jsonb, x text[], n numeric)";
    let rows = |of: &str, n: i32| {
        format!(
            "INSERT INTO t SELECT i, decode(repeat('{of}', 2500000), 'hex'), repeat('{of}é', 4000 + i), jsonb_build_object('a', repeat('{of}', 9000)), ARRAY[repeat('{of}\"', 9000), NULL], repeat('7', 5000)::numeric / 10 FROM generate_series(1, {n}) i"
        )
    };
    let pair = Pair::new(schema, &rows("0a", 3), &rows("0b", 4));
    let sql = pair.converges(&[]);
    assert!(sql.len() < 1 << 20, "{}", sql.len());
    let refused: Json = pair
        .refused_after("UPDATE t SET b = overlay(b placing '\\xff' from 1000) WHERE id = 2", &[]);
    assert_eq!(refused["drift"][0]["class"], "changed", "{refused}");
}
