//! Statements for MySQL and MariaDB beyond single values: rows without keys, large values, names,
//! columns that the server would set, and the text itself.

use deepdiff_db::engine::mysql::MysqlDialect;
use deepdiff_db::engine::{EngineError, LargeKind, Operand, RowGuard, RowUpdate};
use deepdiff_db::model::{ObjectName, Value};

use crate::my_database::{scene, scenes};
use crate::my_statements::{cells, with_session, writer};
use crate::sqlite_database::Rows;

#[test]
fn p21_columns_that_the_server_would_set_are_kept() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v int, ts timestamp(6) NOT NULL
             DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), dt datetime ON UPDATE CURRENT_TIMESTAMP);
         INSERT INTO t VALUES (1, 1, '2001-02-03 04:05:06.789', NULL);",
    ) {
        let catalog = scene.catalog();
        let (spec, statements) = writer(&catalog, "t");
        let update = with_session(&scene, |session| {
            session.begin().unwrap();
            let mut found = Rows::default();
            session.read_rows(&spec, &deepdiff_db::engine::ReadFrom::Start, &mut found).unwrap();
            let row = RowGuard { key: vec![Value::Int(1)], before: cells(&spec, &found.rows[0]) };
            let changes = vec![("v", Operand::Literal(&Value::Int(2)))];
            let update = statements.update(&[RowUpdate { row, changes }]).unwrap();
            assert_eq!(session.execute(&update).unwrap(), 1);
            session.commit().unwrap();
            update
        });
        assert_eq!(
            update,
            "UPDATE `t` SET `v` = 2, `dt` = `dt`, `ts` = `ts` WHERE `id` = 1 AND `dt` IS NULL AND \
             `ts` = '2001-02-03 04:05:06.789000' AND `v` = 1"
        );
        let now = scene.run("SELECT v, dt, ts FROM t");
        assert_eq!(now, "2\tNULL\t2001-02-03 04:05:06.789000\n");
    }
}

#[test]
fn rows_without_a_key_go_and_come_by_number() {
    for scene in scenes(
        "CREATE TABLE t(a varchar(9), b mediumblob, f float); INSERT INTO t VALUES ('x', 'y', 0.1), ('x', 'y', 0.1),
             ('x', 'y', 0.1), ('X', 'y', 0.1), ('x', 'y', 0.10000001), (NULL, NULL, NULL), (NULL, NULL, NULL);",
    ) {
        let catalog = scene.catalog();
        let (spec, statements) = writer(&catalog, "t");
        with_session(&scene, |session| {
            session.begin().unwrap();
            let row = [
                Value::Text("x".to_owned()),
                Value::Bytes(b"y".to_vec()),
                Value::Float32(0.1f32.to_bits()),
            ];
            let run = |sql: Result<String, EngineError>| session.execute(&sql.unwrap()).unwrap();
            assert_eq!(run(statements.delete_equal(&cells(&spec, &row), 2)), 2);
            assert_eq!(run(statements.delete_equal(&cells(&spec, &row), 2)), 1);
            let nulls = [Value::Null, Value::Null, Value::Null];
            assert_eq!(run(statements.delete_all_equal(&cells(&spec, &nulls))), 2);
            for count in [1, 2, 10, 11, 12_345] {
                assert_eq!(run(statements.insert_copies(&cells(&spec, &row), count)), count);
                assert_eq!(run(statements.delete_all_equal(&cells(&spec, &row))), count);
            }
            let bound = |bytes| Operand::Bound { kind: LargeKind::Bytes, bytes, parameter: "?" };
            let large = vec![0xfe; 100_000];
            let cells = [("a", Operand::Literal(&row[0])), ("b", bound(100_000)), ("f", Operand::Literal(&row[2]))];
            let sql = statements.insert_copies(&cells, 25).unwrap();
            let parameters: &[(LargeKind, &[u8])] = &[(LargeKind::Bytes, &large)];
            assert_eq!(session.execute_with(&sql, parameters).unwrap(), 25);
            assert_eq!(run(statements.delete_equal(&cells, 30)), 25);
            session.rollback().unwrap();
        });
    }
}

