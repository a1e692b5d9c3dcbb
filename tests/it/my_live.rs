//! Reading MySQL and MariaDB while others work: one moment, DDL kept out, rights, errors that name
//! what they are about (cases `L…`, `E…`).

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use deepdiff_db::engine::mysql::MysqlSource;
use deepdiff_db::engine::{EngineError, OpenOptions, ReadFrom, Source, SourceUrl};
use deepdiff_db::model::Value;
use deepdiff_db::model::snapshot::{Guarantee, Scope};

use crate::my_database::{Scene, scene, scenes};
use crate::sqlite_database::{Rows, block_on, spec};

async fn mysql(scene: &Scene) -> MysqlSource {
    let SourceUrl::Mysql(url) = scene.url() else { panic!() };
    MysqlSource::open(&url, &OpenOptions::default()).await.unwrap()
}

/// Runs a script without waiting for it.
fn spawn(scene: &Scene, script: &str) -> Child {
    let mut client = scene.database.server.client(&scene.database.name);
    client.args(["-e", script]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn impatient() -> OpenOptions {
    OpenOptions { busy_timeout: Duration::from_secs(1), ..OpenOptions::default() }
}

#[test]
fn e4_and_l04_ddl_waits_until_the_end() {
    for ddl in [
        "TRUNCATE t",
        "ALTER TABLE t ADD COLUMN x int",
        "DROP TABLE t",
        "RENAME TABLE t TO u",
        "ALTER TABLE t DROP COLUMN v",
    ] {
        for scene in scenes(
            "CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2);
             CREATE TABLE other(id int PRIMARY KEY);",
        ) {
            block_on(async {
                let mut source = scene.source().await;
                let mut changer = spawn(&scene, ddl);
                std::thread::sleep(Duration::from_millis(300));
                assert_eq!(changer.try_wait().unwrap(), None, "{ddl} must wait");
                let catalog = source.catalog(&Scope::default()).await.unwrap();
                let mut rows = Rows::default();
                let table = spec(&catalog, "t");
                source.read_rows(table, &ReadFrom::Start, &mut rows).await.unwrap();
                assert_eq!(rows.rows.len(), 2, "{ddl}");
                assert_eq!(source.count_rows(table).await.unwrap(), 2, "{ddl}");
                source.end().await.unwrap();
                assert!(changer.wait().unwrap().success(), "{ddl} goes on at the end");
            });
        }
    }
}

#[test]
fn e3_the_view_is_of_the_beginning() {
    for scene in scenes(
        "CREATE TABLE a(id int PRIMARY KEY, n int); CREATE TABLE b LIKE a;
         INSERT INTO a VALUES (1, 100); INSERT INTO b VALUES (1, 0);",
    ) {
        block_on(async {
            let mut source = scene.source().await;
            scene.run("BEGIN; UPDATE a SET n = 0; UPDATE b SET n = 100; INSERT INTO b VALUES (2, 2); COMMIT;");
            let catalog = source.catalog(&Scope::default()).await.unwrap();
            for (table, n) in [("b", 0), ("a", 100)] {
                let mut rows = Rows::default();
                let table = spec(&catalog, table);
                source.read_rows(table, &ReadFrom::Start, &mut rows).await.unwrap();
                assert_eq!(rows.rows, [[Value::Int(1), Value::Int(n)]]);
                assert_eq!(source.count_rows(table).await.unwrap(), 1);
            }
        });
    }
}

#[test]
fn l01_several_readers_begin_at_one_moment() {
    for scene in scenes(
        "CREATE TABLE a(id int PRIMARY KEY, n int); CREATE TABLE b LIKE a;
         INSERT INTO a VALUES (1, 100000); INSERT INTO b VALUES (1, 0);",
    ) {
        scene.run(
            "DELIMITER //
             CREATE PROCEDURE transfers() BEGIN
                 DECLARE i int DEFAULT 0;
                 WHILE i < 90000 DO
                     START TRANSACTION; UPDATE a SET n = n - 1; UPDATE b SET n = n + 1; COMMIT;
                     SET i = i + 1;
                 END WHILE;
             END //",
        );
        let mut bank = spawn(&scene, "CALL transfers();");
        std::thread::sleep(Duration::from_millis(50));
        for _ in 0..10 {
            block_on(async {
                let mut first = mysql(&scene).await;
                first.begin(3).await.unwrap();
                assert_eq!(
                    first.guarantee(),
                    Guarantee::LockedStart,
                    "{:?}",
                    first.evidence().await
                );
                let mut sources = first.take_readers();
                assert_eq!(sources.len(), 2);
                sources.push(first);
                let mut sums = Vec::new();
                for source in &mut sources {
                    let catalog = source.catalog(&Scope::default()).await.unwrap();
                    let mut amounts = Vec::new();
                    for table in ["a", "b"] {
                        let mut rows = Rows::default();
                        let table = spec(&catalog, table);
                        source.read_rows(table, &ReadFrom::Start, &mut rows).await.unwrap();
                        let Value::Int(amount) = rows.rows[0][1] else { panic!() };
                        amounts.push(amount);
                    }
                    assert_eq!(amounts[0] + amounts[1], 100_000);
                    sums.push(amounts);
                }
                assert!(sums.iter().all(|amounts| *amounts == sums[0]), "{sums:?}");
            });
        }
        let _ = bank.kill();
        bank.wait().unwrap();
    }
}

#[test]
fn l11_without_the_right_to_lock_one_reader_says_so() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1);") {
        let name = &scene.database.name;
        scene.run(&format!(
            "CREATE USER {name}@localhost IDENTIFIED BY 'geheim'; GRANT SELECT ON {name}.* TO {name}@localhost;"
        ));
        let url = scene.database.url().replacen("tester@", &format!("{name}:geheim@"), 1);
        block_on(async {
            let SourceUrl::Mysql(url) = url.parse().unwrap() else { panic!() };
            let mut source = MysqlSource::open(&url, &OpenOptions::default()).await.unwrap();
            source.begin(2).await.unwrap();
            assert_eq!(source.guarantee(), Guarantee::SingleConnection);
            assert!(source.take_readers().is_empty());
            let evidence = source.evidence().await.unwrap().join("; ");
            assert!(evidence.contains("no global read lock"), "{evidence}");
            assert!(evidence.contains("repeatable read"), "{evidence}");
            assert!(!evidence.contains("geheim"));
            assert_eq!(source.catalog(&Scope::default()).await.unwrap().tables.len(), 1);
        });
        scene.run(&format!("DROP USER {name}@localhost;"));
    }
}

