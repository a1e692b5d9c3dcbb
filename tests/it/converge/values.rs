//! A value for a type and a number: equal numbers give equal values in every table, so that rows
//! find the rows they refer to.

use super::place::Place;

/// How literals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Mysql,
    Sqlite,
}

impl Dialect {
    /// That of a database.
    pub fn of(place: &Place) -> Dialect {
        match place {
            Place::Postgres(_) => Dialect::Postgres,
            Place::Mysql(_) => Dialect::Mysql,
            Place::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// A text as a literal.
    pub fn quoted(self, text: &str) -> String {
        let text = text.replace('\'', "''");
        match self {
            Dialect::Mysql => format!("'{}'", text.replace('\\', "\\\\")),
            Dialect::Postgres | Dialect::Sqlite => format!("'{text}'"),
        }
    }

    /// Bytes as a literal.
    fn bytes(self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Dialect::Postgres => format!("'\\x{hex}'"),
            Dialect::Mysql | Dialect::Sqlite => format!("X'{hex}'"),
        }
    }
}

/// Whether other columns have to find a value, or it stands for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Matched,
    Free,
}

/// The value of a type for a number; nothing where the type is not known.
pub fn value(dialect: Dialect, kind: &str, number: u64, usage: Use) -> Option<String> {
    let kind = kind.trim().to_ascii_lowercase();
    if let Some(element) = kind.strip_suffix("[]") {
        let items: Vec<String> = [number, number + 1]
            .iter()
            .filter_map(|n| value(dialect, element, *n, usage))
            .collect();
        return (items.len() == 2).then(|| format!("ARRAY[{}]::{kind}", items.join(", ")));
    }
    let (base, arguments) = kind.split_once('(').unwrap_or((&kind, ""));
    let length = arguments.split([',', ')']).next().and_then(|n| n.trim().parse::<usize>().ok());
    let base = base.trim();
    let text = |text: String| Some(dialect.quoted(&text));
    if let Some(labels) = labels(base, arguments) {
        let place = usize::try_from(number).expect("because numbers are small") % labels.len();
        return text(labels[place].clone());
    }
    if is_text(base) {
        return text(words(number, length, usage));
    }
    plain(dialect, base, arguments, number, usage)
        .or_else(|| temporal(base, number).and_then(text))
        .or_else(|| binary(dialect, base, length, number))
        .or_else(|| peculiar(base, number).and_then(text))
        .or_else(|| spatial(dialect, base, number))
        .or_else(|| (dialect == Dialect::Sqlite).then(|| format!("'v{number}'")))
}

/// The labels of an enumeration or set of MySQL, which stand in the type.
fn labels(base: &str, arguments: &str) -> Option<Vec<String>> {
    let list = arguments.rsplit_once(')').map_or(arguments, |(list, _)| list);
    let labels = list.split("',").map(|label| label.trim().trim_matches('\'').to_owned()).collect();
    matches!(base, "enum" | "set").then_some(labels)
}

fn is_text(base: &str) -> bool {
    ["char", "text", "clob", "citext", "name", "string"].iter().any(|word| base.contains(word))
}

/// A text, cut to its length. What nothing has to match is harder to write and to compare.
fn words(number: u64, length: Option<usize>, usage: Use) -> String {
    let long = match (usage, number % 4) {
        (Use::Free, 1) => format!("v{number} 'quoted' \\ \"é\" % _"),
        (Use::Free, 2) => format!("v{number} two\nlines; --"),
        _ => format!("v{number}"),
    };
    let length = length.unwrap_or(usize::MAX);
    if long.chars().count() <= length {
        return long;
    }
    let digits = format!("{number:0length$}");
    if length < 4 { digits[digits.len() - length..].to_owned() } else { format!("v{number}") }
}

