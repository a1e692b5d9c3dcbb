//! Receipts, limits, restores and sequences of a MySQL or MariaDB database that is changed.

use deepdiff_db::engine::mysql::{MysqlDialect, MysqlTarget};
use deepdiff_db::engine::{EngineError, OpenOptions, SourceUrl};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{ObjectName, Value};

use crate::my_database::{scene, scenes};
use crate::my_statements::{with_options, with_session};
use crate::my_target::{impatient, receipt};
use crate::servers;
use crate::sqlite_database::{block_on, spec};

#[test]
fn receipts_are_part_of_the_transaction() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY)") {
        with_session(&scene, |session| {
            assert_eq!(session.receipts("a").unwrap(), []);
            session.prepare_receipts().unwrap();
            session.prepare_receipts().unwrap();
            session.begin().unwrap();
            assert!(session.prepare_receipts().is_err(), "it would commit");
            assert_eq!(session.receipts("a").unwrap(), []);
            session.write_receipt(&receipt("a", "migration")).unwrap();
            session.rollback().unwrap();
            assert_eq!(session.receipts("a").unwrap(), []);
            session.begin().unwrap();
            session.write_receipt(&receipt("a", "migration")).unwrap();
            session.write_receipt(&receipt("b", "migration")).unwrap();
            session.write_receipt(&receipt("a", "rollback")).unwrap();
            session.commit().unwrap();
            let expected = [receipt("a", "migration"), receipt("a", "rollback")];
            assert_eq!(session.receipts("a").unwrap(), expected);
            let catalog = session.catalog(&Scope::default()).unwrap();
            assert_eq!(catalog.tables.len(), 1, "receipts are no part of a state");
        });
    }
}

#[test]
fn of_two_that_apply_one_waits_for_the_receipt_of_the_other() {
    for scene in scenes("") {
        with_session(&scene, |session| {
            session.prepare_receipts().unwrap();
            session.begin().unwrap();
            session.write_receipt(&receipt("first", "migration")).unwrap();
            session.commit().unwrap();
            session.begin().unwrap();
            assert_eq!(session.receipts("a").unwrap(), []);
            let other = || {
                with_options(&scene, &impatient(), |other| {
                    other.begin().unwrap();
                    let error = other.receipts("a").unwrap_err();
                    assert!(matches!(error, EngineError::Locked { .. }), "{error:?}");
                    other.rollback().unwrap();
                });
            };
            std::thread::scope(|scope| scope.spawn(other).join().unwrap());
            session.rollback().unwrap();
        });
    }
}

#[test]
fn receipts_need_rights_that_are_tried_beforehand() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY)") {
        let name = &scene.database.name;
        let (_account, url) = scene.account();
        scene.run(&format!(
            "REVOKE ALL ON {name}.* FROM {name}@'%'; GRANT SELECT ON {name}.* TO {name}@'%';"
        ));
        let url = url.replacen('@', ":geheim@", 1);
        let SourceUrl::Mysql(url) = url.parse().unwrap() else { panic!() };
        let prepare = || {
            block_on(async {
                let mut target = MysqlTarget::open(&url, &OpenOptions::default()).await.unwrap();
                let prepared = target.session().await.unwrap().prepare_receipts();
                target.close().await.unwrap();
                prepared
            })
        };
        let error = prepare().unwrap_err();
        assert!(matches!(error, EngineError::Privilege { .. }), "{error:?}");
        with_session(&scene, |session| session.prepare_receipts().unwrap());
        let error = prepare().unwrap_err();
        assert!(matches!(error, EngineError::Privilege { .. }), "{error:?}");
        scene.run(&format!("GRANT INSERT, UPDATE ON {name}._deepdiff_receipts TO {name}@'%';"));
        prepare().unwrap();
    }
}

