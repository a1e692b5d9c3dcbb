//! Which values of one type the server makes into values of another, and by what kind of cast.
//!
//! Only the built-in types are known, and casts that are facts. Every type can be read from a text
//! and written as one.

use super::spelling::parsed;
use crate::engine::ddl::{Schema, text};
use crate::engine::postgres::declared::unmodified;
use crate::model::{ObjectKind, ObjectName};

/// How values become values of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    /// By themselves, when they are assigned. What does not fit is refused.
    Assignment,
    /// By a cast.
    Explicit,
    /// By a cast to text and another from it.
    Text,
    /// Not at all.
    None,
}

/// Families of built-in types; within one, values are assigned to each other.
const FAMILIES: [&[&str]; 4] = [
    &["smallint", "integer", "bigint", "numeric", "real", "double precision"],
    &["text", "character varying", "pg_catalog.bpchar", "name", "\"char\""],
    &["date", "timestamp without time zone", "timestamp with time zone"],
    &["pg_catalog.\"bit\"", "bit varying"],
];

/// Built-in types of which values are held as what they are. The others are held as their text, as
/// arrays are: one of each may be the same, and their text leads from the one to the other.
const NATIVE: [&str; 22] = [
    "smallint",
    "integer",
    "bigint",
    "oid",
    "numeric",
    "real",
    "double precision",
    "boolean",
    "bytea",
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "time without time zone",
    "time with time zone",
    "interval",
    "uuid",
    "json",
    "jsonb",
    "text",
    "character varying",
    "pg_catalog.bpchar",
    "name",
];

/// Casts beyond the families: those that are assigned, and those that are asked for.
const OTHERS: [(&str, &str, Conversion); 26] = [
    ("oid", "integer", Conversion::Assignment),
    ("oid", "bigint", Conversion::Assignment),
    ("integer", "oid", Conversion::Assignment),
    ("bigint", "oid", Conversion::Assignment),
    ("integer", "boolean", Conversion::Explicit),
    ("boolean", "integer", Conversion::Explicit),
    ("json", "jsonb", Conversion::Assignment),
    ("jsonb", "json", Conversion::Assignment),
    ("jsonb", "boolean", Conversion::Explicit),
    ("jsonb", "numeric", Conversion::Explicit),
    ("jsonb", "smallint", Conversion::Explicit),
    ("jsonb", "integer", Conversion::Explicit),
    ("jsonb", "bigint", Conversion::Explicit),
    ("jsonb", "real", Conversion::Explicit),
    ("jsonb", "double precision", Conversion::Explicit),
    ("interval", "time without time zone", Conversion::Assignment),
    ("time without time zone", "interval", Conversion::Assignment),
    ("time without time zone", "time with time zone", Conversion::Assignment),
    ("time with time zone", "time without time zone", Conversion::Assignment),
    ("timestamp without time zone", "time without time zone", Conversion::Assignment),
    ("timestamp with time zone", "time without time zone", Conversion::Assignment),
    ("timestamp with time zone", "time with time zone", Conversion::Assignment),
    ("inet", "cidr", Conversion::Assignment),
    ("cidr", "inet", Conversion::Assignment),
    ("money", "numeric", Conversion::Assignment),
    ("numeric", "money", Conversion::Assignment),
];

/// How values of one type become values of another. The types are as the server writes them.
pub(super) fn conversion(old: &str, new: &str, from: &Schema<'_>, to: &Schema<'_>) -> Conversion {
    let (old, new) = (unmodified(old), unmodified(new));
    if old == new {
        return Conversion::Assignment;
    }
    match (old.strip_suffix("[]"), new.strip_suffix("[]")) {
        (None, None) => scalar(&base(&old, from), &base(&new, to), to),
        (Some(old), Some(new)) => array(&base(old, from), &base(new, to), to),
        (Some(_), None) if is_text(&new) => Conversion::Assignment,
        (None, Some(_)) if is_text(&old) => Conversion::Explicit,
        (None, Some(_)) if NATIVE.contains(&base(&old, from).as_str()) => Conversion::None,
        (Some(_), None) if NATIVE.contains(&base(&new, to).as_str()) => Conversion::None,
        _ => Conversion::Text,
    }
}

/// Whether the server's conversion drops the spaces at the end of values.
pub(super) fn drops_spaces(old: &str, new: &str, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    let (old, new) = (base(&unmodified(old), from), base(&unmodified(new), to));
    let is_padded = |name: &str| name == "pg_catalog.bpchar";
    is_padded(&old) && !is_padded(&new) && FAMILIES[1].contains(&new.as_str())
}

/// Arrays are held as their text, and elements that are written alike stay so: where the cast of
/// an element may write it otherwise, the array goes by its text.
fn array(old: &str, new: &str, schema: &Schema<'_>) -> Conversion {
    let found = scalar(old, new, schema);
    let writes_otherwise = || {
        let is_changed = |family: &[&str]| family.contains(&old) && family.contains(&new);
        is_text(new)
            || is_changed(FAMILIES[1])
            || ["real", "double precision", "numeric"].contains(&new)
    };
    match found {
        _ if old == new || own_cast(old, new, schema).is_some() => Conversion::Explicit,
        Conversion::None | Conversion::Text => Conversion::Text,
        _ if writes_otherwise() => Conversion::Text,
        _ => Conversion::Explicit,
    }
}

/// The type that a domain is made of.
fn base(name: &str, schema: &Schema<'_>) -> String {
    let mut name = name.to_owned();
    for _ in 0..32 {
        let domain = parsed(&name).and_then(|name| schema.object(ObjectKind::Domain, &name));
        match domain.and_then(|domain| text(domain, "type")) {
            Some(of) => name = unmodified(of),
            None => break,
        }
    }
    name
}

fn scalar(old: &str, new: &str, schema: &Schema<'_>) -> Conversion {
    if old == new {
        return Conversion::Explicit;
    }
    if let Some(found) = own_cast(old, new, schema) {
        return found;
    }
    let is_family = |family: &&[&str]| family.contains(&old) && family.contains(&new);
    if FAMILIES.iter().any(is_family) || is_text(new) {
        return Conversion::Assignment;
    }
    if is_text(old) {
        return Conversion::Explicit;
    }
    if let Some((.., found)) = OTHERS.iter().find(|(from, to, _)| *from == old && *to == new) {
        return *found;
    }
    match NATIVE.contains(&old) || NATIVE.contains(&new) {
        true => Conversion::None,
        false => Conversion::Text,
    }
}

fn is_text(name: &str) -> bool {
    ["text", "character varying", "pg_catalog.bpchar"].contains(&name)
}

fn own_cast(old: &str, new: &str, schema: &Schema<'_>) -> Option<Conversion> {
    let cast = schema.object(ObjectKind::Cast, &ObjectName::bare(format!("({old} AS {new})")))?;
    Some(match text(cast, "context") {
        Some(_) => Conversion::Assignment,
        None => Conversion::Explicit,
    })
}
