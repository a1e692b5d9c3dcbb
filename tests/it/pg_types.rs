//! The cases of types (`T…`) on PostgreSQL: what is read is exactly what is there.
//!
//! What is expected is written out by hand, or comes from the server's own output functions
//! through psql.

use deepdiff_db::model::temporal::{Date, DateTime, Interval, TimeTz};
use deepdiff_db::model::value::FiniteDecimal;
use deepdiff_db::model::{Decimal, Value};

use crate::pg_lab::{Pair, database, loaded, open, values};

const DAY: i64 = 86_400_000_000;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn other(text: &str) -> Value {
    Value::Other(text.to_owned())
}

fn date(year: i32, month: u8, day: u8) -> Date {
    Date::Fields { year, month, day }
}

/// Digits as the server's text has them.
fn decimal(text: &str) -> Value {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let scale = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits: Vec<u8> = digits.bytes().filter(|b| *b != b'.').map(|b| b - b'0').collect();
    let number = FiniteDecimal::new(sign, &digits, u16::try_from(scale).unwrap()).unwrap();
    Value::Decimal(Decimal::Finite(number))
}

/// A table with the values of an expression list, read by us.
#[track_caller]
fn read(kind: &str, literals: &[&str]) -> Vec<Value> {
    let mut script = format!("CREATE TABLE t(id int PRIMARY KEY, v {kind});");
    for (id, literal) in literals.iter().enumerate() {
        script.push_str(&format!("INSERT INTO t VALUES ({id}, {literal});"));
    }
    values(&script)
}

/// Reads values and compares them with the server's text of them.
#[track_caller]
fn as_text(kind: &str, literals: &[&str], expected: &[&str]) {
    let expected: Vec<Value> = expected.iter().map(|text| other(text)).collect();
    assert_eq!(read(kind, literals), expected, "{kind}");
}

#[test]
fn t01_t02_t03_floats_keep_their_bits() {
    let database = loaded(
        "CREATE TABLE t(id int PRIMARY KEY, v float8, w real);
         INSERT INTO t SELECT i, f, f::real FROM (VALUES (1, 0.1::float8 + 0.2::float8),
         (2, 5e-324), (3, 0), (4, '-0'), (5, 9007199254740993), (6, 'NaN'), (7, 'Infinity'),
         (8, '-Infinity'), (9, 21666.66015625), (10, 16777217), (11, 0.1)) x(i, f)
         WHERE i NOT IN (2);
         INSERT INTO t VALUES (2, 5e-324, '1e-45'), (12, 1.7976931348623157e308, '3.4028235e38');
         INSERT INTO t SELECT 100 + i, random() * 10 ^ (i % 300), random() * 10 ^ (i % 37)
         FROM generate_series(1, 500) i;",
    );
    let oracle = database.sql(
        "SELECT encode(float8send(v), 'hex'), encode(float4send(w), 'hex') FROM t ORDER BY id",
    );
    let read: Vec<String> = open(&database)
        .rows("public.t")
        .iter()
        .map(|row| match row.as_slice() {
            [_, Value::Float64(v), Value::Float32(w)] => format!("{v:016x}|{w:08x}"),
            row => panic!("{row:?}"),
        })
        .collect();
    assert_eq!(read, oracle.lines().collect::<Vec<_>>());
    assert_eq!(crate::pg_lab::loaded("SELECT 1").sql("SELECT '-0'::float8 = '0'::float8"), "t\n");
    let pair = Pair::new(
        "CREATE TABLE t(id int PRIMARY KEY, v float8, w real)",
        "INSERT INTO t VALUES (1, '0', '0'), (2, 'NaN', 'NaN'), (3, 1, 16777216)",
        "INSERT INTO t VALUES (1, '-0', '-0'), (2, 'NaN', 'NaN'), (3, 1, 16777218)",
    );
    assert_eq!(pair.counts(), (0, 0, 2));
}

