//! Types of MySQL and MariaDB: every value exactly as the server holds it (cases `T…`).

use deepdiff_db::model::Value;
use deepdiff_db::model::temporal::{Date, DateTime};

use crate::my_database::{scene, scenes};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// The values of a column, by id. Columns are read in the order of their names: `id` before `v`.
fn column(rows: &[Vec<Value>]) -> Vec<Value> {
    rows.iter().map(|row| row[1].clone()).collect()
}

#[test]
fn t01_doubles_by_their_bits() {
    let numbers = [
        0.1 + 0.2,
        5e-324,
        f64::MAX,
        9_007_199_254_740_991.0,
        9_007_199_254_740_993.0,
        2.225_073_858_507_201e-308,
        123_456_789.123_456_78,
    ];
    let values: Vec<String> =
        numbers.iter().enumerate().map(|(id, number)| format!("({id}, {number:e})")).collect();
    for scene in scenes(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, v double); INSERT INTO t VALUES {};",
        values.join(", ")
    )) {
        let read: Vec<Value> = scene.exact("t").iter().map(|row| row[1].clone()).collect();
        let expected: Vec<Value> =
            numbers.iter().map(|number| Value::Float64(number.to_bits())).collect();
        assert_eq!(read, expected);
    }
}

#[test]
fn t02_floats_by_their_bits() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v float, w float(10,3));
         INSERT INTO t VALUES (1, 21666.66015625, 1.5), (2, 16777217, 2.125), (3, 0.1, 0.1);",
    ) {
        let bits: Vec<Value> = [21666.66f32, 16_777_217.0, 0.1]
            .iter()
            .map(|number| Value::Float32(number.to_bits()))
            .collect();
        assert_eq!(column(&scene.exact("t")), bits);
    }
}

/// MySQL keeps the sign of zero; MariaDB does not, wherever it comes from.
#[test]
fn c2_the_sign_of_zero_is_the_servers() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v double, w float);
         INSERT INTO t VALUES (1, 0e0 * -1, 0e0 * -1), (2, 0, 0), (3, '-0', '-0'),
             (4, -1e-300 * 1e-300, -1e-300 * 1e-300);",
    ) {
        let signs = scene.run("SELECT ATAN2(v, -1) < 0, ATAN2(w, -1) < 0 FROM t ORDER BY id;");
        let read: Vec<String> = scene
            .rows("t")
            .iter()
            .map(|row| match row.as_slice() {
                [_, Value::Float64(v), Value::Float32(w)] => format!("{}\t{}", v >> 63, w >> 31),
                row => panic!("{row:?}"),
            })
            .collect();
        assert_eq!(read, signs.lines().collect::<Vec<_>>());
    }
}

#[test]
fn t05_microseconds_of_every_precision() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, a datetime, b datetime(6), c timestamp(3) NULL,
             d time(6), e time, f date);
         INSERT INTO t VALUES
             (1, '2024-01-02 03:04:05', '2024-01-02 03:04:05.000001', '2024-01-02 03:04:05.999',
              '01:02:03.000001', '-00:00:01', '9999-12-31'),
             (2, '2024-01-02 03:04:05', '2024-01-02 03:04:05.000002', NULL,
              '01:02:03.000002', '00:00:00', '1000-01-01');",
    ) {
        let rows = scene.exact("t");
        assert_ne!(rows[0][1], rows[1][1]);
        assert_ne!(rows[0][3], rows[1][3]);
    }
}

#[test]
fn t06_the_two_instants_of_a_fold_hour() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v timestamp NOT NULL DEFAULT '2000-01-01 00:00:00');
         SET time_zone = '+00:00';
         INSERT INTO t VALUES (1, '2024-11-03 05:30:00'), (2, '2024-11-03 06:30:00');",
    ) {
        let rows = scene.exact("t");
        let at = |hour: i64| {
            let date = Date::Fields { year: 2024, month: 11, day: 3 };
            Value::Timestamp(DateTime { date, micros: (hour * 60 + 30) * 60_000_000 })
        };
        assert_eq!(column(&rows), [at(5), at(6)]);
    }
}