#[test]
fn p34_packets_stay_below_the_limit() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY, v longtext)") {
        with_session(&scene, |session| {
            let longest = session.longest_statement().unwrap().unwrap();
            assert!(longest > 1 << 20 && longest <= 1 << 30, "{longest}");
            session.begin().unwrap();
            let catalog = session.catalog(&Scope::default()).unwrap();
            let mut loader = session.loader(spec(&catalog, "t")).unwrap();
            for id in 0..3000 {
                let text = "'".repeat(if id == 7 { 20_000_000 } else { 1000 });
                loader.push(&[Value::Int(id), Value::Text(text)]).unwrap();
            }
            assert!(loader.push(&[Value::Int(1)]).is_err());
            loader.finish().unwrap();
            session.commit().unwrap();
        });
        let sums =
            scene.run("SELECT COUNT(*), SUM(LENGTH(v)), SUM(v = REPEAT('''', LENGTH(v))) FROM t");
        assert_eq!(sums, "3000\t22999000\t3000\n");
    }
}

#[test]
fn a_restore_fills_tables_in_any_order_and_checks_again_after() {
    for scene in scenes(
        "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p(id));",
    ) {
        let catalog = scene.catalog();
        with_session(&scene, |session| {
            for end in ["commit", "rollback"] {
                session.begin_restore().unwrap();
                let mut loader = session.loader(spec(&catalog, "c")).unwrap();
                loader.push(&[Value::Int(1), Value::Int(1)]).unwrap();
                loader.finish().unwrap();
                let mut loader = session.loader(spec(&catalog, "p")).unwrap();
                loader.push(&[Value::Int(1)]).unwrap();
                loader.finish().unwrap();
                if end == "commit" {
                    session.commit().unwrap();
                } else {
                    session.rollback().unwrap();
                }
                let error = session.execute("INSERT INTO c VALUES (2, 2)").unwrap_err();
                assert!(matches!(error, EngineError::Constraint { .. }), "{error:?}");
                session.execute("DELETE FROM c").unwrap();
                session.execute("DELETE FROM p").unwrap();
            }
        });
    }
}

#[test]
fn p24_sequences_are_raised_and_never_lowered() {
    let scene = scene(
        "CREATE SEQUENCE s CACHE 10; CREATE SEQUENCE down START WITH 100 INCREMENT BY -1 MINVALUE 1 MAXVALUE 200; CREATE TABLE t(id int PRIMARY KEY);",
    );
    let catalog = scene.catalog();
    let raise = |name: &str, position| {
        MysqlDialect.raise_sequence(&ObjectName::bare(name), position, &catalog.facts).remove(0)
    };
    with_session(&scene, |session| {
        session.begin().unwrap();
        session.execute("INSERT INTO t VALUES (1)").unwrap();
        session.execute(&raise("s", 500)).unwrap();
        session.execute(&raise("s", 20)).unwrap();
        session.execute(&raise("down", 50)).unwrap();
        session.execute(&raise("down", 70)).unwrap();
        // It commits nothing.
        session.rollback().unwrap();
    });
    assert_eq!(
        scene.run("SELECT NEXTVAL(s), NEXTVAL(down); SELECT COUNT(*) FROM t"),
        "501\t49\n0\n"
    );
}

#[test]
fn native_clients_stop_even_where_they_are_told_to_go_on() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)") {
        let rest = "DELETE FROM t WHERE id = 1;\nINSERT INTO t VALUES (2);\nCOMMIT;\nINSERT INTO t VALUES (3);\n\
                    START TRANSACTION;\nINSERT INTO t VALUES (4);\nCOMMIT;\nCREATE TABLE u(id int);\nTRUNCATE t;\n";
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{}{rest}", MysqlDialect.client_stop())).unwrap();
        for force in [false, true] {
            let mut client = scene.database.server.client(&scene.database.name);
            if force {
                client.arg("--force");
            }
            let output = client.stdin(std::fs::File::open(file.path()).unwrap()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("deepdiff-db apply"), "{said}");
            assert!(!output.status.success() || force, "{said}");
            assert_eq!(scene.run("SELECT * FROM t; SHOW TABLES"), "1\nt\n", "{force}");
        }
    }
}

#[test]
fn a_database_that_is_not_there_is_refused() {
    let url = servers::mariadb().url("no_such_database_at_all");
    let SourceUrl::Mysql(url) = url.parse().unwrap() else { panic!() };
    let opened = block_on(MysqlTarget::open(&url, &OpenOptions::default()));
    assert!(matches!(opened, Err(EngineError::NotFound { .. })));
}
