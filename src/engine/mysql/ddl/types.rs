//! Column types: which of two holds the values of both.
//!
//! While rows change, a column has a type that takes the values it had and those it shall have. For
//! types of one family there is one; between others, values are written anew.

use super::labels;
use crate::engine::ddl::text;
use crate::model::Fact;

/// How a type relates to the one that a column had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Relation {
    /// It takes all values of the other.
    Wider,
    /// The other takes all of its values.
    Narrower,
    /// This one takes the values of both.
    Between(String),
    /// None does.
    Foreign,
}

/// A type, as far as it matters which values it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// Digits before and after the point, and whether there are negative numbers. Whole numbers are
    /// told apart by their bytes.
    Number {
        bytes: Option<u8>,
        whole: u64,
        fraction: u64,
        is_signed: bool,
    },
    /// FLOAT and DOUBLE.
    Float {
        is_double: bool,
    },
    /// Characters. Those without a length: their bytes.
    Text {
        length: u64,
        is_fixed: bool,
        capacity: Option<u64>,
    },
    /// Bytes.
    Bytes {
        length: u64,
        is_fixed: bool,
        is_blob: bool,
    },
    Labels {
        is_set: bool,
        labels: Vec<String>,
    },
    /// Digits of a second.
    Date,
    DateTime(u64),
    Timestamp(u64),
    Time(u64),
    Bits(u64),
    Geometry,
    Other,
}

/// The word a type begins with.
pub(super) fn word(type_text: &str) -> &str {
    let end = type_text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &type_text[..end.unwrap_or(type_text.len())]
}

/// Whether a type has no length: MySQL takes neither a literal default for it, nor a key without a
/// length.
pub(super) fn is_unbounded(type_text: &str) -> bool {
    let word = word(type_text);
    word.ends_with("text") || word.ends_with("blob") || word == "json" || is_geometry(word)
}

fn is_geometry(word: &str) -> bool {
    ["point", "linestring", "polygon"].contains(&word)
        || word.starts_with("multi")
        || word.starts_with("geom")
}

const LARGE: [(&str, u64); 4] =
    [("tiny", 255), ("", 65_535), ("medium", 16_777_215), ("long", 4_294_967_295)];

fn numbers(type_text: &str) -> (Option<u64>, Option<u64>) {
    let inner = type_text.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let mut numbers = inner.map_or("", |(inner, _)| inner).split(',').map(|n| n.trim().parse());
    (numbers.next().and_then(Result::ok), numbers.next().and_then(Result::ok))
}

fn shape(type_text: &str) -> Shape {
    let word = word(type_text);
    let (first, second) = numbers(type_text);
    let is_signed = !type_text.contains("unsigned") && !type_text.contains("zerofill");
    let integers = [("tinyint", 1, 3), ("smallint", 2, 5), ("mediumint", 3, 8), ("int", 4, 10)];
    if let Some((_, bytes, whole)) = integers.iter().find(|(name, ..)| *name == word) {
        return Shape::Number { bytes: Some(*bytes), whole: *whole, fraction: 0, is_signed };
    }
    let large = |suffix: &str| {
        let size = LARGE.iter().find(|(prefix, _)| word.strip_prefix(prefix) == Some(suffix));
        size.map(|(_, size)| *size)
    };
    match word {
        "bigint" => Shape::Number {
            bytes: Some(8),
            whole: if is_signed { 19 } else { 20 },
            fraction: 0,
            is_signed,
        },
        "decimal" => {
            let fraction = second.unwrap_or(0);
            let whole = first.unwrap_or(10).saturating_sub(fraction);
            Shape::Number { bytes: None, whole, fraction, is_signed }
        }
        "float" | "double" => Shape::Float { is_double: word == "double" },
        "char" | "varchar" => {
            Shape::Text { length: first.unwrap_or(1), is_fixed: word == "char", capacity: None }
        }
        "binary" | "varbinary" => {
            Shape::Bytes { length: first.unwrap_or(1), is_fixed: word == "binary", is_blob: false }
        }
        "enum" | "set" => match labels::of(type_text, word) {
            Some(labels) => Shape::Labels { is_set: word == "set", labels },
            None => Shape::Other,
        },
        "date" => Shape::Date,
        "datetime" => Shape::DateTime(first.unwrap_or(0)),
        "timestamp" => Shape::Timestamp(first.unwrap_or(0)),
        "time" => Shape::Time(first.unwrap_or(0)),
        "bit" => Shape::Bits(first.unwrap_or(1)),
        _ => match (large("text"), large("blob")) {
            (Some(capacity), _) => {
                Shape::Text { length: capacity, is_fixed: false, capacity: Some(capacity) }
            }
            (_, Some(length)) => Shape::Bytes { length, is_fixed: false, is_blob: true },
            _ if is_geometry(word) => Shape::Geometry,
            _ => Shape::Other,
        },
    }
}

