//! A MySQL or MariaDB database that is changed: transactions, locks, errors that say what became of
//! them, receipts, lookups by key (`traps.md` D, cases R09 and R10).

use std::time::{Duration, Instant};

use deepdiff_db::engine::{EngineError, OpenOptions, ReadFrom, Receipt};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{KeyColumn, KeyMatching, Value};

use crate::my_database::{Scene, scene, scenes};
use crate::my_statements::{with_options, with_session};
use crate::sqlite_database::{Rows, spec};

pub fn impatient() -> OpenOptions {
    OpenOptions { busy_timeout: Duration::from_secs(1), ..OpenOptions::default() }
}

pub fn receipt(pack: &str, direction: &str) -> Receipt {
    Receipt {
        pack: pack.to_owned(),
        target: "mysql:x/é'\\".to_owned(),
        direction: direction.to_owned(),
        at: "2026-01-02T03:04:05Z".to_owned(),
        statements: 7,
    }
}

/// Somebody else's session, in a transaction, until it is dropped.
struct Other {
    child: std::process::Child,
}

impl Other {
    /// Runs a script, and stays there once it has printed a line.
    fn after(scene: &Scene, script: &str) -> Other {
        use std::io::{BufRead as _, Write as _};
        let mut client = scene.database.server.client(&scene.database.name);
        let mut child = client
            .arg("--unbuffered")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.as_mut().unwrap();
        writeln!(stdin, "{script} SELECT 'there';").unwrap();
        stdin.flush().unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        while lines.next().is_some_and(|line| line.unwrap() != "there") {}
        Other { child }
    }

    fn say(&mut self, script: &str) {
        use std::io::Write as _;
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{script}").unwrap();
        stdin.flush().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn transactions_begin_commit_and_roll_back() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY)") {
        with_session(&scene, |session| {
            assert!(!session.is_in_transaction());
            session.rollback().unwrap();
            session.begin().unwrap();
            assert!(session.is_in_transaction());
            assert!(session.begin().is_err(), "another would commit this one");
            session.execute("INSERT INTO t VALUES (1)").unwrap();
            session.rollback().unwrap();
            session.begin().unwrap();
            session.execute("INSERT INTO t VALUES (2)").unwrap();
            session.commit().unwrap();
            assert!(!session.is_in_transaction());
            assert!(session.commit().is_err());
            session.begin().unwrap();
            session.execute("INSERT INTO t VALUES (3)").unwrap();
            // Closing rolls back.
        });
        assert_eq!(scene.run("SELECT * FROM t"), "2\n");
    }
}

#[test]
fn the_session_is_pinned_whatever_the_server_says() {
    let variables = "CONCAT_WS(' ', @@foreign_key_checks + 0, @@unique_checks + 0, @@time_zone, @@autocommit + 0, @@sql_safe_updates + 0, @@completion_type, @@innodb_lock_wait_timeout, @@lock_wait_timeout)";
    for scene in scenes("CREATE TABLE t(v varchar(200), m varchar(200))") {
        with_options(&scene, &impatient(), |session| {
            let now = format!("INSERT INTO t VALUES ({variables}, @@sql_mode)");
            session.begin().unwrap();
            session.catalog(&Scope::default()).unwrap();
            session.execute(&now).unwrap();
            session.commit().unwrap();
        });
        assert_eq!(
            scene.run("SELECT * FROM t"),
            "1 1 +00:00 1 0 NO_CHAIN 1 1\tNO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION\n"
        );
    }
}

#[test]
fn p39_rows_are_counted_that_are_found() {
    for scene in
        scenes("CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)")
    {
        with_session(&scene, |session| {
            assert_eq!(session.execute("UPDATE t SET v = 1 WHERE id = 1").unwrap(), 1);
            assert_eq!(session.execute("UPDATE t SET v = 1 WHERE id = 3").unwrap(), 0);
            let (counts, result) =
                session.execute_each(&["UPDATE t SET v = v", "UPDATE t SET v = v LIMIT 1"]);
            result.unwrap();
            assert_eq!(counts, [2, 1]);
        });
    }
}