#[test]
fn t03_q10_numerics_keep_digits_and_scale() {
    let database = loaded(
        "CREATE TABLE t(id int PRIMARY KEY, v numeric);
         INSERT INTO t VALUES (1, 'NaN'), (2, 'Infinity'), (3, '-Infinity'), (4, 0), (5, 0.000),
         (6, -0.0001), (7, 1.0), (8, 1.00), (9, 12345678901234567890.123456789), (10, 1e-16383),
         (11, repeat('9', 131072)::numeric), (12, 1e131071), (13, 10000), (14, 0.00001),
         (15, repeat('9', 131072)::numeric + ('0.' || repeat('7', 16383))::numeric),
         (16, -99999999.99990000);
         INSERT INTO t SELECT 100 + i, (random() * 10 ^ (i % 40))::numeric / (i % 1000 + 1)
         FROM generate_series(1, 2000) i;",
    );
    let oracle = database.sql("SELECT v FROM t ORDER BY id");
    let rows = open(&database).rows("public.t");
    for (row, expected) in rows.iter().zip(oracle.lines()) {
        let expected = match expected {
            "NaN" => Value::Decimal(Decimal::NaN),
            "Infinity" => Value::Decimal(Decimal::Infinity),
            "-Infinity" => Value::Decimal(Decimal::NegativeInfinity),
            digits => decimal(digits),
        };
        assert!(row[1] == expected, "row {:?}", row[0]);
    }
    assert_eq!(rows.len(), 2016);
}

#[test]
fn t05_t06_t08_times_are_their_fields() {
    let at = |date, micros| DateTime { date, micros };
    let infinite = |date| at(date, 0);
    let expected = vec![
        at(date(2024, 2, 29), 3_600_000_001),
        infinite(Date::Infinity),
        infinite(Date::NegativeInfinity),
        at(date(-4713, 11, 24), 0),
        at(date(294_276, 12, 31), DAY - 1),
        at(date(0, 12, 31), DAY - 1),
    ];
    let literals = [
        "'2024-02-29 01:00:00.000001'",
        "'infinity'",
        "'-infinity'",
        "'4714-11-24 00:00:00 BC'",
        "'294276-12-31 23:59:59.999999'",
        "'0001-12-31 23:59:59.999999 BC'",
    ];
    let plain: Vec<Value> = expected.iter().copied().map(Value::DateTime).collect();
    assert_eq!(read("timestamp", &literals), plain);
    let zoned = literals.map(|literal| match literal {
        "'infinity'" | "'-infinity'" => literal.to_owned(),
        literal => {
            literal.replace(" BC'", "+00 BC'").replace("01'", "01+00'").replace("99'", "99+00'")
        }
    });
    let zoned: Vec<&str> = zoned.iter().map(String::as_str).collect();
    let instants: Vec<Value> = expected.into_iter().map(Value::Timestamp).collect();
    assert_eq!(read("timestamptz", &zoned), instants);
    // Both instants of 01:30 in the hour that comes twice.
    assert_eq!(
        read("timestamptz", &["'2024-11-03 01:30 EDT'", "'2024-11-03 01:30 EST'"]),
        [
            Value::Timestamp(at(date(2024, 11, 3), 5 * 3_600_000_000 + 1_800_000_000)),
            Value::Timestamp(at(date(2024, 11, 3), 6 * 3_600_000_000 + 1_800_000_000)),
        ]
    );
    assert_eq!(
        read("date", &["'4714-11-24 BC'", "'5874897-12-31'", "'infinity'", "'-infinity'"]),
        [date(-4713, 11, 24), date(5_874_897, 12, 31), Date::Infinity, Date::NegativeInfinity]
            .map(Value::Date)
    );
    assert_eq!(read("time", &["'24:00:00'", "'00:00:00.000001'"]), [DAY, 1].map(Value::Time));
    let zone = |micros, offset_seconds| Value::TimeTz(TimeTz { micros, offset_seconds });
    assert_eq!(
        read("timetz", &["'24:00:00+15:59:59'", "'00:00-15:59:59'", "'00:00+00'"]),
        [zone(DAY, 57_599), zone(0, -57_599), zone(0, 0)]
    );
}

#[test]
fn t09_intervals_are_three_numbers() {
    let interval = |months, days, micros| Value::Interval(Interval { months, days, micros });
    assert_eq!(
        read(
            "interval",
            &["'1 mon'", "'30 days'", "'720 hours'", "'-1 mon 2 days -00:00:00.000001'"]
        ),
        [interval(1, 0, 0), interval(0, 30, 0), interval(0, 0, 30 * DAY), interval(-1, 2, -1),]
    );
}

