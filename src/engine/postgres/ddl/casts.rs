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

/// Casts beyond the families: those that are assigned, and those that are asked for.
const OTHERS: [(&str, &str, Conversion); 22] = [
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
        (Some(old), Some(new)) => match scalar(&base(old, from), &base(new, to), to) {
            // An array goes by its text as well where its elements do.
            Conversion::Text => Conversion::Text,
            Conversion::None => Conversion::None,
            _ => Conversion::Explicit,
        },
        (Some(_), None) if is_text(&new) => Conversion::Assignment,
        (None, Some(_)) if is_text(&old) => Conversion::Explicit,
        _ => Conversion::None,
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
    let is_own = |name: &str| parsed(name).is_some_and(|name| !name.schema.is_empty());
    // What two types of one's own have in common is how they are written.
    if is_own(old) && is_own(new) { Conversion::Text } else { Conversion::None }
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