#[test]
fn many_statements_run_until_one_fails() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY, v int)") {
        with_session(&scene, |session| {
            session.begin().unwrap();
            let inserts: Vec<String> = (0..2500)
                .map(|id| format!("INSERT INTO t VALUES ({id}, 0), (-{id} - 1, 0);"))
                .collect();
            let inserts: Vec<&str> = inserts.iter().map(String::as_str).collect();
            let (counts, result) = session.execute_each(&inserts);
            result.unwrap();
            assert_eq!(counts, vec![2; 2500]);
            let (counts, result) = session.execute_each(&[
                "DELETE FROM t WHERE id = 1 -- one",
                "DO 1",
                "SELECT 1",
                "INSERT INTO t VALUES (0, 0)",
                "DELETE FROM t",
            ]);
            assert_eq!(counts, [1, 0, 0]);
            let error = result.unwrap_err();
            assert!(matches!(error, EngineError::Constraint { .. }), "{error}");
            assert!(error.to_string().contains("run `INSERT INTO t VALUES (0, 0)` on"), "{error}");
            // The session goes on, and the transaction with it.
            assert!(session.is_in_transaction());
            assert_eq!(session.execute("DELETE FROM t").unwrap(), 4999);
            session
                .execute_script(
                    "INSERT INTO t VALUES (1, 1); INSERT INTO t VALUES (2, 2);\n-- the end\n",
                )
                .unwrap();
            session.execute_script("").unwrap();
            session.commit().unwrap();
        });
        assert_eq!(scene.run("SELECT COUNT(*) FROM t"), "2\n");
    }
}

#[test]
fn errors_have_their_kinds() {
    for scene in scenes(
        "CREATE TABLE p(id int PRIMARY KEY) ENGINE=InnoDB;
         CREATE TABLE t(id int PRIMARY KEY, n int NOT NULL, v varchar(3), d date, u tinyint unsigned, p int, FOREIGN KEY (p) REFERENCES p(id));
         CREATE TABLE r(id int) PARTITION BY LIST(id) (PARTITION a VALUES IN (1));
         INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1, NULL, NULL, NULL, 1);
         CREATE TABLE g(id int);
         CREATE TRIGGER g BEFORE INSERT ON g FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no';",
    ) {
        with_session(&scene, |session| {
            session.begin().unwrap();
            for refused in [
                "INSERT INTO t(id, n) VALUES (1, 1)",
                "INSERT INTO t(id, n) VALUES (2, NULL)",
                "INSERT INTO t(id) VALUES (2)",
                "INSERT INTO t(id, n, v) VALUES (2, 2, 'long')",
                "INSERT INTO t(id, n, v) VALUES (2, 2, x'ff')",
                "INSERT INTO t(id, n, d) VALUES (2, 2, 'x')",
                "INSERT INTO t(id, n, u) VALUES (2, 2, -1)",
                "INSERT INTO t(id, n, u) VALUES ('x', 2, -1)",
                "INSERT INTO t(id, n, p) VALUES (2, 2, 2)",
                "DELETE FROM p",
                "INSERT INTO g VALUES (1)",
                "INSERT INTO r VALUES (2)",
            ] {
                let error = session.execute(refused).unwrap_err();
                assert!(matches!(error, EngineError::Constraint { .. }), "{refused}: {error:?}");
            }
            assert!(session.is_in_transaction());
            let error = session.execute("SELEKT").unwrap_err();
            assert!(matches!(error, EngineError::Server { code: 1064, .. }), "{error:?}");
            session.rollback().unwrap();
        });
    }
}

#[test]
fn c2_mariadb_checks_are_constraints() {
    let scene = scene("CREATE TABLE t(id int PRIMARY KEY, CHECK (id > 0))");
    with_session(&scene, |session| {
        let error = session.execute("INSERT INTO t VALUES (0)").unwrap_err();
        assert!(matches!(error, EngineError::Constraint { .. }), "{error:?}");
    });
}

#[test]
fn p23_the_id_0_stays_0() {
    for scene in scenes("CREATE TABLE t(id int AUTO_INCREMENT PRIMARY KEY)") {
        with_session(&scene, |session| {
            session.begin().unwrap();
            session.execute("INSERT INTO t VALUES (0), (-1), (500)").unwrap();
            session.commit().unwrap();
        });
        assert_eq!(
            scene.run("INSERT INTO t VALUES (NULL); SELECT id FROM t ORDER BY id"),
            "-1\n0\n500\n501\n"
        );
    }
}