#[test]
fn t10_t11_json_is_the_servers_text() {
    let json = |text: &str| Value::Json(text.to_owned());
    let texts = [r#"{"a":1, "a" : 1e400}"#, "  [1 ,2]\n", r#""\u00e9""#];
    let literals = texts.map(|text| format!("'{text}'"));
    let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
    assert_eq!(read("json", &literals), texts.map(json));
    assert_eq!(
        read("jsonb", &[r#"'{"b":1.0, "a":1.00, "aa":[null, 1e5]}'"#]),
        [json(r#"{"a": 1.00, "b": 1.0, "aa": [null, 100000]}"#)]
    );
    let database = loaded(
        "CREATE TABLE t(id int PRIMARY KEY, v jsonb);
         INSERT INTO t VALUES (1, (repeat('[', 500) || repeat(']', 500))::jsonb),
         (2, ('1' || repeat('0', 1000))::jsonb);",
    );
    let oracle = database.sql("SELECT v FROM t ORDER BY id");
    let rows = open(&database).rows("public.t");
    let read: Vec<Value> = rows.into_iter().map(|mut row| row.pop().unwrap()).collect();
    assert_eq!(read, oracle.lines().map(json).collect::<Vec<_>>());
}

#[test]
fn t15_k08_bytes_are_exact_and_in_order() {
    let database = loaded(
        r"CREATE TABLE t(k bytea PRIMARY KEY, v bytea);
          INSERT INTO t SELECT decode(lpad(to_hex(i), 2, '0'), 'hex'), decode(repeat(lpad(to_hex(i), 2, '0'), i), 'hex')
          FROM generate_series(0, 255) i;
          INSERT INTO t VALUES ('\x0041', ''), ('0x41', NULL), ('\x4100', '\x20'), ('\x4120', '\x00');",
    );
    let oracle = database.sql("SELECT encode(k, 'hex'), encode(v, 'hex') FROM t ORDER BY k");
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let read: Vec<String> = open(&database)
        .rows("public.t")
        .iter()
        .map(|row| match row.as_slice() {
            [Value::Bytes(k), Value::Bytes(v)] => format!("{}|{}", hex(k), hex(v)),
            [Value::Bytes(k), Value::Null] => format!("{}|", hex(k)),
            row => panic!("{row:?}"),
        })
        .collect();
    assert_eq!(read, oracle.lines().collect::<Vec<_>>());
}

#[test]
fn t17_bits_and_booleans() {
    as_text("varbit", &["B''", "B'0101'"], &["", "0101"]);
    as_text("bit(3)", &["B'101'"], &["101"]);
    assert_eq!(read("boolean", &["true", "false"]), [Value::Bool(true), Value::Bool(false)]);
}

#[test]
fn t20_arrays_keep_bounds_nulls_and_quotes() {
    as_text(
        "int[]",
        &["'[0:2]={1,2,3}'", "'{1,NULL,3}'", "'{}'", "'{{{1},{2}},{{3},{4}}}'"],
        &["[0:2]={1,2,3}", "{1,NULL,3}", "{}", "{{{1},{2}},{{3},{4}}}"],
    );
    as_text(
        "text[]",
        &[r#"ARRAY['a"b', '{', 'NULL', NULL, '', E'back\\slash', 'a,b']"#],
        &[r#"{"a\"b","{","NULL",NULL,"","back\\slash","a,b"}"#],
    );
}

#[test]
fn t21_t22_composites_ranges_domains() {
    let database = loaded(
        "CREATE TYPE inner_c AS (a int, b text); CREATE TYPE outer_c AS (c inner_c, d date);
         CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE DOMAIN oc AS outer_c;
         CREATE TABLE t(id positive PRIMARY KEY, a inner_c, b oc, c positive[], d nummultirange);
         INSERT INTO t VALUES (1, ROW(NULL, NULL), ROW(ROW(1, 'x,y'), '2024-01-02'), '{1,2}',
         '{[1,3],(5,7)}'), (2, NULL, NULL, '{}', '{}');",
    );
    assert_eq!(
        open(&database).rows("public.t"),
        [
            vec![
                other("(,)"),
                other(r#"("(1,""x,y"")",2024-01-02)"#),
                other("{1,2}"),
                other("{[1,3],(5,7)}"),
                Value::Int(1)
            ],
            vec![Value::Null, Value::Null, other("{}"), other("{}"), Value::Int(2)],
        ]
    );
    as_text(
        "numrange",
        &["'[1,3]'", "'[1,4)'", "'empty'", "'(,)'"],
        &["[1,3]", "[1,4)", "empty", "(,)"],
    );
    as_text("int4range", &["'[1,3]'", "'[1,4)'"], &["[1,4)", "[1,4)"]);
}

#[test]
fn t23_types_without_a_kind_are_text_under_pinned_settings() {
    as_text("inet", &["'10.0.0.1/8'", "'::1'"], &["10.0.0.1/8", "::1/128"]);
    as_text("macaddr8", &["'08:00:2b:01:02:03:04:05'"], &["08:00:2b:01:02:03:04:05"]);
    as_text("money", &["'1234.56'", "'-0.01'"], &["$1,234.56", "-$0.01"]);
    as_text("tsvector", &["'a:1A b'::tsvector"], &["'a':1A 'b'"]);
    as_text("xml", &["'<a>é</a>'"], &["<a>é</a>"]);
    as_text("point", &["'(0.1,0.30000000000000004)'"], &["(0.1,0.30000000000000004)"]);
    let has_contrib = database().sql(
        "SELECT count(*) FROM pg_available_extensions WHERE name IN ('citext', 'hstore', 'ltree')",
    );
    if has_contrib.trim() == "3" {
        let database = loaded(
            "CREATE SCHEMA x; CREATE EXTENSION citext SCHEMA x; CREATE EXTENSION hstore SCHEMA x;
             CREATE EXTENSION ltree SCHEMA x;
             CREATE TABLE t(id int PRIMARY KEY, c x.citext, h x.hstore, l x.ltree);
             INSERT INTO t VALUES (1, 'Ab', 'a=>1, b=>NULL', 'Top.Science');",
        );
        assert_eq!(
            open(&database).rows("public.t"),
            [vec![
                other("Ab"),
                other(r#""a"=>"1", "b"=>NULL"#),
                Value::Int(1),
                other("Top.Science")
            ]]
        );
    }
}

#[test]
fn t24_object_numbers_are_names() {
    as_text("regclass", &["'t'::regclass", "'pg_class'::regclass"], &["public.t", "pg_class"]);
    as_text("regtype", &["'int4'::regtype"], &["integer"]);
    assert_eq!(read("oid", &["4294967295"]), [Value::Int(4_294_967_295)]);
}

#[test]
fn t26_fixed_lengths_are_as_the_server_keeps_them() {
    let pair = Pair::new(
        "CREATE TABLE t(id int PRIMARY KEY, v char(5), w \"char\", n name)",
        "INSERT INTO t VALUES (1, 'ab', 'x', 'n'), (2, NULL, '', '')",
        "INSERT INTO t VALUES (1, 'ab   ', 'x', 'n'), (2, NULL, '', '')",
    );
    assert_eq!(pair.counts(), (0, 0, 0));
    assert_eq!(
        open(&pair.prod).rows("public.t"),
        [
            vec![Value::Int(1), text("n"), text("ab   "), text("x")],
            vec![Value::Int(2), text(""), Value::Null, text("")],
        ]
    );
}

#[test]
fn t30_other_encodings_keep_their_bytes() {
    let raw = |charset: &str, bytes: &[u8]| Value::RawText {
        charset: charset.to_owned(),
        bytes: bytes.to_vec(),
    };
    for (encoding, bytes) in [
        ("LATIN1", &[0xE9, 0x20, 0xFF][..]),
        ("EUC_JP", &[0xA4, 0xA2][..]),
        ("SQL_ASCII", &[0xFF, 0xFE, 0x61][..]),
    ] {
        let options =
            format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        let database = crate::servers::postgres().database(&options);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        database.sql(&format!(
            "SET client_encoding = 'UTF8'; CREATE TABLE \"té\"(\"schlüssel\" text PRIMARY KEY, v text[], w text DEFAULT 'é');
             INSERT INTO \"té\" VALUES ('plain', '{{a}}', NULL),
             (convert_from('\\x{hex}', '{encoding}'), ARRAY[convert_from('\\x{hex}', '{encoding}')], 'b');"
        ).replace("té", if encoding == "EUC_JP" { "t" } else { "té" })
         .replace("DEFAULT 'é'", if encoding == "EUC_JP" { "" } else { "DEFAULT 'é'" })
         .replace("schlüssel", if encoding == "EUC_JP" { "k" } else { "schlüssel" }));
        let name = if encoding == "EUC_JP" { "public.t" } else { "public.té" };
        let mut rows = open(&database).rows(name);
        rows.sort_by_key(|row| matches!(row[0], Value::RawText { .. }));
        assert_eq!(rows[0], [text("plain"), other("{a}"), Value::Null], "{encoding}");
        assert_eq!(rows[1][0], raw(encoding, bytes), "{encoding}");
        assert_eq!(rows[1][2], text("b"));
        let Value::RawText { bytes: array, .. } = &rows[1][1] else { panic!("{:?}", rows[1]) };
        assert!(array.windows(bytes.len()).any(|window| window == bytes), "{encoding}: {array:?}");
    }
}

#[test]
fn t31_shapes_are_the_servers_text() {
    as_text("path", &["'[(0,0),(1,-0)]'", "'((0,0),(1,1))'"], &["[(0,0),(1,-0)]", "((0,0),(1,1))"]);
    as_text("polygon", &["'((0,0),(1,1),(1,0))'"], &["((0,0),(1,1),(1,0))"]);
    as_text("line", &["'{1,-1,0.1}'"], &["{1,-1,0.1}"]);
    as_text("lseg", &["'[(0,0),(1e300,1e-300)]'"], &["[(0,0),(1e+300,1e-300)]"]);
    as_text("box", &["'(1,4),(0,0)'"], &["(1,4),(0,0)"]);
    as_text("circle", &["'<(0,0),0.30000000000000004>'"], &["<(0,0),0.30000000000000004>"]);
    let has_postgis =
        database().sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'");
    if has_postgis.trim() != "1" {
        return;
    }
    let database = loaded(
        "CREATE SCHEMA gis; CREATE EXTENSION postgis SCHEMA gis; SET search_path = public, gis;
         CREATE TABLE t(id int PRIMARY KEY, v geometry, w geography(point, 4326));
         INSERT INTO t VALUES (1, 'SRID=4326;POINT(1 2)', 'POINT(170 -45)'),
             (2, 'POINT(1 2)', NULL), (3, 'POINT EMPTY', NULL), (4, 'SRID=3857;LINESTRING EMPTY', NULL),
             (5, 'SRID=4326;POINT(2 1)', NULL), (6, 'LINESTRING ZM (0 0 1 2, 1 1 3 4)', NULL);",
    );
    let oracle = database.sql("SET search_path = public, gis; SELECT v, w FROM t ORDER BY id");
    let read: Vec<String> = open(&database)
        .rows("public.t")
        .iter()
        .map(|row| match row.as_slice() {
            [_, Value::Other(v), Value::Other(w)] => format!("{v}|{w}"),
            [_, Value::Other(v), Value::Null] => format!("{v}|"),
            row => panic!("{row:?}"),
        })
        .collect();
    assert_eq!(read, oracle.lines().collect::<Vec<_>>());
}

#[test]
fn t32_quotes_in_names_and_values() {
    let database = loaded(
        r#"CREATE SCHEMA "s""'.x"; CREATE TABLE "s""'.x"."t"";--'$$\"("a""b'" int PRIMARY KEY, "c\d" text);
           INSERT INTO "s""'.x"."t"";--'$$\" VALUES (1, E'\'\\"`$$:x ?;-- \\!\n '), (2, '\.');"#,
    );
    let mut open = open(&database);
    let name = open.names().remove(0);
    assert_eq!(name, "\"s\"\"'.x\".\"t\"\";--'$$\\\"");
    assert_eq!(
        open.rows(&name),
        [vec![Value::Int(1), text("'\\\"`$$:x ?;-- \\!\n ")], vec![Value::Int(2), text("\\.")]]
    );
}

#[test]
fn casts_to_text_that_somebody_defined_are_not_believed() {
    let database = loaded(
        "CREATE TYPE c AS (a int, b int); CREATE FUNCTION lie(c) RETURNS text
         LANGUAGE sql AS $$ SELECT 'same' $$; CREATE CAST (c AS text) WITH FUNCTION lie(c);
         CREATE TABLE t(id int PRIMARY KEY, v c);
         INSERT INTO t VALUES (1, ROW(1, 2)), (2, ROW(NULL, NULL)), (3, NULL);",
    );
    let rows = open(&database).rows("public.t");
    let read: Vec<Value> = rows.into_iter().map(|mut row| row.pop().unwrap()).collect();
    assert_eq!(read, [other("(1,2)"), other("(,)"), Value::Null]);
}
