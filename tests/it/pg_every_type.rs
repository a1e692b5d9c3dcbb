//! Tables of every type that PostgreSQL has, and of every kind of type that people make.

use crate::servers::{Database, Server, postgres_servers};

/// What a column may be declared as, and values no two of which are the same.
pub const TYPES: &[(&str, &[&str])] = &[
    ("boolean", &["true", "false"]),
    ("smallint", &["-32768", "0", "32767"]),
    ("integer", &["-2147483648", "0", "7"]),
    ("bigint", &["-9223372036854775808", "9223372036854775807", "0"]),
    ("oid", &["0", "4294967295", "2147483648"]),
    (
        "real",
        &[
            "'0'",
            "'-0'",
            "'NaN'",
            "'-NaN'",
            "'Infinity'",
            "'-Infinity'",
            "'0.1'",
            "'16777217'",
            "'1e-45'",
            "'3.4028235e38'",
            "21666.66015625",
        ],
    ),
    (
        "double precision",
        &[
            "'0'",
            "'-0'",
            "'NaN'",
            "'-NaN'",
            "'nan(0x5)'",
            "'Infinity'",
            "'-Infinity'",
            "0.1",
            "0.1::float8 + 0.2::float8",
            "5e-324",
            "1.7976931348623157e308",
            "9007199254740993",
            "'1e23'",
            "123456.789",
        ],
    ),
    (
        "numeric",
        &[
            "0",
            "0.0",
            "0.00",
            "1",
            "1.0",
            "1.00",
            "-1.0",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "1e-16383",
            "12345678901234567890.123456789",
        ],
    ),
    ("numeric(10,2)", &["0", "1.5", "-99999999.99", "'NaN'"]),
    (
        "text",
        &[
            "''",
            "' '",
            "'a'",
            "'A'",
            "'a '",
            "E'a\\n'",
            "E'\\\\'",
            "''''",
            "'\"'",
            "'$$'",
            "':x ?'",
            "E'\\\\!\\n;--'",
            "U&'\\2028'",
            "'é'",
            "U&'e\\0301'",
            "'NULL'",
            "'\\N'",
            "'\\.'",
        ],
    ),
    ("character varying(5)", &["'ab'", "'ab '", "'AB'", "''"]),
    ("character(5)", &["'ab'", "'abc'", "''", "'AB'"]),
    ("character", &["'a'", "''"]),
    ("bpchar", &["'ab'", "'ab '", "'ab  '", "''"]),
    ("name", &["'ab'", "'AB'", "''"]),
    ("\"char\"", &["'a'", "''", "(-1)::\"char\"", "(-56)::\"char\"", "' '", "'\\'"]),
    ("text COLLATE loose", &["'a'", "'A'", "'b'", "'a '"]),
    ("character(5) COLLATE loose", &["'a'", "'A'"]),
    ("bpchar COLLATE loose", &["'a'", "'A'", "'a '"]),
    ("bytea", &["''", "'\\x00'", "'\\x0000'", "'\\xff'", "'\\x27'"]),
    ("date", &["'2024-02-29'", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"]),
    ("time", &["'24:00'", "'00:00'", "'00:00:00.000001'"]),
    ("time(3)", &["'12:34:56.789'", "'00:00'"]),
    ("time with time zone", &["'00:00+00'", "'01:00+01'", "'00:00+15:59:59'", "'00:00-15:59'"]),
    (
        "timestamp",
        &[
            "'2024-02-29 01:02:03.000001'",
            "'infinity'",
            "'-infinity'",
            "'4713-01-01 BC'",
            "'294276-12-31 23:59:59.999999'",
        ],
    ),
    ("timestamp(0)", &["'2024-02-29 01:02:03'"]),
    ("timestamp with time zone", &["'2024-10-27 00:30+00'", "'2024-10-27 01:30+00'", "'infinity'"]),
    (
        "interval",
        &[
            "'1 mon'",
            "'30 days'",
            "'720:00'",
            "'1 mon -1 day'",
            "'-00:00:00.000001'",
            "'0'",
            "'1 day -24:00'",
            "'-1 year 2 mons -3 days 04:05:06.7'",
        ],
    ),
    ("interval day to second(3)", &["'1 02:03:04.567'", "'2 days'"]),
    ("uuid", &["'00000000-0000-0000-0000-000000000000'", "'FFFFFFFF-ffff-ffff-ffff-ffffffffffff'"]),
    (
        "json",
        &[
            "'{}'",
            "'{ }'",
            "'{\"a\":1,\"a\":2}'",
            "'{\"a\": 1,\"a\":2}'",
            "'1e400'",
            "'null'",
            "'\"\\u0000\"'",
            "'[1.0]'",
            "'[1.00]'",
        ],
    ),
    (
        "jsonb",
        &[
            "'{}'",
            "'[1.0]'",
            "'[1.00]'",
            "'1e400'",
            "'null'",
            "'{\"b\":1,\"a\":2}'",
            "'\"''\\\\\"'",
        ],
    ),
    ("xml", &["'<a/>'", "'<a></a>'", "'<a />'", "'text'", "'<?xml version=\"1.0\"?><a/>'"]),
    ("money", &["'0'", "'-1234567.89'", "'92233720368547758.07'"]),
    ("inet", &["'10.0.0.1'", "'10.0.0.1/8'", "'::1'", "'10.0.0.0/8'"]),
    ("cidr", &["'10.0.0.0/8'", "'10.0.0.0/9'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("macaddr8", &["'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"]),
    ("bit(3)", &["'101'", "'010'"]),
    ("bit", &["'1'", "'0'"]),
    ("bit varying(5)", &["'101'", "''", "'1010'"]),
    ("tsvector", &["'a b'", "'a:1A b:2'"]),
    ("tsquery", &["'a & b'", "'a | b'"]),
    ("point", &["'(0,0)'", "'(-0,0)'", "'(0.1,1e300)'"]),
    ("box", &["'(0,0),(1,1)'", "'(0,0),(2,0.5)'"]),
    ("path", &["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"]),
    ("polygon", &["'((0,0),(1,1),(2,0))'"]),
    ("circle", &["'<(0,0),1>'", "'<(5,5),1>'"]),
    ("line", &["'{1,2,3}'"]),
    ("lseg", &["'[(0,0),(1,1)]'"]),
    ("int4range", &["'empty'", "'[1,4)'", "'(,)'"]),
    ("numrange", &["'[1,3]'", "'[1,4)'", "'[1.0,3]'", "'empty'", "'(,)'"]),
    ("tstzrange", &["'[2024-01-01 00:00+00,)'"]),
    ("nummultirange", &["'{}'", "'{[1,2),[3,4)}'"]),
    ("integer[]", &["'{}'", "'{1,2,NULL}'", "'[0:2]={1,2,3}'", "'{1,2,3}'", "'{{1,2},{3,4}}'"]),
    (
        "text[]",
        &[
            "'{}'",
            "ARRAY['a,b', '\"', '\\', 'NULL', '', '{}', ' x ']",
            "ARRAY[NULL::text]",
            "ARRAY['NULL']",
        ],
    ),
    ("character(3)[]", &["'{a,bb}'", "'{a}'"]),
    ("numeric(4,1)[]", &["'{1,2.5}'"]),
    ("bit(3)[]", &["'{101,010}'"]),
    ("double precision[]", &["'{0}'", "'{-0}'", "'{0.1,NaN}'"]),
    ("mood", &["'sad'", "'it''s'", "'happy'"]),
    ("mood[]", &["'{sad,happy}'", "'{}'"]),
    ("email", &["'a@b'", "'A@b'"]),
    ("padded", &["'ab'", "'AB'"]),
    ("amount", &["1.0", "1.00"]),
    ("feeling", &["'sad'", "'happy'"]),
    ("pair", &["'(1,a)'", "'(1,\"a b\")'", "'(,)'", "'(1.0,\"\")'", "'(1,)'"]),
    ("pair[]", &["ARRAY['(1,a)'::pair]", "ARRAY[NULL::pair, '(,)']"]),
    ("pair_domain", &["'(1,a)'", "'(,)'"]),
    ("period", &["'[2024-01-01,2024-02-01)'", "'empty'"]),
    ("out_there.ranked", &["'low'", "'high'"]),
    ("out_there.label", &["'a'", "'A'", "'a '"]),
    ("out_there.twin", &["'(1,2)'", "'(,)'"]),
    ("celsius", &["'(20)'", "'(21)'"]),
    ("regclass", &["'pg_class'", "'t_other'"]),
    ("regtype", &["'integer'", "'mood'"]),
    ("pg_lsn", &["'0/0'", "'16/B374D848'"]),
    ("xid", &["'0'", "'4294967295'"]),
    ("tid", &["'(0,1)'"]),
    ("citext", &["'a'", "'A'", "''"]),
    ("hstore", &["'a=>1'", "'a=>NULL'", "''"]),
    ("ltree", &["'a.b'", "''"]),
];

/// What the types need.
pub const SCHEMA: &str = r#"
CREATE SCHEMA out_there; CREATE SCHEMA ext;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION ltree SCHEMA ext;
SET search_path = public, ext;
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE TYPE mood AS ENUM ('sad', 'it''s', 'happy');
CREATE DOMAIN email AS text COLLATE loose;
CREATE DOMAIN padded AS character(4);
CREATE DOMAIN amount AS numeric;
CREATE DOMAIN feeling AS mood;
CREATE TYPE pair AS (n numeric, t text);
CREATE DOMAIN pair_domain AS pair;
CREATE TYPE period AS RANGE (SUBTYPE = date);
CREATE TYPE out_there.ranked AS ENUM ('low', 'high');
CREATE DOMAIN out_there.label AS bpchar COLLATE loose;
CREATE TYPE out_there.twin AS (a int, b int);
CREATE TYPE celsius AS (degrees int);
CREATE FUNCTION celsius_text(celsius) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'warm' $$;
CREATE CAST (celsius AS text) WITH FUNCTION celsius_text(celsius);
CREATE TABLE t_other();
"#;

/// The servers that know every one of these types: 13 has no multiranges and no infinite numerics.
pub fn knowing_every_type() -> impl Iterator<Item = Server> {
    postgres_servers().into_iter().filter(|server| server.name != "postgres-13")
}

/// Databases with a table for each type: a key, the value, a column that is NULL.
pub fn of_every_type(database: &Database) {
    let mut script = String::from(SCHEMA);
    for (number, (kind, values)) in TYPES.iter().enumerate() {
        script.push_str(&format!(
            "CREATE TABLE t{number}(id int PRIMARY KEY, v {kind}, w {kind});\n"
        ));
        for (id, value) in values.iter().enumerate() {
            script.push_str(&format!("INSERT INTO t{number} VALUES ({id}, {value}, NULL);\n"));
        }
        script.push_str(&format!("INSERT INTO t{number} VALUES (99, NULL, NULL);\n"));
    }
    database.sql(&script);
}