#[test]
fn r10_a_lock_of_another_is_waited_for_as_long_as_told() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)") {
        for (hold, attempt) in [
            ("BEGIN; UPDATE t SET v = 2;", "UPDATE t SET v = 3"),
            ("LOCK TABLES t WRITE;", "UPDATE t SET v = 3"),
        ] {
            let other = Other::after(&scene, hold);
            with_options(&scene, &impatient(), |session| {
                session.begin().unwrap();
                let start = Instant::now();
                let error = session.execute(attempt).unwrap_err();
                assert!(matches!(error, EngineError::Locked { .. }), "{hold}: {error:?}");
                assert!(start.elapsed() < Duration::from_secs(5));
                session.rollback().unwrap();
            });
            drop(other);
        }
        assert_eq!(scene.run("SELECT v FROM t"), "1\n");
    }
}

#[test]
fn r09_a_deadlock_ends_the_transaction_and_nothing_runs_after_it() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2);
         CREATE TABLE w(id int PRIMARY KEY); INSERT INTO w VALUES (1), (2), (3), (4), (5), (6), (7), (8);",
    ) {
        // The one that changed more rows lives.
        let mut other = Other::after(
            &scene,
            "BEGIN; DELETE FROM w; UPDATE t SET v = 20 WHERE id = 2;",
        );
        with_session(&scene, |session| {
            session.begin().unwrap();
            session.execute("UPDATE t SET v = 10 WHERE id = 1").unwrap();
            other.say("UPDATE t SET v = 10 WHERE id = 1;");
            std::thread::sleep(Duration::from_millis(300));
            let error = session.execute("UPDATE t SET v = 20 WHERE id = 2").unwrap_err();
            assert!(matches!(error, EngineError::Contention { .. }), "{error:?}");
            assert!(!session.is_in_transaction());
            // Alone it would commit.
            let error = session.execute("INSERT INTO t VALUES (3, 3)").unwrap_err();
            assert!(matches!(error, EngineError::Contention { .. }), "{error:?}");
            assert!(session.commit().is_err());
            session.rollback().unwrap();
            drop(other);
            session.begin().unwrap();
            assert_eq!(session.execute("UPDATE t SET v = 7").unwrap(), 2);
            session.commit().unwrap();
        });
        assert_eq!(scene.run("SELECT id, v FROM t"), "1\t7\n2\t7\n");
    }
}

#[test]
fn a_lost_connection_leaves_nothing_and_is_told() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY)") {
        with_session(&scene, |session| {
            session.begin().unwrap();
            session.execute("INSERT INTO t VALUES (1)").unwrap();
            let id = scene.run(
                "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()",
            );
            scene.run(&format!("KILL {id}"));
            std::thread::sleep(Duration::from_millis(200));
            let error = session.execute("INSERT INTO t VALUES (2)").unwrap_err();
            assert!(matches!(error, EngineError::Lost { .. }), "{error:?}");
            assert!(!session.is_in_transaction());
            session.rollback().unwrap();
            assert!(session.begin().is_err());
        });
        assert_eq!(scene.run("SELECT COUNT(*) FROM t"), "0\n");
    }
}

#[test]
fn p32_tables_without_transactions_are_refused_by_name() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY); CREATE TABLE m(id int PRIMARY KEY) ENGINE=MyISAM",
    ) {
        with_session(&scene, |session| {
            session.begin().unwrap();
            let catalog = session.catalog(&Scope::default()).unwrap();
            session.lock_tables(&[spec(&catalog, "t")]).unwrap();
            let error =
                session.lock_tables(&[spec(&catalog, "t"), spec(&catalog, "m")]).unwrap_err();
            assert!(error.to_string().contains("table `m` is of engine MyISAM"), "{error}");
            session.rollback().unwrap();
        });
    }
}