fn plain(dialect: Dialect, base: &str, arguments: &str, number: u64, usage: Use) -> Option<String> {
    let scale =
        arguments.split(',').nth(1).and_then(|n| n.trim_end_matches(')').trim().parse().ok());
    let half = match (usage, scale) {
        (Use::Matched, _) | (_, Some(0u8)) => "",
        (Use::Free, _) => ".5",
    };
    let first = base.split(' ').next().unwrap_or_default();
    Some(match first {
        "bool" | "boolean" => match dialect {
            Dialect::Postgres => number.is_multiple_of(2).to_string(),
            Dialect::Mysql | Dialect::Sqlite => (number % 2).to_string(),
        },
        "year" => (2000 + number).to_string(),
        "real" | "float" | "double" | "float4" | "float8" => format!("{number}{half}"),
        "numeric" | "decimal" | "dec" | "fixed" | "number" => {
            if arguments.is_empty() || scale.is_some() {
                format!("{number}{half}")
            } else {
                number.to_string()
            }
        }
        "money" => dialect.quoted(&format!("{number}.25")),
        "oid" | "xid" | "serial" | "bigserial" => number.to_string(),
        // `int`, `integer`, `bigint unsigned`, `int2`; not `interval`, not `int4range`.
        _ if first.contains("int")
            && !first.contains("interval")
            && !first.contains("range")
            && !first.contains("point") =>
        {
            number.to_string()
        }
        _ => return None,
    })
}

fn temporal(base: &str, number: u64) -> Option<String> {
    let date = format!("2024-{:02}-{:02}", 1 + number / 28 % 12, 1 + number % 28);
    let time = format!("10:{:02}:07", number % 60);
    let first = base.split(' ').next().unwrap_or_default();
    Some(match first {
        "date" => date,
        "time" | "timetz" => time,
        "timestamp" | "timestamptz" | "datetime" => format!("{date} {time}"),
        "interval" => format!("{number} days"),
        _ => return None,
    })
}

fn binary(dialect: Dialect, base: &str, length: Option<usize>, number: u64) -> Option<String> {
    let byte = u8::try_from(number % 256).expect("because it is below 256");
    match base {
        "bit varying" => Some("B'101'".to_owned()),
        "bit" if dialect == Dialect::Postgres => {
            let width = length.unwrap_or(1);
            let bits = format!("{number:0width$b}");
            Some(format!("B'{}'", &bits[bits.len() - width..]))
        }
        "bit" => Some((number % 2).to_string()),
        "bytea" => Some(dialect.bytes(&[0, byte, 0xff])),
        _ if base.contains("blob") || base.contains("binary") => {
            Some(if length == Some(1) { dialect.bytes(&[byte]) } else { dialect.bytes(&[byte, 0]) })
        }
        _ => None,
    }
}

/// Types whose literals are texts of a form of their own.
fn peculiar(base: &str, n: u64) -> Option<String> {
    Some(match base {
        "uuid" => format!("00000000-0000-4000-8000-{n:012x}"),
        "json" | "jsonb" => format!("{{\"k\": {n}}}"),
        "inet" | "inet4" | "cidr" => format!("10.0.0.{}", n % 256),
        "inet6" => format!("::{n:x}"),
        "macaddr" => format!("08:00:2b:01:02:{:02x}", n % 256),
        "macaddr8" => format!("08:00:2b:01:02:03:04:{:02x}", n % 256),
        "xml" => format!("<a>{n}</a>"),
        "tsvector" => format!("'a{n}':1"),
        "tsquery" => format!("'a{n}'"),
        "hstore" => format!("k=>{n}"),
        "ltree" => format!("a.b{n}"),
        "int4range" | "int8range" | "numrange" => format!("[{n},{})", n + 1),
        "tsrange" | "tstzrange" | "daterange" => {
            format!("[2024-01-01,2024-01-{:02})", 2 + n % 27)
        }
        "box" => format!("({n},{n}),(0,0)"),
        "line" => format!("{{1,2,{n}}}"),
        "lseg" => format!("[(0,0),({n},{n})]"),
        "path" => format!("((0,0),({n},{n}))"),
        "circle" => format!("<({n},{n}),1>"),
        "\"char\"" => "c".to_owned(),
        _ => return None,
    })
}

fn spatial(dialect: Dialect, base: &str, n: u64) -> Option<String> {
    let shape = match base.rsplit('.').next().unwrap_or(base) {
        "point" if dialect == Dialect::Postgres => return Some(format!("'({n},{n})'")),
        "polygon" if dialect == Dialect::Postgres => {
            return Some(format!("'((0,0),({n},0),({n},{n}))'"));
        }
        "point" | "geometry" | "geography" => format!("POINT({n} {n})"),
        "linestring" => format!("LINESTRING(0 0,{n} {n})"),
        "polygon" => format!("POLYGON((0 0,{n} 0,{n} {n},0 0))"),
        _ => return None,
    };
    Some(match dialect {
        Dialect::Mysql => format!("ST_GeomFromText('{shape}')"),
        Dialect::Postgres | Dialect::Sqlite => format!("'{shape}'"),
    })
}