#[test]
fn large_values_are_guarded_by_length_and_bound_as_they_are() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, l mediumtext CHARACTER SET latin1, u mediumtext, w mediumtext CHARACTER SET ucs2, b longblob);
         INSERT INTO t VALUES (1, REPEAT('é', 5000), REPEAT('é', 5000), REPEAT('é', 5000), REPEAT('é', 5000));",
    ) {
        let catalog = scene.catalog();
        let (spec, statements) = writer(&catalog, "t");
        with_session(&scene, |session| {
            session.begin().unwrap();
            let mut found = Rows::default();
            session.rows_by_keys(&spec, &[vec![Value::Int(1)]], &mut found).unwrap();
            let row = &found.rows[0];
            let lengths = "LENGTH(`b`) = 10000 AND LENGTH(`l`) = 5000 AND LENGTH(`u`) = 10000 AND \
                           LENGTH(`w`) = 10000";
            let guard = RowGuard { key: vec![Value::Int(1)], before: cells(&spec, row) };
            let delete = statements.delete(std::slice::from_ref(&guard)).unwrap();
            assert_eq!(delete, format!("DELETE FROM `t` WHERE `id` = 1 AND {lengths}"));
            let bound = |kind, bytes| Operand::Bound { kind, bytes, parameter: "?" };
            let (text, bytes) = (LargeKind::Text, LargeKind::Bytes);
            let latin: Vec<u8> = (0x20..=0xff).cycle().take(70_000).collect();
            let utf8 = "é😀\\'\0".repeat(9000).into_bytes();
            let wide: Vec<u8> = "aé".encode_utf16().flat_map(u16::to_be_bytes).collect();
            let wide = wide.repeat(20_000);
            let blob: Vec<u8> = (0..=255).cycle().take(200_000).collect();
            let changes = vec![
                ("l", bound(text, 70_000)), ("u", bound(text, utf8.len() as u64)), ("w", bound(text, wide.len() as u64)),
                ("b", bound(bytes, 200_000)),
            ];
            let update = statements.update(&[RowUpdate { row: guard, changes }]).unwrap();
            let parameters: &[(LargeKind, &[u8])] =
                &[(text, &latin), (text, &utf8), (text, &wide), (bytes, &blob)];
            assert_eq!(session.execute_with(&update, parameters).unwrap(), 1, "{update}");
            let mut found = Rows::default();
            session.rows_by_keys(&spec, &[vec![Value::Int(1)]], &mut found).unwrap();
            let raw = |charset: &str, bytes: &[u8]| Value::RawText { charset: charset.to_owned(), bytes: bytes.to_vec() };
            let expected = [
                Value::Bytes(blob), Value::Int(1), raw("latin1", &latin),
                Value::Text(String::from_utf8(utf8).unwrap()), raw("ucs2", &wide),
            ];
            assert!(found.rows[0] == expected);

            // The same through the loader, which binds them too.
            session.execute("DELETE FROM t").unwrap();
            let mut loader = session.loader(&spec).unwrap();
            loader.push(&expected).unwrap();
            let mut second = expected.clone();
            second[1] = Value::Int(2);
            loader.push(&second).unwrap();
            loader.finish().unwrap();
            let mut found = Rows::default();
            session.rows_by_keys(&spec, &[vec![Value::Int(1)], vec![Value::Int(2)]], &mut found).unwrap();
            assert!(found.rows == [expected.to_vec(), second.to_vec()]);
            session.rollback().unwrap();
        });
    }
}

#[test]
fn c24_names_and_values_full_of_quotes() {
    for scene in scenes("CREATE TABLE `a``b?';--`(id int PRIMARY KEY, `x``y'?\"` text, `?` int);") {
        let catalog = scene.catalog();
        let (spec, statements) = writer(&catalog, "a`b?';--");
        with_session(&scene, |session| {
            session.begin().unwrap();
            let storm = [
                "'", "\\", "\\'", "\"", "`", "$$", ":x", "?", ";--", "\n", "\u{2028}", "\\!", "/*",
                "#",
            ];
            let all: Vec<Vec<Value>> = storm
                .iter()
                .zip(0..)
                .map(|(text, id)| {
                    vec![Value::Int(1), Value::Int(id), Value::Text((*text).to_owned())]
                })
                .collect();
            let insert: Vec<_> = all.iter().map(|row| cells(&spec, row)).collect();
            session.execute(&statements.insert(&insert).unwrap()).unwrap();
            let deletes: Vec<String> = all
                .iter()
                .map(|row| RowGuard { key: vec![row[1].clone()], before: cells(&spec, row) })
                .map(|row| statements.delete(&[row]).unwrap())
                .collect();
            let deletes: Vec<&str> = deletes.iter().map(String::as_str).collect();
            let (counts, result) = session.execute_each(&deletes);
            result.unwrap();
            assert_eq!(counts, vec![1; storm.len()]);
            session.rollback().unwrap();
        });
    }
}

#[test]
fn the_text_of_statements() {
    let scene = scene(
        "CREATE TABLE t(id int PRIMARY KEY, v varchar(9)); CREATE SEQUENCE s; CREATE SEQUENCE d INCREMENT -2 START WITH 100 MINVALUE 1 MAXVALUE 200;",
    );
    let catalog = scene.catalog();
    let (spec, statements) = writer(&catalog, "t");
    let rows = [[Value::Int(1), Value::Text("it's".to_owned())], [Value::Int(2), Value::Null]];
    let both: Vec<_> = rows.iter().map(|row| cells(&spec, row)).collect();
    assert_eq!(
        statements.insert(&both).unwrap(),
        "INSERT INTO `t` (`id`, `v`) VALUES\n(1, 'it''s'),\n(2, NULL)"
    );
    assert_eq!(
        statements.insert(&both[..1]).unwrap(),
        "INSERT INTO `t` (`id`, `v`) VALUES (1, 'it''s')"
    );
    let delete = |key: Vec<Value>, row| statements.delete(&[RowGuard { key, before: row }]);
    assert_eq!(
        delete(vec![Value::Int(1)], both[0].clone()).unwrap(),
        "DELETE FROM `t` WHERE `id` = 1 AND CAST(`v` AS BINARY) = 'it''s'"
    );
    // No condition, no statement.
    assert!(delete(Vec::new(), both[0].clone()).is_err());
    assert!(statements.delete_all_equal(&[]).is_err());
    assert!(statements.insert(&[]).is_err());
    let sequence =
        |name: &str| MysqlDialect.raise_sequence(&ObjectName::bare(name), 5, &catalog.facts);
    assert_eq!(sequence("s"), ["DO SETVAL(`s`, 5)"]);
    assert_eq!(sequence("t"), Vec::<String>::new());
}