/// How the type of `after` relates to that of `before`.
pub(super) fn relation(before: &Fact, after: &Fact) -> Relation {
    let (was, is) = (text(before, "type").unwrap_or(""), text(after, "type").unwrap_or(""));
    if text(before, "srid") != text(after, "srid") {
        return Relation::Foreign;
    }
    if was == is {
        return Relation::Wider;
    }
    between(was, is)
}

fn between(was: &str, is: &str) -> Relation {
    use Shape::{Bits, Bytes, Date, DateTime, Float, Labels, Number, Text, Time, Timestamp};
    let by_size = |was: u64, is: u64| match is >= was {
        true => Relation::Wider,
        false => Relation::Narrower,
    };
    let (before, after) = (shape(was), shape(is));
    match (&before, &after) {
        (Number { .. }, Number { .. }) => numbers_between(&before, &after),
        (Float { is_double: was }, Float { is_double: is }) => {
            by_size(u64::from(*was), u64::from(*is))
        }
        (Number { bytes: Some(bytes), .. }, Float { is_double }) => match (bytes, is_double) {
            (8, _) => Relation::Foreign,
            (4, false) => Relation::Between("double".to_owned()),
            _ => Relation::Wider,
        },
        (Float { is_double }, Number { bytes: Some(bytes), .. }) => match (bytes, is_double) {
            (8, _) => Relation::Foreign,
            (4, false) => Relation::Between("double".to_owned()),
            _ => Relation::Narrower,
        },
        (Text { .. }, Text { .. }) => text_between(&before, &after),
        (Bytes { .. }, Bytes { .. }) => bytes_between(&before, &after),
        (Labels { is_set: a, labels: was }, Labels { is_set: b, labels: is }) if a == b => {
            labels_between(if *a { "set" } else { "enum" }, was, is)
        }
        (Labels { is_set: false, labels }, Text { length, .. }) => {
            match *length >= labels::longest(labels) {
                true => Relation::Wider,
                false => Relation::Foreign,
            }
        }
        (Text { length, .. }, Labels { is_set: false, labels }) => {
            match *length >= labels::longest(labels) {
                true => Relation::Narrower,
                false => Relation::Foreign,
            }
        }
        (DateTime(was), DateTime(is))
        | (Timestamp(was), Timestamp(is))
        | (Time(was), Time(is))
        | (Bits(was), Bits(is)) => by_size(*was, *is),
        (Date, DateTime(_)) => Relation::Wider,
        (DateTime(_), Date) => Relation::Narrower,
        (Timestamp(was), DateTime(is)) if is >= was => Relation::Wider,
        (DateTime(was), Timestamp(is)) if was >= is => Relation::Narrower,
        (Timestamp(a), DateTime(b)) | (DateTime(b), Timestamp(a)) => {
            Relation::Between(format!("datetime({})", a.max(b)))
        }
        (Shape::Geometry, Shape::Geometry) if is == "geometry" => Relation::Wider,
        (Shape::Geometry, Shape::Geometry) if was == "geometry" => Relation::Narrower,
        _ => Relation::Foreign,
    }
}