#[test]
fn t07_dates_that_are_none() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, d date, dt datetime(6), ts timestamp NULL, tm time(6));
         INSERT INTO t VALUES
             (1, '0000-00-00', '0000-00-00', '0000-00-00', '-838:59:59.000000'),
             (2, '2024-00-10', '2024-00-00 01:02:03', NULL, '838:59:59'),
             (3, '0001-01-01', '0000-01-01 00:00:00.5', '1970-01-01 00:00:01', '00:00:00'),
             (4, '2024-02-31', '2023-02-29', '2038-01-19 03:14:07', '-00:00:00.000001');",
    ) {
        let rows = scene.exact("t");
        assert_eq!(rows[0][0], Value::Date(Date::Fields { year: 0, month: 0, day: 0 }));
        assert_eq!(rows[1][0], Value::Date(Date::Fields { year: 2024, month: 0, day: 10 }));
        assert_eq!(rows[0][3], Value::Time(-3_020_399_000_000));
    }
}

#[test]
fn t10_decimals_digit_by_digit() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v decimal(38,18), w decimal(65,0), z decimal(5,2) zerofill);
         INSERT INTO t VALUES
             (1, 12345678901234567890.123456789012345678, REPEAT('9', 65), 1.5),
             (2, 12345678901234567890.123456789012345679, CONCAT('-', REPEAT('9', 65)), 0),
             (3, -0.000000000000000001, 0, NULL), (4, 0, -1, 999.99);",
    ) {
        let rows = scene.exact("t");
        assert_ne!(rows[0][1], rows[1][1]);
    }
}

#[test]
fn t12_and_t13_json() {
    // MariaDB keeps the text as it came; MySQL shows the text of its own form.
    for scene in scenes(
        r#"CREATE TABLE t(id int PRIMARY KEY, v json);
           INSERT INTO t VALUES (1, '{"b": 1, "a":  1.0}'), (2, '[0.1, 12345678901234567890]'),
             (3, 'null'), (4, NULL), (5, '"é\\u0000"');"#,
    ) {
        scene.exact("t");
        let catalog = scene.catalog();
        let is_mysql = catalog.tables[0].columns[1].declared_type == "json";
        let marked = catalog.not_captured.iter().any(|item| item.name == "t.v");
        assert_eq!(marked, is_mysql, "{:?}", catalog.not_captured);
    }
}

/// What MySQL writes of a double tells it from its neighbours.
#[test]
fn t12_ten_thousand_doubles_in_json() {
    let mut bits = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        // Every sign and fraction, and exponents that stay finite.
        f64::from_bits(bits & 0xbfff_ffff_ffff_ffff | 0x1000_0000_0000_0000)
    };
    let numbers: Vec<f64> = (0..5_000)
        .flat_map(|_| {
            let number = next();
            [number, f64::from_bits(number.to_bits() + 1)]
        })
        .collect();
    let values: Vec<String> =
        numbers.iter().enumerate().map(|(id, number)| format!("({id}, {number:e})")).collect();
    for scene in scenes(&format!(
        "CREATE TABLE n(id int PRIMARY KEY, d double); INSERT INTO n VALUES {};
         CREATE TABLE t(id int PRIMARY KEY, v json); INSERT INTO t SELECT id, JSON_ARRAY(d) FROM n;",
        values.join(", ")
    )) {
        let rows = scene.exact("t");
        assert_eq!(rows.len(), numbers.len());
        for (row, number) in rows.iter().zip(&numbers) {
            // MariaDB's JSON is what its functions wrote, which is not always exact.
            if let Value::Json(text) = &row[1] {
                let written = text.trim_matches(['[', ']']).parse();
                assert_eq!(written.map(f64::to_bits), Ok(number.to_bits()), "{text}");
            }
        }
    }
}

