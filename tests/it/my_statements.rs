//! Statements for MySQL and MariaDB, run on real servers: every type is inserted, updated and
//! deleted by text, read back as it was, and a guard holds for exactly its row (`traps.md` C, D11).

use deepdiff_db::engine::mysql::{MysqlDialect, MysqlSession, MysqlTable, MysqlTarget};
use deepdiff_db::engine::{
    Cell, EngineError, OpenOptions, Operand, RowGuard, RowUpdate, SourceUrl,
};
use deepdiff_db::model::{Catalog, ColumnSpec, TableSpec, Value};

use crate::my_database::{Scene, scene, scenes};
use crate::sqlite_database::{Rows, block_on, spec};

/// Runs something with a session on the scene's database.
pub fn with_session<R>(scene: &Scene, run: impl FnOnce(&MysqlSession<'_>) -> R) -> R {
    with_options(scene, &OpenOptions::default(), run)
}

/// Runs something with a session that was opened with options.
pub fn with_options<R>(
    scene: &Scene,
    options: &OpenOptions,
    run: impl FnOnce(&MysqlSession<'_>) -> R,
) -> R {
    block_on(async {
        let SourceUrl::Mysql(url) = scene.url() else { panic!() };
        let mut target = MysqlTarget::open(&url, options).await.unwrap();
        let ran = run(&target.session().await.unwrap());
        target.close().await.unwrap();
        ran
    })
}

pub fn writer(catalog: &Catalog, table: &str) -> (TableSpec, MysqlTable) {
    let spec = spec(catalog, table).clone();
    let writer = MysqlTable::new(&spec, &catalog.facts);
    (spec, writer)
}

pub fn cells<'c>(spec: &'c TableSpec, row: &'c [Value]) -> Vec<Cell<'c>> {
    let names = spec.columns.iter().map(|column| column.name.as_str());
    names.zip(row).map(|(name, value)| (name, Operand::Literal(value))).collect()
}

pub fn by_id(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    rows.sort_by_key(|row| match row[0] {
        Value::Int(id) => id,
        _ => panic!("{:?} is no id", row[0]),
    });
    rows
}

/// The rows of a table whose first column by name is `id`, as the session sees them.
pub fn rows(session: &MysqlSession<'_>, spec: &TableSpec) -> Vec<Vec<Value>> {
    let mut rows = Rows::default();
    session.read_rows(spec, &deepdiff_db::engine::ReadFrom::Start, &mut rows).unwrap();
    by_id(rows.rows)
}

/// What a column of this type goes through. The values are SQL; two that are the same to the
/// server's `=` are here on purpose.
#[track_caller]
fn assert_exact(scene: &Scene, declared: &str, values: &[&str]) {
    let list: Vec<String> =
        values.iter().enumerate().map(|(id, value)| format!("({id}, {value})")).collect();
    scene.run(&format!(
        "DROP TABLE IF EXISTS a, b, c, d;
         CREATE TABLE a(id int PRIMARY KEY, v {declared} NULL);
         INSERT INTO a VALUES {};
         CREATE TABLE b LIKE a; CREATE TABLE d LIKE a;
         CREATE TABLE c(id int, v {declared} NULL); INSERT INTO c VALUES {};",
        list.join(", "),
        list.join(", ")
    ));
    let catalog = scene.catalog();
    let (a, _) = writer(&catalog, "a");
    let (b, statements) = writer(&catalog, "b");
    let (c, keyless) = writer(&catalog, "c");
    let (d, _) = writer(&catalog, "d");
    with_session(scene, |session| {
        session.begin().unwrap();
        session.lock_tables(&[&b, &c, &d]).unwrap();
        let wanted = rows(session, &a);
        let insert: Vec<Vec<Cell<'_>>> = wanted.iter().map(|row| cells(&b, row)).collect();
        let insert = statements.insert(&insert).unwrap();
        assert_eq!(session.execute(&insert).unwrap(), wanted.len() as u64, "{insert}");
        assert_eq!(rows(session, &b), wanted, "{declared}: {insert}");

        let mut loader = session.loader(&d).unwrap();
        wanted.iter().for_each(|row| loader.push(row).unwrap());
        loader.finish().unwrap();
        assert_eq!(rows(session, &d), wanted, "{declared}: loaded");

        for row in &wanted {
            // A guard holds for every row with this value, and for no other.
            let same = wanted.iter().filter(|other| other[1] == row[1]).count();
            let value = [("v", Operand::Literal(&row[1]))];
            let delete = keyless.delete_all_equal(&value).unwrap();
            assert_eq!(session.execute(&delete).unwrap(), same as u64, "{declared}: {delete}");
            let back: Vec<_> = wanted.iter().filter(|other| other[1] == row[1]).collect();
            let back: Vec<Vec<Cell<'_>>> = back.iter().map(|row| cells(&c, row)).collect();
            session.execute(&keyless.insert(&back).unwrap()).unwrap();
        }

        for (row, next) in wanted.iter().zip(wanted.iter().cycle().skip(1)) {
            let guard = |before| RowGuard { key: vec![row[0].clone()], before };
            let changes = vec![("v", Operand::Literal(&next[1]))];
            let update = statements
                .update(&[RowUpdate { row: guard(cells(&b, row)), changes: changes.clone() }])
                .unwrap();
            assert_eq!(session.execute(&update).unwrap(), 1, "{declared}: {update}");
            let changed = rows(session, &b);
            let place = wanted.iter().position(|other| other[0] == row[0]).unwrap();
            assert_eq!(changed[place][1], next[1], "{declared}: {update}");
            let is_same = u64::from(next[1] == row[1]);
            assert_eq!(session.execute(&update).unwrap(), is_same, "{declared}: again {update}");
            let stale = statements.delete(&[guard(cells(&b, row))]).unwrap();
            if is_same == 0 {
                assert_eq!(session.execute(&stale).unwrap(), 0, "{declared}: {stale}");
            }
            let now = vec![row[0].clone(), next[1].clone()];
            let delete = statements.delete(&[guard(cells(&b, &now))]).unwrap();
            assert_eq!(session.execute(&delete).unwrap(), 1, "{declared}: {delete}");
            session.execute(&statements.insert(&[cells(&b, row)]).unwrap()).unwrap();
        }
        session.rollback().unwrap();
    });
    assert_keys(scene, declared, &by_id(scene.rows("a")));
}

/// The values as a key, where the server takes such a column and these values for one: alone, and
/// as one of two.
fn assert_keys(scene: &Scene, declared: &str, rows_of: &[Vec<Value>]) {
    assert_key(scene, declared, rows_of);
    let create = format!(
        "DROP TABLE IF EXISTS k; CREATE TABLE k(n int NOT NULL, v {declared} NOT NULL, PRIMARY KEY(n, v));"
    );
    let made = scene.database.server.try_run(&scene.database.name, &create);
    if !made.status.success() {
        return;
    }
    let catalog = scene.catalog();
    let (spec, statements) = writer(&catalog, "k");
    if spec.key.column_names() != ["n", "v"] {
        return;
    }
    let rows_of: Vec<&Vec<Value>> = rows_of.iter().filter(|row| !row[1].is_null()).collect();
    with_session(scene, |session| {
        session.begin().unwrap();
        let all: Vec<Vec<Cell<'_>>> = rows_of.iter().map(|row| cells(&spec, row)).collect();
        session.execute(&statements.insert(&all).unwrap()).unwrap();
        let keys: Vec<Vec<Value>> = rows_of.iter().map(|row| (*row).clone()).collect();
        for some in [&keys[..], &keys[..1], &keys[..2]] {
            let mut found = Rows::default();
            session.rows_by_keys(&spec, some, &mut found).unwrap();
            assert_eq!(by_id(found.rows), by_id(some.to_vec()), "{declared} in a key of two");
        }
        session.rollback().unwrap();
    });
}

fn assert_key(scene: &Scene, declared: &str, rows_of: &[Vec<Value>]) {
    let create = format!(
        "DROP TABLE IF EXISTS k; CREATE TABLE k(n int NOT NULL, v {declared} NOT NULL, UNIQUE(v));"
    );
    let made = scene.database.server.try_run(&scene.database.name, &create);
    if !made.status.success() {
        return;
    }
    let catalog = scene.catalog();
    let (spec, statements) = writer(&catalog, "k");
    if spec.key.column_names() != ["v"] {
        return;
    }
    with_session(scene, |session| {
        session.begin().unwrap();
        let mut taken: Vec<Vec<Value>> = Vec::new();
        for row in rows_of.iter().filter(|row| !row[1].is_null()) {
            let insert = statements.insert(&[cells(&spec, row)]).unwrap();
            // Some are the same to the key.
            if session.execute(&insert).is_ok() {
                taken.push(vec![row[1].clone()]);
            }
        }
        let mut found = Rows::default();
        session.rows_by_keys(&spec, &taken, &mut found).unwrap();
        assert_eq!(found.rows.len(), taken.len(), "{declared}: all keys at once");
        session.rollback().unwrap();
        for row in rows_of.iter().filter(|row| !row[1].is_null()) {
            session.begin().unwrap();
            session.execute(&statements.insert(&[cells(&spec, row)]).unwrap()).unwrap();
            for other in rows_of.iter().filter(|row| !row[1].is_null()) {
                let is_same = u64::from(other[1] == row[1]);
                let key = vec![other[1].clone()];
                let mut found = Rows::default();
                session.rows_by_keys(&spec, std::slice::from_ref(&key), &mut found).unwrap();
                // The server may take it for the same.
                let expected = [vec![row[0].clone(), row[1].clone()]];
                assert!(
                    found.rows == expected || found.rows.is_empty() && is_same == 0,
                    "{declared}: {key:?} found {:?}",
                    found.rows
                );
                let before =
                    vec![("n", Operand::Literal(&row[0])), ("v", Operand::Literal(&key[0]))];
                let guard = RowGuard { key: key.clone(), before };
                let changes = vec![("n", Operand::Literal(&row[0]))];
                let update = statements.update(&[RowUpdate { row: guard, changes }]).unwrap();
                let count = session.execute(&update).unwrap();
                assert_eq!(count, is_same, "{declared} as key: {update}");
            }
            session.rollback().unwrap();
        }
    });
}

#[test]
fn numbers_are_written_and_guarded_exactly() {
    for scene in scenes("") {
        assert_exact(&scene, "tinyint", &["-128", "127", "0", "NULL"]);
        assert_exact(&scene, "tinyint(1)", &["2", "1", "0"]);
        assert_exact(&scene, "int unsigned zerofill", &["0", "4294967295", "7"]);
        assert_exact(
            &scene,
            "bigint",
            &[
                "-9223372036854775808",
                "9223372036854775807",
                "9007199254740992",
                "9007199254740993",
            ],
        );
        assert_exact(
            &scene,
            "bigint unsigned",
            &["18446744073709551615", "18446744073709551614", "9223372036854775808", "0"],
        );
        assert_exact(&scene, "bit(1)", &["0", "1"]);
        assert_exact(
            &scene,
            "bit(64)",
            &["18446744073709551615", "18446744073709551614", "0", "48"],
        );
        assert_exact(&scene, "year", &["0", "2000", "1901", "2155", "1970"]);
        assert_exact(
            &scene,
            "decimal(65,30)",
            &[
                "0",
                "99999999999999999999999999999999999.999999999999999999999999999999",
                "99999999999999999999999999999999999.999999999999999999999999999998",
                "-0.000000000000000000000000000001",
                "0.000000000000000000000000000001",
            ],
        );
        assert_exact(&scene, "decimal(10,2) unsigned", &["0", "1.5", "1.51"]);
    }
}

#[test]
fn c1_and_c2_floats_are_written_and_guarded_by_their_bits() {
    for scene in scenes("") {
        assert_exact(
            &scene,
            "float",
            &[
                "0.1",
                "0.10000001",
                "16777216",
                "16777215",
                "3.4028234e38",
                "-1e-45",
                "-1e-46",
                "0e0",
                "1.17549435e-38",
                "1234567.8",
                "1234567.9",
                "NULL",
            ],
        );
        assert_exact(
            &scene,
            "double",
            &[
                "0.1e0 + 0.2e0",
                "0.3e0",
                "1.7976931348623157e308",
                "5e-324",
                "-5e-324",
                "-0e0",
                "0e0",
                "9007199254740993e0",
                "123456789.123456789e0",
                "1e22",
                "1e23",
            ],
        );
        assert_exact(&scene, "float(7,2)", &["1.25", "1.26", "0", "-99999.99"]);
        assert_exact(&scene, "double(9,3)", &["1.125", "1.126", "-0.001", "0"]);
    }
}

#[test]
fn c4_to_c6_times_are_written_and_guarded_by_their_fields() {
    for scene in scenes("") {
        assert_exact(
            &scene,
            "date",
            &[
                "'0000-00-00'",
                "'2024-00-10'",
                "'2024-10-00'",
                "'2024-02-31'",
                "'9999-12-31'",
                "'0000-01-01'",
            ],
        );
        assert_exact(
            &scene,
            "datetime(6)",
            &[
                "'0000-00-00'",
                "'2024-00-00 01:02:03.000001'",
                "'2024-01-02 03:04:05'",
                "'2024-01-02 03:04:05.000001'",
                "'2023-02-29 23:59:59.999999'",
                "'0000-01-01 00:00:00.5'",
            ],
        );
        assert_exact(
            &scene,
            "datetime",
            &["'0000-00-00'", "'2024-01-02 03:04:05'", "'2024-01-02'"],
        );
        assert_exact(
            &scene,
            "timestamp(3)",
            &[
                "'0000-00-00'",
                "'1970-01-01 00:00:01'",
                "'2024-11-03 05:30:00.125'",
                "'2038-01-19 03:14:07.999'",
                "NULL",
            ],
        );
        assert_exact(
            &scene,
            "time(6)",
            &[
                "'-838:59:59'",
                "'838:59:59'",
                "'-00:00:00.000001'",
                "'00:00:00'",
                "'00:00:00.000001'",
                "'100:00:00'",
            ],
        );
    }
}

#[test]
fn c22_text_is_written_and_guarded_by_its_bytes() {
    let unicode = [
        "'a'",
        "'A'",
        "'a '",
        "'á'",
        "'a\\t'",
        "''",
        "'it''s'",
        "'b\\\\'",
        "'\\0'",
        "'a\\0'",
        "'😀'",
        "'e\u{301}'",
        "'é'",
        "'\u{202e}x'",
        "'\\n'",
        "' '",
        "NULL",
        "'ß'",
        "'ss'",
        "'%_'",
        "'?;--\"`'",
    ];
    let narrow: Vec<&str> = unicode.iter().filter(|text| !text.contains('😀')).copied().collect();
    for scene in scenes("") {
        for collation in ["utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin"] {
            assert_exact(&scene, &format!("varchar(20) COLLATE {collation}"), &unicode);
        }
        assert_exact(&scene, "text", &unicode);
        assert_exact(&scene, "char(7)", &unicode);
        assert_exact(&scene, "varchar(9) CHARACTER SET utf8", &narrow);
        assert_exact(
            &scene,
            "varchar(9) CHARACTER SET ascii",
            &["'a'", "'A'", "'a '", "''", "'\\''"],
        );
        for charset in ["latin1", "latin1 COLLATE latin1_bin"] {
            let values =
                ["'a'", "'A'", "_latin1 x'c3a9'", "_latin1 x'80859f'", "'a '", "''", "'é'", "'é '"];
            assert_exact(&scene, &format!("varchar(9) CHARACTER SET {charset}"), &values);
        }
        let values = ["_gbk x'815c'", "'a'", "'A'", "'漢'", "''", "'\\\\'"];
        assert_exact(&scene, "varchar(9) CHARACTER SET gbk", &values);
        for charset in ["ucs2", "utf16", "utf16le", "utf32"] {
            let values = ["'a'", "'A'", "'a '", "'é'", "'漢'", "''", "'\\\\'", "'ab'", "'愀'"];
            assert_exact(&scene, &format!("varchar(9) CHARACTER SET {charset}"), &values);
            assert_exact(&scene, &format!("text CHARACTER SET {charset}"), &values);
        }
        assert_exact(
            &scene,
            "varchar(9) CHARACTER SET sjis",
            &["'a'", "'A'", "'表'", "'~'", "'ｱ'"],
        );
        assert_exact(
            &scene,
            "varchar(9) CHARACTER SET swe7",
            &["'a'", "'A'", "_swe7 x'5b'", "_swe7 x'7b'"],
        );
    }
    let scene = scene("");
    for collation in ["utf8mb4_nopad_bin", "utf8mb4_general_nopad_ci"] {
        assert_exact(&scene, &format!("varchar(20) COLLATE {collation}"), &unicode);
    }
}

#[test]
fn c13_labels_are_written_and_guarded_exactly() {
    for scene in scenes("") {
        assert_exact(
            &scene,
            "enum('a','b','1','0','it''s')",
            &["'a'", "'b'", "'1'", "'0'", "'it''s'", "NULL"],
        );
        assert_exact(&scene, "enum('','x','2')", &["''", "'x'", "'2'"]);
        assert_exact(
            &scene,
            "enum('é','É') CHARACTER SET latin1 COLLATE latin1_bin",
            &["'é'", "'É'"],
        );
        assert_exact(&scene, "set('a','b','c')", &["''", "'a'", "'a,b'", "'b,c'", "'a,b,c'"]);
        assert_exact(&scene, "set('a','','c')", &["0", "1", "2", "3", "4", "5", "6", "7"]);
        let members: Vec<String> = (0..64).map(|member| format!("'m{member}'")).collect();
        let all = format!("set({})", members.join(","));
        assert_exact(&scene, &all, &["18446744073709551615", "1", "9223372036854775808", "0"]);
    }
}

#[test]
fn c10_and_c18_bytes_are_written_and_guarded() {
    let all: String = (0..=255u8).map(|byte| format!("{byte:02x}")).collect();
    let all = format!("x'{all}'");
    for scene in scenes("") {
        assert_exact(&scene, "binary(5)", &["'ab'", "'ab '", "x'00ff'", "'AB'", "''"]);
        assert_exact(
            &scene,
            "varbinary(300)",
            &["'ab'", "'ab '", "x'6162'", "x'616200'", "'AB'", "''", &all],
        );
        assert_exact(&scene, "blob", &["'ab'", "'ab '", "x'616200'", "''", "x'c328'", &all]);
        assert_exact(&scene, "longblob", &["''", "x'5c27'", "'0x41'"]);
        assert_exact(
            &scene,
            "geometry",
            &[
                "ST_GeomFromText('POINT(1 2)', 4326)",
                "ST_GeomFromText('POINT(1 2)', 0)",
                "ST_GeomFromText('POINT(2 1)', 4326)",
                "ST_GeomFromText('LINESTRING(0 0,1 1)')",
                "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')",
                "NULL",
            ],
        );
        assert_exact(
            &scene,
            "point",
            &["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(1 3)')"],
        );
    }
}

#[test]
fn types_of_mariadb_alone() {
    let scene = scene("");
    assert_exact(
        &scene,
        "json",
        &[
            "'{\"b\": 1, \"a\":  1.0}'",
            "'{\"b\": 1, \"a\": 1.0}'",
            "'[0.1, 12345678901234567890]'",
            "'null'",
            "NULL",
            "'\"é\\\\u0000\"'",
        ],
    );
    assert_exact(
        &scene,
        "uuid",
        &[
            "'123e4567-e89b-12d3-a456-426614174000'",
            "'ffffffff-ffff-4fff-bfff-ffffffffffff'",
            "'00000000-0000-0000-0000-000000000000'",
            "NULL",
        ],
    );
    assert_exact(&scene, "inet6", &["'::ffff:1.2.3.4'", "'2001:db8::1'", "'::'", "'::1'", "NULL"]);
    assert_exact(&scene, "inet4", &["'1.2.3.4'", "'0.0.0.0'", "'255.255.255.255'"]);
    assert_exact(&scene, "varchar(99) COMPRESSED", &["'a'", "'A'", "REPEAT('a', 99)"]);
    assert_exact(&scene, "blob COMPRESSED", &["'a'", "'A'", "REPEAT('a', 999)"]);
}

#[test]
fn t12_json_of_mysql_is_not_written() {
    for scene in scenes("CREATE TABLE t(id int PRIMARY KEY, v json, p point, u varchar(3))") {
        let catalog = scene.catalog();
        let spec = spec(&catalog, "t");
        let unwritable: Vec<&str> = spec
            .columns
            .iter()
            .filter(|column| MysqlDialect.unwritable(column).is_some())
            .map(|column| column.name.as_str())
            .collect();
        let is_mysql = spec.columns[3].declared_type == "json";
        let expected: &[&str] = if is_mysql { &["v"] } else { &[] };
        assert_eq!(unwritable, expected);
    }
    let column = |declared: &str| ColumnSpec {
        name: "c".to_owned(),
        declared_type: declared.to_owned(),
        default: Value::Null,
    };
    assert!(MysqlDialect.unwritable(&column("xmltype")).unwrap().contains("xmltype"));
    assert!(MysqlDialect.unwritable(&column("vector(3)")).unwrap().contains("vector"));
}

#[test]
fn t18_the_number_0_of_an_enum_is_refused_by_name_and_can_be_left() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v enum('a','')); INSERT IGNORE INTO t VALUES (1, 'nope'), (2, '');",
    ) {
        let catalog = scene.catalog();
        let (spec, statements) = writer(&catalog, "t");
        with_session(&scene, |session| {
            session.begin().unwrap();
            let found = rows(session, &spec);
            assert_eq!(found[0][1], Value::Int(0));
            let refused = statements.insert(&[cells(&spec, &found[0])]).unwrap_err();
            assert!(matches!(refused, EngineError::ValueKind { .. }), "{refused}");
            assert!(refused.to_string().contains("the number 0 of an ENUM"), "{refused}");
            let row = RowGuard { key: vec![Value::Int(1)], before: cells(&spec, &found[0]) };
            let a = Value::Text("a".to_owned());
            let changes = vec![("v", Operand::Literal(&a))];
            let update = statements.update(&[RowUpdate { row, changes }]).unwrap();
            assert_eq!(session.execute(&update).unwrap(), 1, "{update}");
            assert_eq!(session.execute(&update).unwrap(), 0, "{update}");
            session.rollback().unwrap();
        });
    }
}

#[test]
fn text_that_is_damaged_is_refused_by_name() {
    let broken = Value::RawText { charset: "utf8mb4".to_owned(), bytes: vec![0xff] };
    let scene = scene("CREATE TABLE t(id int PRIMARY KEY, v varchar(9) CHARACTER SET utf8mb4)");
    let catalog = scene.catalog();
    let (spec, statements) = writer(&catalog, "t");
    let row = vec![Value::Int(1), broken];
    let refused = statements.insert(&[cells(&spec, &row)]).unwrap_err().to_string();
    assert!(refused.contains("no valid utf8mb4 (column `v` of table `t`)"), "{refused}");
    let guard = statements.delete_all_equal(&cells(&spec, &row)).unwrap();
    assert_eq!(guard, "DELETE FROM `t` WHERE `id` = 1 AND CAST(`v` AS BINARY) = x'ff'");
}