fn numbers_between(before: &Shape, after: &Shape) -> Relation {
    let (
        Shape::Number { bytes: b1, whole: w1, fraction: f1, is_signed: s1 },
        Shape::Number { bytes: b2, whole: w2, fraction: f2, is_signed: s2 },
    ) = (before, after)
    else {
        return Relation::Foreign;
    };
    // Whether the second takes the first.
    let takes = |first: (&Option<u8>, &u64, &u64, &bool),
                 second: (&Option<u8>, &u64, &u64, &bool)| {
        let has_sign = !*first.3 || *second.3;
        has_sign
            && match (first.0, second.0) {
                (Some(small), Some(large)) if first.3 == second.3 => large >= small,
                (Some(small), Some(large)) => large > small,
                (None, Some(_)) => *first.2 == 0 && *first.1 < *second.1,
                _ => second.1 >= first.1 && second.2 >= first.2,
            }
    };
    let (was, is) = ((b1, w1, f1, s1), (b2, w2, f2, s2));
    if takes(was, is) {
        return Relation::Wider;
    }
    if takes(is, was) {
        return Relation::Narrower;
    }
    if let (Some(one), Some(other)) = (b1, b2) {
        let larger = *one.max(other);
        let both = match larger {
            1 => "smallint",
            2 => "mediumint",
            3 => "int",
            4 => "bigint",
            _ => "decimal(20,0)",
        };
        return Relation::Between(both.to_owned());
    }
    let (whole, fraction) = (*w1.max(w2), *f1.max(f2));
    match whole + fraction <= 65 && fraction <= 30 {
        true => Relation::Between(format!("decimal({},{fraction})", whole + fraction)),
        false => Relation::Foreign,
    }
}

fn text_between(before: &Shape, after: &Shape) -> Relation {
    let (
        Shape::Text { length: l1, is_fixed: x1, capacity: c1 },
        Shape::Text { length: l2, is_fixed: x2, capacity: c2 },
    ) = (before, after)
    else {
        return Relation::Foreign;
    };
    match (c1, c2) {
        (Some(was), Some(is)) if is >= was => Relation::Wider,
        (Some(_), Some(_)) => Relation::Narrower,
        (None, Some(is)) if l1.saturating_mul(4) <= *is => Relation::Wider,
        (Some(was), None) if l2.saturating_mul(4) <= *was => Relation::Narrower,
        (None, Some(_)) | (Some(_), None) => {
            let needed = (*l1.max(l2)).saturating_mul(4);
            let (prefix, _) = LARGE.iter().find(|(_, size)| *size >= needed).unwrap_or(&LARGE[3]);
            Relation::Between(format!("{prefix}text"))
        }
        (None, None) if l2 >= l1 && (*x1 || !*x2) => Relation::Wider,
        (None, None) if l1 >= l2 && (*x2 || !*x1) => Relation::Narrower,
        (None, None) => Relation::Between(format!("varchar({})", l1.max(l2))),
    }
}

fn bytes_between(before: &Shape, after: &Shape) -> Relation {
    let (
        Shape::Bytes { length: l1, is_fixed: x1, is_blob: b1 },
        Shape::Bytes { length: l2, is_fixed: x2, is_blob: b2 },
    ) = (before, after)
    else {
        return Relation::Foreign;
    };
    // BINARY fills up what is shorter.
    if !*x2 && l2 >= l1 {
        return Relation::Wider;
    }
    if !*x1 && l1 >= l2 {
        return Relation::Narrower;
    }
    match b1 | b2 {
        true => Relation::Between("longblob".to_owned()),
        false => Relation::Between(format!("varbinary({})", l1.max(l2))),
    }
}

fn labels_between(word: &str, was: &[String], is: &[String]) -> Relation {
    let has_all = |all: &[String], of: &[String]| of.iter().all(|label| all.contains(label));
    if has_all(is, was) {
        return Relation::Wider;
    }
    if has_all(was, is) {
        return Relation::Narrower;
    }
    let more = was.iter().filter(|label| !is.contains(label));
    let all: Vec<&str> = is.iter().chain(more).map(String::as_str).collect();
    match word == "set" && all.len() > 64 {
        true => Relation::Foreign,
        false => Relation::Between(format!("{word}({})", all.join(","))),
    }
}