#[test]
fn t15_every_byte() {
    let all: String = (0..=255u8).map(|byte| format!("{byte:02x}")).collect();
    for scene in scenes(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, a blob, b varbinary(300), c binary(5), d longblob);
         INSERT INTO t VALUES (1, x'{all}', x'{all}', x'00ff', x''), (2, x'c328', '', 'ab ', NULL);"
    )) {
        let rows = scene.exact("t");
        assert_eq!(rows[0][0], Value::Bytes((0..=255).collect()));
        assert_eq!(rows[0][2], Value::Bytes(vec![0, 255, 0, 0, 0]));
    }
}

#[test]
fn t16_a_nul_in_a_text() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a\\0b'), (2, 'a');",
    ) {
        assert_eq!(column(&scene.exact("t")), [text("a\0b"), text("a")]);
    }
}

#[test]
fn t17_bits_and_small_integers() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, a bit(1), b bit(64), c bit(9), d tinyint(1), e bool);
         INSERT INTO t VALUES (1, b'1', 18446744073709551615, 257, 127, 2),
             (2, b'0', 1, 0, -128, NULL);",
    ) {
        let rows = scene.exact("t");
        assert_eq!(rows[0][1], Value::UInt(u64::MAX));
        assert_eq!(rows[0][3], Value::Int(127));
        assert_eq!(rows[1][3], Value::Int(-128));
    }
}

#[test]
fn t18_an_invalid_enum_is_no_empty_label() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v enum('a','b'), w enum('','b'), x enum('b', 'a'));
         INSERT IGNORE INTO t VALUES (1, 'a', '', 'a'), (2, 'nope', 'nope', 'b'), (3, NULL, NULL, NULL);",
    ) {
        let rows = scene.exact("t");
        assert_eq!(rows[0][1..], [text("a"), text(""), text("a")]);
        assert_eq!(rows[1][1..], [Value::Int(0), Value::Int(0), text("b")]);
        assert_eq!(rows[2][1..], [Value::Null, Value::Null, Value::Null]);
    }
}

#[test]
fn t19_sets() {
    let members: Vec<String> = (0..64).map(|member| format!("'m{member}'")).collect();
    for scene in scenes(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, v set({}), w set('a','','c'));
         INSERT INTO t VALUES (1, 18446744073709551615, 0), (2, 'm63,m0', 2), (3, '', 5), (4, NULL, NULL);",
        members.join(",")
    )) {
        let rows = scene.exact("t");
        assert_eq!(rows[1][1..], [text("m0,m63"), Value::Int(2)]);
        assert_eq!(rows[2][1..], [text(""), text("a,c")]);
        assert_eq!(rows[0][2], text(""));
    }
}

#[test]
fn t25_unsigned_integers_and_years() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, a bigint unsigned, b int unsigned, c mediumint,
             d smallint unsigned, e tinyint unsigned, f year, g int(5) zerofill, h bigint,
             i decimal(10,2) unsigned, j mediumint unsigned);
         INSERT INTO t VALUES
             (1, 18446744073709551615, 4294967295, -8388608, 65535, 255, 2155, 7,
              -9223372036854775808, 99999999.99, 16777215),
             (2, 9223372036854775808, 0, 8388607, 0, 0, 0, 0, 9223372036854775807, 0, 0),
             (3, 9007199254740993, 1, -1, 1, 1, 1901, 123456, 9007199254740992, 1, 1);",
    ) {
        let rows = scene.exact("t");
        assert_eq!(rows[0][0], Value::UInt(u64::MAX));
        assert_eq!(rows[0][7], Value::Int(i64::MIN));
    }
}