#[test]
fn l12_tables_without_snapshots_are_named() {
    for scene in scenes(
        "CREATE TABLE old(id int PRIMARY KEY) ENGINE=MyISAM; CREATE TABLE new(id int PRIMARY KEY);",
    ) {
        block_on(async {
            let evidence = scene.source().await.evidence().await.unwrap();
            let named: Vec<_> = evidence.iter().filter(|line| line.contains("MyISAM")).collect();
            assert_eq!(named.len(), 1, "{evidence:?}");
            assert!(named[0].contains("`old` is not snapshot-consistent"), "{named:?}");
        });
    }
}

#[test]
fn l15_a_lock_of_someone_else_is_named() {
    for scene in
        scenes("CREATE TABLE held(id int PRIMARY KEY); CREATE TABLE free(id int PRIMARY KEY);")
    {
        let mut holder = spawn(&scene, "LOCK TABLES held WRITE; SELECT SLEEP(20);");
        let holding = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%SLEEP(20)%' AND id <> CONNECTION_ID();";
        while scene.run(holding).trim() != "1" {
            assert_eq!(holder.try_wait().unwrap(), None, "the lock could not be taken");
            std::thread::sleep(Duration::from_millis(20));
        }
        let started = Instant::now();
        let error = block_on(async {
            let mut source = Source::open(&scene.url(), &impatient()).await.unwrap();
            source.begin(1).await.unwrap_err()
        });
        let _ = holder.kill();
        holder.wait().unwrap();
        assert!(matches!(error, EngineError::Locked { .. }), "{error}");
        assert!(error.to_string().contains("`held`"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
        let list = "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%SLEEP(20)%' AND id <> CONNECTION_ID();";
        let kill = scene.run(list);
        scene.run(&kill);
    }
}

#[test]
fn l18_missing_rights_name_the_object() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, secret int); CREATE TABLE u(id int PRIMARY KEY);",
    ) {
        let name = &scene.database.name;
        let url = scene.database.url().replacen("tester@", &format!("{name}@"), 1);
        let url: SourceUrl = url.parse().unwrap();
        let catalog = |scope: Scope| {
            block_on(async {
                let mut source = Source::open(&url, &OpenOptions::default()).await?;
                source.begin(1).await?;
                source.catalog(&scope).await
            })
        };
        scene.run(&format!("CREATE USER {name}@localhost;"));
        let error = catalog(Scope::default()).unwrap_err();
        assert!(matches!(error, EngineError::Privilege { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        // One column of one table: the other must not be left out in silence.
        scene.run(&format!(
            "GRANT SELECT (id) ON {name}.t TO {name}@localhost; GRANT SELECT ON {name}.u TO {name}@localhost;
             GRANT INSERT ON {name}.t TO {name}@localhost;"
        ));
        let partial = catalog(Scope::default()).unwrap();
        let unknown: Vec<_> = partial
            .not_captured
            .iter()
            .filter(|item| item.is_unknown && item.name == "t")
            .collect();
        assert!(!unknown.is_empty(), "{:?}", partial.not_captured);
        assert_eq!(partial.tables.len(), 1, "its rows are not read in part");
        let scope = Scope { excluded_tables: vec!["t".to_owned()], ..Scope::default() };
        assert_eq!(catalog(scope).unwrap().tables.len(), 1);
        scene.run(&format!("DROP USER {name}@localhost;"));
    }
}

#[test]
fn wrong_addresses_say_what_is_wrong() {
    let scene = scene("SELECT 1;");
    let (_account, url) = scene.account();
    let open = |url: &str| {
        let error = block_on(Source::open(&url.parse().unwrap(), &OpenOptions::default()));
        let error = error.err().unwrap();
        assert!(!format!("{error} {error:?}").contains("geheim"), "{error}");
        error
    };
    let with = |password: &str| url.replacen('@', &format!(":{password}@"), 1);
    let error = open(&with("geheim-not"));
    assert!(matches!(error, EngineError::Login { .. }), "{error}");
    let right = with("geheim");
    let server = right.strip_suffix(&scene.database.name).unwrap();
    let error = open(&format!("{server}no_such_database"));
    assert!(
        matches!(error, EngineError::NotFound { .. } | EngineError::Privilege { .. }),
        "{error}"
    );
    let error = open("mysql://u:geheim@127.0.0.1:1/d");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    let error = open("mysql://u:geheim@127.0.0.1:1/");
    assert!(error.to_string().contains("names no database"), "{error}");
    let error = open(&format!("{}?ssl-mode=verify-ca", with("geheim")));
    assert!(matches!(error, EngineError::Untrusted { .. }), "{error}");
}

#[test]
fn a_server_that_goes_away_is_an_error_and_no_end() {
    let scene = scene("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1), (2);");
    block_on(async {
        let mut source = scene.source().await;
        let catalog = source.catalog(&Scope::default()).await.unwrap();
        let kill = scene.run(
            "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist
             WHERE db = DATABASE() AND id <> CONNECTION_ID();",
        );
        scene.run(&kill);
        let mut rows = Rows::default();
        let read = source.read_rows(spec(&catalog, "t"), &ReadFrom::Start, &mut rows).await;
        let error = read.unwrap_err();
        assert!(matches!(error, EngineError::Lost { .. }), "{error}");
        assert!(error.to_string().contains("table `t`"), "{error}");
    });
}