/// Charsets, each of which has all characters of those before it.
const CHARSETS: [&str; 4] = ["ascii", "latin1", "utf8mb3", "utf8mb4"];

/// The charset and collation that hold the text of both.
pub(super) fn charset_between(before: &Fact, after: &Fact) -> Option<(String, String)> {
    let of = |fact: &Fact| {
        let (charset, collation) = (text(fact, "charset")?, text(fact, "collation")?);
        Some((charset.to_owned(), collation.to_owned()))
    };
    let is = of(after)?;
    let Some(was) = of(before) else { return Some(is) };
    if was.0 == is.0 {
        return Some(is);
    }
    let place = |name: &str| CHARSETS.iter().position(|charset| *charset == name);
    Some(match (place(&was.0), place(&is.0)) {
        (Some(before), Some(after)) if before <= after => is,
        (None, _) if is.0 == "utf8mb4" => is,
        (Some(_), Some(_)) => was,
        (_, None) if was.0 == "utf8mb4" => was,
        _ => ("utf8mb4".to_owned(), "utf8mb4_bin".to_owned()),
    })
}

/// The default that a column has for the rows which are there (see [`is_filled`]), where it has no
/// other and the type takes one.
pub(super) fn filler(type_text: &str) -> Option<&'static str> {
    match shape(type_text) {
        Shape::Number { .. } => Some("0"),
        Shape::Text { capacity: None, .. } => Some("''"),
        _ => None,
    }
}

/// Whether what rows get that were there before the column is known, from a default that is a
/// constant or from the type.
pub(super) fn is_filled(column: &Fact) -> bool {
    let type_text = text(column, "type").unwrap_or("");
    let is_utf8 = matches!(text(column, "charset"), Some("utf8mb3" | "utf8mb4"));
    match (shape(type_text), text(column, "default")) {
        (Shape::Number { .. }, Some(default)) => default.parse::<f64>().is_ok(),
        (Shape::Number { bytes, .. }, None) => bytes.is_some(),
        (Shape::Text { .. }, Some(default)) => is_utf8 && default.starts_with('\''),
        (Shape::Text { .. }, None) => is_utf8,
        (Shape::Labels { is_set: false, .. }, Some(default)) => {
            is_utf8 && default.starts_with('\'')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_type_holds_both() {
        let both = |text: &str| Relation::Between(text.to_owned());
        for (was, is, expected) in [
            ("int", "bigint", Relation::Wider),
            ("int unsigned", "bigint", Relation::Wider),
            ("bigint", "int", Relation::Narrower),
            ("int", "int unsigned", both("bigint")),
            ("bigint", "bigint unsigned", both("decimal(20,0)")),
            ("decimal(10,2)", "decimal(12,2)", Relation::Wider),
            ("decimal(10,2)", "decimal(10,4)", both("decimal(12,4)")),
            ("int", "decimal(12,2)", Relation::Wider),
            ("decimal(5,0)", "int", Relation::Wider),
            ("varchar(10)", "varchar(20)", Relation::Wider),
            ("varchar(20)", "char(30)", both("varchar(30)")),
            ("char(5)", "varchar(5)", Relation::Wider),
            ("varchar(300)", "tinytext", both("text")),
            ("text", "varchar(20)", Relation::Narrower),
            ("binary(4)", "binary(8)", both("varbinary(8)")),
            ("enum('a','b')", "enum('b','a','c')", Relation::Wider),
            ("enum('a','b')", "enum('c','b')", both("enum('c','b','a')")),
            ("enum('a','it''s')", "varchar(4)", Relation::Wider),
            ("date", "datetime(3)", Relation::Wider),
            ("datetime(6)", "timestamp", Relation::Narrower),
            ("timestamp(6)", "datetime", both("datetime(6)")),
            ("int", "float", both("double")),
            ("point", "geometry", Relation::Wider),
            ("json", "text", Relation::Foreign),
            ("int", "varchar(20)", Relation::Foreign),
            ("varchar(20)", "varbinary(20)", Relation::Foreign),
        ] {
            assert_eq!(between(was, is), expected, "{was} {is}");
        }
    }
}