#[test]
fn t26_char_is_read_alike_in_every_mode() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v char(5), w varchar(5));
         INSERT INTO t VALUES (1, 'ab', 'ab'), (2, 'ab   ', 'ab   ');",
    ) {
        let rows = scene.exact("t");
        assert_eq!(column(&rows), [text("ab"), text("ab")]);
        assert_eq!(rows[1][2], text("ab   "));
        scene.run("SET GLOBAL sql_mode = CONCAT(@@GLOBAL.sql_mode, ',PAD_CHAR_TO_FULL_LENGTH');");
        let padded = scene.rows("t");
        scene.run(
            "SET GLOBAL sql_mode = REPLACE(@@GLOBAL.sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', '');",
        );
        assert_eq!(padded, rows);
    }
}

#[test]
fn t29_charsets_keep_their_bytes() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, a varchar(20) CHARACTER SET latin1,
             b varchar(20) CHARACTER SET utf8mb4, c varchar(20) CHARACTER SET gbk,
             d varchar(20) CHARACTER SET utf8, e varchar(20) CHARACTER SET ascii,
             f text CHARACTER SET ucs2, g enum('é') CHARACTER SET latin1);
         INSERT INTO t VALUES
             (1, _latin1 x'c3a9', '😀', _gbk x'815c', 'é', 'a', 'é', 'é'),
             (2, _latin1 x'80859f', 'e\u{301}', '', '漢', '', '', NULL);",
    ) {
        let rows = scene.exact("t");
        let latin1 = Value::RawText { charset: "latin1".to_owned(), bytes: vec![0xc3, 0xa9] };
        assert_eq!(rows[0][0], latin1);
        assert_eq!(rows[0][1], text("😀"));
        let gbk = Value::RawText { charset: "gbk".to_owned(), bytes: vec![0x81, 0x5c] };
        assert_eq!(rows[0][2], gbk);
        assert_eq!(rows[0][3], text("é"));
        assert_eq!(rows[0][4], text("a"));
    }
}

#[test]
fn t31_geometries_with_their_srid() {
    for scene in scenes(
        "CREATE TABLE t(id int PRIMARY KEY, v geometry, w point);
         INSERT INTO t VALUES (1, ST_GeomFromText('POINT(1 2)', 4326), ST_GeomFromText('POINT(3 4)')),
             (2, ST_GeomFromText('LINESTRING(0 0,1 1)'), NULL);",
    ) {
        let rows = scene.exact("t");
        let Value::Bytes(point) = &rows[0][1] else { panic!("{:?}", rows[0][1]) };
        assert_eq!(point[..4], 4326u32.to_le_bytes());
    }
}

#[test]
fn t32_quotes_in_values_and_names() {
    let storm = ["'", "\\\\", "\\'", "\"", "`", "$$", ":x", "?", ";--", "\\n", "\u{2028}", "\\!"];
    let values: Vec<String> = storm
        .iter()
        .enumerate()
        .map(|(id, v)| format!("({id}, '{}', 1)", v.replace('\'', "''")))
        .collect();
    for scene in scenes(&format!(
        "CREATE TABLE `a``b?';--`(id int PRIMARY KEY, `x``y'?\"` text, `?` int);
         INSERT INTO `a``b?';--` VALUES {};",
        values.join(", ").replace("\\''", "\\'")
    )) {
        assert_eq!(scene.exact("a`b?';--").len(), storm.len());
    }
}

#[test]
fn k09_uuids_and_addresses_of_mariadb() {
    let scene = scene(
        "CREATE TABLE t(id int PRIMARY KEY, u uuid, i inet6, j inet4);
         INSERT INTO t VALUES (1, '123e4567-e89b-12d3-a456-426614174000', '::ffff:1.2.3.4', '1.2.3.4'),
             (2, 'ffffffff-ffff-4fff-bfff-ffffffffffff', '2001:db8::1', NULL);",
    );
    let read = scene.rows("t");
    assert_eq!(
        read[0][0..3],
        [
            Value::Other("::ffff:1.2.3.4".to_owned()),
            Value::Int(1),
            Value::Other("1.2.3.4".to_owned()),
        ]
    );
    let uuid = 0x123e_4567_e89b_12d3_a456_4266_1417_4000u128.to_be_bytes();
    assert_eq!(read[0][3], Value::Uuid(uuid));
}
