//! Databases of MySQL and MariaDB as our reader sees them, beside what the server's own client says.
//!
//! The oracle asks the server for each cell as text or in hexadecimal, through its own client, and
//! compares with code that knows nothing of wire formats.

use deepdiff_db::engine::{EngineError, OpenOptions, ReadEnd, ReadFrom, Source, SourceUrl};
use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::temporal::Date;
use deepdiff_db::model::{Catalog, Decimal, TableSpec, Value};

use crate::servers::{self, Database, Server};
use crate::sqlite_database::{Rows, block_on, spec};

/// A database made by a script, on a server.
pub struct Scene {
    pub database: Database,
}

/// An account that is dropped with the value.
pub struct Account<'s>(&'s Scene);

impl Drop for Account<'_> {
    fn drop(&mut self) {
        self.0.run(&format!("DROP USER {}@'%';", self.0.database.name));
    }
}

/// The script on MariaDB.
pub fn scene(script: &str) -> Scene {
    on(&servers::mariadb(), script)
}

/// The script on every server there is.
pub fn scenes(script: &str) -> Vec<Scene> {
    servers::mysql_servers().iter().map(|server| on(server, script)).collect()
}

/// The script on one server.
pub fn on(server: &Server, script: &str) -> Scene {
    let scene = Scene { database: server.database("CHARACTER SET utf8mb4") };
    scene.run(script);
    scene
}

impl Scene {
    /// Runs a script, with a mode in which everything can be stored.
    pub fn run(&self, script: &str) -> String {
        self.database.sql(&format!("SET sql_mode='ALLOW_INVALID_DATES';\n{script}"))
    }

    /// An account with a password and this database's name, and its URL over TCP without one.
    pub fn account(&self) -> (Account<'_>, String) {
        let name = &self.database.name;
        self.run(&format!(
            "CREATE USER {name}@'%' IDENTIFIED BY 'geheim'; GRANT ALL ON {name}.* TO {name}@'%';"
        ));
        let url = self.database.server.tcp_url(name).replacen("tester@", &format!("{name}@"), 1);
        (Account(self), url)
    }

    pub fn url(&self) -> SourceUrl {
        self.database.url().parse().unwrap()
    }

    /// A source in which the transaction has begun.
    pub async fn source(&self) -> Source {
        let mut source = Source::open(&self.url(), &OpenOptions::default()).await.unwrap();
        source.begin(1).await.unwrap();
        source
    }

    pub fn catalog(&self) -> Catalog {
        self.catalog_under(&Scope::default()).unwrap()
    }

    pub fn catalog_under(&self, scope: &Scope) -> Result<Catalog, EngineError> {
        block_on(async { self.source().await.catalog(scope).await })
    }

    /// The rows of a table as they are read.
    pub fn rows(&self, table: &str) -> Vec<Vec<Value>> {
        let catalog = self.catalog();
        let (rows, end) = self.read(spec(&catalog, table), &ReadFrom::Start);
        assert!(end.is_complete);
        rows
    }

    pub fn read(&self, spec: &TableSpec, from: &ReadFrom) -> (Vec<Vec<Value>>, ReadEnd) {
        block_on(async {
            let mut source = self.source().await;
            let mut rows = Rows::default();
            let end = source.read_rows(spec, from, &mut rows).await.unwrap();
            assert_eq!(source.count_rows(spec).await.unwrap() >= end.rows, end.is_complete);
            (rows.rows, end)
        })
    }