#[test]
fn d30_tables_keep_their_shape_once_the_catalog_is_read() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)") {
        for ddl in [
            "TRUNCATE t",
            "ALTER TABLE t ADD x int",
            "DROP TABLE t",
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
        ] {
            with_session(&scene, |session| {
                session.begin().unwrap();
                let catalog = session.catalog(&Scope::default()).unwrap();
                let attempt = format!("SET lock_wait_timeout = 1; {ddl}");
                let tried = scene.database.server.try_run(&scene.database.name, &attempt);
                assert!(!tried.status.success(), "{ddl}");
                // And once more in the same transaction, which is not ended by it.
                session.execute("INSERT INTO t VALUES (2)").unwrap();
                session.catalog(&Scope::default()).unwrap();
                assert_eq!(session.count_rows(spec(&catalog, "t")).unwrap(), 2);
                session.rollback().unwrap();
            });
        }
    }
}

#[test]
fn rows_are_found_by_key_as_they_were_committed_last_and_locked() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
    ) {
        let catalog = scene.catalog();
        let table = spec(&catalog, "t");
        with_session(&scene, |session| {
            session.begin().unwrap();
            // A view is open, in which the row stays as it was.
            let mut before = Rows::default();
            session.read_rows(table, &ReadFrom::Start, &mut before).unwrap();
            scene.run("UPDATE t SET v = 20 WHERE id = 2");
            let mut rows = Rows::default();
            let keys = [vec![Value::Int(2)], vec![Value::Int(9)], vec![Value::Int(1)]];
            session.rows_by_keys(table, &keys, &mut rows).unwrap();
            rows.rows.sort_by_key(|row| row[0] == Value::Int(2));
            assert_eq!(
                rows.rows,
                [[Value::Int(1), Value::Int(1)], [Value::Int(2), Value::Int(20)]]
            );
            let blocked = "SET innodb_lock_wait_timeout = 1; UPDATE t SET v = 0 WHERE id = 2";
            let tried = scene.database.server.try_run(&scene.database.name, blocked);
            assert!(!tried.status.success());
            scene.run("UPDATE t SET v = 30 WHERE id = 3");
            session.execute("UPDATE t SET v = 21 WHERE id = 2").unwrap();
            let mut rows = Rows::default();
            session.rows_by_keys(table, &keys[..1], &mut rows).unwrap();
            assert_eq!(rows.rows, [[Value::Int(2), Value::Int(21)]]);
            session.rows_by_keys(table, &[], &mut rows).unwrap();
            session.rollback().unwrap();
        });
    }
}