    /// Reads a table and compares every cell with what the server's client says, matched by the
    /// column `id`. Gives the rows by it.
    #[track_caller]
    pub fn exact(&self, table: &str) -> Vec<Vec<Value>> {
        let catalog = self.catalog();
        let spec = spec(&catalog, table);
        let mut rows = self.rows(table);
        let id = spec.columns.iter().position(|column| column.name == "id").unwrap();
        rows.sort_by_key(|row| match row[id] {
            Value::Int(id) => id,
            _ => panic!("{:?} is no id", row[id]),
        });
        let cells: Vec<String> = spec
            .columns
            .iter()
            .map(|column| {
                let name = format!("`{}`", column.name.replace('`', "``"));
                let shown = match word(&column.declared_type) {
                    "float" => format!("CAST({name} + 0e0 AS CHAR)"),
                    "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal"
                    | "double" | "year" | "date" | "datetime" | "timestamp" | "time" => {
                        format!("CAST({name} AS CHAR)")
                    }
                    "bit" => format!("CAST({name} + 0 AS CHAR)"),
                    _ => format!("HEX({name})"),
                };
                format!("IFNULL({shown}, 'NULL')")
            })
            .collect();
        let mut said = Vec::new();
        // A client's line holds few enough of them.
        for part in cells.chunks(100) {
            let select = format!(
                "SET time_zone = '+00:00'; SELECT CONCAT_WS(0x09, {}) FROM `{}` ORDER BY id;",
                part.join(", "),
                table.replace('`', "``")
            );
            let output = self.run(&select);
            let lines: Vec<Vec<String>> =
                output.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
            said.resize(lines.len(), Vec::new());
            said.iter_mut().zip(lines).for_each(|(row, mut cells)| row.append(&mut cells));
        }
        assert_eq!(said.len(), rows.len(), "{table}");
        for (row, said) in rows.iter().zip(&said) {
            for ((value, said), column) in row.iter().zip(said).zip(&spec.columns) {
                let is_same = is_what_was_said(value, said);
                assert!(is_same, "{table}.{}: {value:?} is not {said}", column.name);
            }
        }
        rows
    }
}

fn word(declared: &str) -> &str {
    declared.split([' ', '(']).next().unwrap()
}

/// Whether a value is what the server's client printed.
fn is_what_was_said(value: &Value, said: &str) -> bool {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    match value {
        Value::Null => said == "NULL",
        // The number of an ENUM or SET that has no text.
        Value::Int(_) if said.is_empty() => true,
        Value::Int(number) => said.parse() == Ok(*number),
        Value::UInt(number) => said.parse() == Ok(*number),
        Value::Float32(bits) => {
            said.parse().map(f64::to_bits) == Ok(f64::from(f32::from_bits(*bits)).to_bits())
        }
        Value::Float64(bits) => said.parse().map(f64::to_bits) == Ok(*bits),
        Value::Decimal(Decimal::Finite(number)) => {
            let digits: String = number.digits().iter().map(|d| char::from(b'0' + d)).collect();
            let plain = said.trim_start_matches('-').replace('.', "");
            let scale = said.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            plain.trim_start_matches('0') == digits
                && scale == usize::from(number.scale())
                && number.is_negative() == said.starts_with('-')
        }
        Value::Text(text) | Value::Other(text) | Value::Json(text) => said == hex(text.as_bytes()),
        Value::RawText { bytes, .. } | Value::Bytes(bytes) => said == hex(bytes),
        Value::Date(date) => said == spelled_date(*date),
        Value::DateTime(at) | Value::Timestamp(at) => {
            let (date, time) = said.split_once(' ').unwrap();
            date == spelled_date(at.date) && micros(time) == at.micros
        }
        Value::Time(time) => micros(said) == *time,
        // HEX of a UUID column is of its text.
        Value::Uuid(uuid) => {
            let text = String::from_utf8((0..said.len() / 2).map(|i| byte(said, i)).collect());
            text.unwrap().replace('-', "").to_uppercase() == hex(uuid)
        }
        other => panic!("{other:?} came out of MySQL"),
    }
}

fn byte(hex: &str, index: usize) -> u8 {
    u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).unwrap()
}

fn spelled_date(date: Date) -> String {
    match date {
        Date::Fields { year, month, day } => format!("{year:04}-{month:02}-{day:02}"),
        other => panic!("{other:?} came out of MySQL"),
    }
}

fn micros(time: &str) -> i64 {
    let (sign, time) = time.strip_prefix('-').map_or((1, time), |time| (-1, time));
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let seconds = clock.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap());
    sign * (seconds * 1_000_000 + format!("{fraction:0<6}").parse::<i64>().unwrap())
}