#[test]
fn lookups_by_key_use_its_index() {
    for scene in scenes(
        "CREATE TABLE p(a int, b varchar(9) COLLATE utf8mb4_general_ci, v int, PRIMARY KEY(b, a), KEY(v));
         CREATE TABLE u(a varchar(9) NOT NULL, b date NOT NULL, c int, UNIQUE x(a, b));
         CREATE TABLE e(e enum('z','a') PRIMARY KEY, v int);
         CREATE TABLE l(l varchar(9) CHARACTER SET latin1 PRIMARY KEY, v int);
         CREATE TABLE w(w varchar(9) CHARACTER SET ucs2 PRIMARY KEY, v int);
         CREATE TABLE f(f float PRIMARY KEY, v int);
         CREATE TABLE y(y year, d decimal(5,2), t time(3), s timestamp NOT NULL DEFAULT '2001-01-01 00:00:00', PRIMARY KEY(y, d, t, s), v int);
         INSERT INTO p SELECT s.a * 1000 + t.a, CONCAT('x', s.a), 0 FROM (SELECT 1 a UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) s,
             (SELECT 1 a UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) t;
         INSERT INTO u SELECT b, DATE_ADD('2001-01-01', INTERVAL a DAY), a FROM p;
         INSERT INTO e VALUES ('z', 1), ('a', 2);
         INSERT INTO l SELECT a, a FROM p; INSERT INTO w SELECT a, a FROM p; INSERT INTO f SELECT a / 10, a FROM p;
         INSERT INTO y SELECT 2001, a / 100, '01:02:03.5', '2001-01-01 00:00:01', a FROM p;
         ANALYZE TABLE p, u, e, l, w, f, y;",
    ) {
        let catalog = scene.catalog();
        let text = |text: &str| Value::Text(text.to_owned());
        with_session(&scene, |session| {
            for (name, size) in [("p", 36), ("u", 36), ("e", 2), ("l", 36), ("w", 36), ("f", 36), ("y", 36)] {
                session.begin().unwrap();
                let table = spec(&catalog, name);
                let mut all = Rows::default();
                session.read_rows(table, &ReadFrom::Start, &mut all).unwrap();
                assert_eq!(all.rows.len(), size);
                let places: Vec<usize> = table
                    .key
                    .column_names()
                    .iter()
                    .map(|name| table.columns.iter().position(|column| column.name == *name).unwrap())
                    .collect();
                let key = |row: &Vec<Value>| places.iter().map(|&place| row[place].clone()).collect();
                let keys: Vec<Vec<Value>> = all.rows.iter().map(key).collect();
                let mut found = Rows::default();
                session.rows_by_keys(table, &keys, &mut found).unwrap();
                assert_eq!(found.rows.len(), size, "{name}");
                session.rollback().unwrap();
                // Two of the rows, with what it took to find them beside what asking takes.
                let reads = |keys: &[Vec<Value>]| {
                    session.begin().unwrap();
                    session.execute("FLUSH STATUS").unwrap();
                    let mut found = Rows::default();
                    session.rows_by_keys(table, keys, &mut found).unwrap();
                    assert_eq!(found.rows.len(), keys.len(), "{name}");
                    session.rollback().unwrap();
                    handler_reads(session, &scene)
                };
                reads(&keys[..1]);
                let read = reads(&keys[..2]).saturating_sub(reads(&[]));
                let server = &scene.database.server.name;
                assert!(read < 8, "{name} on {server}: {read} rows read for two keys");
            }
            // The server's equality may find others.
            session.begin().unwrap();
            let mut found = Rows::default();
            session.rows_by_keys(spec(&catalog, "p"), &[vec![text("X1"), Value::Int(1001)]], &mut found).unwrap();
            assert_eq!(found.rows.len(), 1);
            session.rollback().unwrap();
        });
    }
}

/// How many rows the session read one after the other since its counters were set back.
fn handler_reads(session: &deepdiff_db::engine::mysql::MysqlSession<'_>, scene: &Scene) -> u64 {
    let place = match scene.database.server.name.starts_with("mariadb") {
        true => "information_schema.SESSION_STATUS",
        false => "performance_schema.session_status",
    };
    session
        .execute(&format!(
            "CREATE TABLE IF NOT EXISTS handlers(n bigint) SELECT SUM(VARIABLE_VALUE) AS n FROM {place} \
             WHERE VARIABLE_NAME IN ('Handler_read_next', 'Handler_read_rnd_next', 'Handler_read_key')"
        ))
        .unwrap();
    let read = scene.run("SELECT n FROM handlers; DROP TABLE handlers;");
    read.trim().parse().unwrap()
}

#[test]
fn children_are_found_by_the_servers_equality() {
    for scene in scenes(
        "CREATE TABLE p(id varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY);
         CREATE TABLE c(id int PRIMARY KEY, p varchar(9) COLLATE utf8mb4_general_ci, FOREIGN KEY (p) REFERENCES p(id));
         INSERT INTO p VALUES ('Foo'), ('bar'); INSERT INTO c VALUES (1, 'foo'), (2, 'FOO'), (3, 'bar'), (4, NULL), (5, 'Foo');",
    ) {
        let catalog = scene.catalog();
        let child = spec(&catalog, "c");
        let columns = [KeyColumn { name: "p".to_owned(), matching: KeyMatching::Unknown }];
        with_session(&scene, |session| {
            session.begin().unwrap();
            let key = [Value::Text("Foo".to_owned())];
            let mut rows = Rows::default();
            session.referencing_rows(child, &columns, &key, 10, &mut rows).unwrap();
            assert_eq!(rows.rows.len(), 3);
            let mut rows = Rows::default();
            let end = session.referencing_rows(child, &columns, &key, 2, &mut rows).unwrap();
            assert_eq!(end.rows, 2);
            assert!(session.referencing_rows(child, &columns, &[], 2, &mut rows).is_err());
            session.rollback().unwrap();
        });
    }
}
